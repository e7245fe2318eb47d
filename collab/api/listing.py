"""The list of documents over REST: sorted, searched and in pages, with the role of the caller in each document."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from collab.access import policy
from collab.access.roles import Role
from collab.access.sharing import Sharing
from collab.access.tokens import Principal
from collab.api.deps import CursorDep, PrincipalDep, ServerDep
from collab.api.documents import Document, Line
from collab.api.list_cursor import CURSOR_CHARACTERS_MAX
from collab.api.problems import problems
from collab.ids import NAME_CHARACTERS_MAX
from collab.store.base import DocumentInfo, ListOrder, ListQuery, Readable

router = APIRouter(prefix="/api/v1/documents", tags=["documents"], responses=problems(400, 401, 403, 503))

SEARCH_CHARACTERS_MAX = 200


def _whole(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must be whole characters, in UTF-8")
    return text


Words = Annotated[Line, AfterValidator(_whole)]


class ListParameters(BaseModel):
    """Filter and order of a list. An unknown parameter is refused: ignored, it would answer another question."""

    model_config = ConfigDict(extra="forbid")

    sort: Literal["name", "title", "created", "updated"] = Field(
        "name", description="`name` and `title` ascending; `created` and `updated` from the newest."
    )
    q: Words = Field(
        "",
        max_length=SEARCH_CHARACTERS_MAX,
        description="Text that the title or the name contains, in capitals or not.",
        examples=["minutes"],
    )
    prefix: Words = Field(
        "", max_length=NAME_CHARACTERS_MAX, description="How the name begins, exactly.", examples=["team/"]
    )
    bin: bool = Field(
        False, description="List the documents in the bin in place of the others: those that the caller owns."
    )
    after: str = Field(
        "",
        max_length=CURSOR_CHARACTERS_MAX,
        description="The `next` of the page before. The other parameters must be those of that page.",
    )
    limit: int = Field(100, ge=1, le=500, description="How many at most.")


class DocumentList(BaseModel):
    """One page of documents."""

    documents: list[Document]
    next: str | None = Field(
        description="Opaque; pass it as `after` for the next page. Null on the last.", examples=[None]
    )


@router.get("", summary="List documents", operation_id="listDocuments")
async def list_documents(
    server: ServerDep, principal: PrincipalDep, cursor: CursorDep, asked: Annotated[ListParameters, Query()]
) -> DocumentList:
    """List the documents that the caller may read by token or as a member, with the caller's role in each.

    A page may be short, even empty, and still not be the last: look at `next`.
    """
    order = ListOrder(asked.sort)
    query = ListQuery(
        _readable(principal, Role.OWNER if asked.bin else Role.VIEWER),
        order,
        search=asked.q,
        prefix=asked.prefix,
        in_bin=asked.bin,
        after=cursor.open(asked.after, order) if asked.after else None,
        limit=asked.limit,
    )
    page = await server.store.list_documents(query)
    return DocumentList(
        documents=[Document.of(info, _role(principal, info)) for info in page.documents],
        next=None if page.next is None else cursor.seal(page.next),
    )


def _readable(principal: Principal, role: Role) -> Readable:
    """Return the documents that the principal may see with this role. A guest has one, and knows it."""
    return Readable(policy.patterns(principal, role), principal.user if principal.link is None else None, role)


def _role(principal: Principal, info: DocumentInfo) -> Role | None:
    members = {} if info.member_role is None else {principal.user: info.member_role}
    return policy.role(principal, info.name, Sharing(0, members, {}, is_published=False))
