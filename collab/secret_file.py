"""The self-made secret: a file that one server creates and every server with the same data directory reads.

It lets `collab serve` start without any configuration. The file must appear under its name complete, since several
servers may start at once, and only its owner may read it, since it signs everybody's tokens.
"""

import os
import secrets
from pathlib import Path

from collab.access.tokens import SharedSecret
from collab.errors import InvalidRequest


def read_or_create(path: Path) -> SharedSecret:
    """Return the secret stored at `path`, after creating it if there is none: 64 random hex digits.

    Raises InvalidRequest when the file cannot be created or read, is damaged, or can be read by other users.
    """
    try:
        if not path.exists():
            _create(path)
        if path.stat().st_mode & 0o077:
            raise InvalidRequest(
                f"Other users can read the secret file {path}: run `chmod 600 {path}`, or set COLLAB_SECRET."
            )
        text = path.read_text().strip()
    except UnicodeDecodeError:
        raise _damaged(path, "It is not text.") from None
    except OSError as error:
        raise InvalidRequest(
            f"The secret file {path} cannot be created or read ({error.strerror or type(error).__name__}): "
            "set COLLAB_DATA_DIR to a writable directory, or set COLLAB_SECRET."
        ) from None
    try:
        return SharedSecret(text.encode())
    except InvalidRequest as error:
        raise _damaged(path, str(error)) from None


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32) + "\n")
        try:
            os.link(draft, path)  # unlike a rename, it does not replace a secret that another server created meanwhile
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)


def _damaged(path: Path, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"The secret file {path} is damaged. {reason} Delete the file to create a new secret; "
        "tokens signed with the old one stop working."
    )
