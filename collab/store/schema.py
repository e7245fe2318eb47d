"""The tables. The migrations in ``alembic/`` create them; a test compares the two."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

REVISION = "0004"
"""The Alembic revision this code was written for."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """Timezone-aware times in UTC, also from SQLite, which does not store the timezone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Return the time with its timezone."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


_name = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared by code point whatever the database's collation is: a page's cursor must mean one place in one order."""

_big_key = BigInteger().with_variant(Integer(), "sqlite")

documents = Table(
    "documents",
    metadata,
    Column("id", _big_key, primary_key=True, autoincrement=True),
    Column("name", _name, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("head_seq", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("tail_rows", Integer, nullable=False),  # no index: it changes with every append
    Column("tail_bytes", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    Column("access_version", BigInteger, nullable=False, server_default="0"),
    Column("published_at", UtcDateTime),
    Column("purged_at", UtcDateTime),
    Column("cleared_at", UtcDateTime),
    Column("active_at", UtcDateTime, nullable=False, server_default=text("'1970-01-01 00:00:00'")),
    Column("title_key", _name, nullable=False, server_default=text("''")),
    Column("search_text", Text, nullable=False, server_default=text("''")),
)
"""``deleted_at`` says since when a document is in the bin, ``purged_at`` that it is gone for good, and ``cleared_at``
that its rows are, too. ``active_at`` stands for ``updated_at`` in an index (``listing``); ``title_key`` and
``search_text`` are made from title and name (``search_keys``)."""

_LISTED = text("deleted_at IS NULL")
_DELETED = text("deleted_at IS NOT NULL AND cleared_at IS NULL")

for _column in ("active_at", "created_at", "title_key"):
    Index(
        f"ix_documents_listed_{_column}",
        documents.c[_column],
        documents.c.name,
        postgresql_where=_LISTED,
        sqlite_where=_LISTED,
    )
Index(
    "ix_documents_deleted",
    documents.c.purged_at,
    documents.c.deleted_at,
    postgresql_where=_DELETED,
    sqlite_where=_DELETED,
)

updates = Table(
    "updates",
    metadata,
    Column("document_id", _big_key, ForeignKey("documents.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("origin", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("checksum", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("document_id", "origin", "n"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("document_id", _big_key, ForeignKey("documents.id"), primary_key=True),
    Column("cut", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("codec", SmallInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("checksum", BigInteger, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("document_id", _big_key, ForeignKey("documents.id"), primary_key=True),
    Column("user_id", _name, primary_key=True, index=True),
    Column("role", SmallInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("id", Text, primary_key=True),
    Column("document_id", _big_key, ForeignKey("documents.id"), nullable=False, index=True),
    Column("secret_digest", LargeBinary, nullable=False, unique=True),
    Column("password_hash", Text),
    Column("role", SmallInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
)

access_requests = Table(
    "access_requests",
    metadata,
    Column("document_id", _big_key, ForeignKey("documents.id"), primary_key=True),
    Column("user_id", _name, primary_key=True),
    Column("name", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
