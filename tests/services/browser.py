"""A Chromium for the tests of the pages. Playwright controls it.

The first of these is used: the one that ``COLLAB_TEST_CHROMIUM`` names, one on the PATH, one from an npm package (only
on Linux on x86-64; it needs no root). The package also has the libraries and fonts that a minimal system lacks.
"""

import os
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

from tests.services.node import alone, ensure_packages, missing, node_command

FLAGS = (
    "--no-sandbox",
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

INSTALL_LINE = "apt-get install -y chromium"

_FOLDER = Path(__file__).parent / "chromium"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_UNPACK_S_MAX = 100
_UNPACK = """
const [from, to, ...names] = process.argv.slice(1);
const fs = require('node:fs'), zlib = require('node:zlib');
for (const name of names) {
  fs.writeFileSync(`${to}/${name}`, zlib.brotliDecompressSync(fs.readFileSync(`${from}/${name}.br`)));
}
"""
_FONTS_CONF = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>/usr/share/fonts</dir><dir>{fonts}</dir><cachedir>{fonts}/cache</cachedir></fontconfig>
"""


class Chromium(NamedTuple):
    """The path of a Chromium, and the environment variables that it needs in addition."""

    path: str
    environment: dict[str, str]


def find_chromium() -> Chromium:
    """Return a Chromium that runs here. Skip the test if there is none; fail in CI."""
    named = os.environ.get("COLLAB_TEST_CHROMIUM")
    if named:
        return Chromium(named, {})
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found:
        return Chromium(found, {})
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        missing(f"No Chromium here. Install one ({INSTALL_LINE}) or name it in COLLAB_TEST_CHROMIUM.")
    return _from_package()


def _from_package() -> Chromium:
    packed = ensure_packages(_FOLDER) / "@sparticuz" / "chromium" / "bin"
    unpacked = _FOLDER / "node_modules" / ".unpacked"  # is removed with the packages when the lock file changes
    with alone(_FOLDER):
        if not (unpacked / "done").exists():
            _unpack(packed, unpacked)
    environment = {"LD_LIBRARY_PATH": str(unpacked / "lib"), "FONTCONFIG_FILE": str(unpacked / "fonts.conf")}
    return Chromium(str(unpacked / "chromium"), environment)


def _unpack(packed: Path, unpacked: Path) -> None:
    unpacked.mkdir(exist_ok=True)
    archives = ("al2023.tar", "fonts.tar")
    try:
        subprocess.run(
            [*node_command(), "-e", _UNPACK, str(packed), str(unpacked), "chromium", *archives],
            check=True,
            capture_output=True,
            text=True,
            timeout=_UNPACK_S_MAX,
        )
    except (OSError, subprocess.SubprocessError) as error:
        missing(f"The packaged Chromium cannot be unpacked: {error}. Install one: {INSTALL_LINE}")
    for archive in archives:
        with tarfile.open(unpacked / archive) as tar:
            tar.extractall(unpacked, filter="data")
    (unpacked / "chromium").chmod(0o755)
    (unpacked / "fonts.conf").write_text(_FONTS_CONF.format(fonts=unpacked / "fonts"))
    (unpacked / "done").touch()
