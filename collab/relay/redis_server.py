"""Where a Redis is and how it is greeted. redis-py reads the URL, with its TLS and credentials; we connect."""

import asyncio

from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import RedisError

from collab.errors import InvalidRequest
from collab.relay.resp import RespConnection, command

ANSWER_S = 1.0
"""How long Redis may take to let a connection in."""


class RedisServer:
    """The server at ``url``. Raises InvalidRequest when that is not a Redis URL.

    What the URL says of time limits, retries and the protocol does not count.
    """

    def __init__(self, url: str) -> None:
        try:
            options = ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call]
        except (ValueError, TypeError, RedisError) as error:
            raise InvalidRequest(f"The Redis URL cannot be read: {error}.") from None
        self._options: Connection | UnixDomainSocketConnection = options

    async def connect(self) -> RespConnection:
        """Return a connection on which Redis has answered. Raises OSError when there is none in time."""
        connection = RespConnection()
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._dial(connection)
                await connection.ask(*self._greeting())
        except BaseException as error:
            connection.end(error)
            raise
        return connection

    async def _dial(self, connection: RespConnection) -> None:
        loop, options = asyncio.get_running_loop(), self._options
        if isinstance(options, UnixDomainSocketConnection):
            await loop.create_unix_connection(lambda: connection, options.path)
        else:
            tls = options.ssl_context.get() if isinstance(options, SSLConnection) else None
            await loop.create_connection(lambda: connection, options.host, options.port, ssl=tls)

    def _greeting(self) -> list[bytes]:
        options = self._options
        greeting = []
        if options.password is not None:
            user = [options.username.encode()] if options.username else []
            greeting.append(command(b"AUTH", *user, options.password.encode()))
        if options.client_name:
            greeting.append(command(b"CLIENT", b"SETNAME", options.client_name.encode()))
        if options.db:
            greeting.append(command(b"SELECT", str(options.db).encode()))
        return [*greeting, command(b"PING")]
