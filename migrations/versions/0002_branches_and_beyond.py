"""Branches that close, are watched and pruned; tags, conflicts of merges, tenants, snapshots in steps.

Going back takes only what the first tables can hold: a database with forks, closed branches, tags,
merges, redacted or pruned commits is left as it is. The hashes of commits that were made since are ones
that the `verify` of that time does not know; upgrade again to verify them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dissensus_state.migrations import hold

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEY = sa.column("key").is_not(None)
_SOURCE = sa.column("source").is_not(None)
_NEEDED = {
    "forks": "SELECT 1 FROM branches WHERE base_branch IS NOT NULL LIMIT 1",
    "pruned commits": "SELECT 1 FROM branches WHERE pruned IS NOT NULL LIMIT 1",
    "closed branches": "SELECT 1 FROM branches WHERE closed_at IS NOT NULL LIMIT 1",
    "redacted values": """SELECT 1 FROM commits WHERE source LIKE '{"redact":%' LIMIT 1""",
    "merges, reverts or lifted states": "SELECT 1 FROM commits WHERE source IS NOT NULL LIMIT 1",
    "tags": "SELECT 1 FROM tags LIMIT 1",
    "conflicts": "SELECT 1 FROM conflicts LIMIT 1",
    "tenants": "SELECT 1 FROM tenants LIMIT 1",
}


def upgrade() -> None:
    _hold()
    with op.batch_alter_table("branches") as table:
        for name in ("closed_at", "watched_until", "pruned", "rewritten"):
            table.add_column(sa.Column(name, sa.BigInteger(), nullable=True))
    with op.batch_alter_table("sessions") as table:
        table.add_column(sa.Column("past_keys", sa.Text(), nullable=True))
    op.drop_index("ix_commits_key", "commits")
    with op.batch_alter_table("commits") as table:
        table.add_column(sa.Column("source", sa.Text(), nullable=True))
    _unique_key("session_id", "branch", "key")
    op.create_index(
        "ix_commits_source",
        "commits",
        ["session_id", "branch", "version"],
        sqlite_where=_SOURCE,
        postgresql_where=_SOURCE,
    )
    with op.batch_alter_table("snapshots") as table:
        table.add_column(sa.Column("since", sa.BigInteger(), nullable=True))
    _new_tables()


def downgrade() -> None:
    _hold()
    _refuse_to_lose()
    for name in ("tenants", "conflicts", "tags"):
        op.drop_table(name)
    op.execute("DELETE FROM snapshots")  # they follow from the commits, and have another form here
    with op.batch_alter_table("snapshots") as table:
        table.drop_column("since")
    op.drop_index("ix_commits_source", "commits")
    op.drop_index("ix_commits_key", "commits")
    with op.batch_alter_table("commits") as table:
        table.drop_column("source")
    _unique_key("session_id", "key")
    with op.batch_alter_table("sessions") as table:
        table.drop_column("past_keys")
    with op.batch_alter_table("branches") as table:
        for name in ("closed_at", "watched_until", "pruned", "rewritten"):
            table.drop_column(name)


def _hold() -> None:
    if not op.get_context().as_sql:
        hold(op.get_bind())


def _unique_key(*columns: str) -> None:
    op.create_index(
        "ix_commits_key", "commits", [*columns], unique=True, sqlite_where=_KEY, postgresql_where=_KEY
    )


def _refuse_to_lose() -> None:
    if op.get_context().as_sql:
        return
    connection = op.get_bind()
    for what, query in _NEEDED.items():
        if connection.execute(sa.text(query)).first() is not None:
            raise sa.exc.InvalidRequestError(
                f"This database holds {what}, which revision 0001 cannot hold: nothing was changed"
            )


def _new_tables() -> None:
    op.create_table(
        "tags",
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("branch", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "tag", name="pk_tags"),
    )
    op.create_table(
        "conflicts",
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("conflict", sa.BigInteger(), nullable=False),
        sa.Column("branch", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("source_branch", sa.Text(), nullable=False),
        sa.Column("source_version", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=True),
        sa.Column("ours", sa.Text(), nullable=True),
        sa.Column("theirs", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("settlement", sa.Text(), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "conflict", name="pk_conflicts"),
    )
    op.create_table(
        "tenants",
        sa.Column("tenant", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_tenants"),
        sa.UniqueConstraint("name", name="uq_tenants_name"),
    )
