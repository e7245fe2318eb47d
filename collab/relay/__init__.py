"""Frames from one replica to the others. They are only hints: losing one costs time, never an edit.

Begin at ``base``, the ``Relay`` protocol and its contract; ``tests/relay/contract.py`` checks both implementations,
``memory`` and ``redis``. ``envelope`` is the form in which frames travel. ``redis`` makes one ``link`` after another; a
link has a ``subscriber`` and a ``publisher``, each on a connection that speaks ``resp`` to the ``redis_server``;
``neighbours`` are the other replicas. Only this package knows Redis.
"""
