"""Bytes ↔ values, and nothing else: no await, no clock, no log.

Begin at ``messages``: the closed union of everything that can be said on a document. The two dialects
(``ywebsocket``, ``hocuspocus``; both with ``sync``) frame those messages, and ``varint`` reads and writes lib0.

``update`` is the guard every update passes before another module sees it (``scan`` are its small readers), and
``nesting`` and ``splits`` what it takes to judge an update beside a document; ``content`` and ``values`` tell
whether two say the same. ``awareness`` and ``statevector`` are the other two payloads, ``json_text`` the JSON in all
of them, ``limits`` how much of everything and why. ``ranges`` keeps sets of ids; ``rows`` is what one flush of a
document looks like in the log. Specification in prose: ``docs/protocol.md``.
"""
