"""axe-core in a page: what in it keeps people from using it, and which targets are too small for a finger."""

from pathlib import Path

from playwright.async_api import Page

from tests.services.node import ensure_packages

TARGET_PX_MIN = 44

_FOLDER = Path(__file__).parent

_SMALL = """
least => {
    const small = [];
    const look = root => {
        for (const element of root.querySelectorAll('*')) {
            if (element.shadowRoot) look(element.shadowRoot);
            if (!element.matches('button, input, select, [role=menuitem], a.button, a.back')) continue;
            const { width, height } = element.getBoundingClientRect();
            const isSeen = width > 0 && element.checkVisibility({ visibilityProperty: true });
            if (isSeen && Math.min(width, height) < least - 0.5) {
                small.push(`${element.ariaLabel ?? element.textContent.trim()}: ${width} x ${height}`);
            }
        }
    };
    look(document);
    return small;
}
"""


async def violations(page: Page) -> list[str]:
    """Return every rule of WCAG 2.2 AA or of good practice that the page breaks, with the elements that break it."""
    source = (ensure_packages(_FOLDER) / "axe-core" / "axe.min.js").read_text()
    await page.evaluate(source)
    found = await page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{each['id']}: {', '.join(node['html'][:120] for node in each['nodes'][:5])}" for each in found["violations"]
    ]


async def small_targets(page: Page) -> list[str]:
    """Return the buttons and fields that are smaller than a finger."""
    found: list[str] = await page.evaluate(_SMALL, TARGET_PX_MIN)
    return found


async def is_too_wide(page: Page) -> bool:
    """Return True if the page scrolls sideways."""
    return bool(await page.evaluate("document.documentElement.scrollWidth > innerWidth"))
