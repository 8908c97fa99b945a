"""Budgets as a tree, what calls hold beside money, answers to be used again, documents and their index.

Going back takes only what the second tables can hold: a database with further budgets, documents, calls
that are held or partial, or with calls that hold more than money, is left as it is.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dissensus_state.migrations import hold

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_RENAMED = {"limit_nano": "hard_limit", "held_nano": "held", "spent_nano": "spent"}
_NEEDED = {
    "budgets beside the session's money": "SELECT 1 FROM ledger WHERE account <> 'total' LIMIT 1",
    "soft limits": "SELECT 1 FROM ledger WHERE soft_limit IS NOT NULL LIMIT 1",
    "policies of a budget": "SELECT 1 FROM ledger WHERE unpriced NOT IN ('refuse', 'allow') LIMIT 1",
    "documents": "SELECT 1 FROM documents LIMIT 1",
    "calls that are held or partial": "SELECT 1 FROM calls WHERE status IN ('held', 'partial') LIMIT 1",
    "calls with what revision 0003 records of them": "SELECT 1 FROM calls WHERE written_tokens IS NOT NULL "
    "OR holds IS NOT NULL OR echo IS NOT NULL LIMIT 1",
}


def upgrade() -> None:
    _hold()
    for old, new in _RENAMED.items():
        _rename(old, new)
    for name in ("soft_limit", "warned", "day"):
        op.add_column("ledger", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("calls", sa.Column("written_tokens", sa.BigInteger(), nullable=True))
    op.add_column("calls", sa.Column("holds", sa.Text(), nullable=True))
    op.add_column("calls", sa.Column("echo", sa.LargeBinary(), nullable=True))
    _new_tables()


def downgrade() -> None:
    _hold()
    _refuse_to_lose()
    for name in ("terms", "passages", "documents", "answers"):
        op.drop_table(name)
    with op.batch_alter_table("calls") as table:
        for name in ("written_tokens", "holds", "echo"):
            table.drop_column(name)
    with op.batch_alter_table("ledger") as table:
        for name in ("soft_limit", "warned", "day"):
            table.drop_column(name)
    for old, new in _RENAMED.items():
        _rename(new, old)


def _rename(old: str, new: str) -> None:
    """Rename a column of the ledger, and what PostgreSQL 18 calls the constraint that it is not null."""
    op.execute(f"ALTER TABLE ledger RENAME COLUMN {old} TO {new}")
    if op.get_context().dialect.name == "postgresql":
        constraint, renamed = f"ledger_{old}_not_null", f"ledger_{new}_not_null"
        op.execute(
            f"DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_constraint WHERE conname = '{constraint}' "  # noqa: S608
            f"AND conrelid = 'ledger'::regclass) THEN "
            f"ALTER TABLE ledger RENAME CONSTRAINT {constraint} TO {renamed}; END IF; END $$"
        )


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
                f"This database holds {what}, which revision 0002 cannot hold: nothing was changed"
            )


def _new_tables() -> None:
    op.create_table(
        "answers",
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "digest", name="pk_answers"),
    )
    op.create_table(
        "documents",
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("passages", sa.BigInteger(), nullable=False),
        sa.Column("characters", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("session_id", "document", name="pk_documents"),
        sa.UniqueConstraint("session_id", "name", name="uq_documents_session_id_name"),
    )
    op.create_table(
        "passages",
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.BigInteger(), nullable=False),
        sa.Column("passage", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "document", "passage", name="pk_passages"),
    )
    op.create_table(
        "terms",
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("segment", sa.BigInteger(), nullable=False),
        sa.Column("postings", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "term", "segment", name="pk_terms"),
    )
