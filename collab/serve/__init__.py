"""The running server: tasks, their owners and their ends.

``server.Server`` owns everything and stops it in stages: hear no more messages → flush the log → end the sessions →
stop the tasks (``tasks``) → close relay and store.

``connection`` is one socket. ``ywebsocket`` or ``hocuspocus`` is spoken on it, the latter with a
``hocuspocus_document`` for each document, whose decisions ``document_session`` makes. Every session passes its messages
to a room through ``live_session``. ``rooms`` loads and forgets rooms, ``host`` runs one and performs its effects,
``log_writer`` commits what is queued, ``log_sync`` reads what the relay lost, and ``compactor`` writes snapshots.
"""
