"""A minimal WebSocket client for cases that no library allows. It answers nothing by itself, not even a ping."""

import asyncio
import base64
import os
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


@dataclass(frozen=True, slots=True)
class RawFrame:
    """One WebSocket frame of the server."""

    opcode: int
    payload: bytes

    @property
    def close_code(self) -> int:
        assert self.opcode == CLOSE
        return int.from_bytes(self.payload[:2]) if self.payload else 1005


class RawSocket:
    """One TCP connection to a server on this machine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.pause_s = 0.0
        """Seconds to wait after each 64 KiB of a frame, as on a slow network."""

    @classmethod
    async def connect(cls, port: int, *, buffer_bytes: int | None = None) -> Self:
        """Connect without sending a byte. ``buffer_bytes`` is the size of the kernel's receive buffer."""
        plain = socket.socket()
        plain.setblocking(False)
        if buffer_bytes is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port))
        return cls(*await asyncio.open_connection(sock=plain, limit=1 << 16))

    @classmethod
    async def open(cls, port: int, target: str, *, buffer_bytes: int | None = None) -> Self:
        """Connect, and do the WebSocket handshake."""
        raw = await cls.connect(port, buffer_bytes=buffer_bytes)
        key = base64.b64encode(os.urandom(16)).decode()
        raw.write(
            f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = await raw._reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in head.splitlines()[0], head
        return raw

    def write(self, data: bytes) -> None:
        """Send bytes unchanged."""
        self._writer.write(data)

    async def drain(self) -> None:
        """Wait until the write buffer is almost empty."""
        await self._writer.drain()

    def send(self, opcode: int, payload: bytes, *, masked: bool = True, is_last: bool = True) -> None:
        """Send one frame, masked with zeros, because a client must mask. ``is_last``: it ends its message."""
        mask, size = 0x80 if masked else 0, len(payload)
        length = bytes([mask | size]) if size < 126 else bytes([mask | 127]) + struct.pack("!Q", size)
        self._writer.write(
            bytes([opcode | (0x80 if is_last else 0)]) + length + (b"\0\0\0\0" if masked else b"") + payload
        )

    async def read(self) -> RawFrame:
        """Return the next frame. Raises IncompleteReadError or ConnectionResetError at the end of the connection."""
        first, size = await self._reader.readexactly(2)
        if size == 126:
            (size,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
        return RawFrame(first & 0x0F, b"".join([piece async for piece in self._pieces(size)]))

    async def _pieces(self, size: int) -> AsyncIterator[bytes]:
        while size:
            piece = await self._reader.readexactly(min(size, 64 << 10))
            size -= len(piece)
            yield piece
            if self.pause_s:
                await asyncio.sleep(self.pause_s)

    async def read_some(self, size: int) -> bytes:
        """Return at most ``size`` of the bytes that have arrived; none at the end of the connection."""
        return await self._reader.read(size)

    async def read_to_the_end(self) -> int:
        """Ignore all frames until the connection ends. Return the code of the close frame, or 1006 without one."""
        try:
            while (frame := await self.read()).opcode != CLOSE:
                pass
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return 1006
        return frame.close_code

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close(self) -> None:
        """Close the TCP connection without a close frame."""
        self._writer.close()
