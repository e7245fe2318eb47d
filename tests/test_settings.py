"""Settings: what they default to, which do not go together, and that no secret shows."""

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from collab.errors import InvalidRequest
from collab.settings import Settings, issuer_keys, load_settings, signing_key

SECRET = "0123456789abcdef0123456789abcdef"
PEM = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""
POSTGRES = "postgresql://ada:geheim@db.example/collab"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No COLLAB_ variable from outside, and a directory of one's own."""
    for name in [name for name in os.environ if name.startswith("COLLAB_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def refusal(**overrides: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        load_settings(**overrides)
    return str(caught.value)


# --- defaults ---------------------------------------------------------------------------------------


def test_without_configuration_everything_is_local(tmp_path: Path) -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.data_dir == tmp_path / "collab-data"
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/collab-data/collab.sqlite3"
    assert settings.is_sqlite
    assert settings.redis_url is None
    assert settings.allowed_origins == ()


def test_defaults_are_those_the_documents_promise() -> None:
    settings = load_settings()
    mib = 1024 * 1024
    assert settings.frame_bytes_max == 32 * mib
    assert settings.outbox_bytes_max == 4 * mib
    assert settings.persister_queue_bytes_max == 32 * mib
    assert (settings.preauth_bytes_max, settings.preauth_frames_max) == (5 * mib, 1000)
    assert (settings.preauth_documents_max, settings.preauth_s) == (100, 10)
    assert (settings.held_bytes_max, settings.held_updates_max, settings.held_s) == (mib, 256, 5)
    assert (settings.keepalive_s, settings.room_linger_s, settings.flush_window_ms) == (20, 5, 10)
    assert (settings.heads_poll_s, settings.heads_poll_relay_down_s) == (1, 0.25)
    assert (settings.documents_per_socket_max, settings.denial_hold_s) == (256, 2.5)
    assert not settings.allow_self_made_secret


def test_every_setting_says_what_it_means() -> None:
    silent = [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")]
    assert silent == []


def test_settings_come_from_the_environment_and_options_go_before_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLLAB_PORT", "9001")
    monkeypatch.setenv("COLLAB_LOG_LEVEL", "debug")
    assert (load_settings().port, load_settings().log_level) == (9001, "debug")
    assert (load_settings(port=9002).port, load_settings(port=9002).log_level) == (9002, "debug")


def test_settings_do_not_change() -> None:
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
def test_a_database_url_is_taken_as_people_write_it(url: str, becomes: str) -> None:
    assert load_settings(database_url=url).database_url == becomes


@pytest.mark.parametrize("url", ["", "collab", "mysql://h/db", "postgresql+psycopg://h/db", "postgresql:h"])
def test_another_database_is_refused_with_an_example(url: str) -> None:
    assert "as postgresql://user:password@localhost/collab" in refusal(database_url=url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://here.sqlite3"])
def test_a_database_that_keeps_nothing_is_refused(url: str) -> None:
    assert "must name a file that stays" in refusal(database_url=url)


def test_another_relay_is_refused_with_an_example() -> None:
    assert refusal(redis_url="localhost:6379").startswith("COLLAB_REDIS_URL must begin with redis://")
    for url in ("redis://h/0", "rediss://h/0", "unix:///run/redis.sock"):
        assert load_settings(redis_url=url, database_url=POSTGRES, secret=SECRET).redis_url == url


def test_a_short_secret_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_origins_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch, text: str, origins: tuple[str, ...]) -> None:
    monkeypatch.setenv("COLLAB_ALLOWED_ORIGINS", text)
    assert load_settings().allowed_origins == origins
    assert load_settings(allowed_origins=list(origins)).allowed_origins == origins


def test_origins_that_no_browser_sends_are_refused() -> None:
    assert "'example.com' is no origin" in refusal(allowed_origins="example.com")
    assert "'https://*.example.com' is no origin" in refusal(allowed_origins="https://*.example.com")
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
def test_what_is_out_of_range_is_refused_by_its_name(name: str, value: object) -> None:
    said = refusal(**{name: value})
    assert re.fullmatch(rf"COLLAB_{name.upper()} [a-z].*\.", said)
    assert "factory" not in said


def test_a_port_that_kubernetes_set_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLAB_PORT", "tcp://10.0.0.7:8000")
    assert "enableServiceLinks: false" in refusal()


def test_everything_that_is_wrong_is_said_at_once() -> None:
    said = refusal(port=-1, log_level="loud")
    assert "COLLAB_PORT " in said
    assert "COLLAB_LOG_LEVEL " in said


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("DATABSE_URL", "DATABASE_URL"),
        ("SECRETS", "SECRET"),
        ("ALLOWED_ORIGIN", "ALLOWED_ORIGINS"),
        ("redis_ur", None),
    ],
)
def test_a_slip_in_a_name_is_not_ignored(monkeypatch: pytest.MonkeyPatch, slip: str, meant: str | None) -> None:
    monkeypatch.setenv(f"COLLAB_{slip}", "x")
    if meant:
        assert refusal() == f"There is no setting COLLAB_{slip}; did you mean COLLAB_{meant}?"
    else:
        load_settings()


@pytest.mark.parametrize(
    "name", ["SERVICE_HOST", "SERVICE_PORT", "PORT_8000_TCP", "TEST_DATABASE_URL", "TEST_REDIS_URL", "LONG"]
)
def test_names_that_others_use_are_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"COLLAB_{name}", "x")
    load_settings()


