"""The documents that a grant is for: patterns of names, each with a role.

::

    notes/42        this document and no other
    team/*          every document directly in team/:   team/plan, not team/2026/plan
    team/a*-draft   ``*`` is any run of characters, also none, inside one segment
    team/**         everything in team/, however deep:  team/plan, team/2026/plan, not team itself
    **              every document

``**`` stands for one or more whole segments and is a segment of its own. A pattern is itself a legal
document name, so it cannot match what is no document. Matching takes time in proportion to the length of the pattern
times that of the name: nothing here backtracks.
"""

from collections.abc import Mapping

from collab.access.roles import Role
from collab.errors import InvalidName, InvalidRequest
from collab.ids import document_name

ANY_DEPTH = "**"


def parse_grants(claim: object) -> dict[str, Role]:
    """Check the ``grants`` claim of a token, ``{"pattern": "role word"}``, and return it as roles.

    Raises InvalidRequest if it is anything else.
    """
    if not isinstance(claim, Mapping):
        raise InvalidRequest('Grants must be an object like {"notes/*": "editor"}.')
    return {_pattern(pattern): _role(pattern, word) for pattern, word in claim.items()}


def matches(pattern: str, name: str) -> bool:
    """Return True if the document called ``name`` matches ``pattern``."""
    literal, star, _ = pattern.partition("*")  # most of hundreds of grants fail here
    if not star or not name.startswith(literal):
        return pattern == name
    segments = name.split("/")
    count = len(segments)
    reached = {0}  # the numbers of segments of the name that the pattern so far can match
    for part in pattern.split("/"):
        if part == ANY_DEPTH:
            reached = set(range(min(reached) + 1, count + 1))
        else:
            reached = {at + 1 for at in reached if at < count and _segment_matches(part, segments[at])}
        if not reached:
            return False
    return count in reached


def _segment_matches(pattern: str, segment: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == segment
    *middle, last = rest
    at, end = len(first), len(segment) - len(last)
    if at > end or not segment.startswith(first) or not segment.endswith(last):
        return False
    for part in middle:  # as far left as possible: that leaves the most room for the next part
        found = segment.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _pattern(pattern: object) -> str:
    if not isinstance(pattern, str):
        raise InvalidRequest("The pattern of a grant must be text.")
    try:
        document_name(pattern)
    except InvalidName as error:
        raise InvalidRequest(f"A grant has an invalid pattern. {error}") from None
    if any(ANY_DEPTH in segment and segment != ANY_DEPTH for segment in pattern.split("/")):
        raise InvalidRequest("In the pattern of a grant, '**' must be a whole segment, as in 'team/**'.")
    return pattern


def _role(pattern: object, word: object) -> Role:
    if not isinstance(word, str):
        raise InvalidRequest(f"The grant for {str(pattern)[:100]!r} must name a role.")
    return Role.parse(word)
