"""The catalogue over REST: list, create and delete documents, read and change their metadata."""

import unicodedata
from datetime import datetime
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from collab.access import policy
from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.api.deps import CursorDep, NameDep, PrincipalDep, ServerDep
from collab.api.list_cursor import CURSOR_CHARACTERS_MAX
from collab.api.problems import problems
from collab.ids import document_name
from collab.store.base import DocumentInfo, Store

ON_ANY = (400, 401, 403, 503)
ON_ONE = (404, 410)
router = APIRouter(prefix="/api/v1/documents", tags=["documents"], responses=problems(*ON_ANY))

BATCHES_MAX = 20
"""Batches of the catalogue that one request looks through, where most documents are hidden from the caller."""
BATCH_MIN = 100
"""Documents in a batch at least: how much a request looks through does not depend on a small ``limit``."""


def _one_line(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
        raise ValueError("must not contain line breaks or control characters")
    return text


Line: TypeAlias = Annotated[str, AfterValidator(_one_line)]
"""Text that every database can store and every list can show."""


class Document(BaseModel):
    """A document as the catalogue knows it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "notes/42",
                    "title": "Notes of the 42nd meeting",
                    "seq": 1207,
                    "created_at": "2026-11-24T09:30:00Z",
                    "updated_at": "2026-11-24T10:15:12Z",
                }
            ]
        }
    )

    name: str
    title: str
    seq: int = Field(description="The length of the document's log. It grows with every save, and is the ETag.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, info: DocumentInfo) -> "Document":
        """Return the store's entry in the form of the API."""
        return cls(
            name=info.name,
            title=info.title,
            seq=info.seq,
            created_at=info.created_at,
            updated_at=info.updated_at,
        )


class DocumentList(BaseModel):
    """One page of documents, by name."""

    documents: list[Document]
    next: str | None = Field(
        description="Pass it as `after` to get the next page. Null on the last page.", examples=[None]
    )


class NewDocument(BaseModel):
    """A document to create."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(examples=["notes/42"])
    title: Line = Field("", max_length=500, examples=["Notes of the 42nd meeting"])


class DocumentChange(BaseModel):
    """Metadata to change."""

    model_config = ConfigDict(extra="forbid")

    title: Line = Field(max_length=500, examples=["Notes of the 43rd meeting"])


@router.get("", summary="List documents", operation_id="listDocuments")
async def list_documents(
    server: ServerDep,
    principal: PrincipalDep,
    cursor: CursorDep,
    after: Annotated[str, Query(description="The `next` of the previous page.", max_length=CURSOR_CHARACTERS_MAX)] = "",
    limit: Annotated[int, Query(description="The largest number of documents to return.", ge=1, le=500)] = 100,
) -> DocumentList:
    """List the documents that the caller may read by token or as a member, by name.

    A page may be short, even empty, and still not be the last: look at `next`.
    """
    found, position = await _page(server.store, principal, cursor.open(after) if after else "", limit)
    return DocumentList(
        documents=[Document.of(info) for info in found],
        next=None if position is None else cursor.seal(position),
    )


async def _page(store: Store, principal: Principal, position: str, limit: int) -> tuple[list[DocumentInfo], str | None]:
    """Return at most ``limit`` documents behind ``position`` that the principal may read, and where to go on."""
    granted, granted_end = await _scan(store, principal, position, limit)
    shared: list[DocumentInfo] = []
    if principal.link is None:
        shared = await store.memberships(principal.user, position, limit)
    shared_end = shared[-1].name if len(shared) == limit else None
    end = min((each for each in (granted_end, shared_end) if each is not None), default=None)
    by_name = {info.name: info for info in (*granted, *shared) if end is None or info.name <= end}
    found = [by_name[name] for name in sorted(by_name)]
    return (found, end) if len(found) <= limit else (found[:limit], found[limit - 1].name)


async def _scan(store: Store, principal: Principal, position: str, limit: int) -> tuple[list[DocumentInfo], str | None]:
    """Return at most ``limit`` documents behind ``position`` that a grant lets the principal read, and where to go on.

    None: there are no more. Looks at a bounded number of documents, since most may be hidden from the principal.
    """
    found: list[DocumentInfo] = []
    size = max(limit, BATCH_MIN)
    for _ in range(BATCHES_MAX):
        start = policy.seek_readable(principal, position)
        if start is None:
            return found, None
        batch = await store.list_documents(start, size)
        for info in batch:
            if policy.can_read(principal, info.name):
                found.append(info)
                if len(found) == limit:
                    return found, info.name
        if len(batch) < size:
            return found, None
        position = batch[-1].name
    return found, position


@router.post(
    "",
    status_code=201,
    summary="Create a document",
    operation_id="createDocument",
    responses=problems(408, 409, 410, 413),
)
async def create_document(server: ServerDep, principal: PrincipalDep, new: NewDocument, response: Response) -> Document:
    """Create an empty document, which the caller owns. 409 if the name is taken, 410 if a deleted document has it."""
    name = document_name(new.name)
    await server.authenticator.require(principal, name, Role.EDITOR)
    info = await server.store.create(name, new.title, None if principal.link else principal.user)
    response.headers["ETag"] = etag(info.seq)
    return Document.of(info)


@router.get("/{name:document}", summary="Read metadata", operation_id="getDocument", responses=problems(*ON_ONE))
async def get_document(server: ServerDep, principal: PrincipalDep, name: NameDep, response: Response) -> Document:
    """Read the title, the times, and the length of the log."""
    await server.authenticator.require(principal, name, Role.VIEWER)
    info = await server.store.find(name)
    response.headers["ETag"] = etag(info.seq)
    return Document.of(info)


@router.patch(
    "/{name:document}",
    summary="Change metadata",
    operation_id="changeDocument",
    responses=problems(*ON_ONE, 408, 413),
)
async def change_document(
    server: ServerDep, principal: PrincipalDep, name: NameDep, change: DocumentChange, response: Response
) -> Document:
    """Change the title. The name never changes."""
    await server.authenticator.require(principal, name, Role.EDITOR)
    info = await server.store.set_title(name, change.title)
    response.headers["ETag"] = etag(info.seq)
    return Document.of(info)


@router.delete(
    "/{name:document}",
    status_code=204,
    summary="Delete a document",
    operation_id="deleteDocument",
    responses=problems(*ON_ONE),
)
async def delete_document(server: ServerDep, principal: PrincipalDep, name: NameDep) -> None:
    """Move the document to the bin. Everybody who has it open is told within a second."""
    await server.authenticator.require(principal, name, Role.OWNER)
    await server.store.delete(name)
    server.log_sync.look_now()


def etag(seq: int) -> str:
    """Return the head of the log as an entity tag."""
    return f'"{seq}"'
