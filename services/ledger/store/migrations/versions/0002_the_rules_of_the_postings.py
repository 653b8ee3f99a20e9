"""The versions of the posting rules by which batches were posted; all batches so far were by the first."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table; a store that is new has no row in `store` yet, and gets its rules with it."""
    op.create_table(
        "rules",
        sa.Column("first", WHOLE, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("version", WHOLE, nullable=False),
        comment="the version of the posting rules of the batches, from each first one on",
        sqlite_strict=True,
    )
    op.execute("INSERT INTO rules (first, version) SELECT 1, 1 FROM store")
