"""What a live document of this server's own library holds, in the form of ``content.mjs``: equal content, equal hash.

It is a second reader beside Yjs', since an encoded document says only what stands beside what, and whoever reads it
decides the order anew. How the library itself has ordered things shows only in its live document.
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
    """``Reading.content`` for a live document."""
    return hashlib.sha256(_json(content_of(doc)).encode()).hexdigest()


def content_of(doc: "pycrdt.Doc[Any]") -> Any:
    """The content of a live document as plain JSON, as ``Oracle.show`` gives it."""
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
    """Neighbouring runs with the same attributes are one."""
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
    """As JSON.stringify writes it, with every key in order."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
