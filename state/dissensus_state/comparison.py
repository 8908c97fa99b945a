"""Two branches, or two sessions, from where they part: commits side by side, decisions, state, cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, NamedTuple

import sqlalchemy as sa

from . import commits, lineages
from .diff import Diff
from .engines import Statement, Work
from .lineages import lineage, shared
from .records import Commit
from .showing import Listing, Shown, cell, table, usd, visible
from .tables import calls, rounds, rulings
from .tables import commits as commits_table
from .telling import Place
from .values import JSON, parse, pointer

MOST = 200
"""Commits of each side that are set side by side; how many there are is said."""

_PAGE = 2_000

_session = sa.bindparam("session_id", type_=sa.BigInteger)
_after = sa.bindparam("after", type_=sa.BigInteger)
_here = (commits_table.c.session_id == _session, commits_table.c.branch == sa.bindparam("branch"))
_contents = Statement(
    sa.select(*commits_table.c["version", "author", "patch"])
    .where(
        *_here,
        commits_table.c.version > _after,
        commits_table.c.version <= sa.bindparam("upto", type_=sa.BigInteger),
    )
    .order_by(commits_table.c.version)
)
_ended = Statement(
    sa.select(*commits_table.c["round", "version", "patch"]).where(
        *_here, commits_table.c.version > _after, commits_table.c.round.is_not(None)
    )
)
_rounds = Statement(
    sa.select(*rounds.c["round", "branch", "step", "base", "status"]).where(
        rounds.c.session_id == _session, rounds.c.base >= _after
    )
)
_first = sa.bindparam("first", type_=sa.BigInteger)
_rulings = Statement(
    sa.select(*rulings.c["round", "n", "author", "decision"]).where(
        rulings.c.session_id == _session, rulings.c.round >= _first
    )
)
_calls = Statement(
    sa.select(*calls.c["round", "status", "cost", "latency_ms"]).where(
        calls.c.session_id == _session, calls.c.round >= _first
    )
)


@dataclass(frozen=True, slots=True)
class Totals(Shown):
    """What one side came to since both parted.

    Money is in nano-USD; `unknown` counts the calls whose cost is not known. `latency_ms` is the time of
    all calls together, `rulings` and `calls` are of the rounds since then.
    """

    session: str
    branch: str
    head: int
    commits: int
    rounds: int
    rulings: int
    calls: int
    cost: int
    unknown: int
    latency_ms: int


@dataclass(frozen=True, slots=True)
class Pair(Shown):
    """Two commits side by side, alike in author, transition and fields; None where one stands alone."""

    one: Commit | None
    other: Commit | None

    @property
    def same(self) -> bool:
        """Whether both wrote the same."""
        return self.one is not None and self.other is not None and self.one.patch == self.other.patch

    def as_dict(self) -> dict[str, Any]:
        """The pair as plain data."""
        sides = {"one": self.one, "other": self.other}
        return {
            **{name: None if side is None else side.as_dict() for name, side in sides.items()},
            "same": self.same,
        }

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        return {"one": _said(self.one), "": "=" if self.same else "|", "other": _said(self.other)}


@dataclass(frozen=True, slots=True)
class Decided(Shown):
    """How a round ended: what was ruled last, by whom, and the patch that was committed, if one was."""

    round: int
    status: str
    decision: str | None
    by: str | None
    version: int | None
    patch: JSON


@dataclass(frozen=True, slots=True)
class Decision(Shown):
    """The same round of both sides, by its step and how often that was asked, where they ended otherwise."""

    step: str
    ordinal: int
    one: Decided | None
    other: Decided | None

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        return {
            "step": f"{self.step} #{self.ordinal}",
            "one": _ended_as(self.one),
            "other": _ended_as(self.other),
        }


@dataclass(frozen=True, slots=True)
class Comparison(Shown):
    """Two sides from where they part.

    Attributes:
        common: The last version that both have; -1 where there is none.
        one, other: What each came to since.
        pairs: The first commits of both since then, side by side; `one.commits` says how many there are.
        decisions: The rounds that ended otherwise.
        differences: What differs between the two heads, from one to the other.
    """

    common: int
    one: Totals
    other: Totals
    pairs: Listing[Pair]
    decisions: Listing[Decision]
    differences: Diff

    def as_dict(self) -> dict[str, Any]:
        """The comparison as plain data."""
        return {
            "common": self.common,
            "one": self.one.as_dict(),
            "other": self.other.as_dict(),
            "commits": self.pairs.as_dict(),
            "decisions": self.decisions.as_dict(),
            "differences": self.differences.as_dict(),
        }

    def totals(self) -> list[tuple[str, str, str]]:
        """What both came to, line by line: what, one, other."""
        sides = (self.one, self.other)
        plain = ("head", "commits", "rounds", "rulings", "calls")
        rows = [
            ("", [f"{side.session}:{side.branch}" for side in sides]),
            *((name, [f"{getattr(side, name):,}" for side in sides]) for name in plain),
            ("cost", [_money(side) for side in sides]),
            ("latency", [f"{side.latency_ms / 1000:,.1f} s" for side in sides]),
        ]
        return [(what, one, other) for what, (one, other) in rows]

    def lines(self) -> Iterator[str]:
        """The text, line by line."""
        yield f"They part after v{self.common}" if self.common >= 0 else "They have no version in common"
        wide = [max(len(row[n]) for row in self.totals()) for n in range(3)]
        for row in self.totals():
            yield "  " + "  ".join(text.ljust(size) for text, size in zip(row, wide, strict=True)).rstrip()
        if self.decisions:
            yield f"{len(self.decisions):,} decisions differ:"
            yield from (f"  {line}" for line in str(self.decisions).split("\n"))
        if self.pairs:
            yield "commits side by side:"
            yield from (f"  {line}" for line in str(self.pairs).split("\n"))
        left = max(self.one.commits, self.other.commits) - MOST
        if left > 0:
            yield f"  … and {left:,} more"
        yield "the heads differ at:" if self.differences else "the heads are equal"
        yield from (f"  {line}" for line in str(self.differences).split("\n") if line)

    def __str__(self) -> str:
        """Where they part, what both came to, what was decided otherwise, and what differs."""
        return "\n".join(map(visible, self.lines()))

    def _repr_html_(self) -> str:
        head, *rows = self.totals()
        title = f"They part after v{self.common}"
        parts = [table(head, rows, title)]
        for name, listing in (("decisions", self.decisions), ("commits", self.pairs)):
            if listing:
                listing.title = name
                parts.append(listing._repr_html_())
        return "".join([*parts, self.differences._repr_html_()])


class Half(NamedTuple):
    """What is read of one side."""

    totals: Totals
    commits: list[Commit]
    decided: dict[tuple[str, int], Decided]


def parting(one: Place, other: Place, heads: tuple[int, int]) -> int:
    """The last version that two sides have in common; -1 where there is none.

    Branches of one session share what they were forked from; two sessions as far as their commits have
    the same authors and patches.
    """
    if one.database is other.database and one.session_id == other.session_id:
        with one.reading() as work:
            mine, its = (lineage(work, one.session_id, side.branch) for side in (one, other))
        if one.branch == other.branch:
            return min(heads)
        return min(shared(mine, its), *heads)
    for low in range(-1, min(heads), _PAGE):
        upto = min(low + _PAGE, *heads)
        contents = [_contents_of(side, low, upto) for side in (one, other)]
        for at, (here, there) in enumerate(zip(*contents, strict=False), start=low + 1):
            if here != there:
                return at - 1
    return min(heads)


def _contents_of(side: Place, after: int, upto: int) -> list[tuple[str, str]]:
    with side.reading() as work:
        return [
            (row[1], row[2])
            for part in lineage(work, side.session_id, side.branch)
            if max(part.after, after) < min(part.upto, upto)
            for row in work.all(
                _contents,
                session_id=side.session_id,
                branch=part.branch,
                after=max(part.after, after),
                upto=min(part.upto, upto),
            )
        ]


def half(work: Work, side: Place, head: int, common: int) -> Half:
    """One side since both parted."""
    session_id = side.session_id
    segments = lineage(work, session_id, side.branch)
    made = list(commits.between(work, session_id, side.branch, common, min(head, common + MOST)))
    asked = _asked(work, session_id, segments, side.branch, common)
    first = min((row[0] for row in asked), default=0)
    ruled: dict[int, tuple[int, str, str]] = {}
    count = 0
    numbers = {row[0] for row in asked}
    for number, n, author, decision in work.all(_rulings, session_id=session_id, first=first):
        if number in numbers:
            count += 1
            ruled[number] = max(ruled.get(number, (0, "", "")), (n, author, decision))
    spent = [row for row in work.all(_calls, session_id=session_id, first=first) if row[0] in numbers]
    settled = [row for row in spent if row[1] not in {"held", "sent"}]
    totals = Totals(
        side.name,
        side.branch,
        head,
        head - common,
        len(asked),
        count,
        len(spent),
        sum(row[2] or 0 for row in settled),
        sum(row[2] is None for row in settled),
        sum(row[3] or 0 for row in spent),
    )
    return Half(totals, made, _decided(work, session_id, segments, asked, ruled, common))


def _asked(
    work: Work, session_id: int, segments: Iterable[lineages.Segment], branch: str, common: int
) -> list[Any]:
    """The rounds that a branch has seen since a version, in order."""
    last = {part.branch: part.upto for part in segments}
    return sorted(
        row
        for row in work.all(_rounds, session_id=session_id, after=common)
        if row[1] == branch or row[3] < last.get(row[1], -1)
    )


def _decided(
    work: Work,
    session_id: int,
    segments: Iterable[lineages.Segment],
    asked: Iterable[Any],
    ruled: dict[int, tuple[int, str, str]],
    common: int,
) -> dict[tuple[str, int], Decided]:
    ended = {
        row[0]: (row[1], row[2])
        for part in segments
        for row in work.all(_ended, session_id=session_id, branch=part.branch, after=max(common, part.after))
        if row[1] <= part.upto
    }
    found: dict[tuple[str, int], Decided] = {}
    counts: dict[str, int] = {}
    for number, _, step, _, status in asked:
        counts[step] = counts.get(step, 0) + 1
        _, by, decision = ruled.get(number, (0, None, None))
        version, patch = ended.get(number, (None, None))
        stored = None if patch is None else parse(patch)
        found[step, counts[step]] = Decided(number, status, decision, by, version, stored)
    return found


def decisions(one: Half, other: Half) -> Iterator[Decision]:
    """The rounds that ended otherwise, in the order of the first side."""
    for step, ordinal in dict.fromkeys([*one.decided, *other.decided]):
        mine, its = (side.decided.get((step, ordinal)) for side in (one, other))
        if mine is None or its is None or _ending(mine) != _ending(its):
            yield Decision(step, ordinal, mine, its)


def _ending(of: Decided) -> tuple[Any, ...]:
    return of.status, of.decision, of.patch


def pairs(one: list[Commit], other: list[Commit]) -> Iterator[Pair]:
    """Commits side by side: those that are alike, and the others where they stand."""
    alike = SequenceMatcher(None, [*map(_key, one)], [*map(_key, other)], autojunk=False)
    for kind, low, high, first, last in alike.get_opcodes():
        mine, its = one[low:high], other[first:last]
        if kind == "equal":
            yield from (Pair(here, there) for here, there in zip(mine, its, strict=True))
        else:
            yield from (Pair(here, None) for here in mine)
            yield from (Pair(None, there) for there in its)


def _key(commit: Commit) -> tuple[object, ...]:
    source = next(iter(commit.source or {}), "")
    return (
        commit.author,
        commit.transition,
        "" if source == "carry" else source,
        tuple(sorted({path[0] for path in commit.writes if path})),
    )


def _said(commit: Commit | None) -> str:
    if commit is None:
        return ""
    writes = " ".join(dict.fromkeys(pointer(path) for path in commit.writes))
    return f"v{commit.version} {commit.author} {commit.transition or ''} {cell(writes)[:80]}".strip()


def _ended_as(of: Decided | None) -> str:
    if of is None:
        return "not asked"
    ruled = f", {of.decision} by {of.by}" if of.decision else ""
    return f"r{of.round} {of.status}{ruled}: {cell(of.patch)[:120]}"


def _money(side: Totals) -> str:
    return usd(side.cost) + (f" and {side.unknown:,} unpriced" if side.unknown else "")
