"""How large a document may become.

A client that comes back sends its whole copy as one message, so a document must stay smaller than a message may be.
What would make a full document grow is refused. Deletions never are, nor what is known already.
"""

from collab.crdt.document import Document
from collab.crdt.update import InspectedUpdate
from collab.errors import DocumentFull

BYTES_MAX = 24 << 20
"""The default. A message may have 32 MiB, and a client's copy may hold edits that are not here yet."""

NEARLY = 0.8
"""The part of the bound from which on editors are told."""

MEASURED_EVERY = 64
"""The document is encoded, and so measured, when this part of the bound was written or deleted since the last time."""


class Capacity:
    """The bound of one document."""

    def __init__(self, document: Document, bytes_max: int) -> None:
        self._document = document
        self.bytes_max = bytes_max

    @property
    def is_nearly_full(self) -> bool:
        """True if editors should be told. Measures the document when it has changed."""
        if self._document.size <= self.bytes_max * NEARLY:
            return False
        self._measure()
        return self._document.size > self.bytes_max * NEARLY

    def check(self, news: InspectedUpdate) -> None:
        """Raise DocumentFull if the document would grow beyond the bound."""
        if not news.structs or self._document.size + len(news.payload) <= self.bytes_max:
            return
        self._measure()
        if self._document.size + len(news.payload) > self.bytes_max:
            raise DocumentFull

    def _measure(self) -> None:
        if self._document.changed > self.bytes_max // MEASURED_EVERY:
            self._document.encode()
