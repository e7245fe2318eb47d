"""Documents, the log of their updates, and snapshots."""

import sqlalchemy as sa

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "documents",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("head_seq", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("tail_rows", sa.Integer(), nullable=False),
        sa.Column("tail_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("deleted_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint("name", name="uq_documents_name"),
    )
    op.create_index("ix_documents_tail_rows", "documents", ["tail_rows"])
    op.create_table(
        "updates",
        sa.Column("document_id", KEY, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_updates_document_id_documents"),
        sa.PrimaryKeyConstraint("document_id", "seq", name="pk_updates"),
        sa.UniqueConstraint("document_id", "origin", "n", name="uq_updates_document_id"),
    )
    op.create_table(
        "snapshots",
        sa.Column("document_id", KEY, autoincrement=False, nullable=False),
        sa.Column("cut", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("codec", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_snapshots_document_id_documents"),
        sa.PrimaryKeyConstraint("document_id", name="pk_snapshots"),
    )
    if op.get_context().dialect.name == "postgresql":
        # The state is compressed before it comes here: a second attempt would only cost time.
        op.execute("ALTER TABLE snapshots ALTER COLUMN state SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Back to nothing."""
    op.drop_table("snapshots")
    op.drop_table("updates")
    op.drop_table("documents")
