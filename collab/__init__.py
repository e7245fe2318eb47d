"""collab: collaborative document editing, where "Saved" means committed.

``docs/ARCHITECTURE.md`` is the map; it shows the layers in which the packages may import each other. Nothing is
re-exported: an import names the file it means.
"""

__version__ = "0.1.0"
