"""A document's content over REST: read it as text or as a Yjs update, write Yjs updates.

Only committed content is read. An update that is written goes the same way as an edit in a browser, and the answer
comes after the commit.
"""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field

from collab.access.roles import Role
from collab.api.deps import NameDep, OptionalPrincipalDep, PrincipalDep, ServerDep
from collab.api.documents import ON_ANY, etag
from collab.api.problems import problems
from collab.crdt.stored import load_in_steps
from collab.errors import DocumentDeleted, InvalidRequest, TooLarge
from collab.ids import DocumentName
from collab.serve.rest_writer import write_update
from collab.serve.server import Server
from collab.serve.stepwise import take_steps
from collab.store.base import Stored

router = APIRouter(prefix="/api/v1/documents", tags=["content"], responses=problems(*ON_ANY, 410))

OCTETS = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"


class Format(StrEnum):
    """The format of an answer."""

    TEXT = "text"
    UPDATE = "update"


class Written(BaseModel):
    """The answer to an update that is committed."""

    seq: int = Field(
        description="The end of the document's log. Everything that was sent is saved at or before it.", examples=[1208]
    )


@router.get(
    "/{name:document}/content",
    summary="Read the content",
    operation_id="getContent",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"example": "Hello."}, OCTETS: {}}, "description": "The content."},
        304: {"description": "Nothing has changed since the given ETag."},
        **problems(404),
    },
)
async def get_content(
    server: ServerDep,
    principal: OptionalPrincipalDep,
    name: NameDep,
    form: Annotated[Format, Query(alias="format", description="`text`, or `update` for Yjs.")] = Format.TEXT,
    if_none_match: Annotated[
        str, Header(description="The ETag of the content that you have: 304 if it has not changed.")
    ] = "",
) -> Response:
    """Read the content as plain text, or as one Yjs update (v1) that any Yjs client can apply.

    A published document needs no token.
    """
    await server.authenticator.require_content(principal, name)
    stored = await _load(server, name)
    headers = {"ETag": etag(stored.head), "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
    if _names(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    snapshot = None if stored.snapshot is None else stored.snapshot.state
    document = await take_steps(load_in_steps(snapshot, stored.tail))
    if form is Format.UPDATE:
        return Response(document.encode(), media_type=OCTETS, headers=headers)
    return Response(document.text(), media_type=TEXT, headers=headers)


@router.post(
    "/{name:document}/updates",
    summary="Write a Yjs update",
    operation_id="postUpdate",
    responses=problems(408, 409, 413, 422),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def post_update(
    server: ServerDep, principal: PrincipalDep, name: NameDep, request: Request, response: Response
) -> Written:
    """Write one Yjs update (v1). Creates the document if it does not exist. Answers after the commit.

    409 if it depends on edits that are not here, or contains edits of a connected user that this user has not sent; 422
    if it is refused as harmful.
    """
    await server.authenticator.require(principal, name, Role.EDITOR)
    update = await _body(request, server.limits.frame_bytes_max)
    if not update:
        raise InvalidRequest("The body is empty. Send one Yjs update.")
    await write_update(server.parts, name, principal, update)
    seq = (await server.store.find(name)).seq
    response.headers["ETag"] = etag(seq)
    return Written(seq=seq)


def _names(if_none_match: str, tag: str) -> bool:
    """Return True if the header names this version. Compares weakly: proxies that compress make tags weak."""
    return any(each.strip().removeprefix("W/") in (tag, "*") for each in if_none_match.split(","))


async def _load(server: Server, name: DocumentName) -> Stored:
    stored = await server.store.load(name)
    if stored.deleted:
        raise DocumentDeleted
    if stored.head == 0:
        await server.store.find(name)  # empty, or not there: raises DocumentNotFound
    return stored


async def _body(request: Request, bytes_max: int) -> bytes:
    """Return the whole body. Raises TooLarge as soon as it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise TooLarge(f"The update is larger than {bytes_max} bytes, the limit of this server.")
    return bytes(body)
