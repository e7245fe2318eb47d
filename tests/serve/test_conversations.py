"""The open connections: which they are, and when the last has ended."""

import asyncio

from collab.errors import CollabError, Draining
from collab.serve.conversations import OpenConversations


class FakeConversation:
    """A connection that remembers why it was ended."""

    def __init__(self) -> None:
        self.ended: CollabError | None = None

    def end(self, error: CollabError) -> None:
        self.ended = error


async def test_all_have_ended_before_the_first_begins() -> None:
    await asyncio.wait_for(OpenConversations().all_ended(), 1)


async def test_wait_lasts_until_the_last_conversation_ends() -> None:
    conversations = OpenConversations()
    first, second = FakeConversation(), FakeConversation()
    waiting = asyncio.create_task(conversations.all_ended())
    with conversations.track(first):
        with conversations.track(second):
            assert set(conversations) == {first, second}
        waiting = asyncio.create_task(conversations.all_ended())
        await asyncio.sleep(0)
        assert not waiting.done()
        assert list(conversations) == [first]
    await waiting
    assert list(conversations) == []


async def test_conversation_that_fails_counts_no_longer() -> None:
    conversations = OpenConversations()
    try:
        with conversations.track(FakeConversation()):
            raise Draining
    except Draining:
        pass
    await asyncio.wait_for(conversations.all_ended(), 1)


async def test_ending_conversations_while_iterating_is_safe() -> None:
    conversations = OpenConversations()
    first, second = conversations.track(one := FakeConversation()), conversations.track(two := FakeConversation())
    first.__enter__()
    second.__enter__()
    for conversation, tracked in zip(conversations, (first, second), strict=True):
        conversation.end(Draining())
        tracked.__exit__(None, None, None)
    assert isinstance(one.ended, Draining)
    assert isinstance(two.ended, Draining)
