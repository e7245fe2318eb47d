"""How plain the heart of the server is, in numbers: what an update passes through, and how wide the doors are.

Run from the top of a checkout: ``make house``. It prints one line for each figure, with the figure that is wanted.
``.venv/bin/python -m bench.house --way keystroke`` lists the stays of one update instead, in order.

The way of an update is measured on running code. Updates of several sorts (a keystroke, known text, a gap, a
contradiction, ...) go through a real room until the row for the log is formed, and every Python call on the way is
looked at:

* A *stay* is a call of a function of ``collab`` that is given the update: one of its arguments is a carrier.
* A *carrier* is bytes that hold the payload, or a dataclass, named tuple, list, tuple or deque in which a carrier lies
  at most four steps deep. A part that merely keeps the update (a room, a queue, a document) is none. Constructors that
  ``dataclass`` writes, comprehensions and lambdas are no stays.
* The stays of a keystroke are counted one by one. For *all ways* together each place that calls (file, line, callee)
  is counted once, which is what a reader has to follow.
* *Entered again* counts how often a keystroke comes to a module that it had left already.
* *Returns* are the ``return`` statements that stand in the functions where an update stays, nested functions aside.

All else is read from the source. A *question* is a public method or property of ``Document`` that a module of ``room``
uses; an *interpreter of effects* is a function whose ``match`` has at least two cases of effect classes; a *splat* is
a ``*`` inside a list display; lengths are lines from ``def`` to the end, docstring included.
"""

import argparse
import ast
import statistics
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache, partial
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import collab
from bench.rooms import READER, YjsClient, make_room, next_row, say
from collab.ids import ClientId
from collab.protocol.messages import AwarenessEntry, AwarenessUpdate, SyncStep2, Update
from collab.room.events import Continued

CODE = Path(collab.__file__).parent
TESTS = CODE.parent / "tests"
DEPTH_MAX = 4

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Stay: TypeAlias = tuple[str, int, str, int]
"""File and line of the call; file and first line of the function called."""


def main(arguments: list[str] | None = None) -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.house", description=__doc__.split("\n\n")[0])
    ways = _ways()
    parser.add_argument("--way", choices=ways, help="list the stays of this update")
    if (way := parser.parse_args(arguments).way) is not None:
        _list(_follow(ways[way]))
        return
    lines = [*_update_lines(), *_room_lines(), *_code_lines()]
    width = max(len(what) for what, _, _ in lines)
    print(f"{'':<{width}}  {'today':>9}  wanted")
    for what, today, wanted in lines:
        print(f"{what:<{width}}  {today!s:>9}  {wanted}".rstrip())


# --- the way of an update ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """The updates that make a document, and the messages followed. ``shown`` is what the reader shows beforehand."""

    document: tuple[bytes, ...]
    messages: tuple[Update | SyncStep2, ...]
    shown: AwarenessUpdate | None = None


