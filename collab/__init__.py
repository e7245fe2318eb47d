"""collab: collaborative document editing, where "Saved" means committed.

``docs/ARCHITECTURE.md`` is the map. The packages, in the order of their imports:
``errors, ids`` ← ``protocol, observe`` ← ``room, access, store, relay`` ← ``serve, client,
settings`` ← ``api`` ← ``cli``. Nothing is re-exported: an import names the file it means.
"""

__version__ = "0.1.0"
