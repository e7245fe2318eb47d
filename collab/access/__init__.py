"""Permissions. Pure: the time comes in as an argument.

``tokens`` turns a JWT into a ``Principal``, and ``links`` the secret of a link; ``token_cache`` remembers tokens;
``keys`` reads the public keys that tokens are signed with; ``grants`` says which documents a grant is for; ``roles``
says what each role allows; ``sharing`` has the members and links of a document; ``policy`` decides, on every message
and every request. ``origins`` decides which web pages may open a socket.
"""
