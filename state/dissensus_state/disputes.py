"""What the proposals of a session's rounds did not agree on, read from what is stored with the rounds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from . import blobs, history, rounds
from .engines import Statement, Work
from .records import Round
from .showing import Listing, Shown, cell
from .tables import rounds as table
from .tables import rulings
from .values import JSON, parse_object, parse_path

_last_words = Statement(
    sa.select(rulings.c.round, rulings.c.author, rulings.c.decision, rulings.c.body)
    .where(
        rulings.c.session_id == sa.bindparam("session_id"),
        rulings.c.round > sa.bindparam("after"),
        rulings.c.round <= sa.bindparam("upto"),
    )
    .order_by(rulings.c.round, rulings.c.n)
)
_looked = Statement(
    sa.select(*rounds.columns)
    .where(
        table.c.session_id == sa.bindparam("session_id"),
        table.c.round > sa.bindparam("after"),
        sa.or_(table.c.review.is_not(None), sa.bindparam("all", type_=sa.Integer) == 1),
    )
    .order_by(table.c.round)
    .limit(sa.bindparam("limit"))
)
_MANY = 500
"""How many rounds are read at once."""


@dataclass(frozen=True, slots=True)
class Held(Shown):
    """One position: its value, and the agents that hold it."""

    value: JSON
    holders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dispute(Shown):
    """One path on which the proposals of a round differ.

    `distance` (0 to 1) is how far apart they are at most, `entropy` (nats) how split the agents are.
    `cause` was suspected by rule; `ruled` is what the last ruling named in its place, `decision` what that
    ruling decided, `by` whose it was. `material` is False where nobody had to rule on it: a wording, a
    rounding, a difference below the step's threshold. `weighed` says what the voices were worth: `votes`,
    `basis`, and, where something is known, `shares` by position and on how many graded rounds (`on`).
    """

    round: int
    branch: str
    step: str
    status: str
    path: str
    positions: tuple[Held, ...]
    distance: float
    cause: str
    material: bool = True
    ruled: str | None = None
    decision: str | None = None
    by: str | None = None
    weighed: Mapping[str, JSON] | None = None

    @property
    def entropy(self) -> float:
        """The entropy of the holders over the positions, in nats."""
        counts = [len(one.holders) for one in self.positions]
        total = sum(counts)
        return -sum(n / total * math.log(n / total) for n in counts if n) if len(counts) > 1 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The dispute as plain data."""
        held = [{"value": one.value, "holders": list(one.holders)} for one in self.positions]
        return {**asdict(self), "positions": held, "entropy": round(self.entropy, 4)}

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        return {
            "round": f"r{self.round}",
            "step": self.step,
            "path": self.path or "/",
            "positions": "; ".join(f"{', '.join(one.holders)}: {cell(one.value)}" for one in self.positions),
            "distance": f"{self.distance:.2f}",
            "cause": self.ruled or self.cause,
            "decision": self.decision or self.status,
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which disputes are looked for; None is any."""

    immaterial: bool = False
    path: str | None = None
    step: str | None = None
    cause: str | None = None
    agent: str | None = None
    only_open: bool = False

    def takes(self, one: Dispute) -> bool:
        """Whether a dispute is one of those."""
        held = {holder for position in one.positions for holder in position.holders}
        place = None if self.path is None else parse_path(self.path)
        return (
            (one.material or self.immaterial)
            and (place is None or parse_path(one.path)[: len(place)] == place)
            and self.step in {None, one.step}
            and self.cause in {None, one.ruled or one.cause}
            and (self.agent is None or self.agent in held)
            and not (self.only_open and one.status in SETTLED)
        )


class Page(Listing[Dispute]):
    """Disputes in the order of their rounds; `next` is the round to go on after, None at the end."""

    title = "Disagreements"
    next: int | None = None


def page(work: Work, session_id: int, wanted: Wanted, after: int = 0, limit: int | None = None) -> Page:
    """The disputes of up to `limit` rounds after one, in the order of the rounds and of their paths."""
    below = _below(work, session_id) if wanted.immaterial else {}
    found = Page()
    last, seen, many = after, 0, _MANY if limit is None else min(_MANY, max(limit, 1) * 4)
    while rows := work.all(
        _looked, session_id=session_id, after=last, limit=many, all=int(wanted.immaterial)
    ):
        upto = rows[-1][0]
        words = _words(work, session_id, last, upto)
        for one in map(rounds.read_round, rows):
            taken = [item for item in _of(one, words, below) if wanted.takes(item)]
            if taken and limit is not None and seen == limit:
                found.next = last
                return found
            found += taken
            last, seen = one.round, seen + bool(taken)
        if len(rows) < many:
            break
    return found


def disputes(work: Work, session_id: int, *, immaterial: bool = False) -> list[Dispute]:
    """The disputes of a session, in the order of its rounds and of their paths."""
    return page(work, session_id, Wanted(immaterial))


def _words(work: Work, session_id: int, after: int, upto: int) -> dict[int, tuple[str, str, JSON]]:
    """The last ruling on each of these rounds: whose, what it decided, which cause it named."""
    last = {}
    for number, author, decision, body in work.all(
        _last_words, session_id=session_id, after=after, upto=upto
    ):
        cause = None if blobs.is_gone(body) else parse_object(body).get("cause")
        last[number] = author, decision, cause
    return last


def _of(
    one: Round, words: Mapping[int, tuple[str, str, JSON]], below: Mapping[int, list[JSON]]
) -> Iterator[Dispute]:
    """The disputes of a round, those first that were material."""
    by, decision, ruled = words.get(one.round, (None, None, None))
    more = {"by": by, "decision": decision, "ruled": ruled}
    review = one.review or {}
    yield from _read(one, review.get("disagreements"), review.get("weighed"), more, material=True)
    small = [*review.get("immaterial", ()), *below.get(one.round, ())]
    yield from _read(one, small, None, {}, material=False)


def _below(work: Work, session_id: int) -> dict[int, list[JSON]]:
    """What was immaterial in rounds that nobody had to rule on."""
    found: dict[int, list[JSON]] = {}
    for event in history.happenings(work, session_id, "immaterial"):
        if event.round is not None:
            found.setdefault(event.round, []).append(event.body)
    return found


def _read(
    one: Round, stored: Any, weighed: Any, more: Mapping[str, Any], *, material: bool
) -> Iterator[Dispute]:
    """What is stored, as far as it can be read: what was redacted says nothing any more."""
    for item in stored if isinstance(stored, Iterable) else ():
        match item:
            case {
                "path": str(path),
                "positions": list(held),
                "distance": int() | float() as distance,
                "cause": str(cause),
            }:
                yield Dispute(
                    one.round,
                    one.branch,
                    one.step,
                    one.status,
                    path,
                    tuple(_held(held)),
                    float(distance),
                    cause,
                    material=material,
                    weighed=_worth(weighed, path),
                    **more,
                )


def _held(stored: Iterable[Any]) -> Iterator[Held]:
    for item in stored:
        if isinstance(item, dict):
            yield Held(item.get("value"), tuple(map(str, item.get("holders", ()))))


def _worth(weighed: Any, path: str) -> Mapping[str, JSON] | None:
    """What was weighed at a path; where only one was disputed, that is all there was to weigh."""
    if not isinstance(weighed, dict):
        return None
    by_path = weighed.get("paths")
    return by_path.get(path) if isinstance(by_path, dict) else weighed


@dataclass(frozen=True, slots=True)
class Tally(Shown):
    """How often there was a dispute at a path for a suspected cause, and what became of it.

    `confirmed` rulings named the same cause, `corrected` ones another; the others named none.
    """

    path: str
    cause: str
    disputes: int
    settled: int
    confirmed: int
    corrected: int
    distance: float
    """The mean of their distances."""


SETTLED = frozenset(("committed", "rejected", "retried", "void"))


def tally(found: Iterable[Dispute]) -> list[Tally]:
    """Disputes by path and suspected cause, the most frequent first."""
    grouped: dict[tuple[str, str], list[Dispute]] = {}
    for one in found:
        grouped.setdefault((one.path, one.cause), []).append(one)
    rows = [
        Tally(
            path,
            cause,
            len(group),
            sum(one.status in SETTLED for one in group),
            sum(one.ruled == cause for one in group),
            sum(one.ruled is not None and one.ruled != cause for one in group),
            sum(one.distance for one in group) / len(group),
        )
        for (path, cause), group in grouped.items()
    ]
    return sorted(rows, key=lambda row: (-row.disputes, row.path, row.cause))
