"""The document that greets a person who tries collab: it is there when a server without settings starts the first time.

A few lines of a small markup are read here, so that the text below reads as it will look: ``# `` and ``## `` begin
headings, ``- `` items, ``> `` quotes, four spaces code; ``**bold**``, ``*italic*``, ``~~struck~~`` and backquotes mark
words.
"""

import re
from collections.abc import Iterator

from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.crdt.rich_text import Block, Text, rich_text_update
from collab.errors import CollabError
from collab.ids import DocumentName, UserId
from collab.observe.logs import get_logger
from collab.serve.rest_writer import write_update
from collab.serve.server import Server

log = get_logger("welcome")

NAME = DocumentName("welcome")
TITLE = "Welcome to collab"
TEXT = """
This is a document like any other. **Write in it**: nothing here can break, and Ctrl+Z (⌘Z) takes back what you did.

## Write together
- Open the second link that the server printed in another window. You are two people now: you see each other’s carets, and every key as it is typed.
- Click the round badges at the top to see who is here, and to go to where somebody is writing.
- Your undo only takes back what *you* wrote.

## Nothing is lost
The line at the top tells the truth. It says `Saved` once the server has committed what you typed to its database, and never before.
- Try it: stop the server, go on typing, start it again. The line says what is happening, and your text arrives.

## Type to format
Start a line with one of these, or use the buttons above. On a keyboard, Alt+F10 leads to them and Escape leads back.
    #  ##  ###   headings
    -  or  1.    lists
    >            a quote
    ```          code
    ---          a divider
Within a line, two stars, one star, two tildes and backquotes around words turn them into **bold**, *italic*, ~~struck~~ and `code`. Ctrl+K (⌘K) makes a link.
> A quote looks like this.

## Go on
- The title is the large line at the top. It belongs to the document: others see it change as you type.
- The arrow at the top left leads to all documents, where `New document` makes another one. `/new` in the address bar does the same.
- Documents can have folders: one that a program names `notes/42` is in the folder `notes`.
- Programs read and write documents as well. What they can do is described at `/api/v1/docs`.
"""  # noqa: E501 - a paragraph is a line

_BLOCKS = {"# ": "heading1", "## ": "heading2", "- ": "item", "> ": "quote", "    ": "code"}
_MARKED = re.compile(r"\*\*(?P<bold>.+?)\*\*|\*(?P<italic>[^*]+?)\*|~~(?P<strike>.+?)~~|`(?P<code>[^`]+?)`")


async def write_welcome(server: Server) -> None:
    """Write the document, if the store has none at all."""
    author = Principal(UserId("collab"), "collab", None, {"**": Role.OWNER}, expires_at=None)
    try:
        if not await server.store.latest(1):
            await write_update(server.parts, NAME, author, rich_text_update(TITLE, read_blocks(TEXT)))
            await server.store.set_titles({NAME: TITLE})
    except CollabError as error:  # it is a nicety: the server serves without it
        log.warning("welcome_not_written", reason=error.slug)


def read_blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a text in the markup. Neighbouring items and lines of code belong together."""
    lines = [_block_of(line) for line in text.strip("\n").split("\n") if line.strip()]
    at = 0
    while at < len(lines):
        kind = lines[at][0]
        end = at + 1
        while kind in ("item", "code") and end < len(lines) and lines[end][0] == kind:
            end += 1
        yield _made(kind, [content for _, content in lines[at:end]])
        at = end


def _block_of(line: str) -> tuple[str, str]:
    found = next(((start, kind) for start, kind in _BLOCKS.items() if line.startswith(start)), ("", "paragraph"))
    return found[1], line[len(found[0]) :]


def _made(kind: str, contents: list[str]) -> Block:
    match kind:
        case "heading1" | "heading2":
            return Block("heading", tuple(_texts(contents[0])), {"level": int(kind[-1])})
        case "item":
            return Block("bulletList", tuple(Block("listItem", (_paragraph(each),)) for each in contents))
        case "quote":
            return Block("blockquote", (_paragraph(contents[0]),))
        case "code":
            return Block("codeBlock", (Text("\n".join(contents), {}),))
        case _:
            return _paragraph(contents[0])


def _paragraph(content: str) -> Block:
    return Block("paragraph", tuple(_texts(content)))


def _texts(content: str) -> Iterator[Text]:
    at = 0
    for found in _MARKED.finditer(content):
        if found.start() > at:
            yield Text(content[at : found.start()], {})
        mark = found.lastgroup or ""
        yield Text(found[mark], {mark: {}})
        at = found.end()
    if at < len(content):
        yield Text(content[at:], {})
