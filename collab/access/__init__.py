"""Permissions. Pure: the time comes in as an argument.

``tokens`` turns a JWT into a ``Principal``, and ``token_cache`` remembers which; ``keys`` reads the public keys that
tokens are signed with; ``grants`` says which documents a grant is for; ``roles`` says what each role allows; ``policy``
decides, on every message and every request. ``origins`` decides which web pages may open a socket.
"""
