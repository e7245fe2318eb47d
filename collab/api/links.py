"""The links of a document over REST: whoever has one opens the document as a guest, without a token."""

from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias
from urllib.parse import quote

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from collab.access import sharing
from collab.access.links import PASSWORD_CHARACTERS_MAX
from collab.access.roles import Role
from collab.api.deps import NameDep, PrincipalDep, ServerDep
from collab.api.documents import ON_ANY, ON_ONE
from collab.api.problems import problems
from collab.ids import LinkId
from collab.serve.new_link import make_link

router = APIRouter(prefix="/api/v1/documents", tags=["links"], responses=problems(*ON_ANY, *ON_ONE))

EXPIRES_IN_S_MAX = 10 * 365 * 24 * 3600

LinkRole: TypeAlias = Literal["viewer", "commenter", "editor"]


class Link(BaseModel):
    """A link, without its secret."""

    id: str = Field(examples=["Zk3u8yQb1x0t"])
    role: LinkRole = Field(examples=["editor"])
    created_by: str = Field(description="The user who made it.", examples=["alice"])
    created_at: datetime
    expires_at: datetime | None = Field(description="Null if it never expires.")
    expired: bool = Field(examples=[False])
    has_password: bool = Field(examples=[False])


class NewLink(BaseModel):
    """A link to make."""

    model_config = ConfigDict(extra="forbid")

    role: LinkRole = Field(description="What guests may do.", examples=["editor"])
    expires_in: int | None = Field(
        None,
        description="Seconds until the link expires; without it, never.",
        ge=1,
        le=EXPIRES_IN_S_MAX,
        examples=[86400],
    )
    password: str | None = Field(
        None,
        description="What guests must give besides the link.",
        min_length=1,
        max_length=PASSWORD_CHARACTERS_MAX,
        examples=["open sesame"],
    )


class MadeLink(Link):
    """A link with its secret, which is shown this once."""

    secret: str = Field(
        description="Stands wherever a token may. `?name=Ada` behind it gives the guest a name.",
        examples=["cl_hGq0yTzL3nq7m7Xf8vZ2K1o4dR5sW6uY9aB0cD1eF2g"],
    )
    url: str = Field(
        description="Opens the document in the editor of this server.",
        examples=["https://example.org/d/notes/42#token=cl_hGq0yTzL3nq7m7Xf8vZ2K1o4dR5sW6uY9aB0cD1eF2g"],
    )


class LinkList(BaseModel):
    """All links of a document, the newest first."""

    links: list[Link]


@router.get("/{name:document}/links", summary="List links", operation_id="listLinks")
async def list_links(server: ServerDep, principal: PrincipalDep, name: NameDep) -> LinkList:
    """List the links of the document, expired ones too, until they are revoked. For owners."""
    await server.authenticator.require(principal, name, Role.OWNER)
    return LinkList(links=[Link.model_validate(fields_of(each)) for each in await server.store.list_links(name)])


@router.post(
    "/{name:document}/links",
    status_code=201,
    summary="Make a link",
    operation_id="createLink",
    responses=problems(408, 409, 413),
)
async def create_link(
    server: ServerDep, principal: PrincipalDep, name: NameDep, new: NewLink, request: Request
) -> MadeLink:
    """Make a link to the document. For owners. The answer shows its secret, which cannot be shown again."""
    await server.authenticator.require(principal, name, Role.OWNER)
    link, secret = await make_link(
        server.store,
        name,
        Role.parse(new.role),
        created_by=principal.user,
        expires_in_s=new.expires_in,
        password=new.password or "",
    )
    url = f"{request.base_url}d/{quote(name)}#token={secret}"
    return MadeLink.model_validate(fields_of(link) | {"secret": secret, "url": url})


@router.delete(
    "/{name:document}/links/{link:document}", status_code=204, summary="Revoke a link", operation_id="revokeLink"
)
async def revoke_link(
    server: ServerDep,
    principal: PrincipalDep,
    name: NameDep,
    link: Annotated[str, Path(description="The link's `id`, not its secret.", examples=["Zk3u8yQb1x0t"])],
) -> None:
    """Revoke a link. Its guests' sessions end within a second. For owners."""
    await server.authenticator.require(principal, name, Role.OWNER)
    await server.store.remove_link(name, LinkId(link))
    server.sharing_changed(name)


def fields_of(link: sharing.Link) -> dict[str, object]:
    """Return the store's entry as the fields of ``Link``."""
    return {
        "id": link.id,
        "role": link.role.word,
        "created_by": link.created_by,
        "created_at": link.created_at,
        "expires_at": link.expires_at,
        "expired": link.expires_at is not None and link.expires_at <= datetime.now(UTC),
        "has_password": link.password_hash is not None,
    }
