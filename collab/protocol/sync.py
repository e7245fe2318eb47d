"""The sync messages, which have the same bytes in both dialects behind each dialect's own head.

Layout (integers are varUints): ``sub-type payload`` with sub-type 0 SyncStep1, 1 SyncStep2, 2 Update, and the
payload as length-prefixed bytes. Source: y-protocols 1.0 ``sync.js``.
"""

from typing import TypeAlias

from collab.errors import ProtocolError
from collab.protocol.messages import SyncStep1, SyncStep2, Update
from collab.protocol.varint import Reader, Writer

Sync: TypeAlias = SyncStep1 | SyncStep2 | Update

_STEP_1, _STEP_2, _UPDATE = 0, 1, 2


def read_sync(reader: Reader) -> Sync:
    """Read the message that follows the type. Raises ProtocolError if there is none."""
    sub_type, payload = reader.var_uint(), reader.var_bytes()
    match sub_type:
        case 0:
            return SyncStep1(payload)
        case 1:
            return SyncStep2(payload)
        case 2:
            return Update(payload)
    raise ProtocolError("The sync message has an unknown type.")


def write_sync(writer: Writer, message: Sync) -> None:
    """Write the message that follows the type."""
    match message:
        case Update(payload):
            writer.byte(_UPDATE)
        case SyncStep1(payload):
            writer.byte(_STEP_1)
        case SyncStep2(payload):
            writer.byte(_STEP_2)
    writer.var_bytes(payload)
