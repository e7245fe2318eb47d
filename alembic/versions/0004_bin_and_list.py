"""The bin, and the columns and indexes by which the list of documents is sorted and searched.

Replicas of the version before may go on meanwhile: what they create is sorted as old until it is edited in a
replica of this version, and found by no search until its title changes.
"""

import unicodedata

import sqlalchemy as sa

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
BY_CODE_POINT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INDEXED = ("active_at", "created_at", "title_key")
COLUMNS = ("purged_at", "cleared_at", "active_at", "title_key", "search_text")
ROWS = 1000


def upgrade() -> None:
    """The new columns are made from title and name, by Python: it knows every alphabet's capitals."""
    op.add_column("documents", sa.Column("purged_at", TIME))
    op.add_column("documents", sa.Column("cleared_at", TIME))
    for name, kind, default in (
        ("active_at", TIME, "'1970-01-01 00:00:00'"),
        ("title_key", BY_CODE_POINT, "''"),
        ("search_text", sa.Text(), "''"),
    ):
        op.add_column("documents", sa.Column(name, kind, nullable=False, server_default=sa.text(default)))
    op.execute("UPDATE documents SET active_at = updated_at")
    if op.get_context().as_sql:  # printed, without a database to read from
        op.execute("UPDATE documents SET title_key = left(lower(coalesce(nullif(title, ''), name)), 200)")
        op.execute("UPDATE documents SET search_text = lower(title) || chr(10) || lower(name)")
    else:
        _fill()
    for column in INDEXED:
        _partial_index(f"ix_documents_listed_{column}", [column, "name"], "deleted_at IS NULL")
    _partial_index("ix_documents_deleted", ["purged_at", "deleted_at"], "deleted_at IS NOT NULL AND cleared_at IS NULL")


def downgrade() -> None:
    """Without a bin again. A purged document stays as a deleted one."""
    op.drop_index("ix_documents_deleted", table_name="documents")
    for column in INDEXED:
        op.drop_index(f"ix_documents_listed_{column}", table_name="documents")
    for column in COLUMNS:
        op.drop_column("documents", column)


def _partial_index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "documents", columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def _fill() -> None:
    connection = op.get_bind()
    update = sa.text("UPDATE documents SET title_key = :key, search_text = :text WHERE id = :id")
    after = 0
    while rows := list(
        connection.execute(
            sa.text("SELECT id, name, title FROM documents WHERE id > :after ORDER BY id LIMIT :rows"),
            {"after": after, "rows": ROWS},
        )
    ):
        after = rows[-1].id
        connection.execute(
            update,
            [
                {
                    "id": row.id,
                    "key": _fold(row.title or row.name)[:200],
                    "text": f"{_fold(row.title)}\n{_fold(row.name)}",
                }
                for row in rows
            ],
        )


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
