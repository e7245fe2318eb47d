"""Pages that may open a socket: exactly those that are listed, and none that look like them."""

import pytest

from collab.access.origins import is_allowed, parse_origin
from collab.errors import InvalidRequest

ALLOWED = ("https://docs.example.com", "http://localhost:3000")
HOST = "collab.example.com"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("https://docs.example.com", "https://docs.example.com"),
        ("HTTPS://Docs.Example.COM", "https://docs.example.com"),
        ("https://docs.example.com:443", "https://docs.example.com"),
        ("http://docs.example.com:80", "http://docs.example.com"),
        ("http://docs.example.com:443", "http://docs.example.com:443"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_origin_is_kept_in_the_form_in_which_browsers_send_it(text: str, canonical: str) -> None:
    assert parse_origin(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "null",
        "docs.example.com",
        "//docs.example.com",
        "ftp://docs.example.com",
        "ws://docs.example.com",
        "https://",
        "https://:443",
        "https://docs.example.com/",
        "https://docs.example.com/x",
        "https://docs.example.com?x",
        "https://docs.example.com#x",
        "https://docs.example.com:",
        "https://docs.example.com:0x1bb",
        "https://docs.example.com:99999",
        "https://user@docs.example.com",
        "https://user:pw@docs.example.com",
        "https://docs.example.com.",
        "https://docs.example.com`",
        "https://bücher.example",
        "https://*.example.com",
        "https://docs.example.com https://evil.example",
        "https://docs.example.com,https://evil.example",
        "https://docs.example.com\n",
        "\thttps://docs.example.com",
        "https://docs.exa\nmple.com",
        "https://[::1",
        "https:\\\\docs.example.com",
    ],
)
def test_text_that_is_not_an_origin_is_refused_and_never_allowed(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"https://docs\.example\.com"):
        parse_origin(text)
    assert not is_allowed(text, HOST, ALLOWED)


@pytest.mark.parametrize(
    "origin",
    [
        "https://docs.example.com.evil.example",
        "https://evil.example/docs.example.com",
        "https://evildocs.example.com",
        "https://docs.example.co",
        "https://example.com",
        "https://sub.docs.example.com",
        "http://docs.example.com",
        "https://docs.example.com:8443",
        "http://localhost",
        "http://localhost:3001",
        "http://127.0.0.1:3000",
        "https://collab.example.com.evil.example",
        "https://collab.example.com:8443",
        "https://xcollab.example.com",
        "null",
    ],
)
def test_origin_that_only_looks_like_an_allowed_one_is_refused(origin: str) -> None:
    assert not is_allowed(origin, HOST, ALLOWED)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://docs.example.com", HOST),
        ("http://localhost:3000", HOST),
        ("HTTPS://DOCS.EXAMPLE.COM", HOST),
        # What we served ourselves, behind a proxy or not.
        ("https://collab.example.com", HOST),
        ("http://collab.example.com", HOST),
        ("https://collab.example.com", "Collab.Example.com:443"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        # No browser.
        (None, HOST),
        (None, None),
    ],
)
def test_listed_pages_and_those_of_the_server_are_allowed(origin: str | None, host: str | None) -> None:
    assert is_allowed(origin, host, ALLOWED)


@pytest.mark.parametrize("host", [None, "", "`", "evil.example/collab.example.com", "docs.example.com, x"])
def test_strange_host_header_allows_no_page(host: str | None) -> None:
    assert not is_allowed("https://collab.example.com", host, ALLOWED)
    assert not is_allowed("https://x", host, ())


def test_star_allows_every_page() -> None:
    assert is_allowed("https://evil.example", HOST, ("*",))
    assert is_allowed("null", HOST, ("*",))
