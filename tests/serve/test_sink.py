"""A message for many sessions is encoded once for each dialect and address."""

from collab.protocol.dialect import Dialect
from collab.protocol.hocuspocus import Hocuspocus
from collab.protocol.messages import Saved, TokenWanted, Update
from collab.protocol.ywebsocket import YWebsocket
from collab.serve.sink import EncodedMessage

DIALECTS: tuple[Dialect, ...] = (YWebsocket(), Hocuspocus())


def test_a_message_is_encoded_once_for_each_address() -> None:
    message = EncodedMessage(Update(b"edit"))
    for dialect in DIALECTS:
        one, other = message.frame(dialect, "one"), message.frame(dialect, "other")
        assert one is not None
        assert other is not None
        assert one.payload == dialect.encode(Update(b"edit"), "one")
        assert message.frame(dialect, "one") is one
        assert (one.payload == other.payload) == (dialect.name == YWebsocket.name)


def test_a_frame_for_one_session_is_not_kept() -> None:
    """It is of use to nobody else, and may be a whole document."""
    hocuspocus, message = DIALECTS[1], EncodedMessage(Update(b"edit"))
    frame = message.frame(hocuspocus, "notes\0session")
    assert frame is not None
    assert frame.payload == hocuspocus.encode(Update(b"edit"), "notes\0session")
    assert message.frame(hocuspocus, "notes\0session") is not frame


def test_a_dialect_without_words_for_a_message_has_no_frame() -> None:
    ywebsocket, hocuspocus = DIALECTS
    assert EncodedMessage(TokenWanted()).frame(ywebsocket, "") is None
    assert EncodedMessage(TokenWanted()).frame(hocuspocus, "notes") is not None
    saved = EncodedMessage(Saved()).frame(hocuspocus, "notes")
    assert saved is not None
    assert saved.payload == hocuspocus.encode(Saved(), "notes")
