"""The tables of LangGraph's checkpoint savers, read and never written.

`langgraph-checkpoint-sqlite` keeps whole checkpoints in `checkpoints` and what tasks wrote in `writes`;
`langgraph-checkpoint-postgres` keeps the values of channels apart, in `checkpoint_blobs`, and the writes in
`checkpoint_writes`. Both are opened so that nothing can be changed: a SQLite file read-only, PostgreSQL
in a transaction that is read-only.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dissensus_agents.errors import HistoryNewer, HistoryUnreadable, NotInstalled
from dissensus_state.engines import read_url
from dissensus_state.errors import DatabaseFailed, NotFound
from dissensus_state.values import JSON

from .decoding import MAX_BLOB, Decoder
from .records import NEWEST, POSTGRESQL, SQLITE, Checkpoint, Node, Thread, Write, check


class Source(ABC):
    """The tables of one saver, opened for reading; use it in a `with` block."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Give the connection back."""

    @abstractmethod
    def _rows(self, sql: str, *values: Any) -> Iterator[Sequence[Any]]:
        """The rows of a SELECT; `?` stands for a value."""

    @abstractmethod
    def checkpoint(self, thread: str, node: Node, decoder: Decoder) -> Checkpoint:
        """One checkpoint."""

    @abstractmethod
    def value(self, thread: str, checkpoint: Checkpoint, channel: str, decoder: Decoder) -> tuple[bool, JSON]:
        """Whether a channel has a value there, and the value, as large as it is."""

    _writes = ""
    _blob, _length = "value", "length(value)"
    _path = "task_path"

    def written(self, thread: str, namespace: str, write: Write, decoder: Decoder) -> JSON:
        """What was written."""
        sql = (
            f"SELECT type, CASE WHEN {self._length} <= ? THEN {self._blob} END, {self._length} "  # noqa: S608 - ours
            f"FROM {self._writes} WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ? "
            "AND task_id = ? AND idx = ?"
        )
        place = (thread, namespace, write.checkpoint, write.task, write.n)
        for kind, blob, size in self._rows(sql, MAX_BLOB, *place):
            return _read(decoder, kind, blob, size)
        return None

    def threads(self) -> list[Thread]:
        """All threads, the oldest first."""
        sql = (
            "SELECT thread_id, count(*), count(DISTINCT checkpoint_ns), min(checkpoint_id), "
            "max(checkpoint_id) FROM checkpoints GROUP BY thread_id"
        )
        rows = sorted(self._rows(sql), key=lambda row: (_text(row[3]), _text(row[0])))
        return [Thread(_text(row[0]), row[1], row[2] - 1, _text(row[4])) for row in rows]

    def nodes(self, thread: str) -> list[Node]:
        """The checkpoints of a thread by their places, without their contents."""
        sql = "SELECT checkpoint_ns, checkpoint_id, parent_checkpoint_id FROM checkpoints WHERE thread_id = ?"
        rows = self._rows(sql, thread)
        return [Node(_text(row[0]), _text(row[1]), _text(row[2]) or None) for row in rows]

    def writes(self, thread: str, namespace: str, checkpoint: str) -> list[Write]:
        """What tasks wrote on top of this checkpoint, in the order in which it was applied."""
        sql = (
            f"SELECT checkpoint_id, task_id, {self._path}, idx, channel FROM {self._writes} "  # noqa: S608 - ours
            "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?"
        )
        found = [_write(row) for row in self._rows(sql, thread, namespace, checkpoint)]
        return sorted(found, key=lambda one: (one.path, one.task, one.n))

    def special(self, thread: str, channels: Iterable[str]) -> list[tuple[str, Write]]:
        """The writes of a thread into these channels, in their order, each with its namespace."""
        names = tuple(channels)
        sql = (
            f"SELECT checkpoint_id, task_id, {self._path}, idx, channel, checkpoint_ns "  # noqa: S608 - ours
            f"FROM {self._writes} WHERE thread_id = ? AND channel IN ({', '.join('?' * len(names))})"
        )
        found = [(_text(row[5]), _write(row)) for row in self._rows(sql, thread, *names)]
        order = {name: n for n, name in enumerate(names)}
        return sorted(found, key=lambda one: (one[0], one[1].checkpoint, order[one[1].channel], *one[1][1:4]))

    def _made(self, node: Node, body: dict[str, Any], metadata: Any, *, stored: bool) -> Checkpoint:
        """A checkpoint from its parsed body; `HistoryNewer` where it is of a format that is not known."""
        version = body.get("v", 1)
        if not isinstance(version, int) or version > NEWEST:
            raise HistoryNewer(
                f"The checkpoint {node.id[:80]} is of format {str(version)[:20]}; known are 1 to {NEWEST}",
                checkpoint=node.id[:80],
            )
        return Checkpoint(
            node,
            str(body.get("ts", ""))[:64],
            _dictionary(body.get("channel_values")),
            _dictionary(body.get("channel_versions")),
            {key: _dictionary(value) for key, value in _dictionary(body.get("versions_seen")).items()},
            _dictionary(metadata),
            stored,
        )


