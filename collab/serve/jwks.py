"""The public keys that a token issuer publishes at a URL, kept in memory and read again when they may have changed.

``access`` takes key sets as values and does no I/O; this module does the reading. The issuer's web server may be slow,
away or wrong, so the last good set stays in use until a newer one was read whole: an outage of an hour must not sign
everybody out. After a day it no longer counts, since a key that could not be confirmed may have been withdrawn.

All callers share one reading, and a caller that goes away does not cancel it. Anybody can cause a reading, with a token
that names an unknown key; if hanging up stopped it, a stranger could keep a new key from being learned.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from functools import cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from collab.access.keys import NO_KEYS, KeySet, parse_jwk_set
from collab.backoff import Backoff
from collab.errors import InvalidRequest, KeysUnavailable
from collab.observe.logs import get_logger
from collab.serve import tasks

log = get_logger("issuer")

REREAD_S = 300.0
"""How often the set is read. A key that its issuer withdraws is still accepted for this long."""

COOLDOWN_S = 10.0
"""How soon after one reading an unknown key may cause another: anybody can make tokens with unknown keys."""

UNCONFIRMED_S_MAX = 24 * 3600.0
"""How long keys are accepted while their issuer cannot be read."""

READ_S_MAX = 5.0
BYTES_MAX = 256 * 1024

_HEADERS = {
    "Accept": "application/jwk-set+json, application/json",
    "Accept-Encoding": "identity",  # so that a bound on what arrives is a bound on what it becomes
    "User-Agent": "collab",
}


async def read_document(url: str, *, within_s: float = READ_S_MAX) -> bytes:
    """Return the body that an http(s) URL answers with.

    Raises OSError when the server is away, refuses, redirects, or sends too much; TimeoutError, which is one, when it
    takes longer than ``within_s``.
    """
    try:
        async with asyncio.timeout(within_s), client_for(url) as client, client.stream("GET", url) as response:
            if not response.is_success:
                raise OSError(f"the issuer answers with status {response.status_code}")
            return await bounded_body(response)
    except TimeoutError:
        raise TimeoutError(f"the answer takes longer than {within_s} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, ImportError) as error:  # the last two: an unusable proxy
        raise OSError(str(error) or type(error).__name__) from error


async def bounded_body(response: httpx2.Response) -> bytes:
    """Return the body. Raises OSError if it is larger than ``BYTES_MAX``."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > BYTES_MAX:
            raise OSError(f"the answer is larger than {BYTES_MAX} bytes")
    return bytes(body)


def client_for(url: str) -> httpx2.AsyncClient:
    """Return a client for one request. It follows no redirect: the operator trusts this URL and no other."""
    return httpx2.AsyncClient(
        headers=_HEADERS,
        verify=tls_context(),
        proxy=_proxy(url),
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # one bound for the whole reading instead
    )


@cache
def tls_context() -> ssl.SSLContext:
    """Return a context with the system's trusted certificates. Loading them takes tens of milliseconds."""
    return ssl.create_default_context()


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment names for ``url`` (``https_proxy``, ``no_proxy``), or None."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


class JwksClient:
    """The JWK set at ``url``, which ``read`` fetches. ``clock`` is any steady clock, in seconds."""

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], float],
        cooldown_s: float = COOLDOWN_S,
        read: Callable[[str], Awaitable[bytes]] = read_document,
    ) -> None:
        self._url = url
        self._clock = clock
        self._cooldown_s = cooldown_s
        self._read_document = read
        self._keys: KeySet = NO_KEYS
        self._confirmed_s = clock()
        self._reading: asyncio.Task[bool] | None = None
        self._began_s: float | None = None

    @property
    def keys(self) -> KeySet:
        """The set that was read last; empty once that is too long ago."""
        return self._keys if self._clock() - self._confirmed_s < UNCONFIRMED_S_MAX else NO_KEYS

    async def refresh(self) -> None:
        """Read the set again, or wait for the reading that is under way.

        Raises KeysUnavailable when the issuer cannot be read, and during the cooldown after a reading: the key in
        question may have been published meanwhile, so the client should come back rather than be refused for good.
        """
        reading = self._reading
        if reading is None or reading.done():
            reading = self._begin()
        await asyncio.wait({reading})  # unlike awaiting the task, this leaves it running when the caller is cancelled
        if reading.cancelled() or not reading.result():
            raise KeysUnavailable

    async def run(self) -> None:
        """Keep the set fresh until cancelled."""
        # At least a cooldown, even when shortened by a half: sooner, nothing would be read.
        backoff = Backoff(2 * self._cooldown_s, 6 * self._cooldown_s)
        try:
            while True:
                try:
                    await self.refresh()
                except KeysUnavailable:
                    await asyncio.sleep(backoff.next_s())
                else:
                    backoff.reset()
                    await asyncio.sleep(REREAD_S)
        finally:
            if self._reading is not None:
                await tasks.end([self._reading])

    def _begin(self) -> "asyncio.Task[bool]":
        now_s = self._clock()
        if self._began_s is not None and now_s - self._began_s < self._cooldown_s:
            raise KeysUnavailable
        self._began_s = now_s
        self._reading = asyncio.create_task(self._read(), name="read keys")
        return self._reading

    async def _read(self) -> bool:
        """Replace the set by the published one. Return False, and keep it, when that cannot be read."""
        began_s = self._clock()
        try:
            self._keys = parse_jwk_set(await self._read_document(self._url))
        except (OSError, InvalidRequest) as error:
            log.warning("keys_not_read", reason=str(error), keys=len(self.keys.keys))
            return False
        self._confirmed_s = began_s
        log.info("keys_read", keys=len(self.keys.keys))
        return True
