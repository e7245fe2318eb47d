"""One Yjs update and one Yjs document: read, assessed, applied, encoded. The only package that imports pycrdt.

``update`` is the guard: it reads client bytes completely before the engine sees them. ``document`` wraps the engine;
begin there. The other modules each answer one question about an update or a document.
"""
