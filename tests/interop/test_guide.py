"""The lines of docs/embedding.md that connect an editor work in JavaScript as they stand."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.deployment import ServerProcess, token
from tests.services.node import ensure_interop_packages, node_command

pytestmark = pytest.mark.node

GUIDE = Path(__file__).parents[2] / "docs" / "embedding.md"
PROGRAM = """
import * as Y from 'yjs'
import { WebsocketProvider } from 'y-websocket'
import { HocuspocusProvider } from '@hocuspocus/provider'
const ydoc = new Y.Doc()
const token = '%s'
%s
await new Promise(resolve => { provider.on('sync', resolve); provider.on('synced', resolve) })
console.log('synced')
process.exit()
"""


@pytest.mark.parametrize("provider", ["WebsocketProvider", "HocuspocusProvider"])
async def test_provider_of_the_documents_connects(server: ServerProcess, provider: str) -> None:
    (snippet,) = re.findall(rf"^const provider = new {provider}\(.*;$", GUIDE.read_text(), re.MULTILINE)
    snippet = snippet.replace("wss://docs.example.com", f"ws://127.0.0.1:{server.port}")
    process = await asyncio.create_subprocess_exec(
        *(*node_command(), "--input-type=module", "-e", PROGRAM % (token("ada"), snippet)),
        cwd=ensure_interop_packages().parent,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    assert said.decode().strip() == "synced"
