"""Short functions that query and change a document, for tests of the results."""

from collab.crdt.assessment import Contradicted, Known, Lacks, News
from collab.crdt.document import Document
from collab.crdt.update import Id, InspectedUpdate


def knows(document: Document, update: InspectedUpdate, *, exact: bool = False) -> bool:
    """Return True if the update would add nothing."""
    return document.assess(update, exact=exact) == Known()


def contradicted_at(document: Document, update: InspectedUpdate) -> Id | None:
    """Return the first id at which the document has other content than the update."""
    assessment = document.assess(update)
    return assessment.at if isinstance(assessment, Contradicted) else None


def lacks(document: Document, update: InspectedUpdate) -> dict[int, int]:
    """Return the missing clock of each client for which the update waits."""
    assessment = document.assess(update)
    return dict(assessment.waits_for) if isinstance(assessment, Lacks | News) else {}


def take(document: Document, update: InspectedUpdate, *, committed: bool = False) -> InspectedUpdate:
    """Apply an update that is ready, and return what was new in it."""
    assessment = document.assess(update, committed=committed)
    if isinstance(assessment, Contradicted) and committed:
        assert assessment.despite is not None
        assessment = assessment.despite
    if assessment == Known():
        return update
    assert isinstance(assessment, News), assessment
    assert assessment.rest is None
    document.apply(assessment)
    return assessment.update


def replay(document: Document, update: InspectedUpdate) -> InspectedUpdate:
    """Apply an update of the log."""
    return take(document, update, committed=True)
