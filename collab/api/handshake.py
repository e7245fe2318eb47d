"""The opening handshake of a WebSocket: the ``websockets`` library judges it, and is then no longer needed."""

from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

from starlette.types import Scope
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from collab.api import problems

HeaderList = Iterable[tuple[bytes, bytes]]


class Handshake:
    """One request to open a WebSocket, and the answers it can get."""

    def __init__(self, request: bytes) -> None:
        """``request``: its head, as a web server has read it."""
        protocol = ServerProtocol()
        protocol.receive_data(request)
        events = protocol.events_received()
        self._request = events[0] if events and isinstance(events[0], Request) else None
        self._accepted = None if self._request is None else protocol.accept(self._request)
        self.refused = self._refused()
        """The answer if this is no handshake; None if it is one."""

    def _refused(self) -> bytes | None:
        if self._accepted is None:
            return _problem(HTTPStatus.BAD_REQUEST, "This is not a WebSocket handshake.")
        if self._accepted.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            return None
        return self._accepted.serialize()

    def scope(self) -> Scope:
        """Return what ASGI tells an application of the request."""
        assert self._request is not None
        headers = self._request.headers
        path, _, query = self._request.path.partition("?")
        offered = headers.get_all("Sec-WebSocket-Protocol")
        return {
            "raw_path": path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "headers": [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.raw_items()],
            "subprotocols": [each.strip() for line in offered for each in line.split(",")],
        }

    def accept(self, subprotocol: str | None, headers: HeaderList) -> bytes:
        """Return the answer that opens the WebSocket."""
        assert self._accepted is not None
        self._accepted.headers.update(_decoded(headers))
        if subprotocol:
            self._accepted.headers["Sec-WebSocket-Protocol"] = subprotocol
        return self._accepted.serialize()

    def refuse(self, status: int, headers: HeaderList = (), body: bytes = b"") -> bytes:
        """Return an answer that does not open it."""
        all_headers = Headers(_decoded(headers))
        all_headers.setdefault("Date", formatdate(usegmt=True))
        all_headers.setdefault("Connection", "close")
        all_headers.setdefault("Content-Length", str(len(body)))
        return Response(status, HTTPStatus(status).phrase, all_headers, body).serialize()


def _decoded(headers: HeaderList) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _problem(status: HTTPStatus, detail: str) -> bytes:
    """Return a problem as an answer to a request that the framework never sees."""
    problem = problems.respond(status, detail, headers={"Connection": "close"})
    lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
    lines += [b"%s: %s" % header for header in problem.raw_headers]
    return b"\r\n".join([*lines, b"", bytes(problem.body)])
