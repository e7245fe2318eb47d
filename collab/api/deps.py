"""The dependencies of the routes: the running server, the principal that calls, the name in the path."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import HTTPConnection

from collab.access import links
from collab.access.tokens import Principal
from collab.api.list_cursor import ListCursor
from collab.api.middleware import decoded
from collab.errors import TokenMissing
from collab.ids import DocumentName, document_name
from collab.serve.server import Server

_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="A token; `collab token` makes one.")


def handshake_token(connection: HTTPConnection, parameter: str) -> str:
    """Return the token of a WebSocket handshake: ``Authorization: Bearer``, or this query parameter; "" without one.

    A link's secret may come with ``?name=`` and ``?password=`` beside it.
    """
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    query = connection.query_params
    token = query.get(parameter, "")
    return links.extended(token, query.get("name", ""), query.get("password", "")) if links.is_link(token) else token


def running_server(connection: HTTPConnection) -> Server:
    """Return the app's server. It runs as long as the app's lifespan does."""
    server = connection.app.state.server
    assert isinstance(server, Server)
    assert server.is_running, "the app's lifespan has not begun: enter it (TestClient as a context manager does)"
    return server


async def calling_principal(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """Return the principal of the request's token. Raises NotAuthenticated, KeysUnavailable, StoreUnavailable."""
    if credentials is None:
        raise TokenMissing("A token is required. Send it as 'Authorization: Bearer <token>'.")
    return await running_server(request).authenticator.principal(credentials.credentials)


async def optional_principal(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal | None:
    """Return the principal of the request's token; None if it has none. Raises like ``calling_principal``."""
    return None if credentials is None else await calling_principal(request, credentials)


class NameConvertor(Convertor[str]):
    """The path parameter ``{name:document}``: one percent-encoded segment, whatever it decodes to."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """Decode the segment."""
        return decoded(value)

    def to_string(self, value: str) -> str:
        """Encode a name as one segment."""
        return quote(value, safe="")


register_url_convertor("document", NameConvertor())


def path_name(
    name: Annotated[
        str, Path(description="The document's name, percent-encoded: `notes%2F42`.", examples=["notes/42"])
    ],
) -> DocumentName:
    """Return the checked document name of the path. Raises InvalidName."""
    return document_name(name)


def _http_server(request: Request) -> Server:
    return running_server(request)


def _list_cursor(request: Request) -> ListCursor:
    cursor = request.app.state.list_cursor
    assert isinstance(cursor, ListCursor)
    return cursor


CursorDep = Annotated[ListCursor, Depends(_list_cursor)]
ServerDep = Annotated[Server, Depends(_http_server)]
PrincipalDep = Annotated[Principal, Depends(calling_principal)]
OptionalPrincipalDep = Annotated[Principal | None, Depends(optional_principal)]
NameDep = Annotated[DocumentName, Depends(path_name)]
