"""Notices that the title of a document has changed, for the list of documents.

The list need not follow every key, and should not show a title that is lost with its server a moment later. So the
room looks once a second, if anything was committed since, and tells a title that it has seen twice.
"""

from collab.crdt.document import Document
from collab.ids import Sequence


class TitleWatch:
    """The title of one document as the list was told of it. A document without a title is not told of."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._cursor: Sequence | None = None
        """Where the log ended at the last look."""
        self._seen: str | None = None
        self._told: str | None = None

    @property
    def is_told(self) -> bool:
        """True if the list knows the title that was seen last."""
        return self._seen == self._told

    def look(self, cursor: Sequence) -> str | None:
        """Return the title if the list is to be told of it. Call it about once a second."""
        if cursor == self._cursor and self.is_told:
            return None
        before, self._seen, self._cursor = self._seen, self._document.title(), cursor
        if self._seen != before or self.is_told:
            return None
        self._told = self._seen
        return self._told or ""
