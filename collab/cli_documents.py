"""`collab documents`: list, show, delete, restore, purge and share documents from a shell.

The commands use the database itself. That is safe beside running servers: the row of a document is locked while it
changes, and a server looks for deletions every second. A SQLite file belongs to one process, so while a server has it
open, the commands ask that server over REST.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

import typer

from collab.access.roles import Role
from collab.cli_backends import Documents, use_documents
from collab.errors import DocumentInBin, DocumentNotFound, InvalidRequest, StoreUnavailable
from collab.ids import DocumentName, LinkId, UserId, document_name
from collab.settings import load_settings
from collab.store.base import ListOrder, ListQuery, Readable

T = TypeVar("T")

DAY_S = 24 * 3600
EVERYTHING = Readable(frozenset({"**"}))

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""List, show, delete, restore, purge and share documents.

    Run it with the server's settings (COLLAB_DATABASE_URL, or COLLAB_DATA_DIR), also while the server runs.

    \b
    What was changed last:           collab documents list --sort updated
    Everything in a folder, as JSON: collab documents list --prefix team/ --json
    Into the bin, and back:          collab documents delete notes/42
                                     collab documents restore notes/42
    A link for a guest:              collab documents link notes/42 --role editor --days 7
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
    found, is_all = _run(url, lambda documents: documents.page(query))
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
    entry = _run(url, lambda documents: documents.find(checked))
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
    _run(url, lambda documents: documents.delete(checked))
    days = load_settings().bin_days
    _done(as_json, checked, f"{name} is in the bin for {days:g} days. To restore it: collab documents restore {name}")


@app.command()
def restore(name: Name, as_json: AsJson = False, url: Url = None) -> None:
    """Take a document out of the bin, with everything that was in it.

    \b
    collab documents restore notes/42
    """
    checked = document_name(name)
    _run(url, lambda documents: documents.restore(checked))
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
    _run(url, lambda documents: documents.purge(checked))
    _done(as_json, checked, f"{name} is gone.")


@app.command()
def members(
    name: Name,
    add: Annotated[
        list[str] | None, typer.Option(metavar="USER=ROLE", help="Add a member, or change a role. May be repeated.")
    ] = None,
    remove: Annotated[list[str] | None, typer.Option(metavar="USER", help="Remove a member. May be repeated.")] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Show who is a member of a document, and with which role; add and remove members.

    \b
    collab documents members notes/42
    collab documents members notes/42 --add bob=editor --remove eve
    """
    checked = document_name(name)
    changes = [_member(text) for text in add or []]

    async def change(documents: Documents) -> list[dict[str, Any]]:
        for user, role in changes:
            await documents.put_member(checked, user, role)
        for gone in remove or []:
            await documents.remove_member(checked, UserId(gone))
        return await documents.members(checked)

    found = _run(url, change)
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for entry in found:
        print(f"{entry['role']:<10} {entry['user']}")
    if not found:
        _note(f"{name} has no members. To add one: collab documents members {name} --add bob=editor")


@app.command()
def link(
    name: Name,
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="What guests may do: viewer, commenter or editor.")
    ] = Role.VIEWER.word,
    days: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Days until it expires.", min=1, show_default="never")
    ] = None,
    revoke: Annotated[
        str | None, typer.Option(metavar="ID", help="Revoke the link with this id, in place of making one.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Make a link that opens a document without a token, and print it. It cannot be shown again.

    \b
    collab documents link notes/42 --role editor --days 7
    collab documents link notes/42 --revoke Zk3u8yQb1x0t
    """
    checked = document_name(name)
    if revoke is not None:
        _run(url, lambda documents: documents.revoke_link(checked, LinkId(revoke)))
        _done(as_json, checked, "The link is revoked. Its guests are disconnected.")
        return
    allowed = _role("--role", role)
    if allowed is Role.OWNER:
        raise typer.BadParameter("guests cannot own a document; choose editor.", param_hint="--role")
    made = _run(url, lambda documents: documents.make_link(checked, allowed, None if days is None else days * DAY_S))
    print(json.dumps(made, indent=2, ensure_ascii=False) if as_json else made["url"])
    if not as_json:
        _note(f"To revoke it: collab documents link {name} --revoke {made['id']}")


def _run(url: str | None, use: Callable[[Documents], Awaitable[T]]) -> T:
    """Let ``use`` work with the documents. Errors say what to do next."""
    settings = load_settings()
    try:
        return asyncio.run(use_documents(settings, url, use))
    except DocumentInBin:
        raise InvalidRequest("The document is in the bin. To take it out: collab documents restore <name>") from None
    except DocumentNotFound:
        raise InvalidRequest("There is no such document. To see which there are: collab documents list") from None
    except StoreUnavailable as error:
        raise InvalidRequest(f"{error} Is COLLAB_DATABASE_URL that of the server?") from None


def _member(text: str) -> tuple[UserId, Role]:
    user, _, word = text.rpartition("=")
    if not user.strip():
        raise typer.BadParameter(f"{text!r} is not a member; a member looks like bob=editor.", param_hint="--add")
    return UserId(user), _role("--add", word)


def _role(option: str, word: str) -> Role:
    try:
        return Role.parse(word)
    except InvalidRequest as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}"


def _done(as_json: bool, name: DocumentName, sentence: str) -> None:
    print(json.dumps({"name": name}, ensure_ascii=False) if as_json else sentence)


def _note(sentence: str) -> None:
    print(f"collab: {sentence}", file=sys.stderr)
