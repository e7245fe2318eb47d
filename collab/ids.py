"""The names of things, as types, and the rules a document name obeys.

Plain integers and strings cross every border of this project; these ``NewType``\\ s keep a session from
being taken for a client, and a raw string from being taken for a checked document name.
"""

import re
import unicodedata
from typing import NewType

from collab.errors import InvalidName

DocumentName = NewType("DocumentName", str)
"""A checked document name: the document's identity on every edge."""

SessionId = NewType("SessionId", int)
"""One client on one document through one connection; unique in a replica's life."""

ClientId = NewType("ClientId", int)
"""The CRDT's integer for one editing instance (Yjs: 32 bits, pycrdt: 53)."""

UserId = NewType("UserId", str)
"""Who wrote: the ``sub`` of a token. All anonymous people of an open server share one."""

WriterId = NewType("WriterId", int)
"""One life of a process or of a room: random, 63 bits.

Never derived from a replica's number: a collision would lose rows. The database column, the relay's frames and the
log lines call it ``origin``; those names are stored and public, so they stay.
"""

LinkId = NewType("LinkId", str)
"""A link to a document, as its owner sees it in a list: random, and no secret."""

Sequence = NewType("Sequence", int)
"""Position in a document's log: gapless from 1, in commit order. 0 is the empty document."""

Epoch = NewType("Epoch", int)
"""Which life of a document a row belongs to; rows of another epoch are never applied."""

NAME_CHARACTERS_MAX = 255

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def document_name(text: str) -> DocumentName:
    """Check a percent-decoded name and return it unchanged.

    NFC, 1–255 characters, no control characters, no lone surrogates, no empty, ``.`` or ``..`` segment
    between slashes. Raises InvalidName with the rule that was broken.
    """
    if not 1 <= len(text) <= NAME_CHARACTERS_MAX:
        raise InvalidName(f"A document name must have 1 to {NAME_CHARACTERS_MAX} characters.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidName("A document name must be valid UTF-8.")
    if _CONTROL.search(text):
        raise InvalidName("A document name must not contain control characters.")
    if not unicodedata.is_normalized("NFC", text):
        raise InvalidName("A document name must be in Unicode normalization form C (NFC).")
    if any(segment in ("", ".", "..") for segment in text.split("/")):
        raise InvalidName("A document name must not have an empty, '.' or '..' segment between slashes.")
    return DocumentName(text)
