"""The cursor of the list of documents: a position in the catalogue that only this server can read.

The list passes over documents that the caller may not read, so the place where it stopped may be the name of one of
them. The cursor is therefore encrypted, and padded, so that its length tells nothing either. It is also authenticated:
a caller who could choose any position might find out by trial where the hidden names are. The key comes from the
server's secret, so one replica reads the cursors of another.
"""

import json
from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken

from collab.errors import InvalidRequest
from collab.ids import DocumentName
from collab.store.base import ListOrder, Position

CURSOR_CHARACTERS_MAX = 3000
"""Room for the longest position, encrypted."""

_BLOCK_BYTES = 256
_PADDING = b" "
"""Behind JSON, it means nothing."""


class ListCursor:
    """Seals and opens cursors with a key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(urlsafe_b64encode(key))

    def seal(self, position: Position) -> str:
        """Return the cursor for this position."""
        fields = [position.order.value, position.key, position.name]
        data = json.dumps(fields, ensure_ascii=False).encode()
        blocks = len(data) // _BLOCK_BYTES + 1
        return self._fernet.encrypt(data.ljust(blocks * _BLOCK_BYTES, _PADDING)).decode()

    def open(self, cursor: str, order: ListOrder) -> Position:
        """Return the position that was sealed.

        Raises InvalidRequest if the cursor is not one of this server's, or is one of another order.
        """
        try:
            word, key, name = json.loads(self._fernet.decrypt(cursor))
        except (InvalidToken, ValueError):  # ValueError: what no cursor holds, or not of this version
            raise InvalidRequest(
                "after: Pass the `next` of the previous page, or leave it out to start again."
            ) from None
        if word != order.value:
            raise InvalidRequest(f"after: This is the `next` of a list with sort={word}; leave it out to start again.")
        return Position(order, key, DocumentName(name))
