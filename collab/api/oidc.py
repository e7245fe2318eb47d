"""Sign-in at an OpenID provider: the way there, the way back, and what keeps a person signed in afterwards.

The browser gets a token of ours for an hour, like that of a sign-in link, and a refresh cookie for longer, with which
the pages ask for the next token. Scripts cannot read the cookie, and it is sent to the routes of this module alone.
Other sites cannot make a browser send it to a route that uses it, since those take POST (``SameSite=Lax``). Pages that
embed the editor never need it. What the provider sends us is used once and kept nowhere.
"""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jwt
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from collab.access.oidc import PREFIX, Attempt, authorization_url, grants_for, parse_grant_list
from collab.access.renewal import TokenRenewal
from collab.access.roles import Role
from collab.access.tokens import Principal, SharedSecret, TokenVerifier, sign
from collab.errors import CollabError, NotAuthenticated, PermissionDenied, SignInFailed, TokenExpired, TransientError
from collab.observe.logs import get_logger
from collab.serve.oidc import OidcClient, OidcProvider
from collab.settings import Settings

log = get_logger("oidc")

PATH = "/sign-in/oidc"
ATTEMPT_S = 600
"""How long a person may take at the provider."""

NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
REFRESH_AUDIENCE = "collab refresh"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class OidcSignIn:
    """The provider and the settings of the routes."""

    provider: OidcProvider
    client_id: str
    name: str
    scope: str
    grants: Mapping[str, Role]
    token_s: float
    key: SharedSecret
    audience: str | None
    refresh: TokenRenewal
    """Renews what the refresh cookie holds. Its key is another one: no cookie is a token, and no token a cookie."""
    attempt_key: bytes

    @classmethod
    def of(cls, settings: Settings, key: SharedSecret) -> "OidcSignIn":
        """Return what the settings say. ``oidc_issuer`` is set."""
        issuer, secret = settings.oidc_issuer, settings.oidc_client_secret
        assert issuer is not None
        client = OidcClient(settings.oidc_client_id, secret.get_secret_value() if secret is not None else "")
        refresh_key = SharedSecret(key.derive("oidc refresh"))
        return cls(
            provider=OidcProvider(issuer, client, clock=time.monotonic),
            client_id=settings.oidc_client_id,
            name=settings.oidc_name or urlsplit(issuer).hostname or issuer,
            scope=settings.oidc_scope,
            grants=parse_grant_list(settings.oidc_grants),
            token_s=settings.oidc_token_s,
            key=key,
            audience=settings.token_audience or None,
            refresh=TokenRenewal(refresh_key, REFRESH_AUDIENCE, settings.sign_in_idle_s, settings.sign_in_s_max),
            attempt_key=key.derive("oidc attempt"),
        )

    def token(self, user: str, name: str, now_s: float, *, until_s: float) -> str:
        """Return a token for a person, with the grants of the moment, which ends at ``until_s`` at the latest."""
        grants = grants_for(user.removeprefix(PREFIX), self.grants)
        ttl_s = min(self.token_s, until_s - now_s)
        return sign(self.key, user=user, name=name, grants=grants, now_s=now_s, ttl_s=ttl_s, audience=self.audience)

    def refresh_token(self, user: str, name: str, now_s: float) -> str:
        """Return what the cookie of a person who has just signed in holds."""
        ttl_s = min(self.refresh.idle_s, self.refresh.s_max)
        return sign(
            self.refresh.key,
            user=user,
            name=name,
            grants={},
            now_s=now_s,
            ttl_s=ttl_s,
            audience=REFRESH_AUDIENCE,
            signed_in_at=now_s,
        )

    def seal(self, attempt: Attempt) -> str:
        """Return the attempt as the text of a cookie."""
        claims = {"attempt": json.dumps(asdict(attempt)), "exp": int(time.time()) + ATTEMPT_S}
        return jwt.encode(claims, self.attempt_key, "HS256")

    def unseal(self, cookie: str) -> Attempt:
        """Return the attempt of a cookie. Raises SignInFailed."""
        try:
            claims = jwt.decode(cookie, self.attempt_key, ["HS256"], options={"require": ["exp"]})
            return Attempt(**json.loads(claims["attempt"]))
        except (jwt.PyJWTError, KeyError, TypeError, ValueError):
            raise SignInFailed from None


class Person(BaseModel):
    """The account that a page means: several can be signed in."""

    user: str


@router.get("/sign-in/ways")
async def ways(request: Request) -> dict[str, Any]:
    """Say how people can sign in, besides with a link."""
    oidc = request.app.state.oidc
    return {"oidc": None if oidc is None else {"name": oidc.name}}


