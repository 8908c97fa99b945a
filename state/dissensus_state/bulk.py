"""Writing many rows of a table at once.

On PostgreSQL the columns of a batch travel as arrays in one statement: `COPY` is not to be had where
row-level security keeps tenants apart.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from .engines import Statement, Work, insert
from .errors import DissensusError

BATCH_ROWS, BATCH_BYTES = 500, 2 * 1024 * 1024
"""A batch is written once it has as many rows, or about as many bytes."""

_ARRAYS: dict[type[Any], str] = {
    sa.BigInteger: "bigint",
    sa.Integer: "integer",
    sa.Text: "text",
    sa.LargeBinary: "bytea",
    sa.Float: "double precision",
}


_IN_WORDS = {"bigint", "integer", "double precision"}


class Taken(Exception):
    """A row has the key of one that is there; whoever brought it says what that means."""


class Batch:
    """Rows on their way into one table.

    Args:
        work: The transaction that they are written in.
        table: Where to; every row gives every column.
    """

    def __init__(self, work: Work, table: sa.Table) -> None:
        self._work = work
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._columns = list(table.columns)
        self._arrays = work.database.backend == "postgresql"
        self._statement = _unnested(table) if self._arrays else insert(table)

    def add(self, row: dict[str, Any], size: int = 0) -> None:
        """Take a row in.

        Args:
            size: About how many bytes it has.

        Raises:
            Taken: there is one with such a key.
        """
        self._rows.append(row)
        self._bytes += size
        if len(self._rows) >= BATCH_ROWS or self._bytes >= BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        rows, self._rows, self._bytes = self._rows, [], 0
        if not rows:
            return
        try:
            if self._arrays:
                self._work.run(self._statement, **self._as_arrays(rows))
            else:
                self._work.run_all(self._statement, rows)
        except DissensusError:
            raise
        except Exception as error:
            if any(kind.__name__ == "IntegrityError" for kind in type(error).__mro__):
                raise Taken from error
            raise

    def _as_arrays(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """The columns of some rows; numbers in the server's own words, for the driver looks at each."""
        found: dict[str, Any] = {}
        for column in self._columns:
            values = [row[column.name] for row in rows]
            if _ARRAYS[type(column.type)] in _IN_WORDS:
                said = ["NULL" if value is None else repr(value) for value in values]
                found[f"all_{column.name}"] = f"{{{','.join(said)}}}"
            else:
                found[f"all_{column.name}"] = values
        return found


def _unnested(table: sa.Table) -> Statement:
    columns = ", ".join(
        f"CAST(:all_{column.name} AS {_ARRAYS[type(column.type)]}[])" for column in table.columns
    )
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    text = f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({columns})"  # noqa: S608 - our own names
    return Statement(sa.text(text))