class SqliteSource(Source):
    """The file of a `SqliteSaver`."""

    _writes = "writes"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        if not Path(path).is_file():
            raise NotFound(
                f"There is no database file {path}", next_step="Name the file that the SqliteSaver was given"
            )
        try:
            self._connection = _read_only(Path(path).absolute())
            columns = {name: self._columns(name) for name in SQLITE}
        except sqlite3.DatabaseError as error:
            raise HistoryUnreadable(f"{path} cannot be read as a SQLite database: {error}") from None
        try:
            check(self.name, columns, SQLITE)
        except BaseException:
            self.close()
            raise
        self._path = "task_path" if "task_path" in columns["writes"] else "''"

    def _columns(self, table: str) -> set[str]:
        return {str(row[1]) for row in self._connection.execute(f"PRAGMA table_info({table})")}

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _rows(self, sql: str, *values: Any) -> Iterator[Sequence[Any]]:
        try:
            yield from self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise HistoryUnreadable(f"{self.name} cannot be read: {error}") from None

    def checkpoint(self, thread: str, node: Node, decoder: Decoder) -> Checkpoint:
        """One checkpoint: its blob holds all its values."""
        sql = (
            "SELECT type, CASE WHEN length(checkpoint) <= ? THEN checkpoint END, "
            "CASE WHEN length(metadata) <= ? THEN metadata END FROM checkpoints "
            "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?"
        )
        for kind, blob, metadata in self._rows(sql, MAX_BLOB, MAX_BLOB, thread, node.namespace, node.id):
            body = decoder.parsed(_text(kind) or "msgpack", _blob(blob)) if blob is not None else None
            if body is not None:
                return self._made(node, body, self._metadata(metadata, decoder), stored=False)
            raise _unreadable(node, kind, blob)
        raise _gone(node)

    @staticmethod
    def _metadata(stored: Any, decoder: Decoder) -> Any:
        """Metadata is JSON, and was written by the serialiser by some versions."""
        if stored is None:
            return {}
        blob = _blob(stored)
        return decoder.parsed("json", blob) or decoder.parsed("msgpack", blob)

    def value(
        self,
        thread: str,  # noqa: ARG002 - PostgreSQL's
        checkpoint: Checkpoint,
        channel: str,
        decoder: Decoder,
    ) -> tuple[bool, JSON]:
        """Whether a channel has a value there, and the value, which the checkpoint holds."""
        if channel not in checkpoint.values:
            return False, None
        return True, decoder.plain(checkpoint.values[channel])


