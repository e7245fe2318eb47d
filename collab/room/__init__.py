"""One document in memory. It decides; it never acts.

``room.Room`` is told what happened (a session joined, a message came, a row was committed, time passed)
and answers with a list of ``effects``: what should be done, in order. No await, no clock, no log, so a
whole deployment can run in one thread with a seed for its schedule (``tests/network.py``).
Begin at ``room``; ``session`` is one client's standing, ``pending`` holds updates whose predecessors are
missing and ``unfinished`` remembers those that never completed, ``ledger`` is what waits for the log and
``arrivals`` what comes from it, ``ownership`` whose client ids are whose, ``document`` is the only module that
knows pycrdt, ``awareness`` who is here, ``compaction`` when a snapshot is worth writing.
"""
