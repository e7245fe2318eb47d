"""Names in the order of their code points, and no index on what every append changes.

A document's row changes with each append. While an index holds a column that changes with it, Postgres writes a new
entry into *every* index of the table each time, and cannot tidy up within the page.
"""

import sqlalchemy as sa

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Postgres compares as its database was told to; SQLite compares code points always."""
    op.drop_index("ix_documents_tail_rows", table_name="documents")
    _compare_names_by("C")


def downgrade() -> None:
    """As it was."""
    _compare_names_by("default")
    op.create_index("ix_documents_tail_rows", "documents", ["tail_rows"])


def _compare_names_by(collation: str) -> None:
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("documents", "name", type_=sa.Text(collation=collation))
