"""What is looked at after something was taken away: every table, and every file of the database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dissensus_state import tables
from dissensus_state.blobs import unpack
from dissensus_state.sessions import Session

CANARY = "the canary, café Ωmega 4711"


def forms(text: str = CANARY) -> set[str]:
    """A text as it may stand in what is stored: as it is, and inside of JSON once or twice."""
    found = {text}
    for _ in range(2):
        found |= {json.dumps(form, ensure_ascii=plain)[1:-1] for form in found for plain in (True, False)}
    return found


def standing(session: Session[Any], text: str = CANARY) -> list[str]:
    """The columns in which a text still stands, unpacked, in any session of the database."""
    looked_for = forms(text)
    found = []
    with session.database.engine.connect() as connection:
        for name, table in tables.metadata.tables.items():
            for row in connection.execute(sa.select(table)):
                for column, value in row._mapping.items():
                    if any(form in _text(name, column, value) for form in looked_for):
                        found.append(f"{name}.{column}")
    return found


def _text(table: str, column: str, value: Any) -> str:
    packed = {
        ("calls", "answer"),
        ("calls", "reasoning"),
        ("calls", "raw"),
        ("blobs", "data"),
        ("snapshots", "state"),
        ("passages", "data"),
    }
    if isinstance(value, bytes | memoryview):
        data = bytes(value)
        return (unpack(data) if (table, column) in packed else data).decode("utf-8", "replace")
    return str(value)


def files_with(session: Session[Any], text: str = CANARY) -> list[str]:
    """The files beside a SQLite database in whose bytes a text stands."""
    path = Path(str(session.database.url.database))
    return [
        file.name
        for file in sorted(path.parent.glob(f"{path.name}*"))
        if any(form.encode() in file.read_bytes() for form in forms(text))
    ]
