"""The documents as the command line sees them: in the database itself, or on a running server over REST.

Both return what REST answers, as values for JSON.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

import httpx2

from collab.access.roles import Role
from collab.access.sharing import Member
from collab.access.tokens import sign
from collab.errors import CollabError, DocumentInBin, DocumentNotFound, InvalidRequest
from collab.ids import DocumentName, LinkId, UserId
from collab.serve.new_link import make_link
from collab.settings import Settings, is_loopback
from collab.store.base import DocumentInfo, ListQuery
from collab.store.engine import is_sqlite_in_use, sqlite_file
from collab.store.sql import CLEARED_AT_ONCE, SqlStore
from collab.token_keys import signing_key

T = TypeVar("T")

OPERATOR = "operator"
"""The user that a server sees, and who made a link."""

ROUTE = "/api/v1/documents"
PATIENCE_S = 30
PAGE = 500


class Database:
    """The documents in the database itself."""

    def __init__(self, store: SqlStore, address: str) -> None:
        """``address``: where people reach the server, for links."""
        self._store = store
        self._address = address

    async def page(self, query: ListQuery) -> tuple[list[dict[str, Any]], bool]:
        page = await self._store.list_documents(query)
        return [_entry(info) for info in page.documents], page.next is None

    async def find(self, name: DocumentName) -> dict[str, Any]:
        return _entry(await self._store.find(name))

    async def delete(self, name: DocumentName) -> None:
        await self._store.delete(name)

    async def restore(self, name: DocumentName) -> None:
        await self._store.restore(name)

    async def purge(self, name: DocumentName) -> None:
        await self._store.purge(name)
        while await self._store.clear_purged(CLEARED_AT_ONCE, name):
            pass

    async def members(self, name: DocumentName) -> list[dict[str, Any]]:
        return [_member(each) for each in await self._store.list_members(name)]

    async def put_member(self, name: DocumentName, user: UserId, role: Role) -> None:
        await self._store.put_member(name, user, role)

    async def remove_member(self, name: DocumentName, user: UserId) -> None:
        await self._store.remove_member(name, user)

    async def make_link(self, name: DocumentName, role: Role, expires_in_s: int | None) -> dict[str, Any]:
        link, secret = await make_link(
            self._store, name, role, created_by=UserId(OPERATOR), expires_in_s=expires_in_s, password=""
        )
        url = f"{self._address}/d/{quote(name)}#token={secret}"
        return {"id": link.id, "role": role.word, "expires_at": _text(link.expires_at), "secret": secret, "url": url}

    async def revoke_link(self, name: DocumentName, link: LinkId) -> None:
        await self._store.remove_link(name, link)


class Server:
    """The documents of a running server, over REST."""

    def __init__(self, settings: Settings, url: str) -> None:
        if not settings.secret_counts:
            raise InvalidRequest(
                "The server accepts only its issuer's tokens, so this command cannot sign in: stop the server first, "
                "or set COLLAB_TOKEN_SECRET_COUNTS=1, both here and for the server."
            )
        self._documents = url.rstrip("/") + ROUTE
        self._token = sign(
            signing_key(settings),
            user=OPERATOR,
            name="Operator",
            grants={"**": Role.OWNER},
            now_s=time.time(),
            ttl_s=PATIENCE_S * 2,
            audience=settings.token_audience or None,
        )

    async def page(self, query: ListQuery) -> tuple[list[dict[str, Any]], bool]:
        found: list[dict[str, Any]] = []
        asked: dict[str, str] = {"sort": query.order.value, "q": query.search, "prefix": query.prefix}
        asked["bin"] = str(query.in_bin).lower()
        while True:
            asked["limit"] = str(min(PAGE, query.limit - len(found)))
            page = await self._call("GET", "", asked)
            found += page["documents"]
            if page["next"] is None or len(found) == query.limit:
                return found, page["next"] is None
            asked["after"] = page["next"]

    async def find(self, name: DocumentName) -> dict[str, Any]:
        return dict(await self._call("GET", _path(name)))

    async def delete(self, name: DocumentName) -> None:
        await self._call("DELETE", _path(name))

    async def restore(self, name: DocumentName) -> None:
        await self._call("POST", f"{_path(name)}/restore")

    async def purge(self, name: DocumentName) -> None:
        await self._call("DELETE", _path(name), {"purge": "true"})

    async def members(self, name: DocumentName) -> list[dict[str, Any]]:
        return list((await self._call("GET", f"{_path(name)}/members"))["members"])

    async def put_member(self, name: DocumentName, user: UserId, role: Role) -> None:
        await self._call("PUT", f"{_path(name)}/members/{quote(user, safe='')}", body={"role": role.word})

    async def remove_member(self, name: DocumentName, user: UserId) -> None:
        await self._call("DELETE", f"{_path(name)}/members/{quote(user, safe='')}")

    async def make_link(self, name: DocumentName, role: Role, expires_in_s: int | None) -> dict[str, Any]:
        body = {"role": role.word} | ({} if expires_in_s is None else {"expires_in": expires_in_s})
        return dict(await self._call("POST", f"{_path(name)}/links", body=body))

    async def revoke_link(self, name: DocumentName, link: LinkId) -> None:
        await self._call("DELETE", f"{_path(name)}/links/{quote(link, safe='')}")

    async def _call(
        self, method: str, rest: str, asked: dict[str, str] | None = None, body: dict[str, Any] | None = None
    ) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        use_proxy = not is_loopback(urlsplit(self._documents).hostname or "")
        try:
            async with httpx2.AsyncClient(timeout=PATIENCE_S, trust_env=use_proxy) as client:
                answer = await client.request(method, self._documents + rest, params=asked, json=body, headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL):
            raise InvalidRequest(
                f"No server answers at {self._documents.removesuffix(ROUTE)}: name its address with --url, or set its "
                "COLLAB_HOST and COLLAB_PORT here."
            ) from None
        if not answer.is_success:
            raise _told(answer)
        return answer.json() if answer.content else None


def _told(answer: httpx2.Response) -> CollabError:
    """Return a server's refusal as the error that it is."""
    try:
        problem = answer.json()
        slug, detail = str(problem["type"]).rpartition(":")[2], str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return InvalidRequest(f"The answer is {answer.status_code}: is this the address of a collab server?")
    if slug == DocumentNotFound.slug:
        return DocumentNotFound()
    if slug == DocumentInBin.slug:
        return DocumentInBin()
    if answer.status_code == httpx2.codes.UNAUTHORIZED:
        return InvalidRequest(f"{detail} Run this with the server's COLLAB_SECRET or COLLAB_DATA_DIR.")
    return InvalidRequest(detail)


