"""Every setting: its unit, its default, what it means, and which of them do not go together.

Read from the environment (``COLLAB_PORT``, …) in two places, ``cli.py`` and ``api/app.py``; everything else
takes what it needs by keyword. What is wrong is said before anything starts, in one sentence that names the
next step. Units stand last in the name: ``_s`` seconds, ``_ms`` milliseconds, ``_bytes_max`` bytes.
"""

import difflib
import ipaddress
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from collab.access.keys import NO_KEYS, KeySet, parse_pem
from collab.access.origins import ANY, parse_origin
from collab.access.tokens import CLOCK_SKEW_S, SharedSecret
from collab.errors import InvalidRequest
from collab.limits import ServerLimits

PREFIX = "COLLAB_"
SQLITE = "sqlite+aiosqlite"
POSTGRES = "postgresql+asyncpg"
_DRIVERS = {
    "sqlite": SQLITE,
    SQLITE: SQLITE,
    "postgres": POSTGRES,
    "postgresql": POSTGRES,
    POSTGRES: POSTGRES,
}


class Settings(ServerLimits, BaseSettings):
    """All settings, checked. Made by ``load_settings``, whose errors are for people."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True
    )

    # --- where ------------------------------------------------------------------------------------------

    host: str = Field(default="127.0.0.1", description="Address to listen on. `0.0.0.0` is every address.")
    port: int = Field(default=8000, ge=0, le=65535, description="TCP port to listen on; 0 takes a free one.")
    data_dir: Path = Field(
        default=Path("collab-data"),
        description="Directory for what this server keeps on disk: the SQLite file and the self-made secret.",
    )
    database_url: str = Field(
        default_factory=lambda earlier: f"{SQLITE}:///{earlier['data_dir']}/collab.sqlite3",
        repr=False,
        description="`postgresql://user:password@host/name`, or `sqlite:///file`. "
        "Default: `collab.sqlite3` in the data directory.",
    )
    redis_url: str | None = Field(
        default=None,
        repr=False,
        description="`redis://host:6379/0`, the relay between replicas. Unset: there is one replica.",
    )

    # --- who --------------------------------------------------------------------------------------------

    secret: SecretStr | None = Field(
        default=None,
        description="Signs and verifies tokens (HS256), 32 bytes or more, the same on every replica. "
        "Unset: self-made and kept in the data directory.",
    )
    allow_self_made_secret: bool = Field(
        default=False, description="Listen for other machines although the secret is self-made."
    )
    token_public_key: str | None = Field(
        default=None,
        description="PEM public keys of those who issue tokens (RS256, ES256, EdDSA), or the file that holds them; "
        "one block after another.",
    )
    token_jwks_url: str | None = Field(
        default=None,
        repr=False,
        description="https URL at which an issuer publishes its keys (a JWK set), as "
        "`https://id.example.com/.well-known/jwks.json`. Read at the start, every five minutes, and for unknown keys.",
    )
    token_issuer: str = Field(
        default="",
        description="What `iss` of a token must be that such a key has signed. Empty: not looked at; set it where one "
        "key serves many issuers, as a provider's tenants.",
    )
    token_secret_counts: bool | None = Field(
        default=None,
        description="Whether tokens signed with the secret are good. Unset: only while no keys of an issuer are set.",
    )
    token_audience: str = Field(default="collab", description="What `aud` of a token must hold. Empty: not looked at.")
    token_leeway_s: float = Field(
        default=CLOCK_SKEW_S,
        ge=0,
        le=300,
        description="Seconds by which `nbf` and `iat` of a token may be in the future. `exp` is kept to exactly.",
    )
    token_exp_optional: bool = Field(
        default=False, description="Whether tokens without `exp`, which never end, are good."
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated origins of pages that may connect, as `https://app.example.com`; "
        "`*` lets every page. Pages from this server always may.",
    )

    # --- what it says -----------------------------------------------------------------------------------

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto`: lines for people on a terminal, JSON otherwise."
    )

    metrics_token: SecretStr | None = Field(
        default=None,
        description="What must be sent as `Authorization: Bearer` to read /metrics, 16 characters or more. "
        "Unset: it can be read from this machine alone.",
    )

    # --- checks of one setting --------------------------------------------------------------------------

    @field_validator("port", mode="before")
    @classmethod
    def _port_is_ours(cls, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("tcp://"):
            raise ValueError(
                "was set by Kubernetes for a service called 'collab'; "
                "set `enableServiceLinks: false` in the pod, or COLLAB_PORT itself"
            )
        return value

    @field_validator("data_dir")
    @classmethod
    def _whole_path(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if not separator or scheme not in _DRIVERS:
            raise ValueError(
                "must begin with postgresql:// or sqlite:///, as postgresql://user:password@localhost/collab"
            )
        if _DRIVERS[scheme] == SQLITE:
            if not rest.startswith("/") or rest in ("/", "/:memory:"):
                raise ValueError("must name a file that stays, as sqlite:////var/lib/collab/collab.sqlite3")
            return f"{SQLITE}://{rest}"
        # Every other Postgres client calls it sslmode, so that is what hosters hand out.
        return re.sub(r"([?&])sslmode=", r"\1ssl=", f"{POSTGRES}://{rest}")

    @field_validator("redis_url")
    @classmethod
    def _known_relay(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss:// or unix://, as redis://localhost:6379/0")
        return value

    @field_validator("secret")
    @classmethod
    def _good_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _as_key(value.get_secret_value())
        return value

    @field_validator("metrics_token")
    @classmethod
    def _not_guessed(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 16:
            raise ValueError("is too short: set 16 characters or more (`openssl rand -hex 16` makes some)")
        return value

    @field_validator("token_jwks_url")
    @classmethod
    def _readable_keys(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
        except ValueError:
            parts = None
        if parts is None or parts.scheme not in ("https", "http") or not parts.hostname or not value.isprintable():
            raise ValueError("must be a URL like https://id.example.com/.well-known/jwks.json")
        return value

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _exact_origins(cls, value: Any) -> tuple[str, ...]:
        items = value.split(",") if isinstance(value, str) else tuple(value)
        stripped = [item.strip() for item in items if item.strip()]
        if ANY in stripped and len(stripped) > 1:
            raise ValueError("is either * alone, which lets every page connect, or a list of origins")
        try:
            return tuple(item if item == ANY else parse_origin(item) for item in stripped)
        except InvalidRequest as error:
            raise ValueError(f"cannot be read: {error}") from None

    # --- checks between settings ------------------------------------------------------------------------

    @model_validator(mode="after")
    def _go_together(self) -> "Settings":
        for wrong, sentence in (
            (
                self.redis_url is not None and self.is_sqlite,
                "COLLAB_REDIS_URL is for several replicas and SQLite for one process: set "
                "COLLAB_DATABASE_URL to a Postgres (postgresql://…) as well, or unset COLLAB_REDIS_URL.",
            ),
            (
                self.redis_url is not None and self.secret is None,
                "Replicas must share one secret: set COLLAB_SECRET to the same value on each "
                "(`openssl rand -hex 32` makes one), or unset COLLAB_REDIS_URL.",
            ),
            (
                self.secret is None
                and self.secret_counts
                and not self.allow_self_made_secret
                and not is_loopback(self.host),
                f"Listening on {self.host} lets others in, so set COLLAB_SECRET to a secret of your own "
                "(`openssl rand -hex 32` makes one), listen on 127.0.0.1, or set COLLAB_ALLOW_SELF_MADE_SECRET=1.",
            ),
            (
                not (self.has_issuer or self.secret_counts),
                "Nobody's token would be good: set COLLAB_TOKEN_PUBLIC_KEY or COLLAB_TOKEN_JWKS_URL, or unset "
                "COLLAB_TOKEN_SECRET_COUNTS.",
            ),
            (
                self.token_issuer != "" and not self.has_issuer,
                "COLLAB_TOKEN_ISSUER is for tokens that others sign: set COLLAB_TOKEN_PUBLIC_KEY or "
                "COLLAB_TOKEN_JWKS_URL as well, or unset it.",
            ),
            (
                self.persister_queue_bytes_max < self.frame_bytes_max,
                "A whole frame must fit into the queue for the database: raise "
                "COLLAB_PERSISTER_QUEUE_BYTES_MAX to COLLAB_FRAME_BYTES_MAX or more.",
            ),
            (
                self.heads_poll_relay_down_s > self.heads_poll_s,
                "While the relay is down the database is asked more often, not less: lower "
                "COLLAB_HEADS_POLL_RELAY_DOWN_S to COLLAB_HEADS_POLL_S or less.",
            ),
            (
                self.preauth_documents_max > self.documents_per_socket_max,
                "A connection may not ask for more documents than it may open: lower "
                "COLLAB_PREAUTH_DOCUMENTS_MAX to COLLAB_DOCUMENTS_PER_SOCKET_MAX or less.",
            ),
        ):
            if wrong:
                raise ValueError(sentence)
        return self

    # --- what follows from them -------------------------------------------------------------------------

    @property
    def is_sqlite(self) -> bool:
        """Whether the durable side is one file, for this process alone."""
        return self.database_url.startswith(SQLITE)

    @property
    def has_issuer(self) -> bool:
        """Whether somebody else signs tokens for this server."""
        return self.token_public_key is not None or self.token_jwks_url is not None

    @property
    def secret_counts(self) -> bool:
        """Whether tokens that are signed with the secret are good.

        Whoever names an issuer wants its tokens. The secret then stands in the environment of every replica for what
        passes between them, and who reads it there must not thereby be able to sign in as anybody.
        """
        return not self.has_issuer if self.token_secret_counts is None else self.token_secret_counts

    @property
    def secret_path(self) -> Path:
        """Where the self-made secret lies."""
        return self.data_dir / "secret"

    def redacted(self) -> dict[str, str]:
        """Every setting as text that may be shown and logged: no secret, no password."""
        shown = {name: str(getattr(self, name)) for name in type(self).model_fields}
        shown["allowed_origins"] = ",".join(self.allowed_origins)
        shown["database_url"] = _without_password(self.database_url)
        if "-----BEGIN" in shown["token_public_key"]:
            shown["token_public_key"] = "(PEM)"  # noqa: S105 - many lines, and public
        shown["token_jwks_url"] = _without_password(self.token_jwks_url or "")
        shown["redis_url"] = _without_password(self.redis_url or "")
        shown["metrics_token"] = "***" if self.metrics_token else ""
        shown["secret"] = "***" if self.secret else f"(self-made, in {self.secret_path})"
        return shown


def load_settings(**overrides: Any) -> Settings:
    """The settings from the environment, with ``overrides`` before it.

    Raises InvalidRequest, one sentence for each thing that is wrong, none with a secret in it.
    """
    _refuse_misspelt(os.environ)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise InvalidRequest(" ".join(_sentences(error))) from None


def signing_key(settings: Settings) -> SharedSecret:
    """The key of this server's tokens: the one that was set, or the self-made one, made now if need be.

    The self-made one is ``<data dir>/secret``, 64 hex digits of the system's randomness, for its owner's
    eyes alone. Raises InvalidRequest when it cannot be kept, or lies open to others.
    """
    if settings.secret is not None:
        return SharedSecret(settings.secret.get_secret_value().encode())
    path = settings.secret_path
    try:
        if not path.exists():
            _make_secret(path)
        if path.stat().st_mode & 0o077:
            raise InvalidRequest(f"Others may read {path}: run `chmod 600 {path}`, or set COLLAB_SECRET.")
        return _as_key(path.read_text().strip())
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"The secret cannot be kept in {path} ({_reason(error)}): set COLLAB_DATA_DIR to a directory "
            "that can be written, or set COLLAB_SECRET."
        ) from None
    except ValueError as error:
        raise InvalidRequest(f"The file {path} is damaged; delete it to have a new one made. {error}") from None


def issuer_keys(settings: Settings) -> KeySet:
    """The public keys that were set. Raises InvalidRequest when they cannot be read."""
    given = settings.token_public_key
    if given is None:
        return NO_KEYS
    try:
        # In an environment file a line end is often written as two characters.
        return parse_pem(given.replace("\\n", "\n") if "-----BEGIN" in given else Path(given).expanduser().read_text())
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"COLLAB_TOKEN_PUBLIC_KEY cannot be read ({_reason(error)}): give a PEM file.") from None
    except InvalidRequest as error:
        raise InvalidRequest(f"COLLAB_TOKEN_PUBLIC_KEY is not good. {error}") from None


def _make_secret(path: Path) -> None:
    """Under its name from the first moment on it is whole: several servers may start at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32) + "\n")
        try:
            os.link(draft, path)  # unlike a rename it does not replace what another server made meanwhile
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)


