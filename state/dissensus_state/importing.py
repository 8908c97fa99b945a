"""A session from the lines of a file, into any database: all of it in one transaction, or nothing.

Nobody vouches for such a file. Each record is held to its kind and its place, each text to its digest, each
commit to its hash, before the session is there for anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import documents, index, indexing, ledger
from .archive_lines import Header, Tally, parsed, read_header
from .archive_records import KINDS, Kind
from .archive_types import PACKED, PATCH, Packed
from .arriving import UNREADABLE, Chain, Rounds, Terms
from .blobs import Stowed, pack
from .branching import check_name
from .bulk import Batch, Taken
from .engines import Work
from .entering import enter
from .erasures import Erasures
from .errors import ArchiveRefused, DissensusError, Tampered, ValueRefused
from .lineages import MAIN
from .readers import SessionInfo
from .values import parse_object

_RANK = {
    word: rank
    for rank, words in enumerate(
        (
            ("branch",),
            ("blob",),
            ("model",),
            ("round", "call", "proposal", "ruling", "grade"),
            ("commit", "state"),
            ("tag",),
            ("conflict",),
            ("account",),
            ("document", "passage"),
            ("event",),
            ("end",),
        )
    )
    for word in words
}
"""Which kinds stand before which."""

_WRAPPED = {
    word: [key for key, one in kind.fields.items() if one.read in {PACKED.read, PATCH.read}]
    for word, kind in KINDS.items()
}
"""The keys whose values are read as more than their columns hold."""

_HANGS = {
    "call": "round",
    "proposal": "round",
    "ruling": "round",
    "grade": "round",
    "passage": "document",
}
"""What hangs on the record of another kind above it, whose number it bears."""

_ROOM = 1000
"""How many numbers an import leaves to the sessions that are begun meanwhile, on PostgreSQL."""

_BLOCKS = 2
"""Blocks of 256 commits that are indexed, and so in memory, at a time."""

_MOST_BRANCHES = 100_000
"""They are kept in memory, as rounds are; a session has far fewer."""

_MOST_MODELS = 64 * 1024 * 1024
"""Bytes that all ways of asking a model may have: they are kept in memory."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A session that was brought here."""

    info: SessionInfo
    header: Header
    counts: Mapping[str, int]
    size: int


