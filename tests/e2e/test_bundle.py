"""The committed bundle in a real browser, without a server."""

from pathlib import Path

from playwright.async_api import Browser, Page, Route

STATIC = Path(__file__).parents[2] / "collab" / "api" / "static"
ORIGIN = "http://collab.test"
POLICY = (
    "default-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'self'; style-src 'self'; style-src-attr 'unsafe-inline'"
)
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


async def open_page(browser: Browser, path: str) -> tuple[Page, list[str]]:
    """Open ``path`` on a site that serves only the bundle. Return the page and the errors that the browser reports."""
    page = await (await browser.new_context()).new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    await page.route("**/*", serve)
    await page.goto(ORIGIN + path)
    return page, errors


async def serve(route: Route) -> None:
    path = route.request.url.removeprefix(ORIGIN)
    name = "index.html" if path == "/" else "editor.html" if path.startswith("/d/") else path.removeprefix("/")
    file = STATIC / name
    if file.suffix not in TYPES:  # a question to the server
        await route.fulfill(json={})
        return
    headers = {"content-security-policy": POLICY, "content-type": TYPES[file.suffix]}
    await route.fulfill(body=file.read_bytes(), headers=headers)


async def test_person_without_a_token_is_told_how_to_sign_in(browser: Browser) -> None:
    for path in ("/", "/d/notes/42"):
        page, errors = await open_page(browser, path)
        await page.get_by_role("heading", name="Sign in").wait_for()
        assert errors == []


async def test_embeddable_file_defines_the_element(browser: Browser) -> None:
    page, errors = await open_page(browser, "/")
    defined = await page.evaluate("import('/collab-editor.js').then(() => !!customElements.get('collab-editor'))")
    assert defined
    assert errors == []


async def test_element_follows_the_colour_scheme_of_the_page(browser: Browser) -> None:
    page, _ = await open_page(browser, "/")
    await page.emulate_media(color_scheme="dark")
    await page.evaluate("import('/collab-editor.js')")

    async def ground(page_is: str) -> str:
        return str(
            await page.evaluate(
                """scheme => {
                    document.documentElement.style.colorScheme = scheme;
                    const editor = document.body.appendChild(document.createElement('collab-editor'));
                    return getComputedStyle(editor).backgroundColor;
                }""",
                page_is,
            )
        )

    assert await ground("light") == "rgb(255, 255, 255)"
    assert await ground("dark") == "rgb(23, 25, 29)"
