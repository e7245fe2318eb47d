"""The keys that an issuer of tokens publishes at a URL, kept in memory and read again when they have changed.

It stands between ``access``, which takes key sets as values and does no I/O, and the issuer's web server, which may
be slow, away, or wrong. What was read last stays in use until a newer set was read whole: keys seldom change,
and an issuer that is away for an hour must not sign everybody out.
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

log = get_logger("issuer")

REREAD_S = 300.0
"""How old the keys get: a key that its issuer has withdrawn counts for so long still."""

REST_S = 10.0
"""How long after one reading tokens with unknown keys cause no other: anybody can make such tokens."""

READ_S_MAX = 5.0
BYTES_MAX = 256 * 1024


class PublishedKeys:
    """The JWK set at ``url``. ``read`` fetches a document, in a thread; ``clock`` is any steady one, in seconds."""

    def __init__(self, url: str, *, clock: Callable[[], float], read: Callable[[str], bytes] | None = None) -> None:
        self.keys: KeySet = NO_KEYS
        """What was read last."""
        self._url = url
        self._clock = clock
        self._read = read or read_document
        self._reading = asyncio.Lock()
        self._began_s: float | None = None
        self._is_away = True

    async def refresh(self) -> None:
        """Read the set again, unless that was just done. Raises KeysUnavailable when the issuer is away."""
        async with self._reading:
            now_s = self._clock()
            if self._began_s is None or now_s - self._began_s >= REST_S:
                self._began_s = now_s  # before the await: who gives up waiting must not make the next one read at once
                await self._refresh()
        if self._is_away:
            raise KeysUnavailable

    async def _refresh(self) -> None:
        try:
            self.keys = parse_jwk_set(await asyncio.to_thread(self._read, self._url))
        except (OSError, HTTPException, InvalidRequest) as error:
            self._is_away = True
            log.warning("keys_not_read", reason=str(error), keys=len(self.keys.keys))
            return
        self._is_away = False
        log.info("keys_read", keys=len(self.keys.keys))

    async def run(self) -> None:
        """Keep the set fresh, for ever."""
        while True:
            try:
                await self.refresh()
            except KeysUnavailable:
                await asyncio.sleep(REST_S)
            else:
                await asyncio.sleep(REREAD_S)


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
