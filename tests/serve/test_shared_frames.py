"""A long answer that many clients get is framed once."""

from collab.protocol.hocuspocus import Hocuspocus
from collab.protocol.messages import SyncStep1, SyncStep2, Update
from collab.protocol.ywebsocket import YWebsocket
from collab.serve.shared_frames import LONG_BYTES, MESSAGES_MAX, SharedFrames

LONG = bytes(LONG_BYTES)


def test_same_bytes_have_the_same_frame_in_each_dialect() -> None:
    frames = SharedFrames()
    one, other = (frames.encoded(SyncStep2(LONG)) for _ in range(2))
    for dialect, address in ((YWebsocket(), ""), (Hocuspocus(), "notes")):
        frame = one.frame(dialect, address)
        assert frame is not None
        assert frame is other.frame(dialect, address)
        assert frame.payload == dialect.encode(SyncStep2(LONG), address)


def test_equal_bytes_are_not_compared() -> None:
    frames = SharedFrames()
    assert frames.encoded(SyncStep2(LONG)) is not frames.encoded(SyncStep2(bytes(LONG_BYTES)))


def test_only_long_answers_are_kept() -> None:
    frames = SharedFrames()
    for message in (SyncStep2(LONG[1:]), Update(LONG), SyncStep1(LONG)):
        assert frames.encoded(message) is not frames.encoded(message)


def test_few_answers_are_kept_and_only_until_they_are_forgotten() -> None:
    frames = SharedFrames()
    messages = [SyncStep2(bytes(LONG_BYTES + n)) for n in range(MESSAGES_MAX + 1)]
    kept = [frames.encoded(message) for message in messages]
    assert [frames.encoded(message) is each for message, each in zip(messages[1:], kept[1:], strict=True)] == [True] * 4
    assert frames.encoded(messages[0]) is not kept[0]
    frames.forget()
    assert frames.encoded(messages[-1]) is not kept[-1]