class Importing:
    """One file on its way into a database.

    Args:
        work: The transaction; the caller ends it.
        name: What the session is to be called here; as in the file where None.
        told: Is told after each line how many bytes have come.
    """

    def __init__(
        self, work: Work, name: str | None = None, told: Callable[[int], None] | None = None
    ) -> None:
        self._work, self._name, self._told = work, name, told
        self._counts = dict.fromkeys(KINDS, 0)
        self._keys: dict[str, tuple[Any, ...]] = {}
        self._rank = 0
        self._branches: dict[str, Mapping[str, Any]] = {}
        self._waiting: list[Mapping[str, Any]] = []
        self._models: dict[int, Terms] = {}
        self._models_size = 0
        self._rounds = Rounds()
        self._above: dict[str, int] = {}
        self._ended: Mapping[str, Any] | None = None
        self._takes: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "branch": self._branch,
            "blob": self._blob,
            "model": self._model,
            "round": self._round,
            "call": self._call,
            "proposal": self._rounds.proposal,
            "ruling": self._rounds.ruling,
            "tag": self._tag,
            "document": self._document,
        }

    def run(self, lines: Iterable[bytes]) -> Arrived:
        """Take all lines in.

        Raises:
            ArchiveRefused: they are no session, or not whole; it says which line, and why.
            Tampered: a hash does not hold; it names the first bad commit.
            Conflict: there is a session of that name.
        """
        tally, before = Tally(), ""
        for number, line in enumerate(lines, start=1):
            if self._ended is not None:
                raise ArchiveRefused(f"Line {number} stands after the end")
            record = self._parsed(line, number)
            if number == 1:
                self._begin(read_header(record))
            else:
                self._line(record, number, len(line))
            if record.get("type") == "end":
                before = tally.digest
            tally.add(line)
            if self._told is not None:
                self._told(tally.size)
        self._check_end(tally.lines, before)
        self._finish()
        return Arrived(self._info, self._header, self._counts, tally.size)

    def _parsed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            return parsed(line)
        except ArchiveRefused as error:
            raise ArchiveRefused(f"Line {number}: {error.message}") from None

    def _begin(self, header: Header) -> None:
        self._header = header
        keys = parse_object(header.keys)
        if not all(isinstance(key, str) for key in keys.values()):
            raise ArchiveRefused("Its header cannot be read: a key is no text")
        name = header.session if self._name is None else self._name
        info = SessionInfo(0, name, header.schema, header.schema_version, keys, header.created_at)
        room = _ROOM if self._work.database.backend == "postgresql" else 0
        self._info = enter(self._work, info, header.past_keys, beyond=room)
        self._batches = {
            word: Batch(self._work, kind.table) for word, kind in KINDS.items() if word != "state"
        }
        self._chain = Chain(self._work, self._info.session_id, self._rounds, self._flush)

    def _flush(self) -> None:
        for word, batch in self._batches.items():
            try:
                batch.flush()
            except Taken:
                raise _twice(word) from None

    def _line(self, record: dict[str, Any], number: int, size: int) -> None:
        word = record.get("type")
        try:
            if word == "end":
                self._move_to(_RANK["end"])
                self._ended = record
            else:
                self._record(_known(word), record, size)
        except Taken:
            raise _twice(str(word)) from None
        except ValueError as error:
            raise ArchiveRefused(f"Line {number}, a {str(word)[:20]!r}, {error}") from None

    def _record(self, kind: Kind, record: dict[str, Any], size: int) -> None:
        self._move_to(_RANK[kind.word])
        said = kind.read(record)
        self._check_place(kind, said)
        self._counts[kind.word] += 1
        if kind.word == "commit":
            self._commit(kind, record, said, size)
        elif kind.word == "state":
            self._chain.stand_on(said)
        else:
            take = self._takes.get(kind.word)
            if take is not None:
                take(said)
            self._batches[kind.word].add(self._row(kind, said), size)

    def _move_to(self, rank: int) -> None:
        """See that no kind comes back, and end what the kinds before have begun."""
        if rank < self._rank:
            raise ValueError("stands after records that it should stand before")
        if rank == self._rank:
            return
        was, self._rank = self._rank, rank
        if was <= _RANK["round"] < rank:
            self._rounds.end()
        if was < _RANK["commit"] <= rank:
            self._begin_commits()
        if was <= _RANK["commit"] < rank:
            self._end_commits()

    def _check_place(self, kind: Kind, said: Mapping[str, Any]) -> None:
        """Each record follows the one before of its kind, and hangs on what stands above it."""
        above = _HANGS.get(kind.word)
        if above is not None and said[above] != self._above.get(above):
            raise ValueError(f"does not belong to the {above} above it")
        key = tuple(said[name] for name in kind.key)
        if kind.word not in {"branch", "commit", "state"}:
            last = self._keys.get(kind.word)
            if last is not None and key <= last:
                raise ValueError("stands there twice, or not in its order")
            self._keys[kind.word] = key
        for name in ("branch", "source_branch"):
            if kind.word != "branch" and said.get(name) is not None and said[name] not in self._branches:
                raise ValueError(f"names a branch {said[name][:80]!r} that is not there")

    def _stand_above(self, word: str, number: int, below: tuple[str, ...]) -> None:
        self._above[word] = number
        for one in below:
            self._keys.pop(one, None)

    def _row(self, kind: Kind, said: Mapping[str, Any]) -> dict[str, Any]:
        row = {"session_id": self._info.session_id, **kind.fixed, **said}
        for key in _WRAPPED[kind.word]:
            row[key] = _unwrapped(row[key])
        return row

    # The kinds

    def _round(self, said: Mapping[str, Any]) -> None:
        self._rounds.begin(said)
        self._stand_above("round", said["round"], ("call", "proposal", "ruling", "grade"))

    def _call(self, said: Mapping[str, Any]) -> None:
        terms = self._models.get(said["model"])
        if terms is None:
            raise ValueError(f"names a model {said['model']} that is not there")
        self._rounds.call(said, terms)

    def _document(self, said: Mapping[str, Any]) -> None:
        self._stand_above("document", said["document"], ("passage",))

    def _branch(self, said: Mapping[str, Any]) -> None:
        base, version = said["base_branch"], said["base_version"]
        _check_name("branch", said["branch"])
        if len(self._branches) >= _MOST_BRANCHES:
            raise ValueError(f"is one too many: a file has at most {_MOST_BRANCHES:,}")
        if (base is None) != (not self._branches) or (base is None) != (said["branch"] == MAIN):
            raise ValueError(f"is not forked from another one, as all but {MAIN!r} are")
        if (base is None) != (version is None):
            raise ValueError("has a base version without a base, or a base without one")
        if said["branch"] in self._branches:
            raise ValueError("stands there twice")
        if base is not None:
            if base not in self._branches:
                raise ValueError("stands before the branch it was forked from")
            if not version <= min(self._branches[base]["head"], said["head"]):
                raise ValueError("was forked from a version that is not there")
        self._branches[said["branch"]] = said
        self._waiting.append(said)

    def _blob(self, said: Mapping[str, Any]) -> None:
        data: Packed = said["data"]
        if data.data is None or data.digest != said["digest"]:
            raise ValueError("is not what its digest says")
        try:
            data.data.decode()
        except UnicodeDecodeError:
            raise ValueError("is no text") from None

    def _model(self, said: Mapping[str, Any]) -> None:
        terms = (said["name"], said["lineage"], said["price"], said["frame"])
        self._models_size += sum(map(len, terms))
        if self._models_size > _MOST_MODELS:
            raise ValueError(f"is one too many: together they have over {_MOST_MODELS // 2**20} MiB")
        self._models[said["model"]] = terms

    def _begin_commits(self) -> None:
        self._flush()
        self._waiting.reverse()
        self._current: Mapping[str, Any] | None = None

    def _commit(self, kind: Kind, record: dict[str, Any], said: dict[str, Any], size: int) -> None:
        while self._current is None or self._current["branch"] != said["branch"]:
            if not self._waiting:
                raise ValueError("does not belong to the branch whose commits come next")
            self._next_branch()
        self._chain.take(record, said)
        self._batches["commit"].add(self._row(kind, said), size)
        self._chain.keep(record, len(said["patch"].text))

    def _next_branch(self) -> None:
        if self._current is not None:
            self._chain.end(self._current)
        self._current = self._waiting.pop() if self._waiting else None
        if self._current is not None:
            self._chain.begin(self._current)

    def _end_commits(self) -> None:
        while self._waiting or self._current is not None:
            self._next_branch()

    def _tag(self, said: Mapping[str, Any]) -> None:
        _check_name("tag", said["tag"])
        if said["version"] > self._branches[said["branch"]]["head"]:
            raise ValueError("names a version that is not there")

    # The end

    def _check_end(self, number: int, before: str) -> None:
        if self._ended is None:
            raise ArchiveRefused("It has no end: it is not whole")
        if (self._ended.get("lines"), self._ended.get("sha256")) != (number - 1, before):
            raise ArchiveRefused("Its lines are not those that its end counts")
        heads = {name: (one["head"], one["head_hash"].hex()) for name, one in self._branches.items()}
        if self._header.heads != heads or self._header.counts != self._counts:
            raise ArchiveRefused("Its header says another thing than its lines")

    def _finish(self) -> None:
        """Hold documents and money to what they say, and make the index of the documents."""
        self._flush()
        session_id = self._info.session_id
        try:
            if self._counts["document"]:
                erased = Erasures(self._work, session_id, MAIN)
                documents.check(self._work, session_id, erased.passages)
                index.renew(self._work, session_id)
            ledger.check(self._work, session_id)
            for name, said in self._branches.items():
                while indexing.catch_up(self._work, session_id, name, said["head"], _BLOCKS):
                    pass
        except UNREADABLE as error:
            if isinstance(error, Tampered):
                raise
            why = error.message if isinstance(error, DissensusError) else str(error)
            raise Tampered(f"What is beside the history cannot be read: {why}") from error


def _unwrapped(value: Any) -> Any:
    """A value as its column holds it."""
    if isinstance(value, Packed):
        return b"\x03" + value.digest if value.data is None else pack(value.data)
    return value.text if isinstance(value, Stowed) else value


def _check_name(kind: str, name: str) -> None:
    try:
        check_name(kind, name)
    except ValueRefused as error:
        raise ValueError(f"has a name that cannot be: {error.message}") from None


def _known(word: object) -> Kind:
    kind = KINDS.get(word) if isinstance(word, str) else None
    if kind is None:
        raise ValueError("is of no known type")
    return kind


def _twice(word: str) -> ArchiveRefused:
    return ArchiveRefused(f"Two records of type {word!r} have the same key")
