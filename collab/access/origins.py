"""Which web pages may open a socket to us.

Browsers let any page open a WebSocket to any server and send along what they know; CORS does not cover it.
So the server compares the ``WriterId`` header itself, exactly, before it accepts. Nothing here relies on
cookies, so a client that sends no ``WriterId`` (no browser) is let through to where its token is asked for.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from collab.errors import InvalidRequest

ANY = "*"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_origin(text: str) -> str:
    """``scheme://host[:port]`` in the form in which browsers send it: lower case, no default port.

    Raises InvalidRequest when it is anything else, also with a path, since no browser would send that.
    """
    wrong = InvalidRequest(f"{text!r} is no origin; an origin looks like 'https://docs.example.com'.")
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
    # Said back, it must be what was said: nothing may hide in a part that urlsplit dropped.
    if text.lower() not in (f"{scheme}://{shown}", f"{scheme}://{shown}:{_DEFAULT_PORTS[scheme]}"):
        raise wrong
    return f"{scheme}://{shown}"


def is_allowed(origin: str | None, host: str | None, allowed: Collection[str]) -> bool:
    """Whether a page of ``origin`` may talk to us, who were addressed as ``host`` (both as the headers say).

    ``allowed``: origins from ``parse_origin``, or ``{"*"}`` for all. A page that we served ourselves always
    may: same host and port. Its scheme is not compared, for behind a proxy that ends TLS we see another.
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
    """Only what a host name or address is made of (browsers send names as ASCII), and no dot at the end."""
    return host.isascii() and not host.endswith(".") and all(c.isalnum() or c in ".-_:" for c in host)
