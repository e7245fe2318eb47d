"""The catalogue over REST: list, create, read and change metadata, delete."""

import unicodedata
from datetime import datetime
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from collab.access import policy
from collab.api.deps import NameDep, PrincipalDep, ServerDep
from collab.api.problems import problems
from collab.ids import document_name
from collab.store.base import DocumentInfo

ON_ANY = (400, 401, 403, 503)
ON_ONE = (404, 410)
router = APIRouter(prefix="/api/v1/documents", tags=["documents"], responses=problems(*ON_ANY))

PAGES_SCANNED_MAX = 20
"""Pages of the catalogue looked through for one answer, when most of it is not for the caller's eyes."""


def _one_line(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
        raise ValueError("must hold no line ends and no other control characters")
    return text


Line: TypeAlias = Annotated[str, AfterValidator(_one_line)]
"""Text that every database takes, and every list can show."""


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
    seq: int = Field(description="How many rows the log has: it grows with every commit, and is the ETag.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, info: DocumentInfo) -> "Document":
        """The entry of the store, for the world."""
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
    next: str | None = Field(description="Pass it as `after` for the next page; null on the last.", examples=[None])


class NewDocument(BaseModel):
    """What to create."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(examples=["notes/42"])
    title: Line = Field("", max_length=500, examples=["Notes of the 42nd meeting"])


class DocumentChange(BaseModel):
    """What to change."""

    model_config = ConfigDict(extra="forbid")

    title: Line = Field(max_length=500, examples=["Notes of the 43rd meeting"])


@router.get("", summary="List documents", operation_id="listDocuments")
async def list_documents(
    server: ServerDep,
    principal: PrincipalDep,
    after: Annotated[Line, Query(description="The `next` of the page before.", max_length=255)] = "",
    limit: Annotated[int, Query(description="How many at most.", ge=1, le=500)] = 100,
) -> DocumentList:
    """Those the caller may read, by name. A page may be short and still not be the last: look at `next`."""
    found: list[Document] = []
    for _ in range(PAGES_SCANNED_MAX):
        page = await server.store.list_documents(after, limit)
        for info in page:
            after = info.name
            granted = policy.role(principal, info.name)
            if granted is not None and granted.can_read:
                found.append(Document.of(info))
                if len(found) == limit:
                    return DocumentList(documents=found, next=after)
        if len(page) < limit:
            return DocumentList(documents=found, next=None)
    return DocumentList(documents=found, next=after)


@router.post(
    "",
    status_code=201,
    summary="Create a document",
    operation_id="createDocument",
    responses=problems(408, 409, 410, 413),
)
async def create_document(server: ServerDep, principal: PrincipalDep, new: NewDocument, response: Response) -> Document:
    """An empty document. 409 when the name is taken, 410 when it is that of a deleted one."""
    name = document_name(new.name)
    policy.require_write(principal, name)
    info = await server.store.create(name, new.title)
    response.headers["ETag"] = etag(info.seq)
    return Document.of(info)


@router.get("/{name:document}", summary="Read metadata", operation_id="getDocument", responses=problems(*ON_ONE))
async def get_document(server: ServerDep, principal: PrincipalDep, name: NameDep, response: Response) -> Document:
    """Title, times, and where the log ends."""
    policy.require_read(principal, name)
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
    """The title. The name never changes."""
    policy.require_write(principal, name)
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
    """Move to the bin. Whoever has it open is told within a second."""
    policy.require_manage(principal, name)
    await server.store.delete(name)
    server.log_sync.look_now()


def etag(seq: int) -> str:
    """The head of the log as an entity tag."""
    return f'"{seq}"'
