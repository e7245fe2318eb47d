"""Both WebSocket routes, through FastAPI's own ``TestClient`` as an application that embeds the server would use it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from collab.access.roles import Role
from collab.crdt.stored import load_document
from collab.ids import DocumentName
from collab.protocol.varint import Reader
from collab.serve.connection import UNKNOWN_MAX
from collab.store.memory import MemoryStore
from tests.api.calls import DOCUMENTS, OWNER
from tests.deployment import token
from tests.frames import STEP1, STEP2, UPDATE, DialectName, FrameCodec, HocuspocusCodec, ServerMessage, YWebsocketCodec
from tests.protocol.build import string, uint
from tests.room.build import YjsClient
from tests.test_settings import PEM

NOTES = "notes/42"
EMPTY = b"\0"
BOTH = pytest.mark.parametrize("dialect", ["y-websocket", "hocuspocus"])


class RouteClient:
    """A client of one document."""

    def __init__(self, socket: WebSocketTestSession, codec: FrameCodec) -> None:
        self.socket = socket
        self.codec = codec

    def say(self, kind: int, payload: bytes) -> None:
        self.socket.send_bytes(self.codec.sync(kind, payload))

    def hear(self) -> ServerMessage:
        return self.codec.read(self.socket.receive_bytes())

    def hear_until(self, kind: int) -> bytes:
        """Return the payload of the next sync message of this kind."""
        while (heard := self.hear()).sync != kind:
            pass
        return heard.payload

    def is_saved(self, update: bytes) -> bool:
        """Return the server's answer to what was sent last: an echo, or a status."""
        while True:
            heard = self.hear()
            if heard.saved is not None:
                return heard.saved
            if isinstance(self.codec, YWebsocketCodec) and heard.sync == UPDATE:
                return heard.payload == update


@contextmanager
def joined(client: TestClient, dialect: str, user: str = "ada", *, role: Role = Role.EDITOR) -> Iterator[RouteClient]:
    """Give a client that has opened the document."""
    key = token(user, {"**": role})
    codec: FrameCodec = YWebsocketCodec() if dialect == "y-websocket" else HocuspocusCodec(NOTES, key)
    with client.websocket_connect(f"/ws/{NOTES}?token={key}" if dialect == "y-websocket" else "/ws") as socket:
        for frame in codec.greeting():
            socket.send_bytes(frame)
        yield RouteClient(socket, codec)


def stored(store: MemoryStore) -> str:
    return load_document(None, asyncio.run(store.load(DocumentName(NOTES))).tail).text()


def closed(socket: WebSocketTestSession) -> tuple[int, str]:
    """Return the code and the reason with which the server closes; skip what it says before."""
    while (message := socket.receive())["type"] != "websocket.close":
        pass
    return message["code"], message["reason"]


# --- the conversation ----------------------------------------------------------------------------------


@BOTH
def test_client_that_asks_gets_the_document_and_is_asked(client: TestClient, dialect: DialectName) -> None:
    client.post(f"{DOCUMENTS}/notes%2F42/updates", headers=OWNER, content=YjsClient(1).type(0, "Hello."))
    with joined(client, dialect) as ada:
        ada.say(STEP1, EMPTY)
        assert ada.hear_until(STEP1)
        assert YjsClient(2, ada.hear_until(STEP2)).text == "Hello."


@BOTH
def test_edit_reaches_the_others_and_is_saved_when_the_store_has_it(
    client: TestClient, store: MemoryStore, dialect: DialectName
) -> None:
    with joined(client, dialect) as ada, joined(client, dialect, "grace") as grace:
        grace.say(STEP1, EMPTY)
        grace.hear_until(STEP2)
        update = YjsClient(1).type(0, "Hello.")
        ada.say(UPDATE, update)
        assert grace.hear_until(UPDATE) == update
        assert ada.is_saved(update)
        assert stored(store) == "Hello."


def test_people_of_both_dialects_are_in_the_same_document(client: TestClient) -> None:
    with joined(client, "y-websocket") as ada, joined(client, "hocuspocus", "grace") as grace:
        for each in (ada, grace):
            each.say(STEP1, EMPTY)
            each.hear_until(STEP2)
        for here, there, number in ((ada, grace, 1), (grace, ada, 2)):
            update = YjsClient(number).type(0, "Hello.")
            here.say(UPDATE, update)
            assert there.hear_until(UPDATE) == update
            assert here.is_saved(update)


def test_provider_is_told_what_its_token_may_do(client: TestClient) -> None:
    for role, scope in ((Role.EDITOR, "read-write"), (Role.VIEWER, "readonly")):
        with joined(client, "hocuspocus", role=role) as ada:
            assert ada.socket.receive_bytes() == string(NOTES) + uint(2) + uint(2) + string(scope)


