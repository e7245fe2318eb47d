"""A document larger than every queue on its way is opened and edited like any other."""

from pathlib import Path

from tests.deployment import ServerProcess
from tests.socket_client import connect_client


async def test_five_mebibyte_document_is_saved_and_opened_again(tmp_path: Path) -> None:
    server = await ServerProcess(tmp_path).start()
    try:
        async with connect_client(server, "large", "ada") as ada:
            await ada.type("x" * (5 << 20))
            await ada.hear_until(lambda: ada.acknowledged)
            async with connect_client(server, "large", "grace") as grace:
                await grace.type("!")
                await grace.hear_until(lambda: grace.acknowledged)
                assert len(grace.text) == (5 << 20) + 1
    finally:
        server.stop()
