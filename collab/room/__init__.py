"""One document in memory. It decides; it never acts.

``room.Room`` is told what happened (``events``) and returns what should be done, in order (``effects``). No await, no
clock, no log, so a whole deployment can run in one thread with a seed for its schedule (``tests/network.py``).

Start with ``room``. ``updates`` settles what sessions send: ``pending`` keeps the part of an update that is not ready,
``stalled`` remembers what never became ready, ``ownership`` says which user may write under which client id.
``sessions`` are the sessions and everything the room says to them, ``awareness`` their presence. ``uncommitted`` is
what waits for the log, ``log_cursor`` what comes from it, ``compaction`` when a snapshot is worth writing.
"""
