"""The web pages that may open a socket.

Browsers let every page open a WebSocket to every server; CORS does not cover it. So the server compares the ``Origin``
header itself, exactly, before it accepts. Nothing relies on cookies, so a client without an ``Origin`` (which is no
browser) is let through: it needs a token in any case.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from collab.errors import InvalidRequest

ANY = "*"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_origin(text: str) -> str:
    """Return ``scheme://host[:port]`` in the form in which browsers send it: lower case, no default port.

    Raises InvalidRequest if ``text`` is anything else, or has a path: no browser sends one.
    """
    wrong = InvalidRequest(f"{text!r} is not an origin. An origin looks like 'https://docs.example.com'.")
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if scheme not in _DEFAULT_PORTS or not host or not _is_plain(host) or "@" in parts.netloc:
        raise wrong
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        shown += f":{port}"
    # Put together again, it must be the same text: nothing may hide in a part that urlsplit dropped.
    if text.lower() not in (f"{scheme}://{shown}", f"{scheme}://{shown}:{_DEFAULT_PORTS[scheme]}"):
        raise wrong
    return f"{scheme}://{shown}"


def is_allowed(origin: str | None, host: str | None, allowed: Collection[str]) -> bool:
    """Return True if a page of ``origin`` may open a socket. ``origin``, ``host``: the headers of the handshake.

    ``allowed``: origins from ``parse_origin``, or ``{"*"}`` for all. Pages of this server's own host and port are
    always allowed. The scheme is not compared there: behind a proxy that ends TLS the server sees another one.
    """
    if origin is None or ANY in allowed:
        return True
    try:
        canonical = parse_origin(origin)
    except InvalidRequest:
        return False
    return canonical in allowed or (host is not None and _is_same_host(canonical, host))


def _is_same_host(origin: str, host: str) -> bool:
    scheme = origin.partition(":")[0]
    try:
        return parse_origin(f"{scheme}://{host}") == origin
    except InvalidRequest:
        return False


def _is_plain(host: str) -> bool:
    """Return True if ``host`` has only characters of names and addresses, in ASCII, and no dot at the end."""
    return host.isascii() and not host.endswith(".") and all(c.isalnum() or c in ".-_:" for c in host)
