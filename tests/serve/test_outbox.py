"""The outbox of a socket is bounded, but one document may be as large as it is."""

import pytest

from collab.errors import TooSlow
from collab.serve.outbox import Outbox


def test_document_larger_than_the_bound_follows_a_small_frame() -> None:
    outbox = Outbox(bytes_max=100, keepalive_s=20)
    outbox.put(b"x" * 10)
    outbox.put(b"x" * 5_000)


def test_edits_follow_a_document_larger_than_the_bound() -> None:
    outbox = Outbox(bytes_max=100, keepalive_s=20)
    outbox.put(b"x" * 5_000)
    outbox.put(b"x" * 60)


def test_peer_that_reads_nothing_is_too_slow_at_the_bound() -> None:
    outbox = Outbox(bytes_max=100, keepalive_s=20)
    for _ in range(3):
        outbox.put(b"x" * 50)
    with pytest.raises(TooSlow):
        outbox.put(b"x")


def test_second_large_document_at_once_is_too_much() -> None:
    outbox = Outbox(bytes_max=100, keepalive_s=20)
    outbox.put(b"x" * 5_000)
    with pytest.raises(TooSlow):
        outbox.put(b"x" * 5_000)
