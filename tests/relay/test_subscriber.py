"""Subscriptions: each command is sent once, and a channel counts as confirmed when nothing of it is under way."""

import asyncio
from dataclasses import dataclass, field

import hiredis
import pytest

from collab.relay import subscriber as module
from collab.relay.resp import command
from collab.relay.subscriber import Subscriber
from tests.relay.wire import Wire


@dataclass
class Table:
    """A subscriber with its wire and what it told."""

    wire: Wire = field(default_factory=Wire)
    messages: list[tuple[bytes, bytes]] = field(default_factory=list)
    late: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.subscriber = Subscriber(
            self.wire, on_message=lambda *message: self.messages.append(message), on_confirmed=self.late.append
        )

    def confirm(self, channel: bytes) -> None:
        self.wire.say([b"subscribe", channel, 1])


@pytest.fixture
async def table() -> Table:
    return Table()


async def test_channels_are_subscribed_once_with_one_command(table: Table) -> None:
    table.subscriber.add([b"a", b"b", b"a"])
    table.subscriber.add([b"b"])
    assert table.wire.written == [command(b"SUBSCRIBE", b"a", b"b")]


async def test_unknown_channel_is_not_left(table: Table) -> None:
    table.subscriber.remove(b"a")
    assert table.wire.written == []


async def test_left_channel_is_subscribed_again(table: Table) -> None:
    table.subscriber.add([b"a"])
    table.subscriber.remove(b"a")
    table.subscriber.add([b"a"])
    assert table.wire.written[1:] == [command(b"UNSUBSCRIBE", b"a"), command(b"SUBSCRIBE", b"a")]


async def test_wait_ends_with_the_last_confirmation(table: Table) -> None:
    table.subscriber.add([b"a"])
    table.subscriber.remove(b"a")
    table.subscriber.add([b"a"])
    waiting = asyncio.create_task(table.subscriber.confirmed(b"a"))
    await asyncio.sleep(0)
    table.confirm(b"a")
    table.wire.say([b"unsubscribe", b"a", 0])
    await asyncio.sleep(0)
    assert not waiting.done()
    table.confirm(b"a")
    await waiting
    assert table.late == []
    await table.subscriber.confirmed(b"a")  # at once


async def test_wait_ends_with_the_connection(table: Table) -> None:
    table.subscriber.add([b"a"])
    waiting = asyncio.create_task(table.subscriber.confirmed(b"a"))
    await asyncio.sleep(0)
    table.wire.end(ConnectionError())
    await waiting


async def test_confirmation_that_nobody_waits_for_is_told(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONFIRM_S", 0)
    table.subscriber.add([b"a"])
    await table.subscriber.confirmed(b"a")  # gives up
    table.confirm(b"a")
    assert table.late == [b"a"]


async def test_messages_are_handed_on_and_an_error_raises(table: Table) -> None:
    table.wire.say([b"message", b"a", b"words"])
    assert table.messages == [(b"a", b"words")]
    with pytest.raises(ConnectionError, match="NOPERM"):
        table.wire.say(hiredis.ReplyError("NOPERM"))
