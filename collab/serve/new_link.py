"""Makes a link: draws its secret, hashes its password, and stores it."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta

from collab.access import links
from collab.access.roles import Role
from collab.access.sharing import Link
from collab.ids import DocumentName, UserId
from collab.store.base import Store


async def make_link(
    store: Store,
    document: DocumentName,
    role: Role,
    *,
    created_by: UserId,
    expires_in_s: float | None = None,
    password: str = "",
) -> tuple[Link, str]:
    """Add a link to the document. Return it with its secret, which is kept nowhere.

    Raises DocumentNotFound, DocumentDeleted, SharingFull, StoreUnavailable.
    """
    secret = links.make_secret(secrets.token_bytes(links.SECRET_BYTES))
    now = datetime.now(UTC)
    link = Link(
        id=links.make_id(secrets.token_bytes(links.ID_BYTES)),
        document=document,
        role=role,
        created_by=created_by,
        created_at=now,
        expires_at=None if expires_in_s is None else now + timedelta(seconds=expires_in_s),
        password_hash=await _hashed(password) if password else None,
    )
    await store.add_link(link, links.digest(secret))
    return link, secret


async def _hashed(password: str) -> str:
    return await asyncio.to_thread(links.hash_password, password, secrets.token_bytes(links.SALT_BYTES))
