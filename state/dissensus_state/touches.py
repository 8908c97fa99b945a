"""Which commits touched a path, and which are an author's: asked of the index, newest first.

The index (`marks`) holds whole blocks of 256 versions; what is newer than the last block, and what a
database holds from before there was an index, is read from the commits themselves.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import islice
from typing import Literal, NamedTuple

import orjson
import sqlalchemy as sa

from . import blobs, marks
from .commits import state_at
from .engines import Statement, Work
from .errors import NotFound, Pruned, Tampered
from .lifting import Keys
from .lineages import BEYOND, Lineage, Segment, lineage, pruned
from .marks import AUTHOR, BELOW, BLOCK, HERE, ITEMS, LENGTH, Marker, Rows
from .tables import branches, commits, touches
from .values import JSON, Path, parse, parse_list, pointer

Where = Literal["over", "at", "below"]
"""Where a commit wrote, seen from a path: at one that it stands in, at itself, or inside of it."""

ANYWHERE: frozenset[Where] = frozenset({"over", "at", "below"})

_PAGE = 2000
_FIRST, _MORE = 2, 64
"""How many rows of the index are read at first, and then."""

_FEW_BRANCHES = 4
"""From more on, those of the whole session are asked for at once."""

_SHORT_INDEX = 18

_session = sa.bindparam("session_id", type_=sa.BigInteger)
_rows = Statement(
    sa.select(touches.c.block, touches.c.versions)
    .where(
        touches.c.session_id == _session,
        touches.c.branch == sa.bindparam("branch"),
        touches.c.what == sa.bindparam("what", type_=sa.Integer),
        touches.c.spot == sa.bindparam("spot", type_=sa.BigInteger),
        touches.c.block <= sa.bindparam("upto", type_=sa.BigInteger),
    )
    .order_by(touches.c.block.desc())
    .limit(sa.bindparam("limit", type_=sa.BigInteger))
)
_written = Statement(
    sa.select(commits.c.version, commits.c.author, commits.c.patch, commits.c.schema_version)
    .where(
        commits.c.session_id == _session,
        commits.c.branch == sa.bindparam("branch"),
        commits.c.version > sa.bindparam("after", type_=sa.BigInteger),
        commits.c.version <= sa.bindparam("upto", type_=sa.BigInteger),
    )
    .order_by(commits.c.version)
    .limit(_PAGE)
)
_every = Statement(
    sa.select(*touches.c["what", "spot", "block", "versions"]).where(
        touches.c.session_id == _session, touches.c.branch == sa.bindparam("branch")
    )
)
_stand = sa.select(branches.c.branch, branches.c.indexed, branches.c.head).where(
    branches.c.session_id == _session
)
_all_indexed = Statement(_stand)
_indexed = Statement(_stand.where(branches.c.branch == sa.bindparam("branch")))


class Touch(NamedTuple):
    """A version that touched a path.

    `into` is which of the items that it appended to a field stands at the path, or is what the path stands
    in, at `depth`; None where it is told otherwise.
    """

    version: int
    into: int | None = None
    depth: int = 0


class Touches:
    """What the commits of a branch have touched, up to a version.

    Args:
        branch: With what it was forked from.
        upto: The newest version that anything is asked about.
    """

    def __init__(self, work: Work, session_id: int, branch: str, upto: int = BEYOND) -> None:
        self.work = work
        self.session_id = session_id
        self.upto = upto
        self.segments: Lineage = lineage(work, session_id, branch)
        self.base = pruned(work, session_id, self.segments)
        self._known = self._stands()
        self._tails: dict[int, Rows] = {}
        self._ends: list[tuple[int, Rows]] = []

    def of_path(
        self, path: Path, before: int = BEYOND, where: frozenset[Where] = ANYWHERE
    ) -> Iterator[Touch]:
        """The versions before one that touched a path, newest first, each once.

        The index may name one that did not: of two paths with one hash, or an `append` to a list whose
        length was not known, beside the item that is asked for. See what the commit wrote.
        """
        if not path:
            return self._everything(before)
        streams: list[Iterator[Touch]] = []
        if "at" in where:
            streams.append(self._plain(HERE, marks.spot(pointer(path)), before))
        if "over" in where:
            streams += [
                self._plain(HERE, marks.spot(pointer(path[:depth])), before) for depth in range(1, len(path))
            ]
        if len(path) > 1 and ("over" if len(path) > 2 else "at") in where and _is_position(path[1]):
            streams.append(self._items(path[:1], int(path[1]), before))
        if "below" in where:
            streams.append(self._plain(BELOW, marks.spot(pointer(path)), before))
        return _each_once(heapq.merge(*streams, key=_newest_first))

    def of_author(self, author: str, before: int = BEYOND) -> Iterator[int]:
        """The versions before one that are an author's, newest first; as for paths, see the commit."""
        return (found.version for found in self._plain(AUTHOR, marks.spot(author), before))

    def tail(self, number: int) -> Rows:
        """The rows of what is not in the index, of the segment of that number."""
        if number not in self._tails:
            part, start = self.segments[number], self.reach(number)
            upto = min(part.upto, self.upto)
            self._tails[number] = self.scanned(number, start, upto) if start < upto else {}
        return self._tails[number]

    def scanned(self, number: int, start: int, upto: int) -> Rows:
        """The rows of the commits after a version and up to another, all in the segment of that number."""
        part = self.segments[number]
        marker = Marker(lambda field: self._length_before(field, number, start), self._fetch)
        keys = Keys(self.work, self.session_id)
        base = self.base
        while start < upto:
            rows = self.work.all(
                _written, session_id=self.session_id, branch=part.branch, after=start, upto=upto
            )
            for version, author, patch, schema_version in rows:
                marker.mark(version, author, _parsed(patch), keys.of(schema_version))
                if version == base:
                    self._stand_on(marker, version)
            if len(rows) < _PAGE:
                break
            start = rows[-1][0]
        return marker.rows

    def _stand_on(self, marker: Marker, version: int) -> None:
        """Take the lengths of lists from what a pruned history stands on."""
        try:
            state = state_at(self.work, self.session_id, self.segments[-1].branch, version)
        except (NotFound, Pruned):
            return
        for field, value in state.items():
            if isinstance(value, list):
                marker.set_length(field, len(value))

    def _fetch(self, reference: str) -> JSON:
        return parse(blobs.get(self.work, self.session_id, blobs.dereference(reference)))

    def _stands(self) -> list[tuple[int, int]]:
        """Up to which version the index has the commits of each segment, and the head of its branch."""
        if len(self.segments) > _FEW_BRANCHES:
            rows = {row[0]: row for row in self.work.all(_all_indexed, session_id=self.session_id)}
        else:
            names = [part.branch for part in self.segments]
            asked = (self.work.one(_indexed, session_id=self.session_id, branch=name) for name in names)
            rows = {row[0]: row for row in asked if row is not None}
        found = []
        for part in self.segments:
            _, indexed, head = rows.get(part.branch, (part.branch, None, part.after))
            found.append((part.after if indexed is None else max(int(indexed), part.after), int(head)))
        return found

    def reach(self, number: int = -1) -> int:
        """Up to which version the index has the commits of the segment of that number."""
        return self._known[number][0]

    def behind(self) -> Iterator[tuple[str, int]]:
        """The branches that the lineage is made of, and how many of their commits are in no index."""
        for part, (reach, head) in zip(self.segments, self._known, strict=True):
            yield part.branch, head - reach

    def _told(self, what: int, spot: int, before: int) -> Iterator[tuple[int, bytes, Segment]]:
        """The rows about a spot, newest block first, each with the versions to which it is to be cut."""
        for number in reversed(range(len(self.segments))):
            part = self.segments[number]
            top = min(part.upto, self.upto, before - 1)
            if top <= part.after:
                continue
            cut, reach = part._replace(upto=top), self.reach(number)
            if top > reach:
                blocks = self.tail(number).get((what, spot), {})
                for block in sorted(blocks, reverse=True):
                    yield block, blocks[block], cut
            if reach > part.after:
                cut = part._replace(upto=min(top, reach))
                for block, told in self._stored(part.branch, what, spot, cut.upto):
                    yield block, told, cut

    def _stored(self, branch: str, what: int, spot: int, upto: int) -> Iterator[tuple[int, bytes]]:
        block, limit = upto // BLOCK, _FIRST
        while True:
            rows = self.work.all(
                _rows,
                session_id=self.session_id,
                branch=branch,
                what=what,
                spot=spot,
                upto=block,
                limit=limit,
            )
            for found, told in rows:
                yield int(found), bytes(told)
            if len(rows) < limit:
                return
            block, limit = rows[-1][0] - 1, _MORE

    def _plain(self, what: int, spot: int, before: int) -> Iterator[Touch]:
        for block, told, part in self._told(what, spot, before):
            for place in reversed(told):
                version = block * BLOCK + place
                if part.after < version <= part.upto:
                    yield Touch(version)

    def _items(self, path: Path, position: int, before: int) -> Iterator[Touch]:
        """Who appended the item at a position of a field."""
        within = position % BLOCK
        for block, told, part in self._told(ITEMS, marks.spot_of_items(path, position), before):
            for run in reversed(list(marks.runs(told))):
                version = block * BLOCK + run.place
                if run.low <= within <= run.high and part.after < version <= part.upto:
                    yield Touch(version, run.into + within - run.low, len(path) + 1)

    def _everything(self, before: int) -> Iterator[Touch]:
        """Every version before one: what touches anything touches the state as a whole."""
        newest = min(before - 1, self.upto)
        return map(Touch, range(min(newest, self._known[-1][1]), -1, -1))

    def _length_before(self, field: str, number: int, start: int) -> int | None:
        """How long the list of a field was before the commits that are read, which begin after a version."""
        if (known := self._length_stored(field, number, start)) is not None:
            return marks.length_told(known)
        while len(self._ends) < number:  # oldest first, so that none has to ask for those before it
            self._ends.append(self._end(len(self._ends)))
        for earlier in reversed(range(number)):
            start, told = self._ends[earlier]
            if blocks := told.get((LENGTH, marks.spot(pointer((field,))))):
                return marks.length_told(blocks[max(blocks)])
            if (known := self._length_stored(field, earlier, start)) is not None:
                return marks.length_told(known)
        return None

    def length_of(self, field: str, version: int) -> tuple[int, int | None]:
        """How long the list of a field was at a version or before, and at which; None where nobody knows."""
        number = next(n for n, part in enumerate(self.segments) if part.after < version <= part.upto)
        start = min(self.reach(number), (version + 1) // BLOCK * BLOCK - 1)
        start = max(start, self.segments[number].after)
        return start, 0 if start < 0 else self._length_before(field, number, start)

    def _length_stored(self, field: str, number: int, start: int) -> bytes | None:
        part = self.segments[number]
        if start <= part.after:
            return None
        spot = marks.spot(pointer((field,)))
        return next((told for _, told in self._stored(part.branch, LENGTH, spot, start)), None)

    def _end(self, number: int) -> tuple[int, Rows]:
        """The last versions of a segment, from the end of a block on: after which one, and their rows."""
        part = self.segments[number]
        start = max(part.after, min(self.reach(number), part.upto // BLOCK * BLOCK - 1))
        return start, self.scanned(number, start, part.upto)


def check(work: Work, session_id: int, branch: str) -> None:
    """Hold what the index says of a branch, and of what it was forked from, to the commits.

    Raises:
        Tampered: it says something else.
    """
    index = Touches(work, session_id, branch)
    for number, part in enumerate(index.segments):
        if part.after >= part.upto:  # nothing of it is here, nor does this lineage tell where it begins
            continue
        reach = index.reach(number)
        expected = index.scanned(number, part.after, reach) if reach > part.after else {}
        rows = work.pages(_every, session_id=session_id, branch=part.branch)
        told = {(what, spot, block): bytes(versions) for what, spot, block, versions in rows}
        made = {
            (*of, block): versions for of, blocks in expected.items() for block, versions in blocks.items()
        }
        odd = {key for key in told.keys() | made.keys() if told.get(key) != made.get(key)}
        if odd:
            first = min(block for _, _, block in odd) * BLOCK
            raise Tampered(
                f"The index of commits says something else than versions {first} to {first + BLOCK - 1}",
                next_step="Take it away with `dissensus compact`, which lets it be made anew",
                branch=part.branch,
                version=first,
            )


def _parsed(patch: str) -> list[JSON]:
    """A stored patch. Integers of more than 64 bits may be inexact, but where they are an item's key."""
    if '["merge"' in patch:
        return parse_list(patch)
    try:
        found = orjson.loads(patch)
    except ValueError:
        return parse_list(patch)
    return found if isinstance(found, list) else parse_list(patch)


def newest(
    work: Work,
    session_id: int,
    branch: str,
    path: Path,
    version: int = BEYOND,
    where: frozenset[Where] = ANYWHERE,
) -> int | None:
    """The newest version, at or before one, that touched a path; None where there is none."""
    found = versions(work, session_id, branch, path, before=version + 1, limit=1, where=where)
    return found[0] if found else None


def versions(
    work: Work,
    session_id: int,
    branch: str,
    path: Path,
    *,
    before: int = BEYOND,
    limit: int = 50,
    where: frozenset[Where] = ANYWHERE,
) -> list[int]:
    """The newest versions before one that touched a path, newest first; the last one turns the page.

    An `append` touches the items that it adds. At times one is named that did not touch the path, as
    `Touches.of_path` says.
    """
    index = Touches(work, session_id, branch, before - 1)
    return [found.version for found in islice(index.of_path(path, before, where), limit)]


def by_author(
    work: Work, session_id: int, branch: str, author: str, *, before: int = BEYOND, limit: int = 50
) -> list[int]:
    """The newest versions before one that are an author's, newest first; the last one turns the page."""
    return list(islice(Touches(work, session_id, branch, before - 1).of_author(author, before), limit))


def _is_position(name: str) -> bool:
    """Whether a token can be a position in a list; one place has one name."""
    return name.isascii() and name.isdigit() and len(name) <= _SHORT_INDEX and str(int(name)) == name


def _newest_first(touch: Touch) -> int:
    return -touch.version


def _each_once(found: Iterator[Touch]) -> Iterator[Touch]:
    last: Touch | None = None
    for one in found:
        if last is not None and one.version != last.version:
            yield last
            last = one
        elif last is None or one.into is not None:
            last = one
    if last is not None:
        yield last
