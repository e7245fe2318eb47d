"""docs/embedding.md lists what the element has: attributes, properties, methods, events, parts, slots and styles."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "embedding.md").read_text()
ELEMENT = (ROOT / "web" / "src" / "collab-editor.ts").read_text()
STYLES = "".join(path.read_text() for path in sorted((ROOT / "web" / "src").glob("*.css")))


def section(title: str) -> str:
    found = re.search(rf"^### {title}\n(.*?)(?=^##)", GUIDE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def between(begin: str, end: str) -> str:
    return ELEMENT.split(begin, 1)[1].split(end, 1)[0]


def listed(title: str, column: int = 0) -> set[str]:
    """Return the quoted names in a column of the table in a section."""
    rows = [line.strip("| ").split(" | ") for line in section(title).splitlines() if line.startswith("| ")]
    cells = [row[column] for row in rows[1:]]
    return {cell.strip("`") for cell in cells if cell.startswith("`")}


def declared() -> dict[str, str]:
    """Return the element's public reactive properties, each with its attribute."""
    found = re.findall(r"^    (\w+): \{(.*)\},$", between("static override properties = {", "};"), re.MULTILINE)
    assert found
    public = {name: options for name, options in found if "state: true" not in options}
    attribute = {name: re.search(r"attribute: '([\w-]+)'", options) for name, options in public.items()}
    return {name: named[1] if named else name for name, named in attribute.items()}


def methods() -> set[str]:
    """Return the names in the section of the element's methods."""
    part = between("--- the methods of the element", "// --- opening and closing")
    return set(re.findall(r"^  (?:override |async )*(?!get )(\w+)\(", part, re.MULTILINE))


def getters() -> set[str]:
    part = between("--- the methods of the element", "// --- opening and closing")
    return set(re.findall(r"^  get (\w+)\(", part, re.MULTILINE))


def test_attributes_are_those_of_the_element() -> None:
    assert listed("Attributes and properties") == set(declared().values())


def test_properties_are_those_of_the_element() -> None:
    assert listed("Attributes and properties", 1) == declared().keys() | getters()


def test_methods_are_those_of_the_element() -> None:
    assert {name.removesuffix("()") for name in listed("Methods")} == methods()


def test_events_are_those_of_the_element() -> None:
    events = set(re.findall(r"^  '(collab-[\w-]+)':", between("interface CollabEventDetails {", "\n}"), re.MULTILINE))
    assert listed("Events") == events


def test_details_of_events_are_those_of_the_element() -> None:
    details = re.findall(
        r"^  '(collab-[\w-]+)': \{ (.*) \};", between("interface CollabEventDetails {", "\n}"), re.MULTILINE
    )
    rows = {line.split("`")[1]: line for line in section("Events").splitlines() if line.startswith("| `")}
    for event, fields in details:
        assert {f"`{field}`" for field in re.findall(r"(\w+):", fields)} <= set(re.findall(r"`\w+`", rows[event])), (
            event
        )


def test_parts_and_slots_are_those_of_the_element() -> None:
    said = section("Parts, slots and styles")
    assert set(re.findall(r"::part\((\w+)\)", said)) == set(re.findall(r'part="(\w+)"', ELEMENT))
    slots = set(re.findall(r'<slot name="([\w-]+)"', ELEMENT)) - {"content"}  # where the element puts the text itself
    (sentence,) = re.findall(r"Elements of\s+yours go into the slots (.*?)\.", said, re.DOTALL)
    assert set(re.findall(r"`([\w-]+)`", sentence)) == slots


def test_custom_properties_are_those_of_the_styles() -> None:
    assert listed("Parts, slots and styles") == set(re.findall(r"var\(\s*(--collab-[\w-]+)", STYLES))
