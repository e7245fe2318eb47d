"""What waits for tokens on one socket is bounded in frames and in bytes."""

import pytest

from collab.errors import Overloaded
from collab.limits import ServerLimits
from collab.serve.preauth_buffer import PreAuthBuffer


def test_one_frame_too_many_is_refused() -> None:
    buffer = PreAuthBuffer(ServerLimits(preauth_frames_max=2))
    buffer.add(1)
    buffer.add(1)
    with pytest.raises(Overloaded):
        buffer.add(1)


def test_one_byte_too_many_is_refused() -> None:
    buffer = PreAuthBuffer(ServerLimits(preauth_bytes_max=1024))
    buffer.add(1024)
    with pytest.raises(Overloaded):
        buffer.add(1)


def test_a_frame_that_no_longer_waits_makes_room() -> None:
    buffer = PreAuthBuffer(ServerLimits(preauth_frames_max=1, preauth_bytes_max=1024))
    for _ in range(3):
        buffer.add(1024)
        buffer.remove(1024)
