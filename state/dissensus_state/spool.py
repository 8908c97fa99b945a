"""Rows that wait for their transaction: in memory, and on disk where there are many."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Self

IN_MEMORY = 8 * 1024 * 1024
"""Bytes of rows from which on they wait on disk."""

_LENGTH = struct.Struct(">I")


class Spool:
    """Rows of bytes, which are added one by one and then read in order, as often as is wanted."""

    def __init__(self, fields: int) -> None:
        self._fields = fields
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by `__exit__`
        self.size = 0

    def put(self, *row: bytes) -> None:
        """Add a row at the end."""
        data = b"".join(_LENGTH.pack(len(field)) + field for field in row)
        self._file.seek(self.size)
        self._file.write(data)
        self.size += len(data)

    def cut(self, size: int) -> None:
        """Take away what was added since it had that size."""
        self.size = size
        self._file.seek(size)
        self._file.truncate()

    def rows(self, start: int, end: int) -> Iterator[list[bytes]]:
        """The rows that were added between two of its sizes."""
        place = start
        while place < end:
            row = []
            self._file.seek(place)
            for _ in range(self._fields):
                (length,) = _LENGTH.unpack(self._file.read(_LENGTH.size))
                row.append(self._file.read(length))
                place += _LENGTH.size + length
            yield row

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
