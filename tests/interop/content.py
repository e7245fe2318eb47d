"""The content of a live document of the engine, in the form of ``content.mjs``: equal content has an equal hash.

Yjs alone is not enough: an encoded document has only the neighbours of each struct, and each reader orders the structs
anew. The order that the engine chose is visible only in its live document.
"""

import hashlib
import json
from typing import Any

import pycrdt

ROOTS: dict[str, Any] = {
    "content": pycrdt.Text,
    "default": pycrdt.XmlFragment,
    "list": pycrdt.Array,
    "meta": pycrdt.Map,
}


def hash_of(doc: "pycrdt.Doc[Any]") -> str:
    """Return ``Reading.content`` of a live document."""
    return hashlib.sha256(_json(content_of(doc)).encode()).hexdigest()


def content_of(doc: "pycrdt.Doc[Any]") -> Any:
    """Return the content of a live document as plain JSON, as ``Oracle.show`` does."""
    with doc.transaction():
        return {name: _plain(doc.get(name, type=type_)) for name, type_ in ROOTS.items()}


def _plain(value: Any) -> Any:
    match value:
        case pycrdt.XmlElement():
            view: Any = value.attributes
            attributes = {key: _plain(each) for key, each in view}
            return {"tag": value.tag, "attributes": attributes, "children": [_plain(each) for each in value.children]}
        case pycrdt.XmlFragment():
            return [_plain(each) for each in value.children]
        case pycrdt.XmlText() | pycrdt.Text():
            return {"text": _runs(value.diff())}
        case pycrdt.Map():
            return {"map": {key: _plain(each) for key, each in value.items()}}
        case pycrdt.Array():
            return [_plain(each) for each in value]
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case float() if value.is_integer():
            return int(value)
    return value


def _runs(diff: list[tuple[Any, dict[str, Any] | None]]) -> list[list[Any]]:
    """Return a diff as JSON, with adjacent runs of equal attributes joined."""
    merged: list[list[Any]] = []
    for insert, attributes in diff:
        marks = {key: _plain(each) for key, each in (attributes or {}).items() if each is not None}
        if (
            isinstance(insert, str)
            and merged
            and isinstance(merged[-1][0], str)
            and _json(merged[-1][1]) == _json(marks)
        ):
            merged[-1][0] += insert
        else:
            merged.append([_plain(insert), marks])
    return merged


def _json(value: object) -> str:
    """Return JSON as JSON.stringify writes it, with sorted keys."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
