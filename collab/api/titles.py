"""Writes a title over REST: as an edit of the document, where the title lives, and at once into the catalogue."""

from collab.access.tokens import Principal
from collab.crdt.stored import load_in_steps
from collab.crdt.title import one_line
from collab.ids import DocumentName
from collab.serve.rest_writer import write_update
from collab.serve.server import Server
from collab.serve.stepwise import take_steps
from collab.store.base import DocumentInfo


async def write_title(server: Server, principal: Principal, name: DocumentName, title: str) -> DocumentInfo:
    """Give the document this title, and return its entry once that is committed.

    Raises DocumentNotFound, DocumentDeleted, and what ``write_update`` raises.
    """
    await server.store.find(name)
    stored = await server.store.load(name)
    snapshot = None if stored.snapshot is None else stored.snapshot.state
    document = await take_steps(load_in_steps(snapshot, stored.tail))
    if document.title() != one_line(title):
        await write_update(server.parts, name, principal, document.retitled(title))
        await server.store.set_titles({name: one_line(title)})
    return await server.store.find(name)