Documents: TypeAlias = Database | Server


async def use_documents(settings: Settings, url: str | None, use: Callable[["Documents"], Awaitable[T]]) -> T:
    """Let ``use`` work with the documents of the server at ``url``, or else of the settings' database.

    Raises InvalidRequest with the next step.
    """
    if url is None and settings.is_sqlite and is_sqlite_in_use(settings.database_url):
        url = _address(settings)
    if url is not None:
        if not url.startswith(("http://", "https://")):
            raise InvalidRequest(f"{url!r} is not an address; an address looks like http://127.0.0.1:8000.")
        return await use(Server(settings, url))
    if settings.is_sqlite and not sqlite_file(settings.database_url).exists():
        raise InvalidRequest(
            f"There is no database {sqlite_file(settings.database_url)}: run this where `collab serve` was started, or "
            "with its COLLAB_DATA_DIR or COLLAB_DATABASE_URL."
        )
    store = SqlStore(settings.database_url)
    await store.open()
    try:
        return await use(Database(store, _address(settings)))
    finally:
        await store.close()


def _address(settings: Settings) -> str:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _entry(info: DocumentInfo) -> dict[str, Any]:
    """Return an entry as REST has it, but for the role."""
    times = {"created_at": info.created_at, "updated_at": info.updated_at, "deleted_at": info.deleted_at}
    shown = {key: _text(time) for key, time in times.items()}
    return {"name": info.name, "title": info.title, "seq": info.seq, **shown}


def _member(member: Member) -> dict[str, Any]:
    return {"user": member.user, "role": member.role.word, "since": _text(member.since)}


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")


def _path(name: DocumentName) -> str:
    return f"/{quote(name, safe='')}"
