"""One Yjs update and one Yjs document: read, assessed, applied, encoded. The only package that imports pycrdt.

Start with ``document``, which wraps the engine. ``guard`` reads client bytes completely before the engine sees them,
with the small readers in ``scan``; ``update`` holds the description that it returns, and ``encoding`` writes updates.
The other modules each answer one question about an update or a document.
"""
