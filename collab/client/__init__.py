"""The Python client: a user's package. It knows the protocol and no part of the server."""
