"""The order of roles and what each may do."""

import pytest

from collab.access.roles import Role
from collab.errors import InvalidRequest


def test_roles_are_ordered_from_viewer_to_owner() -> None:
    assert Role.VIEWER < Role.COMMENTER < Role.EDITOR < Role.OWNER


@pytest.mark.parametrize(
    ("role", "read", "comment", "write", "manage"),
    [
        (Role.VIEWER, True, False, False, False),
        (Role.COMMENTER, True, True, False, False),
        (Role.EDITOR, True, True, True, False),
        (Role.OWNER, True, True, True, True),
    ],
)
def test_each_role_allows_more_than_the_weaker_one(
    role: Role, read: bool, comment: bool, write: bool, manage: bool
) -> None:
    assert (role.can_read, role.can_comment, role.can_write, role.can_manage) == (
        read,
        comment,
        write,
        manage,
    )


@pytest.mark.parametrize("role", list(Role))
def test_word_of_a_role_reads_back(role: Role) -> None:
    assert Role.parse(role.word) is role


@pytest.mark.parametrize("word", ["", "EDITOR", "admin", " editor", "editor "])
def test_another_word_is_no_role_and_the_error_lists_those_there_are(word: str) -> None:
    with pytest.raises(InvalidRequest, match="viewer, commenter, editor, owner"):
        Role.parse(word)
