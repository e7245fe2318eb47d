"""The command line: serve, token, migrate. Thin: it reads settings and calls what does the work."""

import asyncio
import sys
import time
from typing import Annotated

import typer
import uvicorn

from collab.access.roles import Role
from collab.access.tokens import sign
from collab.api.app import create_app
from collab.errors import CollabError, InvalidRequest
from collab.observe import logs
from collab.settings import Settings, load_settings, signing_key
from collab.store.migrate import upgrade

DAY_S = 24 * 3600
PEOPLE = ("Ada", "Grace")
"""Who the printed links sign in: two, so that two people can try it."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Collaborative documents. Settings come from COLLAB_* variables; options go before them.",
)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one.")] = None,
    migrate: Annotated[bool, typer.Option(help="Migrate a Postgres first; SQLite always is.")] = False,
) -> None:
    """Serve the editor, the sockets and REST, and print two sign-in links.

    Example: `COLLAB_DATABASE_URL=postgresql://me@localhost/collab collab serve --port 9000`
    """
    given = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    settings = load_settings(**given)
    logs.configure(settings.log_level, settings.log_format)
    if migrate or settings.is_sqlite:
        asyncio.run(upgrade(settings.database_url))
    application = create_app(settings)
    _greet(settings)
    uvicorn.run(
        application,
        host=settings.host,
        port=settings.port,
        ws="websockets-sansio",
        ws_max_size=settings.frame_bytes_max + (1 << 20),  # what is too large is refused by us, in words
        ws_per_message_deflate=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=max(1, int(settings.shutdown_s)),
    )


@app.command()
def token(
    sub: Annotated[str, typer.Option(help="Whose token it is: a user id.")],
    grant: Annotated[list[str], typer.Option(help="`pattern=role`, as `notes/*=editor`. May be given several times.")],
    name: Annotated[str | None, typer.Option(help="The name that others see.")] = None,
    ttl: Annotated[float, typer.Option(help="Seconds that it lives.")] = 3600,
) -> None:
    """Print a token, alone on a line.

    Example: `collab token --sub alice --name Alice --grant 'notes/*=editor' --ttl 3600`
    """
    settings = load_settings()
    print(_sign(settings, sub, name, dict(_parse_grant(text) for text in grant), ttl))


@app.command()
def migrate() -> None:
    """Bring the database to the schema of this version."""
    asyncio.run(upgrade(load_settings().database_url))
    print("The database is up to date.")


def main() -> None:
    """Run; expected errors are one sentence with the next step, and exit code 1."""
    try:
        app()
    except CollabError as error:
        print(f"collab: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def _sign(settings: Settings, user: str, name: str | None, grants: dict[str, Role], ttl_s: float) -> str:
    audience = settings.token_audience or None
    return sign(
        signing_key(settings), user=user, name=name, grants=grants, now_s=time.time(), ttl_s=ttl_s, audience=audience
    )


def _parse_grant(text: str) -> tuple[str, Role]:
    pattern, equals, role = text.rpartition("=")
    if not equals or not pattern:
        raise InvalidRequest(f"{text!r} is no grant; a grant looks like 'notes/*=editor'.")
    return pattern, Role.parse(role)


def _greet(settings: Settings) -> None:
    shown = f"http://{settings.host}:{settings.port}"
    print(f"collab serves {shown}; data in {settings.data_dir}. Open each link in a tab of its own:", flush=True)
    for person in PEOPLE:
        secret = _sign(settings, person.lower(), person, {"**": Role.OWNER}, DAY_S)
        print(f"  {person}: {shown}/d/welcome#token={secret}", flush=True)
