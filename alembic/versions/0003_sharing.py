"""Members, links and requests for access; the version of a document's access; publication."""

import sqlalchemy as sa

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Documents that are there already have no owner: who may share them is said by tokens."""
    op.add_column("documents", sa.Column("access_version", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("documents", sa.Column("published_at", TIME))
    op.create_table(
        "members",
        sa.Column("document_id", KEY, nullable=False),
        sa.Column("user_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("role", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_members_document_id_documents"),
        sa.PrimaryKeyConstraint("document_id", "user_id", name="pk_members"),
    )
    op.create_index("ix_members_user_id", "members", ["user_id"])
    op.create_table(
        "links",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("document_id", KEY, nullable=False),
        sa.Column("secret_digest", sa.LargeBinary(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("role", sa.SmallInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_links_document_id_documents"),
        sa.PrimaryKeyConstraint("id", name="pk_links"),
        sa.UniqueConstraint("secret_digest", name="uq_links_secret_digest"),
    )
    op.create_index("ix_links_document_id", "links", ["document_id"])
    op.create_table(
        "access_requests",
        sa.Column("document_id", KEY, nullable=False),
        sa.Column("user_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_access_requests_document_id_documents"),
        sa.PrimaryKeyConstraint("document_id", "user_id", name="pk_access_requests"),
    )


def downgrade() -> None:
    """Back to rights from tokens alone."""
    op.drop_table("access_requests")
    op.drop_table("links")
    op.drop_table("members")
    op.drop_column("documents", "published_at")
    op.drop_column("documents", "access_version")
