"""The token of a WebSocket handshake: from the header, or else from the query."""

import pytest
from starlette.requests import HTTPConnection

from collab.api.deps import handshake_token


def handshake(*, authorization: str | None = None, query: str = "") -> HTTPConnection:
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    return HTTPConnection({"type": "websocket", "headers": headers, "query_string": query.encode()})


@pytest.mark.parametrize(
    ("authorization", "query", "token"),
    [
        (None, "", ""),
        (None, "token=abc", "abc"),
        (None, "token=a%2Bb&x=y", "a+b"),
        ("Bearer abc", "", "abc"),
        ("bearer  abc ", "", "abc"),
        ("Bearer abc", "token=other", "abc"),
        ("Bearer", "token=abc", "abc"),
        ("Basic abc", "token=def", "def"),
        ("Basic abc", "", ""),
    ],
)
def test_header_goes_before_the_query(authorization: str | None, query: str, token: str) -> None:
    assert handshake_token(handshake(authorization=authorization, query=query), "token") == token


def test_query_parameter_has_the_name_that_is_set() -> None:
    assert handshake_token(handshake(query="token=abc&auth=def"), "auth") == "def"
    assert handshake_token(handshake(query="token=abc"), "auth") == ""
