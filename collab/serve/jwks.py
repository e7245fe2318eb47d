"""The keys that an issuer of tokens publishes at a URL, kept in memory and read again when they have changed.

It stands between ``access``, which takes key sets as values and does no I/O, and the issuer's web server, which may
be slow, away, or wrong. What was read last stays in use until a newer set was read whole: keys seldom change,
and an issuer that is away for an hour must not sign everybody out. Not for ever: a key that nobody could confirm for
a day may have been withdrawn.

A reading belongs to everybody, not to who asked for it. Strangers can ask, with a token that names any key, and go
away: if the reading went with them, they could keep a new key from being learned and a stolen one from being dropped.
"""

import asyncio
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.request import HTTPRedirectHandler, Request, build_opener

from collab.access.keys import NO_KEYS, KeySet, parse_jwk_set
from collab.errors import InvalidRequest, KeysUnavailable
from collab.observe.logs import get_logger
from collab.serve import tasks

log = get_logger("issuer")

REREAD_S = 300.0
"""How old the keys get: a key that its issuer has withdrawn counts for so long still."""

REST_S = 10.0
"""How long after one reading tokens with unknown keys cause no other: anybody can make such tokens."""

UNCONFIRMED_S_MAX = 24 * 3600.0
"""How long keys count while their issuer cannot be read."""

READ_S_MAX = 5.0
WAIT_S_MAX = READ_S_MAX + 1.0
"""How long anybody waits for a reading. It may take longer itself, as where a name server does not answer."""

BYTES_MAX = 256 * 1024


class JwksClient:
    """The JWK set at ``url``. ``read`` fetches a document, in a thread; ``clock`` is any steady one, in seconds."""

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], float],
        read: Callable[[str], bytes] | None = None,
        wait_s_max: float = WAIT_S_MAX,
    ) -> None:
        self._url = url
        self._clock = clock
        self._read = read or read_document
        self._wait_s_max = wait_s_max
        self._keys: KeySet = NO_KEYS
        self._confirmed_s = clock()
        self._reading: asyncio.Task[None] | None = None
        self._began_s: float | None = None
        self._is_away = True

    @property
    def keys(self) -> KeySet:
        """What was read last; none once that is too long ago."""
        return self._keys if self._clock() - self._confirmed_s < UNCONFIRMED_S_MAX else NO_KEYS

    async def refresh(self) -> None:
        """Read the set again, or wait for the reading that is under way.

        Raises KeysUnavailable when the issuer is away, and also when the set was read a moment ago: a key may have been
        published since, and whoever shows it must not be sent away for good.
        """
        reading = self._reading
        if reading is None or reading.done():
            reading = self._begin()
        await asyncio.wait({reading}, timeout=self._wait_s_max)
        if self._is_away or not reading.done():
            raise KeysUnavailable

    def _begin(self) -> "asyncio.Task[None]":
        now_s = self._clock()
        if self._began_s is not None and now_s - self._began_s < REST_S:
            raise KeysUnavailable
        self._began_s = now_s
        self._reading = asyncio.create_task(self._refresh(), name="read keys")
        return self._reading

    async def _refresh(self) -> None:
        began_s = self._clock()
        self._is_away = True
        try:
            self._keys = parse_jwk_set(await asyncio.to_thread(self._read, self._url))
        except (OSError, HTTPException, ValueError, InvalidRequest) as error:  # ValueError: no such host name can be
            log.warning("keys_not_read", reason=str(error), keys=len(self.keys.keys))
            return
        self._confirmed_s = began_s
        self._is_away = False
        log.info("keys_read", keys=len(self.keys.keys))

    async def run(self) -> None:
        """Keep the set fresh, for ever."""
        try:
            while True:
                try:
                    await self.refresh()
                except KeysUnavailable:
                    await asyncio.sleep(REST_S)
                else:
                    await asyncio.sleep(REREAD_S)
        finally:
            if self._reading is not None:
                await tasks.end([self._reading])


class _NoRedirect(HTTPRedirectHandler):
    """What is trusted is the URL that was set, not one to which somebody leads on."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


_opener = build_opener(_NoRedirect)


def read_document(url: str, *, within_s: float = READ_S_MAX) -> bytes:
    """What an http(s) URL answers. Blocks. Raises OSError, HTTPException: away, refused, too large, or too slow."""
    request = Request(url, headers={"Accept": "application/jwk-set+json, application/json", "User-Agent": "collab"})  # noqa: S310 - the settings let only http(s) pass
    document = bytearray()
    end_s = time.monotonic() + within_s
    with _opener.open(request, timeout=within_s) as response:
        while chunk := response.read1(BYTES_MAX):
            document += chunk
            if len(document) > BYTES_MAX:
                raise OSError(f"it is larger than {BYTES_MAX} bytes")
            if time.monotonic() > end_s:
                raise TimeoutError(f"it takes longer than {within_s} s")
    return bytes(document)