# --- between settings -------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "collab.example.com", ""])
def test_others_are_let_in_only_with_a_secret_of_ones_own(host: str) -> None:
    assert "set COLLAB_SECRET" in refusal(host=host)
    assert load_settings(host=host, secret=SECRET).host == host
    assert load_settings(host=host, allow_self_made_secret=True).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_on_this_machine_the_self_made_secret_will_do(host: str) -> None:
    assert load_settings(host=host).secret is None


def test_redis_beside_sqlite_is_refused() -> None:
    assert "SQLite for one process" in refusal(redis_url="redis://h/0", secret=SECRET)


def test_replicas_must_share_a_secret() -> None:
    assert "share one secret" in refusal(redis_url="redis://h/0", database_url=POSTGRES)


def test_limits_that_contradict_each_other_are_refused() -> None:
    assert "COLLAB_PERSISTER_QUEUE_BYTES_MAX" in refusal(persister_queue_bytes_max=32 * 1024 * 1024 - 1)
    assert "COLLAB_HEADS_POLL_RELAY_DOWN_S" in refusal(heads_poll_relay_down_s=1.1)
    assert "COLLAB_PREAUTH_DOCUMENTS_MAX" in refusal(documents_per_socket_max=99)


# --- secrets ----------------------------------------------------------------------------------------


def test_the_self_made_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "new" / "data")
    key = signing_key(settings)
    assert signing_key(settings) == key
    assert re.fullmatch(rb"[0-9a-f]{64}", key.secret)
    assert stat.S_IMODE(settings.secret_path.stat().st_mode) == 0o600
    assert [path.name for path in settings.data_dir.iterdir()] == ["secret"]
    assert signing_key(load_settings(data_dir=tmp_path / "other")) != key


def test_servers_that_start_at_once_agree_on_the_self_made_secret(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(signing_key, [settings] * 32))
    assert len(keys) == 1


def test_a_secret_that_was_set_is_used_as_it_is_and_nothing_is_kept(tmp_path: Path) -> None:
    settings = load_settings(secret=SECRET, data_dir=tmp_path / "data")
    assert signing_key(settings).secret == SECRET.encode()
    assert not settings.data_dir.exists()


def test_a_self_made_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    signing_key(settings)
    settings.secret_path.chmod(0o640)
    with pytest.raises(InvalidRequest, match=f"chmod 600 {settings.secret_path}"):
        signing_key(settings)


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 64])
def test_a_damaged_secret_is_not_used(tmp_path: Path, content: bytes) -> None:
    settings = load_settings(data_dir=tmp_path)
    settings.secret_path.write_bytes(content)
    settings.secret_path.chmod(0o600)
    with pytest.raises(InvalidRequest, match=str(settings.secret_path)):
        signing_key(settings)


