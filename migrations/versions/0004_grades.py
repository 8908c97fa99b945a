"""Grades: what is known afterwards of a settled round, and on what basis.

Going back takes only what the third tables can hold: a database with grades is left as it is.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dissensus_state.migrations import hold

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NEEDED = {"grades": "SELECT 1 FROM grades LIMIT 1"}


def upgrade() -> None:
    _hold()
    op.create_table(
        "grades",
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("is_right", sa.Integer(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "round", "agent", "n", name="pk_grades"),
    )


def downgrade() -> None:
    _hold()
    _refuse_to_lose()
    op.drop_table("grades")


def _hold() -> None:
    if not op.get_context().as_sql:
        hold(op.get_bind())


def _refuse_to_lose() -> None:
    if op.get_context().as_sql:
        return
    connection = op.get_bind()
    for what, query in _NEEDED.items():
        if connection.execute(sa.text(query)).first() is not None:
            raise sa.exc.InvalidRequestError(
                f"This database holds {what}, which revision 0003 cannot hold: nothing was changed"
            )
