"""The tokens that were found good last, so that a client that comes back with one costs no signature.

A browser shows the same token for each document, and again each time its network returns: after a restart everybody
does at once. They also share one ``Principal``, which every session keeps for as long as it lasts.

Only the time is asked anew; a token that was refused is never kept. Tokens are kept as digests, since who can read this
memory must not be able to use them.
"""

from collections import OrderedDict
from hashlib import sha256

from collab.access.keys import NO_KEYS, KeySet
from collab.access.tokens import TOKEN_BYTES_MAX, Principal, SignedToken, TokenVerifier

TOKENS_MAX = 4096


class TokenCache:
    """A verifier with a memory. It forgets what it has not seen for longest, and everything when keys change."""

    def __init__(self, verifier: TokenVerifier, *, tokens_max: int = TOKENS_MAX) -> None:
        self._own = verifier
        self._verifier = verifier
        self._published = NO_KEYS
        self._tokens_max = tokens_max
        self._tokens: OrderedDict[bytes, SignedToken] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tokens)

    def trust(self, published: KeySet) -> None:
        """Accept these keys besides the verifier's own, instead of those of the last call."""
        if published is self._published:
            return
        if published != self._published:
            self._verifier = self._own.trusting(published)
            self._tokens.clear()  # some may be signed with a key that its issuer has withdrawn
        self._published = published

    def verify(self, token: str, now_s: float) -> Principal:
        """Return the principal of ``token`` at ``now_s``, like ``TokenVerifier.verify``: the same object each time."""
        if len(token) > TOKEN_BYTES_MAX or not token.isascii():
            return self._verifier.verify(token, now_s)  # which says why not
        digest = sha256(token.encode()).digest()
        if (known := self._tokens.get(digest)) is None:
            return self._keep(digest, self._verifier.read(token), now_s)
        self._tokens.move_to_end(digest)
        return known.at(now_s)

    def _keep(self, digest: bytes, signed: SignedToken, now_s: float) -> Principal:
        principal = signed.at(now_s)
        self._tokens[digest] = signed
        if len(self._tokens) > self._tokens_max:
            self._tokens.popitem(last=False)
        return principal