def test_where_nothing_can_be_kept_the_next_step_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidRequest, match="set COLLAB_DATA_DIR to a directory"):
        signing_key(load_settings(data_dir=tmp_path / "file"))


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
def test_what_is_shown_keeps_the_place_and_hides_the_password(database_url: str, shown: str) -> None:
    assert load_settings(database_url=database_url).redacted()["database_url"] == shown


def test_no_secret_shows_in_what_is_shown_nor_in_the_repr() -> None:
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


def test_what_is_shown_tells_where_the_self_made_secret_lies(tmp_path: Path) -> None:
    assert load_settings().redacted()["secret"] == f"(self-made, in {tmp_path}/collab-data/secret)"


# --- keys of those who issue tokens -----------------------------------------------------------------


def test_public_keys_come_from_a_file_or_from_the_setting_itself(tmp_path: Path) -> None:
    assert issuer_keys(load_settings()).keys == ()
    file = tmp_path / "issuers.pem"
    file.write_text(PEM * 2)
    assert [key.algorithm for key in issuer_keys(load_settings(token_public_key=str(file))).keys] == ["EdDSA"] * 2
    for text in (PEM, PEM.replace("\n", "\\n")):
        assert [key.algorithm for key in issuer_keys(load_settings(token_public_key=text)).keys] == ["EdDSA"]


@pytest.mark.parametrize(
    "url", ["", "id.example/keys", "file:///etc/keys", "ftp://h/k", "https://", "http://[", "https://h/\n"]
)
def test_keys_are_published_at_a_web_address(url: str) -> None:
    assert refusal(token_jwks_url=url).startswith("COLLAB_TOKEN_JWKS_URL must be a URL like https://")


def test_public_keys_that_cannot_be_read_are_named_with_the_next_step(tmp_path: Path) -> None:
    def said(value: str) -> str:
        with pytest.raises(InvalidRequest) as caught:
            issuer_keys(load_settings(token_public_key=value))
        return str(caught.value)

    (tmp_path / "secret.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
    (tmp_path / "bytes.pem").write_bytes(b"\xff\xfe")
    assert said("nowhere.pem").startswith("COLLAB_TOKEN_PUBLIC_KEY cannot be read (No such file")
    assert said("bytes.pem") == "COLLAB_TOKEN_PUBLIC_KEY cannot be read (it is no text): give a PEM file."
    assert "openssl pkey" in said("secret.pem")
    assert "AAAA" not in said("secret.pem")
    assert said("").startswith("COLLAB_TOKEN_PUBLIC_KEY cannot be read")


@pytest.mark.parametrize("keys", [{"token_public_key": PEM}, {"token_jwks_url": "https://id.example/keys"}])
def test_the_secret_signs_nobody_in_where_an_issuer_is_set_unless_told_so(keys: dict[str, str]) -> None:
    assert load_settings().secret_counts
    assert not load_settings(**keys).secret_counts
    assert load_settings(**keys, token_secret_counts=True).secret_counts
    assert not load_settings(**keys, host="0.0.0.0").secret_counts  # a self-made one then lets nobody in
    assert "COLLAB_SECRET" in refusal(**keys, host="0.0.0.0", token_secret_counts=True)


def test_somebodys_tokens_must_be_good() -> None:
    assert refusal(token_secret_counts=False).startswith("Nobody's token would be good: set COLLAB_TOKEN_PUBLIC_KEY")


def test_an_issuer_is_named_only_beside_its_keys() -> None:
    assert refusal(token_issuer="https://id.example").startswith("COLLAB_TOKEN_ISSUER is for tokens that others sign")
    assert load_settings(token_issuer="https://id.example", token_public_key=PEM).token_issuer == "https://id.example"
