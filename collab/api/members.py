"""The members of a document over REST."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from collab.access import sharing
from collab.access.links import GUEST_USER
from collab.access.roles import Role
from collab.access.tokens import UNPRINTABLE, USER_CHARACTERS_MAX
from collab.api.deps import NameDep, PrincipalDep, ServerDep
from collab.api.documents import ON_ANY, ON_ONE
from collab.api.problems import problems
from collab.errors import InvalidRequest
from collab.ids import UserId

router = APIRouter(prefix="/api/v1/documents", tags=["members"], responses=problems(*ON_ANY, *ON_ONE))

RoleWord: TypeAlias = Literal["viewer", "commenter", "editor", "owner"]


class Member(BaseModel):
    """A user with a role on the document, whatever the user's token grants."""

    user: str = Field(description="The user's id, the `sub` of their tokens.", examples=["bob"])
    role: RoleWord = Field(examples=["editor"])
    since: datetime

    @classmethod
    def of(cls, member: sharing.Member) -> "Member":
        """Return the store's entry in the form of the API."""
        return cls(user=member.user, role=word_of(member.role), since=member.since)


class MemberList(BaseModel):
    """All members, by user."""

    members: list[Member]


class MemberRole(BaseModel):
    """The role to give."""

    model_config = ConfigDict(extra="forbid")

    role: RoleWord = Field(examples=["editor"])


_WORDS: dict[Role, RoleWord] = {
    Role.VIEWER: "viewer",
    Role.COMMENTER: "commenter",
    Role.EDITOR: "editor",
    Role.OWNER: "owner",
}


def word_of(role: Role) -> RoleWord:
    """Return the role as the API names it."""
    return _WORDS[role]


def path_user(
    user: Annotated[
        str, Path(description="The user's id, percent-encoded: the `sub` of their tokens.", examples=["bob"])
    ],
) -> UserId:
    """Return the checked user of the path. Raises InvalidRequest."""
    if len(user) > USER_CHARACTERS_MAX or not user.strip() or UNPRINTABLE.search(user):
        raise InvalidRequest(f"A user id has 1 to {USER_CHARACTERS_MAX} characters, and no control characters.")
    if user.startswith(GUEST_USER):
        raise InvalidRequest("A guest cannot be a member. Make another link instead.")
    return UserId(user)


UserDep = Annotated[UserId, Depends(path_user)]


@router.get("/{name:document}/members", summary="List members", operation_id="listMembers")
async def list_members(server: ServerDep, principal: PrincipalDep, name: NameDep) -> MemberList:
    """List who has a role on the document by membership. For owners."""
    await server.authenticator.require(principal, name, Role.OWNER)
    return MemberList(members=[Member.of(each) for each in await server.store.list_members(name)])


@router.put(
    "/{name:document}/members/{user:document}",
    summary="Add a member, or change a role",
    operation_id="putMember",
    responses=problems(408, 409, 413),
)
async def put_member(
    server: ServerDep, principal: PrincipalDep, name: NameDep, user: UserDep, given: MemberRole
) -> Member:
    """Give a user a role on the document. It acts on their open sessions within a second. For owners.

    If the user has asked for access, this answers the request. To hand a document over, make another user an owner and
    then change your own role. 409 if no member would be an owner any more.
    """
    await server.authenticator.require(principal, name, Role.OWNER)
    member = await server.store.put_member(name, user, Role.parse(given.role))
    server.sharing_changed(name)
    return Member.of(member)


@router.delete(
    "/{name:document}/members/{user:document}",
    status_code=204,
    summary="Remove a member",
    operation_id="removeMember",
    responses=problems(409),
)
async def remove_member(server: ServerDep, principal: PrincipalDep, name: NameDep, user: UserDep) -> None:
    """Take a user's role away. Their open sessions end within a second, unless their token grants a role. For owners.

    409 if no member would be an owner any more.
    """
    await server.authenticator.require(principal, name, Role.OWNER)
    await server.store.remove_member(name, user)
    server.sharing_changed(name)
