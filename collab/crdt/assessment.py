"""The answers to the one question that a room asks about an update: what would it do to the document?

``Document.assess`` gives one of them; ``Document.apply`` takes ``News``.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import TypeAlias, Union

from collab.crdt.update import Id, InspectedUpdate
from collab.record import record


@record
class Known:
    """It adds nothing: its structs and its deletions are in the document."""


@record
class Contradicted:
    """Under an id that it repeats, the document has other content."""

    at: Id
    despite: Union[Known, "Lacks", "News"] | None = None
    """The assessment of the rest, for a committed row, which cannot be refused. None for an update of a session."""


@record
class Lacks:
    """Nothing of it can be applied yet."""

    rest: InspectedUpdate
    """The part that is not here, to be assessed again once something has arrived."""
    waits_for: Mapping[int, int]
    """Client id → the lowest clock of it that is missing."""


@record
class News:
    """It changes the document. To be passed to ``apply`` before anything else changes."""

    update: InspectedUpdate
    """The new part that is ready: to be applied, logged and sent."""
    before: InspectedUpdate | None = None
    """Deletions to be applied, logged and sent before it, so that it splits no surrogate pair."""
    rest: InspectedUpdate | None = None
    """The part that is not ready, as in ``Lacks``; None when nothing is left."""
    waits_for: Mapping[int, int] = field(default_factory=dict)
    levels: list[int] | None = None
    """How deep each struct of ``update`` lies, where that is known already."""


Assessment: TypeAlias = Known | Contradicted | Lacks | News
