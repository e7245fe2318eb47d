"""The command line: serve, token, migrate. Thin: it reads settings and calls what does the work.

Exit codes: 0 when it was done, also when it was asked to stop; 1 for what was to be expected, told in one sentence
with the next step; 2 for a command that makes no sense.
"""

import asyncio
import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from collab import __version__
from collab.access.grants import parse_grants
from collab.access.roles import Role
from collab.access.tokens import SharedSecret, sign
from collab.api import runner
from collab.api.app import create_app
from collab.errors import CollabError, InvalidRequest
from collab.observe import logs
from collab.settings import Settings, load_settings
from collab.store.migrate import upgrade
from collab.token_keys import signing_key

DAY_S = 24 * 3600
PEOPLE = ("Ada", "Grace")
"""Who the printed links sign in: two, so that two people can try it."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _collab(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Documents that people edit together, each edit saved once it is committed.

    \b
    Try it:              collab serve
    Let a program in:    collab token --sub robot --grant 'notes/*=editor'
    Upgrade a Postgres:  collab migrate

    Settings are environment variables, COLLAB_PORT or COLLAB_DATABASE_URL; an option goes before its variable.
    """
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(help="TCP port; 0 takes a free one.", min=0, max=65535, show_default="8000")
    ] = None,
    migrate: Annotated[bool, typer.Option("--migrate", help="Migrate a Postgres first; SQLite always is.")] = False,
    allow_self_made_secret: Annotated[
        bool,
        typer.Option("--allow-self-made-secret", help="Let other machines in although COLLAB_SECRET is not set."),
    ] = False,
) -> None:
    """Serve the editor, the sockets and REST.

    Without COLLAB_SECRET it makes a secret of its own and prints two links that sign in, for two people.

    \b
    On this machine, documents in ./collab-data:
        collab serve
    For others, documents in a Postgres:
        export COLLAB_SECRET=$(openssl rand -hex 32)
        export COLLAB_DATABASE_URL=postgresql://me@localhost/collab
        collab serve --host 0.0.0.0 --port 9000 --migrate

    SIGTERM and Ctrl+C commit what was accepted, send everybody to another replica, and end with exit code 0.
    """
    settings = load_settings(**_given(host=host, port=port, allow_self_made_secret=allow_self_made_secret or None))
    logs.configure(settings.log_level, settings.log_format)
    listener = runner.bind(settings.host, settings.port)
    if migrate or settings.is_sqlite:
        _upgrade(settings)
    application = create_app(settings)
    url = runner.shown_url(settings.host, listener)
    runner.run(application, listener, settings, on_ready=lambda: _greet(settings, url))


@app.command()
def token(
    sub: Annotated[str, typer.Option(help="Whose token it is: a user id.")],
    grant: Annotated[
        list[str], typer.Option(help="A pattern of document names, and viewer, commenter, editor or owner. Repeatable.")
    ],
    name: Annotated[str | None, typer.Option(help="The name that others see.", show_default="the user id")] = None,
    ttl: Annotated[float, typer.Option(help="Seconds that it lives.")] = 3600,
) -> None:
    """Print a token, alone on a line.

    It goes into a provider's `token`, into `?token=`, or into `Authorization: Bearer`. In a pattern `*` stands for
    anything without a slash, `**` for any number of segments.

    \b
    An editor of notes/42 and everything beside it, for an hour:
        collab token --sub alice --name Alice --grant 'notes/*=editor'
    A program that reads everything and owns team/, for a day:
        collab token --sub robot --grant '**=viewer' --grant 'team/**=owner' --ttl 86400
    In a shell:
        curl -H "Authorization: Bearer $(collab token --sub me --grant '**=owner')" \\
            http://127.0.0.1:8000/api/v1/documents

    It is signed with the server's own secret: run it with the same COLLAB_SECRET or COLLAB_DATA_DIR.
    """
    if not 0 < ttl < math.inf:
        raise typer.BadParameter("a token lives for more than 0 seconds.", param_hint="--ttl")
    grants: dict[str, Role] = {}
    for text in grant:
        with _usage("--grant"):
            pattern, role = _split_grant(text)
            grants |= parse_grants({pattern: role})
    settings = load_settings()
    if not settings.secret_counts:
        raise InvalidRequest(
            "The tokens of this server come from the issuer whose keys are set. "
            "Set COLLAB_TOKEN_SECRET_COUNTS=1, here and for the server, to have those of the secret count as well."
        )
    is_new = settings.secret is None and not settings.secret_path.exists()
    key = signing_key(settings)
    with _usage(None):
        print(_sign(settings, key, sub, name, grants, ttl))
    if is_new:
        _note(
            f"A new secret was made, {settings.secret_path}: only a server with this COLLAB_DATA_DIR takes the token."
        )


@app.command()
def migrate() -> None:
    """Bring the database to the schema of this version.

    For a Postgres, before a new version is started; any number of replicas may go on serving meanwhile. A SQLite
    file is migrated by `collab serve` itself.

    \b
    COLLAB_DATABASE_URL=postgresql://me@localhost/collab collab migrate
    """
    _upgrade(load_settings())
    print("The database is up to date.")


def main() -> None:
    """Run; expected errors are one sentence with the next step, and exit code 1."""
    try:
        app()
    except CollabError as error:
        _note(str(error))
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given: the others come from the environment."""
    return {name: value for name, value in options.items() if value is not None}


def _upgrade(settings: Settings) -> None:
    """Migrate. Raises InvalidRequest, also when another process has the file open."""
    with runner.database_in_words(settings):
        asyncio.run(upgrade(settings.database_url))


def _split_grant(text: str) -> tuple[str, str]:
    pattern, equals, role = text.rpartition("=")
    if not equals or not pattern:
        raise InvalidRequest(f"{text!r} is no grant; a grant looks like 'notes/*=editor'.")
    return pattern, role


def _sign(
    settings: Settings, key: SharedSecret, user: str, name: str | None, grants: Mapping[str, Role], ttl_s: float
) -> str:
    audience = settings.token_audience or None
    return sign(key, user=user, name=name, grants=grants, now_s=time.time(), ttl_s=ttl_s, audience=audience)


def _greet(settings: Settings, url: str) -> None:
    """Say where it is. Links that sign in are for people at a terminal, never for the log of a deployment."""
    print(f"collab serves {url}", flush=True)
    if not settings.secret_counts or (settings.secret is not None and not sys.stdout.isatty()):
        return
    key = signing_key(settings)
    print("Open each link in a tab of its own; `collab token` makes more:")
    for person in PEOPLE:
        made = _sign(settings, key, person.lower(), person, {"**": Role.OWNER}, DAY_S)
        print(f"  {person}: {url}/d/welcome#token={made}", flush=True)


@contextmanager
def _usage(option: str | None) -> Iterator[None]:
    """What is wrong inside is wrong with the command: exit code 2."""
    try:
        yield
    except InvalidRequest as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _note(sentence: str) -> None:
    print(f"collab: {sentence}", file=sys.stderr)
