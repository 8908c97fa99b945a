"""Unpacks an answer as it arrives, in small pieces: a few packed bytes may unpack to gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

PIECE = 64 * 1024

_GZIP_OR_ZLIB = 47


class Unpacker:
    """One body, packed as its header says.

    Raises:
        zlib.error: Nothing here knows this way of packing.
    """

    def __init__(self, encoding: str) -> None:
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise zlib.error(f"unknown encoding {encoding[:40]}")
        self._zlib = None if encoding in ("", "identity") else zlib.decompressobj(wbits=_GZIP_OR_ZLIB)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What this chunk unpacks to, never more than a piece at a time.

        Raises:
            zlib.error: It is not packed as its header says.
        """
        if self._zlib is None:
            yield chunk
            return
        while chunk and not self._zlib.eof:
            if piece := self._zlib.decompress(chunk, PIECE):
                yield piece
            chunk = self._zlib.unconsumed_tail
