"""The running server: tasks, their owners and their ends.

``server.Server`` owns everything and stops it in stages: stop accepting → close sessions → flush the log →
forget rooms → close relay and store. ``connection`` is one socket, ``rooms`` maps names to hosts, ``host``
runs one room and performs its effects, ``persister`` commits what queued, ``compactor`` writes snapshots.
"""
