"""Who may what. Pure: the time comes in as an argument.

``tokens`` turns a JWT into a ``Principal``; ``grants`` says which documents a grant speaks of; ``roles`` is
the order of roles and what each may do; ``policy.role`` is the one function that decides, on every message
and every request. ``origins`` decides which web pages may open a socket.
"""
