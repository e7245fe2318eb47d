"""A document as people read it. Pure.

``room.document`` hands out the plain shape of a document; the modules here turn it into text (and later
Markdown, HTML and ProseMirror JSON).
"""
