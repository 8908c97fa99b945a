"""The views that people ask in SQL: what happened, what stands, what was disputed, what it cost."""

from __future__ import annotations

from alembic import op

from dissensus_state import views
from dissensus_state.migrations import hold

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _hold()
    for statement in views.made(op.get_context().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    _hold()
    for statement in views.dropped():
        op.execute(statement)


def _hold() -> None:
    if not op.get_context().as_sql:
        hold(op.get_bind())
