"""The settings: how they are read from the environment, and which values and combinations are refused.

`cli.py` loads them once and `api/app.py` builds the server from them; the server itself knows only its limits. Errors
are reported before anything starts, each as one sentence with the next step. A name ends with its unit: `_s` seconds,
`_ms` milliseconds, `_bytes_max` bytes.
"""

import difflib
import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from collab.access.claims import ClaimNames, parse_claim_names
from collab.access.oidc import is_trusted_url, parse_grant_list
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
METRICS_TOKEN_CHARACTERS_MIN = 16


class Settings(ServerLimits, BaseSettings):
    """All settings, validated. `load_settings` creates them and words their errors."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True
    )

    # --- where it listens, and where it keeps documents -------------------------------------------------

    host: str = Field(default="127.0.0.1", description="Address to listen on; `0.0.0.0` is every IPv4 address.")
    port: int = Field(default=8000, ge=0, le=65535, description="TCP port to listen on; 0 picks a free one.")
    websocket_transport: Literal["native", "asgi"] = Field(
        default="native",
        description="How WebSockets are served: `native` is the server's own protocol class, `asgi` uvicorn's, which "
        "costs several times the memory and time.",
    )
    data_dir: Path = Field(
        default=Path("collab-data"), description="Directory of the SQLite file and of the self-made secret."
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
        description="Redis that relays edits between replicas, as `redis://host:6379/0`. Unset: there is one replica.",
    )

    # --- who may connect --------------------------------------------------------------------------------

    secret: SecretStr | None = Field(
        default=None,
        description="Secret that signs and verifies tokens (HS256): at least 32 bytes, the same on every replica. "
        "Unset: the server makes one and keeps it in the data directory.",
    )
    allow_self_made_secret: bool = Field(
        default=False, description="Accept connections from other machines with the self-made secret."
    )
    token_public_key: str | None = Field(
        default=None,
        description="Public keys of the token issuers (RS256, ES256, EdDSA): PEM blocks, or the path of a PEM file.",
    )
    token_jwks_url: str | None = Field(
        default=None,
        repr=False,
        description="URL of an issuer's JWK set, as `https://id.example.com/.well-known/jwks.json`. "
        "It is read at the start, every five minutes, and when a token names an unknown key.",
    )
    token_issuer: str = Field(
        default="",
        description="Required `iss` of tokens signed with an issuer's key. Empty: any. Set it if the key is shared by "
        "several issuers, such as the tenants of one provider.",
    )
    token_secret_counts: bool | None = Field(
        default=None,
        description="Accept tokens signed with the secret. Unset: only while no issuer's keys are set.",
    )
    token_audience: str = Field(default="collab", description="Required `aud` of tokens. Empty: any.")
    token_leeway_s: float = Field(
        default=CLOCK_SKEW_S,
        ge=0,
        le=300,
        description="Seconds by which a token's `nbf` and `iat` may lie in the future. `exp` gets no leeway.",
    )
    token_exp_optional: bool = Field(default=False, description="Accept tokens without `exp`, which never expire.")
    token_param: str = Field(
        default="token",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Query parameter that carries the token in the URL of a WebSocket. "
        "Logs show the value of no parameter.",
    )
    token_claims: str = Field(
        default="",
        description="Claims of another issuer's tokens, as "
        "`user=user_id,name=username,document=room_name,role=editor`. `user`, `name` and `document` each name a claim; "
        "each may be left out. With `document`, a token is for that document alone, and `role` is needed: viewer, "
        "commenter, editor or owner for all these tokens, or the claim that holds one of these words. "
        "A token with none of these claims is read as one of `collab token`.",
    )
    sign_in_s_max: float = Field(
        default=30 * 86400,
        gt=0,
        description="Seconds after which a person must sign in again, however often the page has renewed the token.",
    )
    sign_in_idle_s: float = Field(
        default=7 * 86400,
        gt=0,
        description="Seconds that a person stays signed in without opening a page of this server: how long a renewed "
        "token lasts.",
    )
    oidc_issuer: str | None = Field(
        default=None,
        description="Issuer of the OpenID provider at which people may sign in, as `https://id.example.com`.",
    )
    oidc_client_id: str = Field(default="", description="What the provider calls this server.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="The client secret that the provider gave out. Unset: a public client."
    )
    oidc_name: str = Field(
        default="", description="Name of the provider on the sign-in page. Empty: the host of the issuer."
    )
    oidc_scope: str = Field(default="openid profile", description="Scopes that are asked for; `openid` is needed.")
    oidc_grants: str = Field(
        default="people/{user}/**=owner",
        description="Comma-separated grants of everybody who signs in at the provider, as `PATTERN=ROLE`. `{user}` "
        "stands for a folder name of the person's own.",
    )
    oidc_token_s: float = Field(
        default=3600,
        ge=10,
        description="Seconds that a token lasts whose person has signed in at the provider. The page renews it.",
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated origins of the web pages that may connect, as `https://app.example.com`; "
        "`*` allows every page. Pages of this server are always allowed.",
    )

    # --- logs and metrics -------------------------------------------------------------------------------

    log_level: Literal["auto", "debug", "info", "warning", "error"] = Field(
        default="auto",
        description="Lowest level that is logged. `auto` is `info`; on a terminal it is `warning`, and requests and "
        "connections that failed are logged as well.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto` writes readable lines to a terminal and JSON elsewhere."
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        description="Bearer token that /metrics requires, at least 16 characters. "
        "Unset: /metrics answers only this machine.",
    )

    # --- one setting ------------------------------------------------------------------------------------

    @field_validator("port", mode="before")
    @classmethod
    def _refuse_kubernetes_port(cls, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("tcp://"):
            raise ValueError(
                "was set by Kubernetes for a service called 'collab'; "
                "set `enableServiceLinks: false` in the pod, or set COLLAB_PORT yourself"
            )
        return value

    @field_validator("data_dir")
    @classmethod
    def _absolute_path(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if not separator or scheme not in _DRIVERS:
            raise ValueError(
                "must begin with postgresql:// or sqlite:///, as postgresql://user:password@localhost/collab"
            )
        if _DRIVERS[scheme] == SQLITE:
            if not rest.startswith("/") or rest in ("/", "/:memory:"):
                raise ValueError("must name a file on disk, as sqlite:////var/lib/collab/collab.sqlite3")
            return f"{SQLITE}://{rest}"
        # Other Postgres clients call the parameter sslmode, and hosting providers hand out URLs with it.
        return re.sub(r"([?&])sslmode=", r"\1ssl=", f"{POSTGRES}://{rest}")

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss:// or unix://, as redis://localhost:6379/0")
        return value

    @field_validator("secret")
    @classmethod
    def _strong_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                SharedSecret(value.get_secret_value().encode())
            except InvalidRequest as error:
                raise ValueError(f"cannot be used. {error}") from None
        return value

    @field_validator("metrics_token")
    @classmethod
    def _long_metrics_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < METRICS_TOKEN_CHARACTERS_MIN:
            raise ValueError(
                f"must have at least {METRICS_TOKEN_CHARACTERS_MIN} characters; `openssl rand -hex 16` makes a good one"
            )
        return value

    @field_validator("token_jwks_url")
    @classmethod
    def _web_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
        except ValueError:
            parts = None
        if parts is None or parts.scheme not in ("https", "http") or not parts.hostname or not value.isprintable():
            raise ValueError("must be a URL like https://id.example.com/.well-known/jwks.json")
        return value

    @field_validator("token_claims")
    @classmethod
    def _known_claims(cls, value: str) -> str:
        try:
            parse_claim_names(value)
        except InvalidRequest as error:
            raise ValueError(f"cannot be read: {error}") from None
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _trusted_issuer(cls, value: str | None) -> str | None:
        if value is not None and not is_trusted_url(value):
            raise ValueError("must be an address like https://id.example.com; http is for this machine alone")
        return value

    @field_validator("oidc_scope")
    @classmethod
    def _with_openid(cls, value: str) -> str:
        if "openid" not in value.split():
            raise ValueError("must contain openid, as `openid profile`")
        return value

    @field_validator("oidc_grants")
    @classmethod
    def _readable_grants(cls, value: str) -> str:
        try:
            parse_grant_list(value)
        except InvalidRequest as error:
            raise ValueError(f"cannot be read: {error}") from None
        return value

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: Any) -> tuple[str, ...]:
        items = value.split(",") if isinstance(value, str) else tuple(value)
        stripped = [item.strip() for item in items if item.strip()]
        if ANY in stripped and len(stripped) > 1:
            raise ValueError("must be either * alone, which allows every page, or a list of origins")
        try:
            return tuple(item if item == ANY else parse_origin(item) for item in stripped)
        except InvalidRequest as error:
            raise ValueError(f"cannot be read: {error}") from None

    # --- several settings -------------------------------------------------------------------------------

    @model_validator(mode="after")
    def _keep_rules(self) -> "Settings":
        for rule in RULES:
            if rule.is_broken(self):
                raise ValueError(rule.sentence.format(host=self.host))
        return self

    # --- derived ----------------------------------------------------------------------------------------

    @property
    def is_sqlite(self) -> bool:
        """True if documents are kept in a SQLite file, which one process has to itself."""
        return self.database_url.startswith(SQLITE)

    @property
    def has_issuer(self) -> bool:
        """True if the keys of a token issuer are set."""
        return self.token_public_key is not None or self.token_jwks_url is not None

    @property
    def secret_counts(self) -> bool:
        """True if tokens signed with the secret are accepted.

        With an issuer they are not, unless the operator says so: every replica then still has the secret, to protect
        what it sends to the others, and reading it there must not be enough to sign in as anybody.
        """
        return not self.has_issuer if self.token_secret_counts is None else self.token_secret_counts

    @property
    def claim_names(self) -> ClaimNames:
        """The names of claims in the tokens of another issuer."""
        return parse_claim_names(self.token_claims)

    @property
    def secret_path(self) -> Path:
        """The file of the self-made secret."""
        return self.data_dir / "secret"

    def redacted(self) -> dict[str, str]:
        """Return every setting as text that may be shown and logged, without secrets and passwords."""
        shown = {name: str(getattr(self, name)) for name in type(self).model_fields}
        shown["allowed_origins"] = ",".join(self.allowed_origins)
        shown["database_url"] = _without_password(self.database_url)
        if "-----BEGIN" in shown["token_public_key"]:
            shown["token_public_key"] = "(PEM)"  # noqa: S105 - many lines, and public
        shown["token_jwks_url"] = _without_password(self.token_jwks_url or "")
        shown["redis_url"] = _without_password(self.redis_url or "")
        shown["oidc_client_secret"] = "***" if self.oidc_client_secret else ""
        shown["metrics_token"] = "***" if self.metrics_token else ""
        shown["secret"] = "***" if self.secret else f"(self-made, in {self.secret_path})"
        return shown


class Rule(NamedTuple):
    """A combination of settings that is refused, and the sentence that says so."""

    name: str
    is_broken: Callable[[Settings], bool]
    sentence: str


RULES = (
    Rule(
        "redis needs postgres",
        lambda settings: settings.redis_url is not None and settings.is_sqlite,
        "COLLAB_REDIS_URL connects several replicas, but a SQLite file serves only one process: set "
        "COLLAB_DATABASE_URL to a Postgres (postgresql://…), or unset COLLAB_REDIS_URL.",
    ),
    Rule(
        "replicas share a secret",
        lambda settings: settings.redis_url is not None and settings.secret is None,
        "Replicas must share one secret: set COLLAB_SECRET to the same value on each "
        "(`openssl rand -hex 32` makes a good one), or unset COLLAB_REDIS_URL.",
    ),
    Rule(
        "other machines need a secret of the operator's own",
        lambda settings: (
            settings.secret is None
            and settings.secret_counts
            and not settings.allow_self_made_secret
            and not is_loopback(settings.host)
        ),
        "Listening on {host} admits other machines: set COLLAB_SECRET to a secret of your own "
        "(`openssl rand -hex 32` makes a good one), listen on 127.0.0.1, or set COLLAB_ALLOW_SELF_MADE_SECRET=1.",
    ),
    Rule(
        "some token is valid",
        lambda settings: not (settings.has_issuer or settings.secret_counts),
        "No token would be valid: set COLLAB_TOKEN_PUBLIC_KEY or COLLAB_TOKEN_JWKS_URL, or unset "
        "COLLAB_TOKEN_SECRET_COUNTS.",
    ),
    Rule(
        "an issuer has keys",
        lambda settings: settings.token_issuer != "" and not settings.has_issuer,
        "COLLAB_TOKEN_ISSUER applies to tokens signed with an issuer's key: set COLLAB_TOKEN_PUBLIC_KEY or "
        "COLLAB_TOKEN_JWKS_URL as well, or unset it.",
    ),
    Rule(
        "a provider knows this server",
        lambda settings: settings.oidc_issuer is not None and not settings.oidc_client_id,
        "COLLAB_OIDC_ISSUER needs the name under which the provider knows this server: set COLLAB_OIDC_CLIENT_ID.",
    ),
    Rule(
        "tokens of those who sign in at a provider are valid",
        lambda settings: settings.oidc_issuer is not None and not settings.secret_counts,
        "People who sign in at COLLAB_OIDC_ISSUER get tokens signed with the secret, and those are not accepted: set "
        "COLLAB_TOKEN_SECRET_COUNTS=1.",
    ),
    Rule(
        "a frame fits into the queue of the log writer",
        lambda settings: settings.persister_queue_bytes_max < settings.frame_bytes_max,
        "The queue of the database must have room for a whole frame: raise "
        "COLLAB_PERSISTER_QUEUE_BYTES_MAX to COLLAB_FRAME_BYTES_MAX or more.",
    ),
    Rule(
        "the database is asked more often while the relay is down",
        lambda settings: settings.heads_poll_relay_down_s > settings.heads_poll_s,
        "While the relay is down, the database must be checked at least as often: lower "
        "COLLAB_HEADS_POLL_RELAY_DOWN_S to COLLAB_HEADS_POLL_S or less.",
    ),
    Rule(
        "a stranger has as long as its first token",
        lambda settings: settings.stranger_s < settings.preauth_s,
        "A client without a valid token cannot be closed before its time to show one is over: raise COLLAB_STRANGER_S "
        "to COLLAB_PREAUTH_S or more.",
    ),
    Rule(
        "documents before a token are among those of the socket",
        lambda settings: settings.preauth_documents_max > settings.documents_per_socket_max,
        "A connection cannot request more documents than it may open: lower "
        "COLLAB_PREAUTH_DOCUMENTS_MAX to COLLAB_DOCUMENTS_PER_SOCKET_MAX or less.",
    ),
)
"""Checked in this order; the first broken one is reported."""


def load_settings(**overrides: Any) -> Settings:
    """Return the settings of the environment, with `overrides` taking precedence.

    Raises InvalidRequest with one sentence for each error; no sentence contains a secret.
    """
    _refuse_misspelt(os.environ)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise InvalidRequest(" ".join(_sentences(error))) from None


def is_loopback(host: str) -> bool:
    """True if the address or name is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _without_password(url: str) -> str:
    """Return `url` with its password hidden, and every query parameter named like one."""
    url = re.sub(r"^([^:]+://[^:@/]*):.*@", r"\1:***@", url)
    return re.sub(r"([?&][^=&]*pass[^=&]*=)[^&]*", r"\1***", url, flags=re.IGNORECASE)


