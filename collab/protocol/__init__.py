"""Bytes ↔ values, and nothing else: no await, no clock, no log.

Begin at ``messages``: the closed union of everything that can be said on a document. The two dialects
(``ywebsocket``, ``hocuspocus``) frame those messages; ``varint`` reads and writes lib0; ``update`` is the
guard every update passes before another module sees it; ``awareness`` and ``statevector`` are the other
two payloads; ``rows`` is what one flush of a document looks like in
the log. Specification in prose: ``docs/protocol.md``.
"""
