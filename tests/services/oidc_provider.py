"""A real OpenID provider for the tests: the npm package ``oidc-provider``, on this machine alone."""

import subprocess
from pathlib import Path
from typing import Self

from tests.services.node import ensure_packages, node_command
from tests.services.private import free_port

_FOLDER = Path(__file__).parent / "oidc"


class OidcProviderProcess:
    """A provider that knows one client, the server under test. It may be stopped and started again."""

    client_id = "collab"
    client_secret = "a secret: with %"  # what has to be encoded in the header

    def __init__(self, client_port: int) -> None:
        self.port = free_port()
        self.client_port = client_port
        self._callback = f"http://127.0.0.1:{client_port}/sign-in/oidc/callback"
        self._process: subprocess.Popen[str] | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """The environment of a server whose people sign in here."""
        return {
            "COLLAB_OIDC_ISSUER": self.issuer,
            "COLLAB_OIDC_CLIENT_ID": self.client_id,
            "COLLAB_OIDC_CLIENT_SECRET": self.client_secret,
            "COLLAB_OIDC_NAME": "Example ID",
        }

    def start(self) -> Self:
        """Start it, and return once it listens."""
        ensure_packages(_FOLDER)
        self._process = subprocess.Popen(
            [*node_command(), "provider.mjs", str(self.port), self._callback],
            cwd=_FOLDER,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == "ready":
                return self
        raise AssertionError("the OpenID provider does not start")

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None