def _sentences(error: ValidationError) -> Iterator[str]:
    for detail in error.errors():
        if detail["type"] == "default_factory_not_called":  # only says that another setting is wrong
            continue
        text = detail["msg"].removeprefix("Value error, ").strip().rstrip(".") + "."
        if detail["loc"]:
            name = f"{PREFIX}{str(detail['loc'][0]).upper()}"
            text = text.replace("Input should be", "must be", 1)
            text = f"{name} {text[0].lower()}{text[1:]}"
        yield text


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    """Raise InvalidRequest for a variable with our prefix that is no setting: ignored, it might lose documents.

    Kubernetes uses the prefix too, for a service called *collab* or *collab-db*, and so do our own tests.
    """
    known = {name.upper() for name in Settings.model_fields}
    for name in sorted(environ):
        bare = name.upper().removeprefix(PREFIX)
        if not name.upper().startswith(PREFIX) or bare in known or _is_foreign(bare, environ[name]):
            continue
        nearest = difflib.get_close_matches(bare, known, n=1, cutoff=0.5)
        advice = (
            f"did you mean {PREFIX}{nearest[0]}?" if nearest else "unset it. `collab settings` lists all there are."
        )
        raise InvalidRequest(f"There is no setting {name}; {advice}")


def _is_foreign(bare: str, value: str) -> bool:
    return bool(_FOREIGN.fullmatch(bare)) or value.startswith(("tcp://", "udp://"))  # COLLAB_DB_PORT, of Kubernetes


_FOREIGN = re.compile(
    r"(\w+_)?SERVICE_(HOST|PORT)(_\w+)?|(\w+_)?PORT_\d+_(TCP|UDP)(_\w+)?"  # Kubernetes
    r"|TEST_\w+|LONG|STATIC_DIR|PG_BINDIR|REDIS_SERVER"  # make, and the tests
)
"""Names behind our prefix that others set."""