class PostgresqlSource(Source):
    """The tables of a `PostgresSaver`."""

    _writes = "checkpoint_writes"
    _blob, _length = "blob", "octet_length(blob)"

    def __init__(self, url: str) -> None:
        parsed = read_url(url)
        super().__init__(parsed.render_as_string(hide_password=True))
        try:
            import psycopg
        except ImportError:
            raise NotInstalled(
                "Reading PostgreSQL needs psycopg", next_step="Run: pip install 'dissensus[postgres]'"
            ) from None
        self._errors = psycopg.Error
        address = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            self._connection = psycopg.connect(address, prepare_threshold=2)
        except psycopg.Error as error:
            raise DatabaseFailed(f"{self.name}: {_first_line(error)}") from None
        self._connection.read_only = True
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        try:
            columns = {name: self._columns(name) for name in POSTGRESQL}
            check(self.name, columns, POSTGRESQL)
        except BaseException:
            self.close()
            raise
        self._path = "task_path" if "task_path" in columns["checkpoint_writes"] else "''"

    def _columns(self, table: str) -> set[str]:
        sql = (
            "SELECT attname FROM pg_attribute "
            "WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped"
        )
        return {row[0] for row in self._rows(sql, table)}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _rows(self, sql: str, *values: Any) -> Iterator[Sequence[Any]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql.replace("?", "%s").encode(), values)
                yield from cursor
        except self._errors as error:
            raise HistoryUnreadable(f"{self.name} cannot be read: {_first_line(error)}") from None

    def checkpoint(self, thread: str, node: Node, decoder: Decoder) -> Checkpoint:
        """One checkpoint: short values stand in it, the others apart."""
        sql = (
            "SELECT CASE WHEN octet_length(checkpoint::text) <= ? THEN checkpoint::text END, "
            "CASE WHEN octet_length(metadata::text) <= ? THEN metadata::text END FROM checkpoints "
            "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?"
        )
        for text, metadata in self._rows(sql, MAX_BLOB, MAX_BLOB, thread, node.namespace, node.id):
            body = None if text is None else decoder.parsed("json", text.encode())
            if body is not None:
                more = decoder.parsed("json", metadata.encode()) if metadata else {}
                return self._made(node, body, more, stored=True)
            raise _unreadable(node, None, text)
        raise _gone(node)

    def value(self, thread: str, checkpoint: Checkpoint, channel: str, decoder: Decoder) -> tuple[bool, JSON]:
        """Whether a channel has a value there, and the value: apart, or in the checkpoint."""
        sql = (
            "SELECT type, CASE WHEN octet_length(blob) <= ? THEN blob END, octet_length(blob) "
            "FROM checkpoint_blobs WHERE thread_id = ? AND checkpoint_ns = ? AND channel = ? AND version = ?"
        )
        version = str(checkpoint.versions.get(channel, ""))
        for kind, blob, size in self._rows(
            sql, MAX_BLOB, thread, checkpoint.node.namespace, channel, version
        ):
            if kind == "empty":
                break
            return True, _read(decoder, kind, blob, size)
        if channel not in checkpoint.values:
            return False, None
        return True, decoder.plain(checkpoint.values[channel])


def opened(address: str) -> Source:
    """The tables at an address: a SQLite file, or `postgresql://…`.

    Raises:
        NotFound: there is no such file.
        HistoryUnreadable: it is no database of LangGraph's, or of a form that is not read.
    """
    url = read_url(address)
    if url.get_backend_name() == "sqlite":
        return SqliteSource(url.database or "")
    return PostgresqlSource(address)


def _read_only(path: Path) -> sqlite3.Connection:
    """A file, opened so that it cannot be changed; at one moment of it, where that hinders nobody.

    Reading a file that is written ahead needs one more file beside it. Where that may not be made and
    nobody has the file open, it is read as one that does not change.
    """
    modes = ["mode=ro", "mode=ro&immutable=1"]
    while True:
        mode = modes.pop(0)
        connection = sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, isolation_level=None, timeout=30)
        try:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
            if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                connection.execute("BEGIN")  # else whoever writes the file would wait for the end of it
        except sqlite3.OperationalError:
            connection.close()
            if not modes or path.with_name(f"{path.name}-wal").exists():
                raise
        else:
            return connection


def _dictionary(value: Any) -> dict[str, Any]:
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A text from a column in which SQLite lets anything stand."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return "" if value is None else str(value)


def _write(row: Sequence[Any]) -> Write:
    checkpoint, task, path, n, channel = row[:5]
    number = n if isinstance(n, int) else 0
    return Write(_text(checkpoint), _text(task), _text(path), number, _text(channel))


def _blob(value: Any) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    return _text(value).encode("utf-8", "surrogatepass")


def _read(decoder: Decoder, kind: Any, blob: Any, size: int | None) -> JSON:
    """A value from its row, of which a blob that is too large was not fetched."""
    if blob is None and size is not None:
        return decoder.unread("too large", str(size).encode())
    return decoder.read(None if kind is None else _text(kind), None if blob is None else _blob(blob))


def _gone(node: Node) -> HistoryUnreadable:
    """The error of a checkpoint that was listed, and is not found under its own name."""
    said = f"The checkpoint {node.id[:80]} is no longer there, or its name is no text"
    return HistoryUnreadable(said, next_step="Bring the thread in again", checkpoint=node.id[:80])


def _unreadable(node: Node, kind: Any, blob: Any) -> HistoryUnreadable:
    """The error of a checkpoint whose body cannot be read."""
    why = "encrypted" if "+" in str(kind) else "pickled" if kind == "pickle" else "broken"
    if blob is None:
        why = f"missing, or over {MAX_BLOB // 2**20} MiB large"
    said = f"The checkpoint {node.id[:80]} cannot be read: it is {why}"
    return HistoryUnreadable(said, checkpoint=node.id[:80])


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
