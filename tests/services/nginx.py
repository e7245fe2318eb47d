"""A private nginx for the tests, with the shipped configuration.

The first of these is used: the one that ``COLLAB_TEST_NGINX`` names, one on the PATH, Debian's package unpacked into
the virtual environment. Without any of them, tests are skipped on a developer's machine and fail in CI.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.services.node import alone, missing
from tests.services.private import free_port

CONFIGURATION = Path(__file__).parent.parent.parent / "deploy" / "nginx.conf"
INSTALL = "Install it (`apt-get install nginx-light`) or name a binary in COLLAB_TEST_NGINX."
_SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
_COMMAND_S_MAX = 90


def nginx_binary() -> str:
    """Return the path of an nginx that runs here."""
    path = os.environ.get("COLLAB_TEST_NGINX") or shutil.which("nginx", path=_SYSTEM_PATH) or _unpacked_package()
    try:
        subprocess.run([path, "-v"], check=True, capture_output=True, timeout=_COMMAND_S_MAX)
    except (OSError, subprocess.SubprocessError) as error:
        missing(f"nginx does not run here: {error}. {INSTALL}")
    return path


def _unpacked_package() -> str:
    if shutil.which("apt-get") is None:
        missing(f"No nginx here. {INSTALL}")
    folder = Path(sys.prefix) / "nginx"
    binary = folder / "usr" / "sbin" / "nginx"
    with alone(folder):
        if not binary.exists():
            folder.mkdir(exist_ok=True)
            _download(folder)
    return str(binary)


def _download(folder: Path) -> None:
    if not _succeeds("apt-get", "-q", "download", "nginx", folder=folder):
        _succeeds("apt-get", "-q", "update", folder=folder)  # a new system has no package lists; needs root
        if not _succeeds("apt-get", "-q", "download", "nginx", folder=folder):
            missing(f"Debian's package of nginx cannot be downloaded. {INSTALL}")
    (package,) = folder.glob("nginx_*.deb")
    if not _succeeds("dpkg-deb", "-x", str(package), str(folder), folder=folder):
        missing(f"Debian's package of nginx cannot be unpacked. {INSTALL}")


def _succeeds(*command: str, folder: Path) -> bool:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_COMMAND_S_MAX)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


class PrivateNginx:
    """The shipped configuration in front of two replicas on this machine, with files in ``directory``.

    ``changes`` maps lines of the configuration to what a test needs instead, such as a shorter time.
    """

    def __init__(self, directory: Path, replicas: tuple[int, int], changes: Mapping[str, str] | None = None) -> None:
        self._binary = nginx_binary()
        self.port = free_port()
        self._directory = directory
        self._configuration = directory / "nginx.conf"
        first, second = replicas
        text = CONFIGURATION.read_text()
        for shipped, wanted in {
            "/var/log/nginx/": f"{directory}/",
            "/run/nginx.pid": f"{directory}/nginx.pid",
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "127.0.0.1:8001": f"127.0.0.1:{second}",
            "127.0.0.1:8000": f"127.0.0.1:{first}",
            "worker_processes auto;": f"worker_processes 1;{' user root;' if os.geteuid() == 0 else ''}",
            "http {": "http {\n" + "".join(f"{kind}_temp_path {directory}/{kind};\n" for kind in _TEMPORARY),
            **(changes or {}),
        }.items():
            assert shipped in text, f"The shipped configuration has no {shipped!r}."
            text = text.replace(shipped, wanted)
        self._configuration.write_text(text)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def access_log(self) -> str:
        """Everything in the access log so far."""
        return (self._directory / "access.log").read_text()

    @property
    def logs(self) -> str:
        """Everything nginx has logged, errors included."""
        return "".join(path.read_text() for path in sorted(self._directory.glob("*.log")))

    def start(self, timeout_s: float = 10.0) -> "PrivateNginx":
        """Start nginx, and return once it accepts connections."""
        command = [self._binary, "-p", str(self._directory), "-c", str(self._configuration), "-g", "daemon off;"]
        command += ["-e", f"{self._directory}/error.log"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self.process.poll() is None:
            if (self._directory / "nginx.pid").exists():  # written once the sockets listen
                return self
            time.sleep(0.02)
        raise AssertionError(f"nginx does not start: {self.logs}")

    def stop(self) -> None:
        """Stop at once."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)


_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
