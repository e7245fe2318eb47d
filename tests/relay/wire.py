"""A connection for tests of its users: it records what they write, and says what a test wants."""

from collab.relay.resp import Reply, RespConnection


class Wire(RespConnection):
    """A connection that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def say(self, reply: Reply) -> None:
        self.on_reply(reply)
