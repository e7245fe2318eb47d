"""`collab documents`: list, show, delete, restore and purge documents from a shell.

The commands use the database itself. That is safe beside running servers: the row of a document is locked while it
changes, and a server looks for deletions every second. A SQLite file belongs to one process, so while a server has it
open, the commands ask that server over REST.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx2
import typer

from collab.access.roles import Role
from collab.access.tokens import sign
from collab.errors import CollabError, DocumentInBin, DocumentNotFound, InvalidRequest, StoreUnavailable
from collab.ids import DocumentName, document_name
from collab.settings import Settings, is_loopback, load_settings
from collab.store.base import DocumentInfo, ListOrder, ListQuery, Readable
from collab.store.engine import is_sqlite_in_use, sqlite_file
from collab.store.sql import CLEARED_AT_ONCE, SqlStore
from collab.token_keys import signing_key

T = TypeVar("T")

OPERATOR = "operator"
"""The user that a server sees, where it is asked."""

ROUTE = "/api/v1/documents"
PATIENCE_S = 30
PAGE = 500
EVERYTHING = Readable(frozenset({"**"}))

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""List, show, delete, restore and purge documents.

    Run it with the server's settings (COLLAB_DATABASE_URL, or COLLAB_DATA_DIR), also while the server runs.

    \b
    What was changed last:           collab documents list --sort updated
    Everything in a folder, as JSON: collab documents list --prefix team/ --json
    Into the bin, and back:          collab documents delete notes/42
                                     collab documents restore notes/42
    """,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the document, such as notes/42.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Url = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="Ask the server at this address, instead of the database.", show_default="the database"
    ),
]


@app.command("list")
def list_documents(
    search: Annotated[
        str, typer.Option(metavar="TEXT", help="Only documents with this text in their title or name.")
    ] = "",
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="Only documents whose name begins with this.")] = "",
    sort: Annotated[ListOrder, typer.Option(help="Order; created and updated begin with the newest.")] = ListOrder.NAME,
    bin: Annotated[bool, typer.Option("--bin", help="List the documents in the bin.")] = False,
    limit: Annotated[int, typer.Option(metavar="NUMBER", help="How many at most.", min=1)] = 50,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List documents.

    \b
    collab documents list --sort updated --limit 10
    collab documents list --search minutes --prefix team/
    collab documents list --bin
    """
    query = ListQuery(EVERYTHING, sort, search=search, prefix=prefix, in_bin=bin, limit=limit)
    found, is_all = _run(url, lambda catalogue: catalogue.list(query))
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for entry in found:
        when = _moment(entry["deleted_at"] if bin else entry["updated_at"])
        print(f"{when}  {entry['name']}" + (f"  ({entry['title']})" if entry["title"] else ""))
    if not found:
        _note("The bin is empty." if bin and not search + prefix else "There is no such document.")
    elif not is_all:
        _note(f"There are more: --limit {limit * 10} shows them.")


@app.command()
def show(name: Name, as_json: AsJson = False, url: Url = None) -> None:
    """Show the title, the times and the length of the log of one document.

    \b
    collab documents show notes/42
    """
    checked = document_name(name)
    entry = _run(url, lambda catalogue: catalogue.find(checked))
    if as_json:
        print(json.dumps(entry, indent=2, ensure_ascii=False))
        return
    for key in ("name", "title", "seq", "created_at", "updated_at"):
        print(f"{key.removesuffix('_at'):<8} {_moment(entry[key]) if key.endswith('_at') else entry[key]}")


@app.command()
def delete(name: Name, as_json: AsJson = False, url: Url = None) -> None:
    """Move a document to the bin. Everybody who has it open is told within a second.

    \b
    collab documents delete notes/42
    """
    checked = document_name(name)
    _run(url, lambda catalogue: catalogue.delete(checked))
    days = load_settings().bin_days
    _done(as_json, checked, f"{name} is in the bin for {days:g} days. To restore it: collab documents restore {name}")


@app.command()
def restore(name: Name, as_json: AsJson = False, url: Url = None) -> None:
    """Take a document out of the bin, with everything that was in it.

    \b
    collab documents restore notes/42
    """
    checked = document_name(name)
    _run(url, lambda catalogue: catalogue.restore(checked))
    _done(as_json, checked, f"{name} is back.")


@app.command()
def purge(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Delete a document for good, whether it is in the bin or not. Nothing can undo that.

    \b
    collab documents purge notes/42
    collab documents purge notes/42 --yes    # in a script
    """
    checked = document_name(name)
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("nothing can undo a purge: say --yes if you mean it.", param_hint="--yes")
        typer.confirm(f"Delete {name} for good, with its history?", abort=True)
    _run(url, lambda catalogue: catalogue.purge(checked))
    _done(as_json, checked, f"{name} is gone.")


