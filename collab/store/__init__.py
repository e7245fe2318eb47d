"""The durable side: the log of updates, the snapshots, the catalogue of documents.

Begin at ``base``: the ``Store`` protocol and its contract, which ``tests/store/contract.py`` holds every
implementation to. ``memory`` keeps it in dictionaries; ``sql`` in Postgres or SQLite, where ``append`` is the heart,
``log``, ``snapshots`` and ``catalog`` are the other statements, and ``engine`` is what they run on. ``schema`` has the
tables, ``migrate`` makes them. Only this package knows SQL.
"""
