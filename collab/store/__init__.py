"""The durable side: the log of updates, the snapshots, the catalogue of documents.

Begin at ``base``: the ``Store`` protocol and its contract. ``sql`` keeps it in Postgres or SQLite,
``memory`` in dictionaries; ``tests/store/contract.py`` is what both must pass. Only this package knows SQL.
"""
