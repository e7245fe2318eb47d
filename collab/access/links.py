"""The secret of a link, with which a person without a token opens one document as a guest.

A secret may stand wherever a token may, so every client can use a link. Behind it, in the form of a query, a guest may
give a name and the link's password::

    cl_Zk3…Q
    cl_Zk3…Q?name=Ada%20Lovelace&password=open%20sesame

Only digests are kept. The secret is long and random, so one SHA-256 is enough; a password is chosen by people, so its
digest is salted and costs memory and time (scrypt).
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import scrypt, sha256
from urllib.parse import parse_qsl, urlencode

from collab.access.sharing import Link
from collab.access.tokens import NAME_CHARACTERS_MAX, TOKEN_BYTES_MAX, UNPRINTABLE, Principal
from collab.errors import LinkInvalid
from collab.ids import LinkId, UserId

PREFIX = "cl_"
SECRET_BYTES = 32
ID_BYTES = 9
SALT_BYTES = 16
PASSWORD_CHARACTERS_MAX = 200

GUEST = "Guest"
GUEST_SUFFIX = " (guest)"
"""Behind the name that a guest chose, so that no guest looks like a member."""

GUEST_USER = "guest:"
"""The beginning of the user id of guests; the id of their link follows."""

_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}
"""16 MiB and about 50 ms."""


@dataclass(frozen=True, slots=True)
class LinkKey:
    """The credentials of a guest: the secret of a link, a name and a password, both of which may be empty."""

    secret: str = field(repr=False)
    name: str = ""
    password: str = field(default="", repr=False)


def is_link(credential: str) -> bool:
    """Return True if this is meant as the secret of a link, and not as a token."""
    return credential.startswith(PREFIX)


def parse(credential: str) -> LinkKey:
    """Take apart what a guest shows. Raises LinkInvalid."""
    secret, _, query = credential.partition("?")
    if len(credential) > TOKEN_BYTES_MAX:
        raise LinkInvalid
    try:
        more = dict(parse_qsl(query, max_num_fields=8, errors="strict"))
    except ValueError:
        raise LinkInvalid("What follows the secret of the link must look like ?name=Ada&password=…") from None
    return LinkKey(secret, more.get("name", ""), more.get("password", ""))


def extended(credential: str, name: str, password: str) -> str:
    """Return what a guest shows, with a name and a password that came beside it."""
    more = urlencode({key: value for key, value in (("name", name), ("password", password)) if value})
    return f"{credential}{'&' if '?' in credential else '?'}{more}" if more else credential


def make_secret(drawn: bytes) -> str:
    """Return the secret of a link, from ``SECRET_BYTES`` random bytes."""
    return PREFIX + _text(drawn)


def make_id(drawn: bytes) -> LinkId:
    """Return the id of a link, from ``ID_BYTES`` random bytes."""
    return LinkId(_text(drawn))


def digest(secret: str) -> bytes:
    """Return the digest by which the store finds a link."""
    return sha256(secret.encode(errors="surrogatepass")).digest()


def hash_password(password: str, salt: bytes) -> str:
    """Return what is stored of a password: the salt and a digest. Takes about 50 ms."""
    hashed = scrypt(password.encode(errors="surrogatepass"), salt=salt, **_SCRYPT)
    return f"scrypt${_text(salt)}${_text(hashed)}"


def is_password(password: str, stored: str) -> bool:
    """Return True if ``stored`` was made from this password. Takes about 50 ms."""
    _, salt, _ = stored.split("$")
    return hmac.compare_digest(hash_password(password, urlsafe_b64decode(salt + "==")), stored)


def guest(link: Link, name: str) -> Principal:
    """Return the principal of everybody who has come by this link, under the name of their choice."""
    expires_at = None if link.expires_at is None else link.expires_at.timestamp()
    return Principal(UserId(GUEST_USER + link.id), _guest_name(name), None, {}, expires_at, link.id)


def _guest_name(chosen: str) -> str:
    name = " ".join(UNPRINTABLE.sub(" ", chosen).split())[: NAME_CHARACTERS_MAX - len(GUEST_SUFFIX)]
    return name + GUEST_SUFFIX if name else GUEST


def _text(drawn: bytes) -> str:
    return urlsafe_b64encode(drawn).decode().rstrip("=")
