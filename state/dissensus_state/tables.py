"""The database schema, and nothing else.

Every primary key but that of `tenants` begins with `session_id`, so that a sharded PostgreSQL keeps
a session on one node. Columns are plain integers, text (canonical JSON where it is structured) and
bytes, so that both databases store the same. Times are milliseconds since 1970, money is nano-USD.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

VERSION_TABLE = "dissensus_version"
"""Where Alembic keeps which migration a database stands at."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _table(
    name: str, keys: str, *columns: Column[object] | UniqueConstraint | Index, rowid: bool = True
) -> Table:
    key = PrimaryKeyConstraint(*keys.split())
    return Table(name, metadata, *columns, key, sqlite_with_rowid=rowid)


def _text(name: str, *, null: bool = False) -> Column[object]:
    return Column(name, Text, nullable=null)


def _whole(name: str, *, null: bool = False) -> Column[object]:
    return Column(name, BigInteger, nullable=null)


def _bytes(name: str, *, null: bool = False) -> Column[object]:
    return Column(name, LargeBinary, nullable=null)


sessions = _table(
    "sessions",
    "session_id",
    Column("session_id", BigInteger, autoincrement=False),
    _text("name"),
    _text("schema"),
    Column("schema_version", Integer, nullable=False),
    _text("key_fields"),
    _whole("created_at"),
    _text("past_keys", null=True),
    UniqueConstraint("name"),
)

branches = _table(
    "branches",
    "session_id branch",
    _whole("session_id"),
    _text("branch"),
    _whole("head"),
    _bytes("head_hash"),
    _whole("lease_epoch"),
    _text("base_branch", null=True),
    _whole("base_version", null=True),
    _whole("closed_at", null=True),
    _whole("watched_until", null=True),
    _whole("pruned", null=True),
    _whole("rewritten", null=True),
    _whole("indexed", null=True),
)

commits = _table(
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
    Column("schema_version", Integer, nullable=False),
    _bytes("hash"),
    _text("source", null=True),
)
Index(
    "ix_commits_key",
    commits.c.session_id,
    commits.c.branch,
    commits.c.key,
    unique=True,
    sqlite_where=commits.c.key.is_not(None),
    postgresql_where=commits.c.key.is_not(None),
)
Index(
    "ix_commits_source",
    commits.c.session_id,
    commits.c.branch,
    commits.c.version,
    sqlite_where=commits.c.source.is_not(None),
    postgresql_where=commits.c.source.is_not(None),
)

touches = _table(
    "touches",
    "session_id branch what spot block",
    _whole("session_id"),
    _text("branch"),
    Column("what", Integer, nullable=False),
    _whole("spot"),
    _whole("block"),
    _bytes("versions"),
    rowid=False,
)
"""Which versions of a block of 256 have touched a path, or are an author's; `marks` says how it is told."""

snapshots = _table(
    "snapshots",
    "session_id branch version",
    _whole("session_id"),
    _text("branch"),
    _whole("version"),
    _whole("size"),
    _bytes("state"),
    _whole("since", null=True),
)

tags = _table(
    "tags",
    "session_id tag",
    _whole("session_id"),
    _text("tag"),
    _text("branch"),
    _whole("version"),
    _text("author"),
    _whole("at"),
)

conflicts = _table(
    "conflicts",
    "session_id conflict",
    _whole("session_id"),
    _whole("conflict"),
    _text("branch"),
    _whole("version"),
    _text("source_branch"),
    _whole("source_version"),
    _text("path"),
    _text("base", null=True),
    _text("ours", null=True),
    _text("theirs", null=True),
    _text("status"),
    _text("settlement", null=True),
    _text("settled_by", null=True),
    _whole("at"),
)

blobs = _table(
    "blobs",
    "session_id digest",
    _whole("session_id"),
    _bytes("digest"),
    _bytes("data"),
)