# --- where the documents are --------------------------------------------------------------------------


class _Database:
    """The catalogue in the database itself."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    async def list(self, query: ListQuery) -> tuple[list[dict[str, Any]], bool]:
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


class _Server:
    """The catalogue of a running server, over REST."""

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

    async def list(self, query: ListQuery) -> tuple[list[dict[str, Any]], bool]:
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

    async def _call(self, method: str, rest: str, asked: dict[str, str] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        use_proxy = not is_loopback(urlsplit(self._documents).hostname or "")
        try:
            async with httpx2.AsyncClient(timeout=PATIENCE_S, trust_env=use_proxy) as client:
                answer = await client.request(method, self._documents + rest, params=asked, headers=headers)
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


def _run(url: str | None, use: Callable[["_Database | _Server"], Awaitable[T]]) -> T:
    """Let ``use`` work with the documents. Errors say what to do next."""
    settings = load_settings()
    try:
        return asyncio.run(_use(settings, url, use))
    except DocumentInBin:
        raise InvalidRequest("The document is in the bin. To take it out: collab documents restore <name>") from None
    except DocumentNotFound:
        raise InvalidRequest("There is no such document. To see which there are: collab documents list") from None
    except StoreUnavailable as error:
        raise InvalidRequest(f"{error} Is COLLAB_DATABASE_URL that of the server?") from None


async def _use(settings: Settings, url: str | None, use: Callable[["_Database | _Server"], Awaitable[T]]) -> T:
    if url is None and settings.is_sqlite and is_sqlite_in_use(settings.database_url):
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
        url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    if url is not None:
        if not url.startswith(("http://", "https://")):
            raise typer.BadParameter("an address looks like http://127.0.0.1:8000.", param_hint="--url")
        return await use(_Server(settings, url))
    if settings.is_sqlite and not sqlite_file(settings.database_url).exists():
        raise InvalidRequest(
            f"There is no database {sqlite_file(settings.database_url)}: run this where `collab serve` was started, or "
            "with its COLLAB_DATA_DIR or COLLAB_DATABASE_URL."
        )
    store = SqlStore(settings.database_url)
    await store.open()
    try:
        return await use(_Database(store))
    finally:
        await store.close()


def _entry(info: DocumentInfo) -> dict[str, Any]:
    """Return an entry as REST has it, but for the role."""
    times = {"created_at": info.created_at, "updated_at": info.updated_at, "deleted_at": info.deleted_at}
    shown = {key: None if time is None else time.isoformat().replace("+00:00", "Z") for key, time in times.items()}
    return {"name": info.name, "title": info.title, "seq": info.seq, **shown}


def _path(name: DocumentName) -> str:
    return f"/{quote(name, safe='')}"


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}"


def _done(as_json: bool, name: DocumentName, sentence: str) -> None:
    print(json.dumps({"name": name}, ensure_ascii=False) if as_json else sentence)


def _note(sentence: str) -> None:
    print(f"collab: {sentence}", file=sys.stderr)
