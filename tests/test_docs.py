"""The documents describe the code as it is: names that exist, and the layers and states that the code declares."""

import ast
import builtins
import keyword
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from enum import Enum
from functools import cache
from pathlib import Path

import pytest

from collab.room import session
from collab.serve import connection, room_entry
from collab.serve.document_session import DocumentState

ROOT = Path(__file__).parents[1]
ARCHITECTURE = ROOT / "docs" / "ARCHITECTURE.md"
OF_CODE = [ARCHITECTURE, ROOT / "docs" / "glossary.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
DOCUMENTS = sorted({*OF_CODE, *ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "web" / "README.md"})

BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
PACKAGES = {path.parent.name for path in (ROOT / "collab").glob("*/__init__.py")}
FOLDERS = PACKAGES | {"alembic", "bench", "collab", "deploy", "docs", "tests", "web"}
FILE = re.compile(rf"(?<![\w/.-])((?:{'|'.join(sorted(FOLDERS))})/[\w./-]*\w)")
DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
LIKE_CODE = re.compile(r"\b(?:\w+(?:_\w+)+|[A-Z][a-z]+[A-Z]\w*|[A-Za-z]\w*\.[a-z_]\w+)\b")
"""In a picture, where English and names are mixed: what can only be a name."""

FOREIGN = {"send_bytes", "TestClient"}
"""Names of other projects' code."""


def quotations(document: Path) -> Iterator[str]:
    """Yield what a document quotes as code, and in its pictures what can only be a name."""
    text = document.read_text()
    for block in BLOCK.findall(text):
        yield from LIKE_CODE.findall(FILE.sub("", block))
    yield from SPAN.findall(BLOCK.sub("", text))


def exists(path: str) -> bool:
    """Return True if there is such a file, folder or module; ``crdt/guard`` is short for ``collab/crdt/guard.py``."""
    candidates = (base / f"{path}{suffix}" for base in (ROOT, ROOT / "collab") for suffix in ("", ".py"))
    return any(candidate.exists() for candidate in candidates)


@cache
def sources() -> tuple[ast.Module, ...]:
    paths = [path for top in ("collab", "tests", "bench") for path in (ROOT / top).rglob("*.py")]
    return tuple(ast.parse(path.read_text()) for path in paths if "node_modules" not in path.parts)


@cache
def identifiers() -> frozenset[str]:
    """Return every name that the code defines or uses, and those of Python."""
    found = {*dir(builtins), *keyword.kwlist, *FOREIGN}
    for tree in sources():
        for node in ast.walk(tree):
            match node:
                case ast.Name(name) | ast.Attribute(attr=name) | ast.arg(name) | ast.alias(name):
                    found.update(name.split("."))
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    found.add(name)
                case ast.keyword(str(name)):
                    found.add(name)
                case _:
                    pass
    return frozenset(found)


@cache
def members() -> dict[str, set[str]]:
    """Return the members of every class of ours: what its body declares and what its methods set on ``self``."""
    found: dict[str, set[str]] = defaultdict(set)
    for tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                own = found[node.name]
                for each in ast.walk(node):
                    match each:
                        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.Name(name, ast.Store()):
                            own.add(name)
                        case ast.Attribute(ast.Name("self"), name):
                            own.add(name)
                        case _:
                            pass
    return found


def missing(quoted: str) -> list[str]:
    """Return the paths and names in a quotation that do not exist."""
    if quoted.startswith(("/", "make ")) or exists(quoted):  # an address, a command, a file
        return []
    wrong = [path for path in FILE.findall(quoted) if not exists(path)]
    for name in DOTTED.findall(FILE.sub("", quoted)):
        owner, *rest = name.split(".")
        is_member = not rest or owner not in members() or rest[0] in members()[owner]
        if not (is_member and identifiers() >= {owner, *rest}):
            wrong.append(name)
    return wrong


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", OF_CODE, ids=name_of)
def test_names_in_documents_exist(document: Path) -> None:
    assert [wrong for quoted in quotations(document) for wrong in missing(quoted)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_files_in_documents_exist(document: Path) -> None:
    assert [path for path in FILE.findall(document.read_text()) if not exists(path)] == []


@pytest.mark.parametrize("name", ["room/gone", "Room.gone", "gone_and_forgotten", "tests/room/test_gone.py"])
def test_name_that_does_not_exist_is_found(name: str) -> None:
    assert missing(name) == [name]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_in_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_contributors_are_told_of_every_folder_of_tests() -> None:
    folders = {f"tests/{path.parent.name}" for path in (ROOT / "tests").glob("*/*") if path.is_file()}
    assert {folder for folder in folders if f"`{folder}" not in (ROOT / "CONTRIBUTING.md").read_text()} == set()


# --- the pictures of the architecture ------------------------------------------------------------------


def arrows(first: Enum) -> set[tuple[str, str]]:
    """Return the arrows of the diagram in which this state stands, without those to itself."""
    (diagram,) = (block for block in BLOCK.findall(ARCHITECTURE.read_text()) if f"[*] --> {first.name}" in block)
    drawn = re.findall(r"^ +(\S+) --> (\S+)", diagram, re.MULTILINE)
    return {(before, after) for before, after in drawn if before != after}


@pytest.mark.parametrize(
    "table",
    [connection.TRANSITIONS, session.TRANSITIONS, room_entry.TRANSITIONS],
    ids=["connection", "session", "room"],
)
def test_diagram_shows_the_transitions_of_the_table(table: dict[Enum, frozenset[Enum]]) -> None:
    drawn = {arrow for arrow in arrows(next(iter(table))) if "[*]" not in arrow}
    assert drawn == {(before.name, after.name) for before in table for after in table[before] if before != after}


def test_diagram_shows_every_state_of_a_document() -> None:
    shown = {state for arrow in arrows(DocumentState.AWAITING_TOKEN) for state in arrow}
    assert {state for state in shown if state.isupper()} == {state.name for state in DocumentState}


def test_layers_are_those_of_the_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    (block,) = (block for block in BLOCK.findall(ARCHITECTURE.read_text()) if block.startswith(layers[0]))
    assert [re.split(r"  +", line)[0].strip() for line in block.splitlines()] == layers