def test_edit_of_a_commenter_is_refused_and_not_stored(client: TestClient, store: MemoryStore) -> None:
    with joined(client, "hocuspocus", role=Role.COMMENTER) as reader:
        reader.say(UPDATE, YjsClient(1).type(0, "Hello."))
        assert not reader.is_saved(b"")
    assert stored(store) == ""


def test_provider_that_leaves_a_document_keeps_its_socket(client: TestClient) -> None:
    with joined(client, "hocuspocus") as ada:
        ada.socket.send_bytes(string(NOTES) + uint(7))
        ada.socket.send_bytes(string("other") + uint(2) + uint(0) + string(token("ada")))
        frames = [ada.socket.receive_bytes() for _ in range(2)]
        assert frames[-1] == string("other") + uint(2) + uint(2) + string("read-write")


def test_slashes_of_a_name_may_be_encoded_or_not(client: TestClient) -> None:
    client.post(f"{DOCUMENTS}/caf%C3%A9%2F1%25/updates", headers=OWNER, content=YjsClient(1).type(0, "Hello."))
    for path in ("caf%C3%A9%2F1%25", "café/1%25"):
        with client.websocket_connect(f"/ws/{path}?token={token('ada')}") as socket:
            ada = RouteClient(socket, YWebsocketCodec())
            ada.say(STEP1, EMPTY)
            assert YjsClient(2, ada.hear_until(STEP2)).text == "Hello."


def test_token_may_come_in_the_header(client: TestClient) -> None:
    with client.websocket_connect(f"/ws/{NOTES}", headers=OWNER) as socket:
        ada = RouteClient(socket, YWebsocketCodec())
        ada.say(STEP1, EMPTY)
        ada.hear_until(STEP2)


# --- denials -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("", 4401, "token-missing: A token is required."),
        ("?token=nonsense", 4401, "token-malformed: The token is not a valid JSON Web Token."),
        (
            f"?token={token('eve', {'other': Role.OWNER})}",
            4403,
            "permission-denied: You have no access to this document.",
        ),
    ],
)
def test_denied_client_is_told_why_and_then_closed_for_good(
    client: TestClient, query: str, code: int, words: str
) -> None:
    with client.websocket_connect(f"/ws/{NOTES}{query}") as socket:
        assert socket.receive_bytes() == uint(2) + uint(0) + string(words)
        assert closed(socket) == (code, words)


@pytest.mark.parametrize("settings", [{"token_public_key": PEM}], indirect=True)
def test_token_of_our_own_secret_is_refused_where_an_issuer_is_set(client: TestClient) -> None:
    with client.websocket_connect(f"/ws/{NOTES}?token={token('ada')}") as socket:
        assert closed(socket)[0] == 4401
    assert client.get(DOCUMENTS, headers=OWNER).status_code == 401


def test_deleted_document_is_gone_for_good(client: TestClient) -> None:
    client.post(DOCUMENTS, headers=OWNER, json={"name": NOTES})
    client.delete(f"{DOCUMENTS}/notes%2F42", headers=OWNER)
    with joined(client, "y-websocket") as ada:
        assert closed(ada.socket)[0] == 4410


@pytest.mark.parametrize("name", ["a//b", "a/", "%2E%2E", "e%CC%81", "x" * 256, "%00", "%FF", "a%C3", "%ED%A0%80"])
def test_impossible_name_is_not_found(client: TestClient, name: str) -> None:
    with client.websocket_connect(f"/ws/{name}?token={token('ada')}") as socket:
        assert socket.receive_bytes().startswith(uint(2) + uint(0))  # told, and held before the close
        assert closed(socket)[0] == 4404


def test_client_with_an_impossible_name_is_told_and_held(client: TestClient) -> None:
    words = "invalid-name: A document name must be valid UTF-8."
    with client.websocket_connect(f"/ws/%FF?token={token('ada')}") as socket:
        assert socket.receive_bytes() == uint(2) + uint(0) + string(words)
        assert closed(socket) == (4404, words)


def test_provider_is_denied_in_band_and_keeps_its_socket(client: TestClient) -> None:
    def authenticate(document: str, key: str) -> bytes:
        socket.send_bytes(string(document) + uint(2) + uint(0) + string(key))
        return socket.receive_bytes()

    with client.websocket_connect("/ws") as socket:
        assert b"not a valid JSON Web Token" in authenticate(NOTES, "nonsense")
        assert b"no access" in authenticate("other", token("eve", {NOTES: Role.OWNER}))
        assert b"read-write" in authenticate(NOTES, token("eve"))


def test_provider_may_bring_its_token_with_the_handshake(client: TestClient) -> None:
    with client.websocket_connect(f"/ws?token={token('ada')}") as socket:
        socket.send_bytes(HocuspocusCodec(NOTES, "").sync(STEP1, EMPTY))
        assert b"read-write" in socket.receive_bytes()


