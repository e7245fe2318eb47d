"""The database: the log of updates, the snapshots and the catalogue of documents. Only this package knows SQL.

Begin at ``base``, the ``Store`` protocol and its contract; ``tests/store/contract.py`` checks every implementation
against it. ``memory`` keeps everything in dictionaries. ``sql`` keeps it in Postgres or SQLite: ``append`` is its
heart, ``log``, ``snapshots`` and ``catalog`` hold the other statements, and ``engine`` the connections that they run
on. ``schema`` declares the tables, ``migrate`` creates and upgrades them.
"""
