"""The command line: `serve`, `token`, `link`, `settings` and `migrate` read the settings and call what does the work.

Exit codes: 0 for success, also after a requested stop; 1 for an expected error, reported in one sentence with the next
step; 2 for a command that cannot be understood.
"""

import asyncio
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from collab import __version__, cli_documents
from collab.access.grants import parse_grants
from collab.access.roles import Role
from collab.access.tokens import SharedSecret, sign
from collab.api import runner
from collab.api.app import create_app
from collab.errors import CollabError, InvalidRequest
from collab.observe import logs
from collab.setting_list import columns, effective
from collab.settings import Settings, load_settings
from collab.store.migrate import upgrade
from collab.token_keys import signing_key

DAY_S = 24 * 3600
PEOPLE = ("Ada", "Grace")
"""The people of the sign-in links that `serve` prints: two, to try editing together."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.add_typer(cli_documents.app, name="documents")


@app.callback(invoke_without_command=True)
def _collab(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Edit documents together. An edit is shown as saved once it is committed to the database.

    \b
    Try it:                    collab serve
    Sign somebody in:          collab link --sub ada --name Ada
    Make a token for a script: collab token --sub robot --grant 'notes/*=editor'
    Look after documents:      collab documents list
    Migrate a Postgres:        collab migrate
    See what is set:           collab settings

    Settings are environment variables, such as COLLAB_PORT and COLLAB_DATABASE_URL. `collab settings` lists all of them
    with their values; docs/settings.md says what each means. An option overrides its variable.
    """
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", help="TCP port to listen on; 0 picks a free one.", min=0, max=65535, show_default="8000"
        ),
    ] = None,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Migrate a Postgres first. A SQLite file is always migrated.")
    ] = False,
    allow_self_made_secret: Annotated[
        bool,
        typer.Option("--allow-self-made-secret", help="Accept connections from other machines without COLLAB_SECRET."),
    ] = False,
) -> None:
    """Serve the editor, WebSockets and the REST API.

    Without COLLAB_SECRET, the server makes a secret of its own and prints two sign-in links, to try editing together.

    \b
    On this machine, with documents in ./collab-data:
        collab serve
    For other machines, with documents in a Postgres:
        export COLLAB_SECRET=$(openssl rand -hex 32)
        export COLLAB_DATABASE_URL=postgresql://me@localhost/collab
        collab serve --host 0.0.0.0 --port 9000 --migrate

    On SIGTERM or Ctrl+C the server commits the edits it has accepted, closes its connections so that clients reconnect
    to another replica, and exits with code 0.
    """
    settings = load_settings(**_given(host=host, port=port, allow_self_made_secret=allow_self_made_secret or None))
    logs.configure(settings.log_level, settings.log_format)
    listener = runner.bind(settings.host, settings.port)
    if migrate or settings.is_sqlite:
        _upgrade(settings)
    application = create_app(settings)
    url = runner.local_url(settings.host, listener)
    runner.run(application, listener, settings, on_ready=lambda: _greet(settings, url))


@app.command()
def token(
    sub: Annotated[str, typer.Option(metavar="USER", help="User id that the token is for.")],
    grant: Annotated[
        list[str],
        typer.Option(
            metavar="PATTERN=ROLE",
            help="Documents, and the role on them: viewer, commenter, editor or owner. Can be given several times.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name that other people see.", show_default="the user id")
    ] = None,
    ttl: Annotated[float, typer.Option(metavar="SECONDS", help="Lifetime of the token.")] = 3600,
) -> None:
    """Print a token on a line of its own.

    Use it as a provider's `token`, in a URL as `?token=`, or in a header as `Authorization: Bearer`. In a pattern, `*`
    matches anything without a slash, and `**` any number of segments.

    \b
    For an hour, an editor of notes/42 and its siblings:
        collab token --sub alice --name Alice --grant 'notes/*=editor'
    For a day, a script that reads everything and owns team/:
        collab token --sub robot --grant '**=viewer' --grant 'team/**=owner' --ttl 86400
    In a shell:
        curl -H "Authorization: Bearer $(collab token --sub me --grant '**=owner')" \\
            http://127.0.0.1:8000/api/v1/documents

    The token is signed with the server's secret, so run this with the server's COLLAB_SECRET or COLLAB_DATA_DIR.
    """
    _print_signed("{token}", sub, name, _parse_grants(grant), ttl)


@app.command()
def link(
    sub: Annotated[str, typer.Option(metavar="USER", help="User id of the person.")],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name that other people see.", show_default="the user id")
    ] = None,
    grant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN=ROLE", help="What the person may do, as for `collab token`.", show_default="**=owner"
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Address of the server for this person.", show_default="this machine's"),
    ] = None,
    ttl: Annotated[float, typer.Option(metavar="SECONDS", help="Time in which the link must be opened.")] = DAY_S,
) -> None:
    """Print a sign-in link for a person, alone on one line.

    The browser that opens it remembers the person, and stays signed in for as long as the settings
    COLLAB_SIGN_IN_IDLE_S and COLLAB_SIGN_IN_S_MAX allow. Everybody who has the link can sign in with it.

    \b
    For this machine:
        collab link --sub ada --name Ada
    For a server that people reach by another name, and for a few documents:
        collab link --sub grace --grant 'team/**=editor' --url https://docs.example.com

    The link holds a token that is signed with the server's secret, so run this with the server's COLLAB_SECRET or
    COLLAB_DATA_DIR.
    """
    grants = _parse_grants(grant or ["**=owner"])
    _print_signed("{base}/#token={token}", sub, name, grants, ttl, url=url, is_sign_in=True)