@router.get(PATH)
async def begin(request: Request, to: str = "") -> Response:
    """Send the browser to the provider."""
    oidc = _oidc(request)
    attempt = Attempt(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), page(to))
    try:
        provider = await oidc.provider.read()
    except CollabError as error:
        return _back(request, attempt.to, problem=error)
    url = authorization_url(
        provider, attempt, client_id=oidc.client_id, redirect_uri=_redirect_uri(request), scope=oidc.scope
    )
    answer = RedirectResponse(url, 303, headers=NO_STORE)
    _set_cookie(request, answer, attempt_cookie(attempt.state), oidc.seal(attempt), ATTEMPT_S)
    return answer


@router.get(f"{PATH}/callback")
async def callback(request: Request, state: str = "", code: str = "", error: str = "", iss: str = "") -> Response:
    """Take the browser back from the provider, and sign the person in."""
    oidc, now_s = _oidc(request), time.time()
    cookie = attempt_cookie(state)
    to = ""
    try:
        attempt = oidc.unseal(request.cookies.get(cookie, ""))
        to = attempt.to
        if not secrets.compare_digest(attempt.state.encode(), state.encode()):
            raise SignInFailed
        if not code or error:
            log.warning("sign_in_refused", status=0, error=error[:100])
            raise SignInFailed
        if iss and iss != (await oidc.provider.configuration()).issuer:  # RFC 9207: the code is another provider's
            raise SignInFailed
        who = await oidc.provider.identity(code, attempt, redirect_uri=_redirect_uri(request), now_s=now_s)
    except CollabError as failure:
        answer = _back(request, to, problem=failure)
    else:
        refresh = oidc.refresh_token(who.user, who.name, now_s)
        until_s = now_s + min(oidc.refresh.idle_s, oidc.refresh.s_max)
        answer = _back(request, to, token=oidc.token(who.user, who.name, now_s, until_s=until_s))
        _set_cookie(request, answer, refresh_cookie(who.user), refresh, oidc.refresh.idle_s)
    _set_cookie(request, answer, cookie, "", 0)
    return answer


@router.post(f"{PATH}/token")
async def renew(request: Request, person: Person, response: Response) -> dict[str, str]:
    """Answer the refresh cookie of a person with a fresh token."""
    oidc, now_s = _oidc(request), time.time()
    held = _held(oidc, request.cookies.get(refresh_cookie(person.user), ""), now_s)
    if held.user != person.user:
        raise TokenExpired
    try:
        renewed = oidc.refresh.renew(held, now_s)
    except PermissionDenied:  # it lasts as long as a sign-in may, and is good until then
        assert held.expires_at is not None
        until_s = held.expires_at
    else:
        _set_cookie(request, response, refresh_cookie(held.user), renewed, oidc.refresh.idle_s)
        until_s = now_s + oidc.refresh.idle_s
    response.headers.update(NO_STORE)
    return {"token": oidc.token(held.user, held.name, now_s, until_s=until_s)}


@router.post(f"{PATH}/sign-out")
async def sign_out(request: Request, person: Person) -> Response:
    """Delete the refresh cookie of a person."""
    answer = Response(status_code=204, headers=NO_STORE)
    _set_cookie(request, answer, refresh_cookie(person.user), "", 0)
    return answer


def page(to: str) -> str:
    """Return the page to come back to: a document's, or the first page. Never one of another site."""
    return to if to.startswith("d/") and to.isprintable() else ""


def _oidc(request: Request) -> OidcSignIn:
    oidc = request.app.state.oidc
    if oidc is None:
        raise HTTPException(404, "This server has no sign-in of this kind.")
    assert isinstance(oidc, OidcSignIn)
    return oidc


def _held(oidc: OidcSignIn, cookie: str, now_s: float) -> Principal:
    """Return the person of a refresh cookie. Raises TokenExpired if it is missing or has ended."""
    try:
        return TokenVerifier(oidc.refresh.key, REFRESH_AUDIENCE).verify(cookie, now_s)
    except NotAuthenticated:
        raise TokenExpired from None


def _back(request: Request, to: str, *, token: str = "", problem: CollabError | None = None) -> Response:
    """Lead the browser to one of our pages. What it needs is in the fragment, which no server sees or logs."""
    fragment = urlencode({"token": token})
    if problem is not None:
        kind = "unavailable" if isinstance(problem, TransientError) else "failed"
        fragment = urlencode({"sign-in-problem": kind})
    return RedirectResponse(f"{_root(request)}/{quote(to)}#{fragment}", 303, headers=NO_STORE)


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", "")).rstrip("/")


def _redirect_uri(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{_root(request)}{PATH}/callback"


def attempt_cookie(state: str) -> str:
    """Return the cookie's name. People may begin in several tabs at once."""
    return f"collab_attempt_{sha256(state.encode()).hexdigest()[:16]}"


def refresh_cookie(user: str) -> str:
    """Return the cookie's name. Several people can be signed in in one browser."""
    return f"collab_refresh_{sha256(user.encode()).hexdigest()[:16]}"


def _set_cookie(request: Request, answer: Response, name: str, value: str, max_age_s: float) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=int(max_age_s),
        path=f"{_root(request)}{PATH}",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
