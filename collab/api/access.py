"""Access to a document over REST: its members, requests for access, and publication."""

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from collab.access import policy
from collab.access.roles import Role
from collab.access.sharing import AccessRequest
from collab.api.deps import NameDep, PrincipalDep, ServerDep
from collab.api.documents import ON_ANY, ON_ONE, Line
from collab.api.links import Link, fields_of
from collab.api.members import Member, RoleWord, word_of
from collab.api.problems import problems
from collab.errors import DocumentDeleted, DocumentNotFound, HasAccess, PermissionDenied

router = APIRouter(prefix="/api/v1/documents", tags=["access"], responses=problems(*ON_ANY))


class You(BaseModel):
    """The caller, with the role on the document and the reasons for it."""

    user: str = Field(examples=["alice"])
    name: str = Field(examples=["Alice"])
    guest: bool = Field(description="True for a guest, who has come by a link.", examples=[False])
    role: RoleWord = Field(examples=["owner"])
    because: list[Literal["token", "member", "link"]] = Field(
        description="What gives this role: a grant of the token, a membership or a link.", examples=[["member"]]
    )


class Access(BaseModel):
    """The people and links with access to a document, and their roles."""

    you: You
    published: bool = Field(description="True if everybody may read the content without a token.", examples=[False])
    members: list[Member] | None = Field(description="Null if the caller is no owner.")
    links: list[Link] | None = Field(description="Null if the caller is no owner. Expired ones give no access.")


class NewRequest(BaseModel):
    """A request for access."""

    model_config = ConfigDict(extra="forbid")

    message: Line = Field("", max_length=500, examples=["I take the minutes next week."])


class Request(BaseModel):
    """A request for access."""

    user: str = Field(examples=["carol"])
    name: str = Field(examples=["Carol"])
    message: str = Field(examples=["I take the minutes next week."])
    asked_at: datetime


class RequestList(BaseModel):
    """Everybody who asks, in the order in which they asked."""

    requests: list[Request]


@router.get(
    "/{name:document}/access", summary="Read who has access", operation_id="getAccess", responses=problems(*ON_ONE)
)
async def get_access(server: ServerDep, principal: PrincipalDep, name: NameDep) -> Access:
    """Tell what the caller may do with the document and why, and an owner who else has access.

    Tokens grant access too, and nobody keeps a list of those.
    """
    sharing = await server.authenticator.sharing(principal, name)
    role = policy.require(policy.role(principal, name, sharing), Role.VIEWER)
    await server.store.find(name)
    members, links = None, None
    if role.can_manage:
        members = [Member.of(each) for each in await server.store.list_members(name)]
        links = [Link.model_validate(fields_of(each)) for each in await server.store.list_links(name)]
    you = {
        "user": principal.user,
        "name": principal.name,
        "guest": principal.link is not None,
        "role": word_of(role),
        "because": policy.reasons(principal, name, sharing),
    }
    return Access(you=You.model_validate(you), published=sharing.is_published, members=members, links=links)


@router.post(
    "/{name:document}/access-requests",
    status_code=202,
    summary="Ask for access",
    operation_id="requestAccess",
    response_class=Response,
    responses=problems(408, 409, 413),
)
async def request_access(server: ServerDep, principal: PrincipalDep, name: NameDep, new: NewRequest) -> None:
    """Ask the owners for access. For users with a token and no access; asking again replaces the message.

    The answer is the same if there is no such document. 409 if the caller has access, or too many people ask.
    """
    if principal.link is not None:
        raise PermissionDenied("Sign in to ask for access.")
    sharing = await server.authenticator.sharing(principal, name)
    if policy.role(principal, name, sharing) is not None:
        raise HasAccess
    request = AccessRequest(principal.user, principal.name, new.message, datetime.now(UTC))
    try:
        await server.store.add_request(name, request)
    except (DocumentNotFound, DocumentDeleted):
        return  # who may not read a document is not told that there is none


@router.get(
    "/{name:document}/access-requests",
    summary="List who asks for access",
    operation_id="listAccessRequests",
    responses=problems(*ON_ONE),
)
async def list_access_requests(server: ServerDep, principal: PrincipalDep, name: NameDep) -> RequestList:
    """List who asks for access. For owners. Making the user a member answers a request."""
    await server.authenticator.require(principal, name, Role.OWNER)
    found = await server.store.list_requests(name)
    return RequestList(
        requests=[
            Request(user=each.user, name=each.name, message=each.message, asked_at=each.asked_at) for each in found
        ]
    )


@router.put(
    "/{name:document}/publication",
    status_code=204,
    summary="Publish a document",
    operation_id="publishDocument",
    responses=problems(*ON_ONE),
)
async def publish_document(server: ServerDep, principal: PrincipalDep, name: NameDep) -> None:
    """Let everybody read the document's content over REST without a token. For owners."""
    await server.authenticator.require(principal, name, Role.OWNER)
    await server.store.set_published(name, published=True)


@router.delete(
    "/{name:document}/publication",
    status_code=204,
    summary="Take a publication back",
    operation_id="unpublishDocument",
    responses=problems(*ON_ONE),
)
async def unpublish_document(server: ServerDep, principal: PrincipalDep, name: NameDep) -> None:
    """Let only people with a role read the document's content again. For owners."""
    await server.authenticator.require(principal, name, Role.OWNER)
    await server.store.set_published(name, published=False)