rounds = _table(
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

proposals = _table(
    "proposals",
    "session_id round agent",
    _whole("session_id"),
    _whole("round"),
    _text("agent"),
    _text("status"),
    _text("patch", null=True),
    _text("reads", null=True),
    Column("confidence", Float, nullable=True),
    Column("attempt", Integer, nullable=False),
    _text("detail", null=True),
)

rulings = _table(
    "rulings",
    "session_id round n",
    _whole("session_id"),
    _whole("round"),
    Column("n", Integer, nullable=False),
    _text("author"),
    _text("decision"),
    _bytes("binding"),
    _text("body"),
    _whole("at"),
)

grades = _table(
    "grades",
    "session_id round agent n",
    _whole("session_id"),
    _whole("round"),
    _text("agent"),
    Column("n", Integer, nullable=False),
    Column("is_right", Integer, nullable=False),
    _text("basis"),
    _text("author"),
    _text("version", null=True),
    _text("detail", null=True),
    _whole("at"),
)
"""What is said of a settled round's proposals afterwards; the agent `supervisor` is its ruling."""

models = _table(
    "models",
    "session_id model",
    _whole("session_id"),
    Column("model", Integer, nullable=False),
    _text("name"),
    _text("lineage"),
    _text("price"),
    _text("frame"),
    UniqueConstraint("session_id", "name", "lineage", "price", "frame"),
)

calls = _table(
    "calls",
    "session_id round agent attempt",
    _whole("session_id"),
    _whole("round"),
    _text("agent"),
    Column("attempt", Integer, nullable=False),
    Column("model", Integer, nullable=False),
    _text("status"),
    _text("request"),
    _bytes("answer", null=True),
    _bytes("reasoning", null=True),
    _text("reasoning_kind", null=True),
    _bytes("raw", null=True),
    _whole("input_tokens"),
    _whole("output_tokens"),
    _whole("cached_tokens"),
    _whole("reasoning_tokens"),
    Column("estimated", Integer, nullable=False),
    _whole("reserved"),
    _whole("cost", null=True),
    _whole("sent_at"),
    _whole("latency_ms"),
    _whole("ttft_ms", null=True),
    _text("finish_reason", null=True),
    _text("detail", null=True),
    _whole("written_tokens", null=True),
    _text("holds", null=True),
    _bytes("echo", null=True),
)

answers = _table(
    "answers",
    "session_id digest",
    _whole("session_id"),
    _bytes("digest"),
    _whole("source"),
    _whole("round"),
    _text("agent"),
    Column("attempt", Integer, nullable=False),
    _whole("at"),
)
"""Which recorded call answers a request: `session_id` is the number below all sessions of a tenant."""

ledger = _table(
    "ledger",
    "session_id account",
    _whole("session_id"),
    _text("account"),
    _whole("hard_limit", null=True),
    _whole("held"),
    _whole("spent"),
    _text("unpriced"),
    _whole("soft_limit", null=True),
    _whole("warned", null=True),
    _whole("day", null=True),
)

documents = _table(
    "documents",
    "session_id document",
    _whole("session_id"),
    _whole("document"),
    _text("name"),
    _text("kind"),
    _bytes("digest"),
    _bytes("content"),
    _whole("passages"),
    _whole("characters"),
    _whole("at"),
    _text("detail", null=True),
    UniqueConstraint("session_id", "name"),
)

passages = _table(
    "passages",
    "session_id document passage",
    _whole("session_id"),
    _whole("document"),
    _whole("passage"),
    _text("place"),
    _bytes("digest"),
    _bytes("data"),
)

terms = _table(
    "terms",
    "session_id term segment",
    _whole("session_id"),
    _text("term"),
    _whole("segment"),
    _bytes("postings"),
)

events = _table(
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

Index(
    "ix_events_round",
    events.c.session_id,
    events.c.round,
    sqlite_where=events.c.round.is_not(None),
    postgresql_where=events.c.round.is_not(None),
)

tenants = _table(
    "tenants",
    "tenant",
    Column("tenant", BigInteger, autoincrement=False),
    _text("name"),
    _whole("created_at"),
    UniqueConstraint("name"),
)
