"""The running server: tasks, their owners and their ends.

``server.Server`` owns everything and stops it in stages: hear nobody any more → flush the log → end the sessions →
stop the tasks (``tasks``) → close relay and store. ``connection`` is one socket, on which ``ywebsocket`` or
``hocuspocus`` is spoken, the latter with a ``channel`` for each document; ``rooms`` maps names to hosts, ``host`` runs
one room and performs its effects, ``log_writer`` commits what queued, ``compactor`` writes snapshots.
"""
