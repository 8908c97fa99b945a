"""The index of the commits by path and by author, and that of the events by round.

They are made of the commits and the events and can be made again, so going back loses nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dissensus_state.migrations import hold

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_IN_A_ROUND = sa.text("round IS NOT NULL")


def upgrade() -> None:
    _hold()
    op.add_column("branches", sa.Column("indexed", sa.BigInteger(), nullable=True))
    op.create_table(
        "touches",
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("branch", sa.Text(), nullable=False),
        sa.Column("what", sa.Integer(), nullable=False),
        sa.Column("spot", sa.BigInteger(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("versions", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "branch", "what", "spot", "block", name="pk_touches"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_events_round",
        "events",
        ["session_id", "round"],
        sqlite_where=_IN_A_ROUND,
        postgresql_where=_IN_A_ROUND,
    )


def downgrade() -> None:
    _hold()
    op.drop_index("ix_events_round", "events")
    op.drop_table("touches")
    with op.batch_alter_table("branches") as table:
        table.drop_column("indexed")


def _hold() -> None:
    if not op.get_context().as_sql:
        hold(op.get_bind())