def _print_signed(
    form: str,
    user: str,
    name: str | None,
    grants: Mapping[str, Role],
    ttl_s: float,
    *,
    url: str | None = None,
    is_sign_in: bool = False,
) -> None:
    """Print ``form`` with the `token` and the address of the server, its `base`."""
    if not 0 < ttl_s < math.inf:
        raise typer.BadParameter("the lifetime must be more than 0 seconds.", param_hint="--ttl")
    if not user.strip():
        raise typer.BadParameter("a token needs a user, such as --sub alice.", param_hint="--sub")
    settings = load_settings()
    if not settings.secret_counts:
        raise InvalidRequest(
            "This server accepts only tokens signed with an issuer's key. To make it accept tokens signed with its "
            "secret as well, set COLLAB_TOKEN_SECRET_COUNTS=1, both here and for the server."
        )
    is_new = settings.secret is None and not settings.secret_path.exists()
    key = signing_key(settings)
    with _usage_error(None):
        signed = _sign(settings, key, user, name, grants, ttl_s, is_sign_in=is_sign_in)
    base = (url or f"http://127.0.0.1:{settings.port}").rstrip("/")
    print(form.format(base=base, token=signed))
    if is_new:
        _note(
            f"Made a new secret, {settings.secret_path}. Only a server with this data directory accepts the token. "
            "If one runs already, run this where it was started, or with its COLLAB_DATA_DIR or COLLAB_SECRET."
        )


@app.command()
def migrate() -> None:
    """Migrate the database to the schema of this version.

    Run it on a Postgres before starting a new version; running replicas keep working meanwhile. A SQLite file needs no
    command: `collab serve` migrates it.

    \b
    COLLAB_DATABASE_URL=postgresql://me@localhost/collab collab migrate
    """
    _upgrade(load_settings())
    print("The database is up to date.")


@app.command()
def settings(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object instead, with a member for each.")
    ] = False,
) -> None:
    """Print every setting with its value, and where that comes from.

    The sources are default, environment, and file, for the secret that the server has made. Secrets and passwords are
    hidden. An option of `collab serve` goes before the environment and is not shown here.

    \b
    collab settings
    COLLAB_PORT=9000 collab settings --json
    """
    listed = list(effective(load_settings()))
    if as_json:
        print(json.dumps({each.variable: {"value": each.value, "source": each.source} for each in listed}, indent=2))
    else:
        print(*columns(listed), sep="\n")


def main() -> None:
    """Run the command line. An expected error becomes one sentence and exit code 1."""
    try:
        app()
    except CollabError as error:
        _note(str(error))
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _given(**options: Any) -> dict[str, Any]:
    """Return the options that were given; the environment decides the others."""
    return {name: value for name, value in options.items() if value is not None}


def _upgrade(settings: Settings) -> None:
    """Migrate the database. Raises InvalidRequest, also while another process has the SQLite file open."""
    with runner.explained_database_errors(settings):
        asyncio.run(upgrade(settings.database_url))


def _parse_grants(texts: list[str]) -> dict[str, Role]:
    grants: dict[str, Role] = {}
    with _usage_error("--grant"):
        for text in texts:
            pattern, _, role = text.rpartition("=")
            if not pattern:
                raise InvalidRequest(f"{text!r} is not a grant; a grant looks like 'notes/*=editor'.")
            grants |= parse_grants({pattern: role})
    return grants


def _sign(
    settings: Settings,
    key: SharedSecret,
    user: str,
    name: str | None,
    grants: Mapping[str, Role],
    ttl_s: float,
    *,
    is_sign_in: bool = False,
) -> str:
    """Return a token. The pages renew one that is for signing in (``access/renewal``)."""
    now_s, audience = time.time(), settings.token_audience or None
    signed_in_at = now_s if is_sign_in else None
    return sign(
        key,
        user=user,
        name=name,
        grants=grants,
        now_s=now_s,
        ttl_s=ttl_s,
        audience=audience,
        signed_in_at=signed_in_at,
    )


def _greet(settings: Settings, url: str) -> None:
    """Print the URL, and sign-in links if a person reads them: a deployment's log must hold no tokens."""
    print(f"collab serves {url}", flush=True)
    if not settings.secret_counts or (settings.secret is not None and not sys.stdout.isatty()):
        return
    key = signing_key(settings)
    print("Open each link in its own tab. `collab link` prints more:")
    for person in PEOPLE:
        signed = _sign(settings, key, person.lower(), person, {"**": Role.OWNER}, DAY_S, is_sign_in=True)
        print(f"  {person}: {url}/d/welcome#token={signed}", flush=True)


@contextmanager
def _usage_error(option: str | None) -> Iterator[None]:
    """Turn an InvalidRequest inside into exit code 2, naming `option`."""
    try:
        yield
    except InvalidRequest as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _note(sentence: str) -> None:
    print(f"collab: {sentence}", file=sys.stderr)