@dataclass
class Trace:
    """The stays of one update, in order."""

    payload: bytes
    stays: list[Stay] = field(default_factory=list)
    _frames: list[FrameType] = field(default_factory=list)

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Take down a call, as ``sys.setprofile`` reports it."""
        code = frame.f_code
        if event != "call" or code.co_name.startswith("<") or not code.co_filename.startswith(str(CODE)):
            return
        if any(frame is each for each in self._frames):
            return  # a generator goes on
        self._frames.append(frame)
        arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if any(self._carries(frame.f_locals.get(name), DEPTH_MAX) for name in arguments):
            caller = frame.f_back or frame
            self.stays.append((caller.f_code.co_filename, caller.f_lineno, code.co_filename, code.co_firstlineno))

    def _carries(self, value: Any, depth: int) -> bool:
        if isinstance(value, bytes):
            return self.payload in value
        if depth == 0:
            return False
        if isinstance(value, list | tuple | deque):
            return any(self._carries(each, depth - 1) for each in value)
        if is_dataclass(value) and not isinstance(value, type):
            return any(self._carries(getattr(value, each.name, None), depth - 1) for each in fields(value))
        return False

    @property
    def modules(self) -> list[str]:
        """The modules entered, each as often as another one lay between."""
        files = [callee for _, _, callee, _ in self.stays]
        return [file for index, file in enumerate(files) if index == 0 or files[index - 1] != file]


def _update_lines() -> Iterator[tuple[str, object, str]]:
    traces = {name: _follow(way) for name, way in _ways().items()}
    key = traces["keystroke"]
    places = {stay for trace in traces.values() for stay in trace.stays}
    functions = {stay[2:] for stay in places}
    yield "stays of a keystroke", len(key.stays), "<= 25"
    yield "  modules", len(set(key.modules)), ""
    yield "  modules entered again", len(key.modules) - len(set(key.modules)), "0"
    yield f"stays on all {len(traces)} ways (places that call)", len(places), ""
    yield "  functions", len(functions), ""
    yield "  modules", len({file for file, _ in functions}), ""
    yield "  returns in them", sum(_returns(file, line) for file, line in functions), ""


def _ways() -> dict[str, Way]:
    """Return an update of every sort that a room tells apart, by the name of the sort."""
    ada, bob, emoji = YjsClient(7), YjsClient(8), YjsClient(9)
    first = ada.type("Hello ")
    keystroke = ada.type("w")
    second = ada.type("orld", 2)
    bob.hear(first)
    return {
        "keystroke": Way((first,), (Update(keystroke),)),
        "known": Way((first, keystroke), (Update(keystroke),)),
        "known-in-part": Way((first,), (SyncStep2(ada.everything),)),
        "deletion": Way((first, keystroke, second), (Update(ada.delete(0, 3)),)),
        "early": Way((first,), (Update(second), Update(keystroke))),
        "gap": Way((), (Update(WITH_A_GAP), Update(FILLS_IT))),
        "contradiction": Way((first,), (Update(first.replace(b"Hello", b"Jelly")),)),
        "half-a-character": Way((emoji.type("a\U0001f600b"),), (Update(DELETES_HALF),)),
        "of-another": Way((first,), (SyncStep2(bob.type("there")),), shown=_presence(8)),
    }


WITH_A_GAP = bytes.fromhex("01050500040107636f6e74656e7401610a0184050101630a01840503016500")
"""The characters of client 5 at clocks 0, 2 and 4."""

FILLS_IT = bytes.fromhex("01010501840500016200")
"""The character of client 5 at clock 1."""

DELETES_HALF = bytes.fromhex("000109010101")
"""A deletion of clock 1 of client 9 alone: the first half of an emoji."""


def _presence(client: int) -> AwarenessUpdate:
    return AwarenessUpdate((AwarenessEntry(ClientId(client), 1, b"{}"),))


def _follow(way: Way) -> Trace:
    """Say the messages of ``way`` to a room; return every stay until the row of the last is formed."""
    room = make_room(*way.document)
    if way.shown is not None:
        say(room, way.shown, READER)
    stays: list[Stay] = []
    for message in way.messages:
        trace = Trace(message.update)
        sys.setprofile(trace)
        try:
            say(room, message)
            while room.has_work:
                room.step(0.0, Continued())
            next_row(room)
        finally:
            sys.setprofile(None)
        stays += trace.stays
    return Trace(b"", stays)


def _list(trace: Trace) -> None:
    """Print each stay: the module and function that is called, and the line that calls it."""
    for number, (caller, line, callee, first_line) in enumerate(trace.stays, 1):
        function = _function(callee, first_line).name
        module, by = (Path(file).relative_to(CODE.parent) for file in (callee, caller))
        print(f"{number:>3}  {module}:{function}  <- {by}:{line}")


def _returns(file: str, line: int) -> int:
    """Return how many ``return`` statements the function at ``line`` has of its own."""
    return sum(isinstance(node, ast.Return) for node in _own_nodes(_function(file, line)))


def _function(file: str, line: int) -> Function:
    return next(each for each in _functions(Path(file)) if _first_line(each) == line)


def _first_line(function: Function) -> int:
    return min([function.lineno, *(each.lineno for each in function.decorator_list)])


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


# --- the room and what it talks to --------------------------------------------------------------------


def _room_lines() -> Iterator[tuple[str, object, str]]:
    methods, properties = _public(_class("room", "Room"))
    asked = _public(_class("crdt", "Document"))
    used = _attributes_of("document", "room") & {*asked[0], *asked[1]}
    room = list(_modules("room"))
    effects = {node.name for node in ast.walk(_tree(CODE / "room/effects.py")) if isinstance(node, ast.ClassDef)}
    interpreters = [
        function
        for path in (*_python(CODE), *_python(TESTS))
        for function in _functions(path)
        if len(_cases(function) & effects) > 1
    ]
    states = [
        node.name
        for path in (*room, *_modules("serve"))
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ClassDef) and any("Enum" in ast.unparse(base) for base in node.bases)
    ]
    catches = [node for node in _nodes(room, ast.ExceptHandler) if node.type and _named(node.type, "DocumentPoisoned")]
    splats = [each for node in _nodes(room, ast.List) for each in node.elts if isinstance(each, ast.Starred)]
    yield "entrances of Room: methods", len(methods), "1"
    yield "entrances of Room: properties", len(properties), "<= 4"
    yield "kinds of question that room asks Document", len(used), "3"
    yield "places in room that catch DocumentPoisoned", len(catches), "1"
    yield "splatted effect lists in room", len(splats), "0"
    yield "interpreters of effects, tests included", len(interpreters), "1"
    yield "state enums in room and serve", len(states), "3"


def _class(package: str, name: str) -> ast.ClassDef:
    classes: Iterator[ast.ClassDef] = _nodes(_modules(package), ast.ClassDef)
    return next(node for node in classes if node.name == name)


def _public(node: ast.ClassDef) -> tuple[set[str], set[str]]:
    """Return the public methods of a class and its public properties, attributes set in the constructor included."""
    functions = [each for each in node.body if isinstance(each, Function)]
    public = [each for each in functions if not each.name.startswith("_")]
    properties = {each.name for each in public if any(_named(one, "property") for one in each.decorator_list)}
    methods = {each.name for each in public} - properties
    return methods, properties


def _attributes_of(owner: str, package: str) -> set[str]:
    """Return the attributes that modules of ``package`` read of anything whose last name is ``owner``."""
    return {
        node.attr
        for node in _nodes(_modules(package), ast.Attribute)
        if ast.unparse(node.value).rpartition(".")[2].lstrip("_") in (owner, owner.capitalize())
    }


def _cases(function: Function) -> set[str]:
    return {
        ast.unparse(pattern.cls).rpartition(".")[2]
        for node in _own_nodes(function)
        if isinstance(node, ast.Match)
        for case in node.cases
        for pattern in ast.walk(case.pattern)
        if isinstance(pattern, ast.MatchClass)
    }


def _named(node: ast.AST, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(node))


# --- sizes ----------------------------------------------------------------------------------------------


def _code_lines() -> Iterator[tuple[str, object, str]]:
    functions = [(path, each) for path in _python(CODE) for each in _functions(path)]
    lengths = [(each.end_lineno or 0) - each.lineno + 1 for _, each in functions]
    modules = [len(path.read_text().splitlines()) for path in _python(CODE)]
    widest, where = max((_parameters(each), path) for path, each in functions if each.name == "__init__")
    yield f"widest constructor ({where.relative_to(CODE)})", widest, "<= 6"
    yield "function lines: median, p90", f"{_median(lengths)}, {_p90(lengths)}", ""
    yield "module lines: median, p90", f"{_median(modules)}, {_p90(modules)}", ""
    yield "modules, lines in all", f"{len(modules)}, {sum(modules)}", ""


def _parameters(function: Function) -> int:
    arguments = function.args
    return len(arguments.posonlyargs + arguments.args + arguments.kwonlyargs) - 1


_median = partial(statistics.median_low)


def _p90(values: list[int]) -> int:
    return sorted(values)[int(len(values) * 0.9)]


# --- source ---------------------------------------------------------------------------------------------


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _python(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*.py") if "node_modules" not in path.parts)


def _modules(package: str) -> list[Path]:
    return _python(CODE / package)


def _nodes(paths: Iterable[Path], kind: type) -> Iterator[Any]:
    return (node for path in paths for node in ast.walk(_tree(path)) if isinstance(node, kind))


def _functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(_tree(path)) if isinstance(node, Function))


if __name__ == "__main__":
    main()
