"""Asks an OpenID provider: what it is, and who has just signed in.

Only people who sign in wait for it. Sessions rest on tokens of our own, so they go on while the provider is away.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote_plus

import httpx2

from collab.access.oidc import Attempt, Identity, Provider, discovery_url, identity_in, name_in, parse_provider
from collab.access.tokens import TokenVerifier
from collab.errors import (
    InvalidRequest,
    KeysUnavailable,
    NotAuthenticated,
    ProviderUnavailable,
    SignInFailed,
    TokenKeyUnknown,
)
from collab.observe.logs import get_logger
from collab.serve.jwks import JwksClient, bounded_body, client_for, read_document

log = get_logger("oidc")

ANSWER_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class OidcClient:
    """What the provider knows us as. ``secret`` is empty for a public client."""

    client_id: str
    secret: str = field(repr=False)


class OidcProvider:
    """The provider at ``issuer``. ``clock`` is any steady clock, in seconds."""

    def __init__(self, issuer: str, client: OidcClient, *, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._client = client
        self._clock = clock
        self._provider: Provider | None = None
        self._keys: JwksClient | None = None

    async def read(self) -> Provider:
        """Ask the provider what it is, before a browser is sent to it. Raises ProviderUnavailable."""
        try:
            read = parse_provider(await read_document(discovery_url(self._issuer)), self._issuer)
        except (OSError, InvalidRequest) as error:
            log.warning("provider_not_read", reason=str(error))
            raise ProviderUnavailable from None
        if self._provider is None or read.jwks_uri != self._provider.jwks_uri:
            self._keys = JwksClient(read.jwks_uri, clock=self._clock)
        self._provider = read
        return read

    async def configuration(self) -> Provider:
        """Return what the provider said last. It is asked if another replica has sent the browser."""
        return self._provider or await self.read()

    async def identity(self, code: str, attempt: Attempt, *, redirect_uri: str, now_s: float) -> Identity:
        """Return who has signed in, in exchange for the code that the browser brought.

        Raises SignInFailed if the answer cannot be trusted, ProviderUnavailable.
        """
        provider = await self.configuration()
        answer = await self._exchange(provider, code, attempt, redirect_uri)
        claims = await self._verified(answer.get("id_token"))
        identity = identity_in(claims, attempt, issuer=self._issuer, client_id=self._client.client_id, now_s=now_s)
        if identity.name:
            return identity
        return replace(identity, name=await self._name(provider, answer.get("access_token"), identity.subject))

    async def _exchange(self, provider: Provider, code: str, attempt: Attempt, redirect_uri: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": attempt.code_verifier,
        }
        headers = {}
        client_id, secret = self._client.client_id, self._client.secret
        if secret and provider.secret_in_header:
            pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": client_id} | ({"client_secret": secret} if secret else {})
        return await _ask("POST", provider.token_endpoint, headers=headers, form=form)

    async def _verified(self, id_token: object) -> Mapping[str, Any]:
        """Return the claims of the ID token. The provider's keys are read again if they lack its key."""
        if not isinstance(id_token, str) or self._keys is None:
            raise SignInFailed
        try:
            try:
                return self._verifier().signed_claims(id_token)
            except TokenKeyUnknown:
                await self._keys.refresh()
                return self._verifier().signed_claims(id_token)
        except KeysUnavailable:
            raise ProviderUnavailable from None
        except NotAuthenticated as error:
            log.warning("id_token_refused", reason=str(error))
            raise SignInFailed from None

    def _verifier(self) -> TokenVerifier:
        assert self._keys is not None
        return TokenVerifier(None, issuers=self._keys.keys, issuer=self._issuer)

    async def _name(self, provider: Provider, access_token: object, subject: str) -> str:
        """Return the name that the provider tells elsewhere than in the ID token, or the subject."""
        if provider.userinfo_endpoint and isinstance(access_token, str):
            headers = {"Authorization": f"Bearer {access_token}"}
            said = await _ask("GET", provider.userinfo_endpoint, headers=headers)
            if said.get("sub") == subject and name_in(said):
                return name_in(said)
        return subject[:100]


async def _ask(
    method: str, url: str, *, headers: Mapping[str, str], form: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    """Return the JSON object that the provider answers with. Raises SignInFailed if it refuses, ProviderUnavailable."""
    try:
        async with (
            asyncio.timeout(ANSWER_S_MAX),
            client_for(url) as client,
            client.stream(method, url, headers=headers, data=form) as response,
        ):
            status, body = response.status_code, await bounded_body(response)
    except (OSError, httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        log.warning("provider_not_reached", reason=str(error) or type(error).__name__)
        raise ProviderUnavailable from None
    if status >= 500:
        log.warning("provider_not_reached", reason=f"it answers with status {status}")
        raise ProviderUnavailable
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if status != 200 or not isinstance(answer, dict):
        log.warning("sign_in_refused", status=status, error=_error_in(answer))
        raise SignInFailed
    return answer


def _error_in(answer: object) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    return error[:100] if isinstance(error, str) else ""
