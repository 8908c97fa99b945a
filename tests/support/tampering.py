"""Changing what is stored behind the back of the library, and putting it back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from by_hand import concluded
from dissensus_state import tables
from dissensus_state.blobs import patch_digest
from dissensus_state.chain import chained, cited
from dissensus_state.commits import SAID, between
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Finding, Inquiry

LONG = "The valve was open. " * 5_000
"""More than 64 KiB, so that it is kept aside by its digest."""


def storied(store: Store, *, documents: bool = True) -> Session[Inquiry]:
    """A session with something in every table: five versions, a snapshot, a ruled round, a document.

    Args:
        documents: Revision 0002 holds none.
    """
    session = store.create(Inquiry())
    if documents:
        session.library.add(
            "log.txt", "text", [("line 1", "The valve was open"), ("line 2", LONG[:500])], b"log"
        )
    with session.transaction("ana", "gather") as early:
        early.append("findings", Finding(text=LONG))
        early.append("findings", *(Finding(text=f"Line {n}: " + "open " * 40) for n in range(100)))
        early.read("tags")
    late = session.transaction("ben", "gather", isolation="snapshot", key="ben's step")
    late.read("findings")
    late.evidence({"quotation": "open", "holds": True})
    late.add("doubts", 3)
    with session.transaction("ana", "gather") as tx:
        tx.append("findings", Finding(text="And then it closed"))
    late.__exit__(None)
    concluded(session)
    return session


def rows(session: Session[Any], table: sa.Table) -> list[dict[str, Any]]:
    """Every row of a session in a table."""
    query = sa.select(table).where(table.c.session_id == session.session_id)
    with session.database.engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(query.order_by(*table.primary_key))]


def write(session: Session[Any], table: sa.Table, row: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
    """Write other values over a row."""
    where = [column == row[column.name] for column in table.primary_key]
    with session.database.engine.begin() as connection:
        assert connection.execute(sa.update(table).where(*where).values(**changed)).rowcount == 1


@contextmanager
def changed(session: Session[Any], table: sa.Table, row: Mapping[str, Any], **values: Any) -> Iterator[None]:
    """In the block, a row holds other values."""
    write(session, table, row, values)
    try:
        yield
    finally:
        moved = {**row, **values}
        write(session, table, moved, {name: row[name] for name in values})


def forge(session: Session[Any], version: int, **values: Any) -> None:
    """Rewrite a commit, and all hashes after it, as somebody could who knows how they are made."""
    mine = [row for row in rows(session, tables.commits) if row["branch"] == session.branch]
    row = next(row for row in mine if row["version"] == version)
    write(session, tables.commits, row, values or {"author": row["author"]})
    first = mine[0]["version"]
    previous = session.commit_at(first - 1).hash if first else b""
    texts = {row["version"]: row["patch"] for row in mine} | {version: values.get("patch", row["patch"])}
    with session.writing() as work:
        made = list(between(work, session.session_id, session.branch, first - 1))
        digests = [cited(work, session.session_id, commit.round) for commit in made]
    for commit, round_digest in zip(made, digests, strict=True):
        said = {name: getattr(commit, name) for name in SAID}
        previous = chained(previous, patch_digest(texts[commit.version]), round_digest, said)
        key = {"session_id": session.session_id, "branch": session.branch, "version": commit.version}
        write(session, tables.commits, key, {"hash": previous})
    branch = next(row for row in rows(session, tables.branches) if row["branch"] == session.branch)
    write(session, tables.branches, branch, {"head_hash": previous})


def taken_back(session: Session[Any], version: int) -> None:
    """Leave of a history what there was at a version, as a restored backup does."""
    here = (
        tables.commits.c.session_id == session.session_id,
        tables.commits.c.version > version,
    )
    hash_ = session.commit_at(version).hash
    with session.database.exclusively(), session.database.engine.begin() as connection:
        connection.execute(sa.delete(tables.commits).where(*here))
    (branch,) = rows(session, tables.branches)
    write(session, tables.branches, branch, {"head": version, "head_hash": hash_})
