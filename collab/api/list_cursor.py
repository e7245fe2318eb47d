"""The cursor of the list of documents: a position in the catalogue that only this server can read.

The list passes over documents that the caller may not read, so the place where it stopped may be the name of one of
them. The cursor is therefore encrypted, and padded, so that its length tells nothing either. It is also authenticated:
a caller who could choose any position might find out by trial where the hidden names are. The key comes from the
server's secret, so one replica reads the cursors of another.
"""

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken

from collab.errors import InvalidRequest

CURSOR_CHARACTERS_MAX = 1500
"""Room for the longest name, encrypted."""

_BLOCK_BYTES = 256
_PADDING = b"\0"
"""No name holds it."""


class ListCursor:
    """Seals and opens cursors with a key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(urlsafe_b64encode(key))

    def seal(self, name: str) -> str:
        """Return the cursor for the position behind ``name``."""
        data = name.encode()
        blocks = len(data) // _BLOCK_BYTES + 1
        return self._fernet.encrypt(data.ljust(blocks * _BLOCK_BYTES, _PADDING)).decode()

    def open(self, cursor: str) -> str:
        """Return the name that was sealed.

        Raises InvalidRequest if the cursor is not one of this server's.
        """
        try:
            return self._fernet.decrypt(cursor).rstrip(_PADDING).decode()
        except (InvalidToken, ValueError):  # ValueError: characters that no cursor has
            raise InvalidRequest(
                "after: Pass the `next` of the previous page, or leave it out to start again."
            ) from None