@pytest.mark.parametrize("settings", [{"preauth_documents_max": 2}], indirect=True)
def test_documents_without_a_good_token_are_few_on_one_socket(client: TestClient) -> None:
    with client.websocket_connect("/ws") as socket:
        for name in ("a", "b", "c"):
            socket.send_bytes(HocuspocusCodec(name, "").sync(STEP1, EMPTY))
        assert closed(socket) == (1013, "overloaded: Too many documents without a good token; send their tokens first.")


@pytest.mark.parametrize("settings", [{"preauth_documents_max": 2}], indirect=True)
def test_documents_with_their_tokens_are_as_many_as_they_like_at_once(client: TestClient) -> None:
    with client.websocket_connect("/ws") as socket:
        for number in range(20):
            socket.send_bytes(string(f"n{number}") + uint(2) + uint(0) + string(token("ada")))
        opened = {Reader(socket.receive_bytes()).var_string() for _ in range(20)}
        assert len(opened) == 20


# --- subprotocols --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/ws", f"/ws/{NOTES}"])
@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], None),
        (["collab.v1"], "collab.v1"),
        (["collab.v1", "other"], "collab.v1"),
        ([token("ada"), "bearer"], "bearer"),
        ([token("ada")], token("ada")),  # a browser would drop the connection without it
        (["x" * 65, "x" * 64], "x" * 64),
        (["(comment)", "two words", ""], None),
    ],
)
def test_first_offered_subprotocol_that_is_no_token_comes_back(
    client: TestClient, path: str, offered: list[str], chosen: str | None
) -> None:
    with client.websocket_connect(f"{path}?token={token('ada')}", subprotocols=offered) as socket:
        assert socket.accepted_subprotocol == chosen


# --- what ends a socket --------------------------------------------------------------------------------


@BOTH
def test_text_frame_closes_the_socket(client: TestClient, dialect: DialectName) -> None:
    with joined(client, dialect) as ada:
        ada.socket.send_text("hello")
        assert closed(ada.socket)[0] == 1003


@BOTH
@pytest.mark.parametrize("garbage", [b"", b"\0", b"\0\0\xff", b"\xff" * 20])
def test_bytes_that_are_no_message_end_the_socket_for_good(
    client: TestClient, dialect: DialectName, garbage: bytes
) -> None:
    with joined(client, dialect) as ada:
        ada.socket.send_bytes(garbage)
        assert closed(ada.socket)[0] == 4422


@BOTH
def test_messages_of_unknown_types_are_passed_over_unless_they_keep_coming(
    client: TestClient, dialect: DialectName
) -> None:
    unknown = (string(NOTES) if dialect == "hocuspocus" else b"") + uint(77)
    with joined(client, dialect) as ada:
        for _ in range(UNKNOWN_MAX):
            ada.socket.send_bytes(unknown)
        ada.say(STEP1, EMPTY)
        ada.hear_until(STEP2)
        ada.socket.send_bytes(unknown)
        assert closed(ada.socket)[0] == 4422


@BOTH
def test_harmful_update_is_refused_and_ends_its_sender_alone(client: TestClient, dialect: DialectName) -> None:
    with joined(client, dialect) as eve, joined(client, dialect, "ada") as ada:
        eve.say(UPDATE, b"\1\1")
        if dialect == "hocuspocus":
            assert not eve.is_saved(b"")
            assert eve.socket.receive_bytes().startswith(string(NOTES) + uint(2) + uint(1))
        else:
            assert closed(eve.socket)[0] == 4422
        update = YjsClient(1).type(0, "Hello.")
        ada.say(UPDATE, update)
        assert ada.is_saved(update)


# --- pages of other sites ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/ws", f"/ws/{NOTES}"])
def test_page_of_another_site_opens_no_socket(client: TestClient, path: str) -> None:
    for origin in (
        "https://evil.example",
        "null",
        "http://[",
        "",
        "http://testserver.evil.example",
        "http://testserver:81",
    ):
        with (
            pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)),
            client.websocket_connect(f"{path}?token={token('ada')}", headers={"Origin": origin}),
        ):
            pass


@pytest.mark.parametrize("settings", [{"allowed_origins": "https://app.example"}], indirect=True)
def test_pages_of_the_server_and_listed_ones_open_sockets(client: TestClient) -> None:
    for origin in ("http://testserver", "https://testserver", "https://app.example"):
        with client.websocket_connect("/ws", headers={"Origin": origin}) as socket:
            socket.send_text("")
            assert closed(socket)[0] == 1003


def test_socket_that_is_open_when_the_app_ends_is_told_to_come_back(client: TestClient) -> None:
    app: Any = client.app
    assert client.portal is not None
    with joined(client, "y-websocket") as ada, client.websocket_connect("/ws") as idle:
        ada.say(STEP1, EMPTY)
        ada.hear_until(STEP2)
        client.portal.start_task_soon(app.state.server.drain)
        assert closed(ada.socket)[0] == 1012
        assert closed(idle)[0] == 1012
