"""Checks the passwords of links, which is slow on purpose, without slowing the server.

One password is tried at a time, in a thread; few may wait, and a link whose password is guessed at is closed for a
minute. A password that was right is remembered, so that a guest who reconnects costs nothing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar

from collab.access.links import is_password
from collab.access.sharing import Link
from collab.errors import LinkPasswordWrong, Overloaded
from collab.ids import LinkId

Key = TypeVar("Key")
Value = TypeVar("Value")

GUESSES_MAX = 10
"""Wrong passwords of one link in ``GUESSES_S``, on one replica."""
GUESSES_S = 60.0
WAITING_MAX = 20
REMEMBERED_MAX = 1024


class LinkPasswords:
    """The passwords that guests give. ``clock`` returns seconds since any moment."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0
        self._right: OrderedDict[bytes, None] = OrderedDict()
        """Digests of passwords that were right. They are salted, since the stored hash is part of them."""
        self._guesses: OrderedDict[LinkId, tuple[float, int]] = OrderedDict()
        """Since when, and how often, the password of a link was tried without success."""

    async def check(self, link: Link, password: str) -> None:
        """Return if the link has no password or this is it. Raises LinkPasswordWrong, Overloaded."""
        if link.password_hash is None:
            return
        if not password:
            raise LinkPasswordWrong("This link needs a password.")
        known = sha256(f"{link.password_hash}\0{password}".encode(errors="surrogatepass")).digest()
        if known in self._right:
            return
        self._count_guess(link.id)
        if not await self._try(password, link.password_hash):
            raise LinkPasswordWrong
        self._guesses.pop(link.id, None)
        _remember(self._right, known, None)

    async def _try(self, password: str, stored: str) -> bool:
        if self._waiting >= WAITING_MAX:
            raise Overloaded
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                return await asyncio.to_thread(is_password, password, stored)
        finally:
            self._waiting -= 1

    def _count_guess(self, link: LinkId) -> None:
        now_s = self._clock()
        since_s, guesses = self._guesses.get(link, (now_s, 0))
        if now_s - since_s >= GUESSES_S:
            since_s, guesses = now_s, 0
        if guesses >= GUESSES_MAX:
            raise Overloaded("This link was tried with too many wrong passwords. Try again in a minute.")
        _remember(self._guesses, link, (since_s, guesses + 1))


def _remember(known: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > REMEMBERED_MAX:
        known.popitem(last=False)
