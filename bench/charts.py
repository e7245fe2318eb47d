"""Bar charts as SVG, readable on a light and on a dark page."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABEL, VALUE, BAR, GAP, GROUP_GAP, TOP = 720, 190, 70, 18, 4, 22, 44

_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}.group{font-weight:600}"
    ".bar{fill:#8c959f}.us{fill:#0969da}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.bar{fill:#6e7681}.us{fill:#4493f8}}"
)


@dataclass(frozen=True)
class Bar:
    """One server's figure."""

    label: str
    value: float
    text: str
    is_us: bool


def bar_chart(title: str, groups: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """Return a chart with one group of bars a scenario. Each group has a scale of its own: compare within it."""
    parts, y = [_text(0, 20, title, "title")], TOP
    for name, bars in groups:
        parts.append(_text(0, y + 13, name, "group"))
        y += BAR + GAP
        most = max(bar.value for bar in bars)
        for bar in bars:
            parts += _bar(bar, y, most)
            y += BAR + GAP
        y += GROUP_GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{escape(title)}">'
    return "\n".join((head, f"<style>{_STYLE}</style>", *parts, "</svg>", ""))


def _bar(bar: Bar, y: int, most: float) -> list[str]:
    width = max(1.0, (WIDTH - LABEL - VALUE) * bar.value / most)
    kind = "bar us" if bar.is_us else "bar"
    return [
        _text(12, y + 14, bar.label),
        f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>',
        _text(LABEL + width + 6, y + 14, bar.text),
    ]


def _text(x: float, y: float, content: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f'<text{attribute} x="{x:.1f}" y="{y}">{escape(content)}</text>'
