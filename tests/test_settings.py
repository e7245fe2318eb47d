"""Settings: their defaults, what is refused, and that secrets stay hidden."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from collab.errors import InvalidRequest
from collab.settings import METRICS_TOKEN_CHARACTERS_MIN, RULES, Settings, load_settings

SECRET = "0123456789abcdef0123456789abcdef"
PEM = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""
POSTGRES = "postgresql://ada:geheim@db.example/collab"


pytestmark = pytest.mark.usefixtures("clean_environment")


def refusal(**overrides: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        load_settings(**overrides)
    return str(caught.value)


# --- defaults ---------------------------------------------------------------------------------------


def test_defaults_keep_everything_on_this_machine(tmp_path: Path) -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.data_dir == tmp_path / "collab-data"
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/collab-data/collab.sqlite3"
    assert settings.is_sqlite
    assert settings.redis_url is None
    assert settings.allowed_origins == ()


def test_every_setting_has_a_description() -> None:
    silent = [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")]
    assert silent == []


def test_options_take_precedence_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLAB_PORT", "9001")
    monkeypatch.setenv("COLLAB_LOG_LEVEL", "debug")
    assert (load_settings().port, load_settings().log_level) == (9001, "debug")
    assert (load_settings(port=9002).port, load_settings(port=9002).log_level) == (9002, "debug")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1


# --- one setting ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "becomes"),
    [
        ("postgresql://h/db", "postgresql+asyncpg://h/db"),
        ("postgres://h/db", "postgresql+asyncpg://h/db"),
        ("postgresql+asyncpg://h/db", "postgresql+asyncpg://h/db"),
        ("postgresql://u:p@h:1/db?sslmode=require", "postgresql+asyncpg://u:p@h:1/db?ssl=require"),
        ("postgresql://h/db?a=1&sslmode=require&b=2", "postgresql+asyncpg://h/db?a=1&ssl=require&b=2"),
        ("sqlite:///here.sqlite3", "sqlite+aiosqlite:///here.sqlite3"),
        ("sqlite:////var/lib/c.sqlite3", "sqlite+aiosqlite:////var/lib/c.sqlite3"),
        ("sqlite+aiosqlite:///here.sqlite3", "sqlite+aiosqlite:///here.sqlite3"),
    ],
)
def test_database_url_gets_its_driver(url: str, becomes: str) -> None:
    assert load_settings(database_url=url).database_url == becomes


@pytest.mark.parametrize("url", ["", "collab", "mysql://h/db", "postgresql+psycopg://h/db", "postgresql:h"])
def test_unknown_database_is_refused_with_an_example(url: str) -> None:
    assert "as postgresql://user:password@localhost/collab" in refusal(database_url=url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://here.sqlite3"])
def test_database_in_memory_is_refused(url: str) -> None:
    assert "must name a file on disk" in refusal(database_url=url)


def test_unknown_relay_is_refused_with_an_example() -> None:
    assert refusal(redis_url="localhost:6379").startswith("COLLAB_REDIS_URL must begin with redis://")
    for url in ("redis://h/0", "rediss://h/0", "unix:///run/redis.sock"):
        assert load_settings(redis_url=url, database_url=POSTGRES, secret=SECRET).redis_url == url


def test_short_secret_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLAB_SECRET", "hunter2hunter2")
    assert "14 bytes; it needs 32 or more" in refusal()
    assert "hunter2" not in refusal()
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        (" , ", ()),
        ("https://A.example:443, http://localhost:3000", ("https://a.example", "http://localhost:3000")),
        ("*", ("*",)),
    ],
)
def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch, text: str, origins: tuple[str, ...]) -> None:
    monkeypatch.setenv("COLLAB_ALLOWED_ORIGINS", text)
    assert load_settings().allowed_origins == origins
    assert load_settings(allowed_origins=list(origins)).allowed_origins == origins


def test_origins_that_no_browser_sends_are_refused() -> None:
    assert "'example.com'" in refusal(allowed_origins="example.com")
    assert "'https://*.example.com'" in refusal(allowed_origins="https://*.example.com")
    assert "either * alone" in refusal(allowed_origins="*, https://a.example")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 65536),
        ("port", -1),
        ("port", "http"),
        ("log_level", "loud"),
        ("log_format", "xml"),
        ("frame_bytes_max", 0),
        ("keepalive_s", 26),
        ("keepalive_s", 0),
        ("denial_hold_s", -1),
        ("preauth_documents_max", 0),
        ("flush_window_ms", -1),
        ("heads_poll_s", 0),
        ("documents_per_socket_max", 0),
    ],
)
def test_value_out_of_range_is_refused_by_name(name: str, value: object) -> None:
    said = refusal(**{name: value})
    assert re.fullmatch(rf"COLLAB_{name.upper()} [a-z].*\.", said)
    assert "factory" not in said
    assert "nput" not in said


def test_port_set_by_kubernetes_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLAB_PORT", "tcp://10.0.0.7:8000")
    assert "enableServiceLinks: false" in refusal()


def test_all_wrong_values_are_reported_at_once() -> None:
    said = refusal(port=-1, log_level="loud")
    assert "COLLAB_PORT " in said
    assert "COLLAB_LOG_LEVEL " in said


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("COLLAB_DATABSE_URL", "DATABASE_URL"),
        ("COLLAB_SECRETS", "SECRET"),
        ("COLLAB_ALLOWED_ORIGIN", "ALLOWED_ORIGINS"),
        ("COLLAB_PROT", "PORT"),
        ("COLLAB_ORIGINS", "ALLOWED_ORIGINS"),
        ("collab_prot", "PORT"),
        ("COLLAB_METRICS_PORT", "METRICS_TOKEN"),
    ],
)
def test_misspelt_setting_is_refused_with_the_nearest(monkeypatch: pytest.MonkeyPatch, slip: str, meant: str) -> None:
    monkeypatch.setenv(slip, "1")
    assert refusal() == f"There is no setting {slip}; did you mean COLLAB_{meant}?"


def test_name_that_resembles_no_setting_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLAB_XYZZY", "1")
    assert refusal() == "There is no setting COLLAB_XYZZY; unset it. `collab settings` lists all there are."


def test_lower_case_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("collab_port", "9001")
    assert load_settings().port == 9001


@pytest.mark.parametrize(
    "name",
    [
        *("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_8000_TCP", "PORT_8000_TCP_ADDR"),
        *("DB_SERVICE_HOST", "DB_PORT_5432_TCP_PROTO", "TEST_DATABASE_URL", "TEST_REDIS_URL", "LONG"),
    ],
)
def test_variables_of_other_programs_are_ignored(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"COLLAB_{name}", "x")
    monkeypatch.setenv("COLLAB_DB_PORT", "tcp://10.0.0.9:5432")
    load_settings()


@pytest.mark.parametrize(
    ("text", "words"),
    [("user", "cannot be read: 'user' does not map a claim."), ("document=room", "'document' and 'role' go together.")],
)
def test_claims_that_map_nothing_are_refused(text: str, words: str) -> None:
    assert refusal(token_claims=text).startswith("COLLAB_TOKEN_CLAIMS cannot be read:")
    assert words in refusal(token_claims=text)


@pytest.mark.parametrize("name", ["", "a b", "a&b", "ä", "t" * 65])
def test_query_parameter_must_be_a_plain_name(name: str) -> None:
    assert refusal(token_param=name).startswith("COLLAB_TOKEN_PARAM ")


@pytest.mark.parametrize(
    "url", ["", "id.example/keys", "file:///etc/keys", "ftp://h/k", "https://", "http://[", "https://h/\n"]
)
def test_key_set_url_must_be_a_web_url(url: str) -> None:
    assert refusal(token_jwks_url=url).startswith("COLLAB_TOKEN_JWKS_URL must be a URL like https://")


def test_short_metrics_token_is_refused_without_being_shown() -> None:
    token = "m" * METRICS_TOKEN_CHARACTERS_MIN
    assert load_settings(metrics_token=token).metrics_token is not None
    said = refusal(metrics_token=token[1:])
    assert said.startswith("COLLAB_METRICS_TOKEN must have at least 16 characters")
    assert "mmm" not in said


# --- several settings -------------------------------------------------------------------------------

BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "redis needs postgres": ({"redis_url": "redis://h/0", "secret": SECRET}, "SQLite file serves only one process"),
    "replicas share a secret": ({"redis_url": "redis://h/0", "database_url": POSTGRES}, "share one secret"),
    "other machines need a secret of the operator's own": ({"host": "10.0.0.7"}, "Listening on 10.0.0.7 admits"),
    "some token is valid": ({"token_secret_counts": False}, "No token would be valid: set COLLAB_TOKEN_PUBLIC_KEY"),
    "an issuer has keys": ({"token_issuer": "https://id.example"}, "COLLAB_TOKEN_ISSUER applies to tokens"),
    "a provider knows this server": ({"oidc_issuer": "https://id.example"}, "set COLLAB_OIDC_CLIENT_ID"),
    "tokens of those who sign in at a provider are valid": (
        {"oidc_issuer": "https://id.example", "oidc_client_id": "c", "token_jwks_url": "https://id.example/jwks"},
        "set COLLAB_TOKEN_SECRET_COUNTS=1",
    ),
    "a frame fits into the queue of the log writer": (
        {"persister_queue_bytes_max": 32 * 1024 * 1024 - 1},
        "COLLAB_PERSISTER_QUEUE_BYTES_MAX",
    ),
    "the database is asked more often while the relay is down": (
        {"heads_poll_relay_down_s": 1.1},
        "COLLAB_HEADS_POLL_RELAY_DOWN_S",
    ),
    "a stranger has as long as its first token": ({"stranger_s": 9}, "COLLAB_STRANGER_S"),
    "documents before a token are among those of the socket": (
        {"documents_per_socket_max": 99},
        "COLLAB_PREAUTH_DOCUMENTS_MAX",
    ),
}


def test_every_rule_refuses_the_settings_that_break_it() -> None:
    for rule in RULES:
        values, words = BROKEN[rule.name]
        said = refusal(**values)
        assert words in said, rule.name
        assert re.match(r"[A-Z].*\.$", said)
    assert set(BROKEN) == {rule.name for rule in RULES}


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("oidc_issuer", "http://id.example", "COLLAB_OIDC_ISSUER must be an address like https://id.example.com"),
        ("oidc_scope", "profile", "COLLAB_OIDC_SCOPE must contain openid"),
        ("oidc_grants", "notes", "COLLAB_OIDC_GRANTS cannot be read: 'notes' is not a grant"),
    ],
)
def test_setting_of_a_provider_that_cannot_be_used_is_refused(setting: str, value: str, words: str) -> None:
    assert words in refusal(**{setting: value})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "collab.example.com", ""])
def test_other_machines_are_admitted_only_with_a_secret_of_ones_own(host: str) -> None:
    assert "set COLLAB_SECRET" in refusal(host=host)
    assert load_settings(host=host, secret=SECRET).host == host
    assert load_settings(host=host, allow_self_made_secret=True).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_self_made_secret_is_enough_on_this_machine(host: str) -> None:
    assert load_settings(host=host).secret is None


@pytest.mark.parametrize("keys", [{"token_public_key": PEM}, {"token_jwks_url": "https://id.example/keys"}])
def test_secret_signs_no_tokens_beside_an_issuer_unless_set(keys: dict[str, str]) -> None:
    assert load_settings().secret_counts
    assert not load_settings(**keys).secret_counts
    assert load_settings(**keys, token_secret_counts=True).secret_counts
    assert not load_settings(**keys, host="0.0.0.0").secret_counts  # a self-made secret then admits no one
    assert "COLLAB_SECRET" in refusal(**keys, host="0.0.0.0", token_secret_counts=True)


def test_issuer_beside_its_keys_is_accepted() -> None:
    assert load_settings(token_issuer="https://id.example", token_public_key=PEM).token_issuer == "https://id.example"


# --- what may be shown ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("database_url", "shown"),
    [
        (POSTGRES, "postgresql+asyncpg://ada:***@db.example/collab"),
        ("postgresql://ada:ge:h@e/im@db.example/collab", "postgresql+asyncpg://ada:***@db.example/collab"),
        ("postgresql://:geheim@db.example/collab", "postgresql+asyncpg://:***@db.example/collab"),
        ("postgresql://db.example/collab", "postgresql+asyncpg://db.example/collab"),
        (
            "postgresql://h/c?user=ada&password=geheim&x=1",
            "postgresql+asyncpg://h/c?user=ada&password=***&x=1",
        ),
        ("sqlite:////var/c.sqlite3", "sqlite+aiosqlite:////var/c.sqlite3"),
    ],
)
def test_redacted_url_keeps_the_host_and_hides_the_password(database_url: str, shown: str) -> None:
    assert load_settings(database_url=database_url).redacted()["database_url"] == shown


def test_no_secret_appears_in_redacted_settings_or_repr() -> None:
    settings = load_settings(
        database_url=POSTGRES,
        redis_url="redis://:geheim@h:6379/0",
        secret=SECRET,
        allowed_origins="https://a.example",
        token_jwks_url="https://me:geheim@id.example/keys",
        token_public_key=PEM,
    )
    shown = settings.redacted()
    assert set(shown) == set(Settings.model_fields)
    assert (shown["redis_url"], shown["secret"]) == ("redis://:***@h:6379/0", "***")
    assert shown["allowed_origins"] == "https://a.example"
    assert (shown["token_jwks_url"], shown["token_public_key"]) == ("https://me:***@id.example/keys", "(PEM)")
    for text in (str(shown), repr(settings), str(settings)):
        assert "geheim" not in text
        assert SECRET not in text


def test_redacted_settings_name_the_secret_file(tmp_path: Path) -> None:
    assert load_settings().redacted()["secret"] == f"(self-made, in {tmp_path}/collab-data/secret)"
