"""The server and the web editor agree on the slugs of errors: the same ones, and the same ones that pass by themselves.

The editor decides by the slug alone whether it signs the person out, closes the document or reconnects.
"""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from collab.errors import CollabError, TokenExpired

TABLE = Path(__file__).parents[1] / "web" / "src" / "slugs.ts"
BEGIN = "export const OUTCOMES"
END = "};"
ROW = re.compile(r"^  '?(?P<slug>[a-z-]+)'?: '(?P<outcome>[a-z-]+)',$")


def errors_by_slug() -> dict[str, list[type[CollabError]]]:
    """Return every error that a client can meet, by its slug."""
    found: dict[str, list[type[CollabError]]] = defaultdict(list)
    classes = CollabError.__subclasses__()
    while classes:
        error = classes.pop()
        if error.__module__.startswith("collab."):
            found[error.slug].append(error)
        classes += error.__subclasses__()
    return found


def outcomes() -> dict[str, str]:
    """Return the table of the editor: its reaction to each slug."""
    table = TABLE.read_text().split(BEGIN, 1)[1].split(END, 1)[0]
    rows = table.splitlines()[1:]
    found = [ROW.match(row) for row in rows if row.strip()]
    assert all(found), f"a row of {TABLE} cannot be read"
    return {row["slug"]: row["outcome"] for row in found if row is not None}


def test_editor_knows_every_slug_and_no_other() -> None:
    assert outcomes().keys() == errors_by_slug().keys()


@pytest.mark.parametrize(("slug", "outcome"), outcomes().items())
def test_editor_reconnects_exactly_after_errors_that_pass(slug: str, outcome: str) -> None:
    if slug == TokenExpired.slug:
        assert outcome == "signed-out"  # a new token is needed, though a live session may come back with one
        return
    assert {error.retryable for error in errors_by_slug()[slug]} == {outcome == "retry"}
