"""A TCP proxy that can lose an answer: the request arrives, but its client never gets the answer."""

import asyncio
from contextlib import suppress
from typing import Self


class LossyProxy:
    """A proxy to another TCP port of this machine.

    Once a client has sent bytes that contain ``last_words``, its connection stays open but delivers no more answers.
    Later connections work, until they send the same bytes.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self.last_words: bytes | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._link, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection("127.0.0.1", self._target)
        deaf = asyncio.Event()
        async with asyncio.TaskGroup() as both:
            both.create_task(self._ask(reader, questions, deaf))
            both.create_task(self._answer(answers, writer, deaf))

    async def _ask(self, reader: asyncio.StreamReader, questions: asyncio.StreamWriter, deaf: asyncio.Event) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(65536):
                if self.last_words is not None and self.last_words in chunk:
                    deaf.set()
                questions.write(chunk)
                await questions.drain()
        questions.close()

    @staticmethod
    async def _answer(answers: asyncio.StreamReader, writer: asyncio.StreamWriter, deaf: asyncio.Event) -> None:
        with suppress(ConnectionError):
            while chunk := await answers.read(65536):
                if not deaf.is_set():
                    writer.write(chunk)
                    await writer.drain()
        writer.close()
