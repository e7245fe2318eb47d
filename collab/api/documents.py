"""The catalogue over REST: create documents, read and change their metadata, move them to the bin and back.

``listing`` lists them.
"""

import unicodedata
from datetime import datetime
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from collab.access.roles import Role
from collab.api.deps import NameDep, PrincipalDep, ServerDep
from collab.api.problems import problems
from collab.api.titles import write_title
from collab.ids import document_name
from collab.store.base import DocumentInfo

ON_ANY = (400, 401, 403, 503)
ON_ONE = (404, 410)
router = APIRouter(prefix="/api/v1/documents", tags=["documents"], responses=problems(*ON_ANY))


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
                    "deleted_at": None,
                    "role": "editor",
                }
            ]
        }
    )

    name: str
    title: str
    seq: int = Field(description="The length of the document's log. It grows with every save, and is the ETag.")
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = Field(description="Since when it is in the bin; null if it is not.")
    role: str | None = Field(description="The caller's role: `viewer`, `commenter`, `editor` or `owner`.")

    @classmethod
    def of(cls, info: DocumentInfo, role: Role | None) -> "Document":
        """Return the store's entry in the form of the API, for a caller with this role."""
        return cls(
            name=info.name,
            title=info.title,
            seq=info.seq,
            created_at=info.created_at,
            updated_at=info.updated_at,
            deleted_at=info.deleted_at,
            role=None if role is None else role.word,
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


@router.post(
    "",
    status_code=201,
    summary="Create a document",
    operation_id="createDocument",
    responses=problems(408, 409, 410, 413),
)
async def create_document(server: ServerDep, principal: PrincipalDep, new: NewDocument, response: Response) -> Document:
    """Create a document without text, which the caller owns. 409 if the name is taken, 410 if it is in the bin."""
    name = document_name(new.name)
    await server.authenticator.require(principal, name, Role.EDITOR)
    owner = None if principal.link else principal.user
    info = await server.store.create(name, new.title, owner)
    if new.title:
        info = await write_title(server, principal, name, new.title)
    response.headers["ETag"] = etag(info.seq)
    return Document.of(info, await server.authenticator.role(principal, name))


@router.get("/{name:document}", summary="Read metadata", operation_id="getDocument", responses=problems(*ON_ONE))
async def get_document(server: ServerDep, principal: PrincipalDep, name: NameDep, response: Response) -> Document:
    """Read the title, the times, and the length of the log."""
    await server.authenticator.require(principal, name, Role.VIEWER)
    info = await server.store.find(name)
    response.headers["ETag"] = etag(info.seq)
    return Document.of(info, await server.authenticator.role(principal, name))


@router.patch(
    "/{name:document}",
    summary="Change metadata",
    operation_id="changeDocument",
    responses=problems(*ON_ONE, 408, 413),
)
async def change_document(
    server: ServerDep, principal: PrincipalDep, name: NameDep, change: DocumentChange, response: Response
) -> Document:
    """Change the title, for everybody who has the document open as well. The name never changes."""
    await server.authenticator.require(principal, name, Role.EDITOR)
    info = await write_title(server, principal, name, change.title)
    response.headers["ETag"] = etag(info.seq)
    return Document.of(info, await server.authenticator.role(principal, name))


class DeleteParameters(BaseModel):
    """How a document is deleted."""

    model_config = ConfigDict(extra="forbid")

    purge: bool = Field(False, description="Delete it for good, from the bin or not. Nothing can undo that.")


@router.delete(
    "/{name:document}",
    status_code=204,
    summary="Delete a document",
    operation_id="deleteDocument",
    responses=problems(*ON_ONE),
)
async def delete_document(
    server: ServerDep, principal: PrincipalDep, name: NameDep, asked: Annotated[DeleteParameters, Query()]
) -> None:
    """Move the document to the bin, for everybody. Whoever has it open is told within a second.

    It can be restored until it is purged: after 30 days, if the server is not told otherwise, or at once with `purge`.
    The name can be used again once the document is purged, and only by creating a document here.
    """
    await server.authenticator.require(principal, name, Role.OWNER)
    if asked.purge:
        await server.store.purge(name)
        server.purger.look_now()
    else:
        await server.store.delete(name)
    server.log_sync.look_now()


@router.post(
    "/{name:document}/restore",
    summary="Restore a document",
    operation_id="restoreDocument",
    responses=problems(404),
)
async def restore_document(server: ServerDep, principal: PrincipalDep, name: NameDep, response: Response) -> Document:
    """Take the document out of the bin, with everything that was in it. No error if it is not in the bin."""
    await server.authenticator.require(principal, name, Role.OWNER)
    info = await server.store.restore(name)
    response.headers["ETag"] = etag(info.seq)
    return Document.of(info, await server.authenticator.role(principal, name))


def etag(seq: int) -> str:
    """Return the head of the log as an entity tag."""
    return f'"{seq}"'
