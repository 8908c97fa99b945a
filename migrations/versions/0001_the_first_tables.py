"""The first tables: sessions and their history, rounds and their rulings, calls and their money."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _sessions()
    _history()
    _rounds()
    _calls()


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


_TABLES = (
    "sessions",
    "branches",
    "commits",
    "snapshots",
    "blobs",
    "events",
    "rounds",
    "proposals",
    "rulings",
    "models",
    "calls",
    "ledger",
)


def _typed(kind: type[sa.types.TypeEngine[Any]]) -> Callable[..., sa.Column[Any]]:
    def column(name: str, *, null: bool = False) -> sa.Column[Any]:
        return sa.Column(name, kind(), nullable=null)

    return column


_whole = _typed(sa.BigInteger)
_small = _typed(sa.Integer)
_text = _typed(sa.Text)
_bytes = _typed(sa.LargeBinary)


def _table(name: str, key: str, *parts: sa.schema.SchemaItem) -> None:
    op.create_table(name, *parts, sa.PrimaryKeyConstraint(*key.split(), name=f"pk_{name}"))


def _sessions() -> None:
    _table(
        "sessions",
        "session_id",
        sa.Column("session_id", sa.BigInteger(), autoincrement=False, nullable=False),
        _text("name"),
        _text("schema"),
        _small("schema_version"),
        _text("key_fields"),
        _whole("created_at"),
        sa.UniqueConstraint("name", name="uq_sessions_name"),
    )
    _table(
        "branches",
        "session_id branch",
        _whole("session_id"),
        _text("branch"),
        _whole("head"),
        _bytes("head_hash"),
        _whole("lease_epoch"),
        _text("base_branch", null=True),
        _whole("base_version", null=True),
    )


def _history() -> None:
    _table(
        "commits",
        "session_id branch version",
        _whole("session_id"),
        _text("branch"),
        _whole("version"),
        _text("author"),
        _text("transition", null=True),
        _whole("round", null=True),
        _whole("base", null=True),
        _text("isolation", null=True),
        _text("reads"),
        _text("patch"),
        _text("evidence", null=True),
        _text("key", null=True),
        _whole("at"),
        _small("schema_version"),
        _bytes("hash"),
    )
    _keys_once()
    _table(
        "snapshots",
        "session_id branch version",
        _whole("session_id"),
        _text("branch"),
        _whole("version"),
        _whole("size"),
        _bytes("state"),
    )
    _table("blobs", "session_id digest", _whole("session_id"), _bytes("digest"), _bytes("data"))
    _table(
        "events",
        "session_id event",
        _whole("session_id"),
        _whole("event"),
        _text("kind"),
        _whole("at"),
        _text("branch", null=True),
        _whole("round", null=True),
        _text("body"),
    )


def _keys_once() -> None:
    given = sa.column("key").is_not(None)
    op.create_index(
        "ix_commits_key",
        "commits",
        ["session_id", "key"],
        unique=True,
        sqlite_where=given,
        postgresql_where=given,
    )


def _rounds() -> None:
    _table(
        "rounds",
        "session_id round",
        _whole("session_id"),
        _whole("round"),
        _text("branch"),
        _text("step"),
        _whole("base"),
        _text("status"),
        _whole("started_at"),
        _whole("again_of", null=True),
        _text("note", null=True),
        _text("review", null=True),
    )
    _table(
        "proposals",
        "session_id round agent",
        _whole("session_id"),
        _whole("round"),
        _text("agent"),
        _text("status"),
        _text("patch", null=True),
        _text("reads", null=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        _small("attempt"),
        _text("detail", null=True),
    )
    _table(
        "rulings",
        "session_id round n",
        _whole("session_id"),
        _whole("round"),
        _small("n"),
        _text("author"),
        _text("decision"),
        _bytes("binding"),
        _text("body"),
        _whole("at"),
    )


def _calls() -> None:
    _table(
        "models",
        "session_id model",
        _whole("session_id"),
        _small("model"),
        _text("name"),
        _text("lineage"),
        _text("price"),
        _text("frame"),
        sa.UniqueConstraint(
            *("session_id", "name", "lineage", "price", "frame"),
            name="uq_models_session_id_name_lineage_price_frame",
        ),
    )
    _table(
        "calls",
        "session_id round agent attempt",
        _whole("session_id"),
        _whole("round"),
        _text("agent"),
        _small("attempt"),
        _small("model"),
        _text("status"),
        _text("request"),
        *(_bytes(name, null=True) for name in ("answer", "reasoning")),
        _text("reasoning_kind", null=True),
        _bytes("raw", null=True),
        *(_whole(f"{kind}_tokens") for kind in ("input", "output", "cached", "reasoning")),
        _small("estimated"),
        _whole("reserved"),
        _whole("cost", null=True),
        _whole("sent_at"),
        _whole("latency_ms"),
        _whole("ttft_ms", null=True),
        _text("finish_reason", null=True),
        _text("detail", null=True),
    )
    _ledger()


def _ledger() -> None:
    _table(
        "ledger",
        "session_id account",
        _whole("session_id"),
        _text("account"),
        _whole("limit_nano", null=True),
        _whole("held_nano"),
        _whole("spent_nano"),
        _text("unpriced"),
    )
