"""The database: the log of updates, the snapshots and the catalogue of documents. Only this package knows SQL.

Begin at ``base``, the ``Store`` protocol and its contract; ``tests/store/contract.py`` checks every implementation
against it. ``memory`` keeps everything in dictionaries. ``sql`` keeps it in Postgres or SQLite: ``append_postgres`` is
its heart (``append_sqlite`` for the small), ``log``, ``snapshots`` and ``catalog`` hold the other statements. They run
on the connections of ``engine`` and ``log_connection``; ``transient`` says which of their errors pass. ``schema``
declares the tables, ``migrate`` creates and upgrades them.
"""