def _as_key(secret: str) -> SharedSecret:
    try:
        return SharedSecret(secret.encode())
    except InvalidRequest as error:
        raise ValueError(f"is not good enough. {error}") from None


def is_loopback(host: str) -> bool:
    """Whether an address, or a name, is this machine for itself alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _without_password(url: str) -> str:
    """Keeps who and where; hides the password, and every query value that is called one."""
    url = re.sub(r"^([^:]+://[^:@/]*):.*@", r"\1:***@", url)
    return re.sub(r"([?&][^=&]*pass[^=&]*=)[^&]*", r"\1***", url, flags=re.IGNORECASE)


def _sentences(error: ValidationError) -> Iterator[str]:
    for detail in error.errors():
        if detail["type"] == "default_factory_not_called":  # only says that another setting is wrong
            continue
        text = detail["msg"].removeprefix("Value error, ").strip().rstrip(".") + "."
        where = f"{PREFIX}{str(detail['loc'][0]).upper()} " if detail["loc"] else ""
        yield f"{where}{text[0].lower()}{text[1:]}" if where else text


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "it is no text"


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    """A setting with a slip in its name would be ignored, and documents go to another database than meant.

    Only near misses: other programs have names with our prefix too (Kubernetes makes COLLAB_SERVICE_HOST).
    """
    known = {name.upper() for name in Settings.model_fields}
    for name in sorted(environ):
        bare = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and bare not in known:
            for meant in difflib.get_close_matches(bare, known, n=1, cutoff=0.85):
                raise InvalidRequest(f"There is no setting {name}; did you mean {PREFIX}{meant}?")
