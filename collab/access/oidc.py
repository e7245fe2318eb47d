"""Sign-in at an OpenID provider, as far as it is decided and not sent: what is asked, and what may be believed.

The flow is the authorization code with PKCE. ``serve/oidc`` asks the provider, ``api/oidc`` leads the browser there and
back. Nobody's grants come from the provider: it says who somebody is, and a setting says what such a person may do.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from collab.access.grants import parse_grants
from collab.access.roles import Role
from collab.access.tokens import NAME_CHARACTERS_MAX, UNPRINTABLE, USER_CHARACTERS_MAX
from collab.errors import InvalidRequest, SignInFailed
from collab.ids import UserId

PREFIX = "oidc:"
"""Prefix of the user ids from the provider, so that no subject chosen there is the user of a sign-in link."""

CLOCK_SKEW_S = 60
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Provider:
    """The description that a provider publishes of itself. ``userinfo_endpoint`` may be empty.

    ``secret_in_header``: how it takes the client's secret, in a header or in the body.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    secret_in_header: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in on its way. The three secrets tie the answer to the browser that asked.

    ``to``: the page to return to, relative to the server's base.
    """

    state: str
    nonce: str
    code_verifier: str
    to: str


@dataclass(frozen=True, slots=True)
class Identity:
    """A person who has signed in at the provider."""

    subject: str
    name: str

    @property
    def user(self) -> UserId:
        return UserId(f"{PREFIX}{self.subject}")


def is_trusted_url(url: str) -> bool:
    """Return True for https, and for http on this machine alone."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return is_safe and bool(parts.hostname) and url.isprintable() and not parts.fragment


def discovery_url(issuer: str) -> str:
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def parse_provider(document: bytes, issuer: str) -> Provider:
    """Return what the provider says about itself. Raises InvalidRequest if it is another one, or not usable."""
    try:
        said = json.loads(document)
    except (ValueError, RecursionError):
        raise InvalidRequest("The provider's configuration is not JSON.") from None
    if not isinstance(said, dict) or said.get("issuer") != issuer:
        raise InvalidRequest("The provider's configuration names another issuer.")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not is_trusted_url(str(said.get(name))):
            raise InvalidRequest(f"The provider's configuration has no usable {name}.")
    userinfo = said.get("userinfo_endpoint")
    methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Provider(
        issuer=issuer,
        authorization_endpoint=said["authorization_endpoint"],
        token_endpoint=said["token_endpoint"],
        jwks_uri=said["jwks_uri"],
        userinfo_endpoint=userinfo if isinstance(userinfo, str) and is_trusted_url(userinfo) else "",
        secret_in_header="client_secret_basic" in methods,
    )


def authorization_url(provider: Provider, attempt: Attempt, *, client_id: str, redirect_uri: str, scope: str) -> str:
    """Return the address at the provider that a browser is sent to."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": scope,
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": code_challenge(attempt.code_verifier),
        "code_challenge_method": "S256",
    }
    separator = "&" if urlsplit(provider.authorization_endpoint).query else "?"
    return f"{provider.authorization_endpoint}{separator}{urlencode(query)}"


def code_challenge(verifier: str) -> str:
    """Return the challenge of PKCE (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def identity_in(claims: Mapping[str, Any], attempt: Attempt, *, issuer: str, client_id: str, now_s: float) -> Identity:
    """Return who an ID token speaks of. Its signature has been checked; nothing else has.

    Raises SignInFailed if it is for another client, for another attempt, or not of now.
    """
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    expires_at = claims.get("exp")
    if claims.get("iss") != issuer or client_id not in audiences or claims.get("azp", client_id) != client_id:
        raise SignInFailed("The provider's answer is for another application.")
    if claims.get("nonce") != attempt.nonce:
        raise SignInFailed("The provider's answer is for another sign-in.")
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float) or expires_at + CLOCK_SKEW_S <= now_s:
        raise SignInFailed("The provider's answer has expired. Compare the clocks of both servers.")
    return Identity(_subject(claims), name_in(claims))


def name_in(claims: Mapping[str, Any]) -> str:
    """Return the name to show, or "" if the claims have none."""
    for claim in ("name", "preferred_username"):
        name = claims.get(claim)
        if isinstance(name, str) and name.strip():
            return UNPRINTABLE.sub("", name.strip())[:NAME_CHARACTERS_MAX]
    return ""


def parse_grant_list(text: str) -> dict[str, Role]:
    """Return the grants in ``PATTERN=ROLE,…``, where ``{user}`` stands for a name of the user's own.

    Raises InvalidRequest.
    """
    grants: dict[str, Role] = {}
    for item in filter(None, (each.strip() for each in text.split(","))):
        pattern, _, role = item.rpartition("=")
        if not pattern:
            raise InvalidRequest(f"{item!r} is not a grant; a grant looks like 'people/{{user}}/**=owner'.")
        parse_grants({pattern.replace("{user}", "user"): role})
        grants[pattern] = Role.parse(role)
    return grants


def grants_for(subject: str, grants: Mapping[str, Role]) -> dict[str, Role]:
    """Return the grants of one user."""
    return {pattern.replace("{user}", own_name(subject)): role for pattern, role in grants.items()}


def own_name(subject: str) -> str:
    """Return a document segment that is this user's alone.

    A subject may hold anything, also the signs of patterns, so one that is not plain is replaced by its hash. No plain
    one begins with "~".
    """
    if _PLAIN.fullmatch(subject):
        return subject
    return f"~{hashlib.sha256(subject.encode()).hexdigest()[:32]}"


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    longest = USER_CHARACTERS_MAX - len(PREFIX)
    if not isinstance(subject, str) or not 0 < len(subject) <= longest or UNPRINTABLE.search(subject):
        raise SignInFailed("The provider's answer names nobody.")
    return subject
