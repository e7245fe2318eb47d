"""The wire: bytes ↔ messages, and nothing else: no await, no clock, no log.

Start with ``messages``, the closed union of everything that can be said about a document. The two dialects
(``ywebsocket`` and ``hocuspocus``, both with ``sync``) frame those messages, and ``varint`` reads and writes lib0's
encodings. ``awareness`` is the payload of awareness messages, ``json_text`` checks the JSON in every payload, and
``limits`` says how much of everything a client may send, and why.

``rows`` and ``presence`` are our own formats, which replicas write for each other. Yjs updates and state vectors are
read in ``collab.crdt``. The specification in prose is ``docs/protocol.md``.
"""
