"""The keys that the settings name: the server's own, and those of token issuers."""

import time
from pathlib import Path

import pytest

from collab.access.roles import Role
from collab.access.tokens import SharedSecret, sign
from collab.errors import InvalidRequest, NotAuthenticated
from collab.settings import load_settings
from collab.token_keys import issuer_keys, signing_key, token_verifier

SECRET = "0123456789abcdef0123456789abcdef"
PEM = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""


pytestmark = pytest.mark.usefixtures("clean_environment")


def test_secret_that_is_set_is_used_and_no_file_is_created(tmp_path: Path) -> None:
    settings = load_settings(secret=SECRET, data_dir=tmp_path / "data")
    assert signing_key(settings).secret == SECRET.encode()
    assert not settings.data_dir.exists()


def test_self_made_secret_is_kept_in_the_data_directory(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    key = signing_key(settings)
    assert (tmp_path / "data" / "secret").read_text().strip() == key.secret.decode()


def test_issuer_keys_come_from_the_setting_or_from_a_file(tmp_path: Path) -> None:
    assert issuer_keys(load_settings()).keys == ()
    file = tmp_path / "issuers.pem"
    file.write_text(PEM * 2)
    assert [key.algorithm for key in issuer_keys(load_settings(token_public_key=str(file))).keys] == ["EdDSA"] * 2
    for text in (PEM, PEM.replace("\n", "\\n")):
        assert [key.algorithm for key in issuer_keys(load_settings(token_public_key=text)).keys] == ["EdDSA"]


def test_issuer_keys_that_cannot_be_read_are_reported_with_the_next_step(tmp_path: Path) -> None:
    def said(value: str) -> str:
        with pytest.raises(InvalidRequest) as caught:
            issuer_keys(load_settings(token_public_key=value))
        return str(caught.value)

    (tmp_path / "secret.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
    (tmp_path / "bytes.pem").write_bytes(b"\xff\xfe")
    assert said("nowhere.pem").startswith("COLLAB_TOKEN_PUBLIC_KEY cannot be read (No such file")
    assert said("bytes.pem") == "COLLAB_TOKEN_PUBLIC_KEY names a file that is not text; name a PEM file."
    assert said("secret.pem").startswith("COLLAB_TOKEN_PUBLIC_KEY cannot be used. ")
    assert "openssl pkey" in said("secret.pem")
    assert "AAAA" not in said("secret.pem")
    assert said("").startswith("COLLAB_TOKEN_PUBLIC_KEY cannot be read")


def test_secret_verifies_tokens_only_while_it_counts() -> None:
    key = SharedSecret(SECRET.encode())
    token = sign(key, user="ada", grants={"**": Role.EDITOR}, now_s=time.time(), ttl_s=60)
    assert token_verifier(load_settings(), key).verify(token, time.time()).user == "ada"
    with pytest.raises(NotAuthenticated):
        token_verifier(load_settings(token_public_key=PEM), key).verify(token, time.time())
    both = load_settings(token_public_key=PEM, token_secret_counts=True)
    assert token_verifier(both, key).verify(token, time.time()).user == "ada"


def test_verifier_follows_the_settings() -> None:
    settings = load_settings(token_audience="", token_leeway_s=7, token_exp_optional=True)
    verifier = token_verifier(settings, SharedSecret(SECRET.encode()))
    assert (verifier.audience, verifier.issuer, verifier.skew_s, verifier.eternal) == (None, None, 7, True)
