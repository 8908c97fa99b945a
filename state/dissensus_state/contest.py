"""What disagreement cost, and how often a ruling changed the answer.

A round is contested where its proposals differed materially. What that cost is what would not have been
paid without it, as far as the history can tell:

- `losing`: the calls of those whose proposal lost in a contested round;
- `rulings`: the calls of all others in it who proposed nothing: supervisors, and models that compare;
- `repeats`: every call of a round that asks a contested one again;
- `audits`: the calls of those who ruled on a round that was reviewed by chance alone.

No call counts twice. A ruling changed the answer where, on at least one path that was disputed, what it
let stand is not what most agents had proposed. Where two positions had as many, that of the agent whose
name comes first is taken, and the round counts as `tied` as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from . import blobs, costs
from .costs import Cost, Sum
from .engines import Statement, Work
from .errors import NotFound
from .patches import Operation, get, patch_from_json
from .proportions import wilson
from .records import SETTLED
from .showing import Shown
from .tables import calls, proposals, rounds, rulings
from .values import JSON, Path, canonical, parse_object, parse_path

_session = sa.bindparam("session_id", type_=sa.BigInteger)
_settled = sa.and_(calls.c.status != "held", calls.c.status != "sent")
_looked_at = sa.or_(rounds.c.review.is_not(None), rounds.c.again_of.is_not(None))

_reviewed = Statement(
    sa.select(*rounds.c["round", "status", "again_of", "review"])
    .where(rounds.c.session_id == _session, _looked_at)
    .order_by(rounds.c.round)
)
_last_rulings = Statement(
    sa.select(*rulings.c["round", "decision", "body"])
    .where(rulings.c.session_id == _session)
    .order_by(rulings.c.round, rulings.c.n)
)
_paid = Statement(
    sa.select(
        calls.c.round,
        proposals.c.status,
        sa.func.count(),
        sa.func.sum(sa.case((_settled, sa.func.coalesce(calls.c.cost, 0)), else_=0)),
        sa.func.sum(sa.case((sa.and_(_settled, calls.c.cost.is_(None)), 1), else_=0)),
    )
    .join(rounds, sa.and_(rounds.c.session_id == calls.c.session_id, rounds.c.round == calls.c.round))
    .outerjoin(
        proposals,
        sa.and_(
            proposals.c.session_id == calls.c.session_id,
            proposals.c.round == calls.c.round,
            proposals.c.agent == calls.c.agent,
        ),
    )
    .where(calls.c.session_id == _session, _looked_at)
    .group_by(calls.c.round, proposals.c.status)
)

_FINAL = frozenset({"uphold", "amend", "reject"})
"""The decisions after which there is an answer, or none."""


@dataclass(frozen=True, slots=True)
class Paid(Shown):
    """Calls, added up: how many, their cost in nano-USD as far as it is known, how many of unknown cost."""

    calls: int = 0
    cost: int = 0
    unknown: int = 0

    def __add__(self, other: Paid) -> Paid:
        return Paid(self.calls + other.calls, self.cost + other.cost, self.unknown + other.unknown)


@dataclass(frozen=True, slots=True)
class Contest(Shown):
    """What the disagreements of a session cost, and what came of the rulings over them.

    `ruled` contested rounds ended in a ruling that can be compared with what was proposed; in `changed` of
    them it changed the answer, between `low` and `high` of all with 95 % confidence (Wilson).
    """

    rounds: int
    contested: int
    losing: Paid
    rulings: Paid
    repeats: Paid
    audits: Paid
    ruled: int
    changed: int
    tied: int
    low: float
    high: float

    @property
    def total(self) -> Paid:
        """All that disagreement cost."""
        return self.losing + self.rulings + self.repeats + self.audits

    @property
    def rate(self) -> float | None:
        """How often a ruling changed the answer; None where none was given."""
        return self.changed / self.ruled if self.ruled else None

    def as_dict(self) -> dict[str, Any]:
        """As plain data, money in nano-USD."""
        kinds = ("losing", "rulings", "repeats", "audits", "total")
        numbers = ("rounds", "contested", "ruled", "changed", "tied", "rate", "low", "high")
        return {
            **{name: getattr(self, name) for name in numbers},
            **{kind: getattr(self, kind).as_dict() for kind in kinds},
        }

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        changed = f"{self.changed} of {self.ruled} rulings changed the answer"
        interval = f" ({self.low:.0%} to {self.high:.0%})" if self.ruled else ""
        return {
            "contested": f"{self.contested} of {self.rounds} rounds contested",
            "cost": f"{self.total.cost / 1e9:.6f} USD in {self.total.calls} calls",
            "changed": changed + interval,
        }


@dataclass(frozen=True, slots=True)
class Spent(Shown):
    """What the calls of a session came to: by agent and model, model, step and day, and for disagreement."""

    agents: tuple[Cost, ...]
    models: tuple[Sum, ...]
    steps: tuple[Sum, ...]
    days: tuple[Sum, ...]
    disagreement: Contest

    @property
    def total(self) -> Sum:
        """Everything, added up."""
        return _added("", self.models)

    def as_dict(self) -> dict[str, Any]:
        """As plain data, money in nano-USD."""
        return {
            "total": self.total.as_dict(),
            **{name: [one.as_dict() for one in getattr(self, name)] for name in _LISTS},
            "disagreement": self.disagreement.as_dict(),
        }

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        total = self.total
        unknown = f", {total.unknown} of unknown cost" if total.unknown else ""
        return {
            "total": f"{total.cost / 1e9:.6f} USD in {total.calls} calls, {total.tokens:,} tokens{unknown}",
            "models": "; ".join(f"{one.name} {one.cost / 1e9:.6f}" for one in self.models),
            "disagreement": str(self.disagreement),
        }


_LISTS = ("agents", "models", "steps", "days")


def spent(work: Work, session_id: int) -> Spent:
    """What the calls of a session came to."""
    agents = costs.costs(work, session_id)
    steps, days = costs.sums(work, session_id)
    names = sorted({one.model for one in agents})
    models = (_added(name, map(_sum, (one for one in agents if one.model == name))) for name in names)
    return Spent(tuple(agents), tuple(models), tuple(steps), tuple(days), contest(work, session_id))


def _sum(one: Cost) -> Sum:
    kinds = (one.input_tokens, one.output_tokens, one.cached_tokens, one.reasoning_tokens, one.written_tokens)
    return Sum(one.model, one.calls, sum(kinds), one.cost, one.unknown)


def _added(name: str, parts: Iterable[Sum]) -> Sum:
    every = list(parts)
    fields = ("calls", "tokens", "cost", "unknown")
    return Sum(name, *(sum(getattr(one, field) for one in every) for field in fields))


@dataclass(frozen=True, slots=True)
class _Looked:
    """A round that was reviewed, or asked another one again."""

    status: str
    again_of: int | None
    disputed: tuple[tuple[Path, tuple[tuple[JSON, tuple[str, ...]], ...]], ...]
    by_chance: bool


def contest(work: Work, session_id: int) -> Contest:
    """What the disagreements of a session cost, and what came of the rulings over them."""
    looked = {
        number: _Looked(status, again_of, *_review(review))
        for number, status, again_of, review in work.all(_reviewed, session_id=session_id)
    }
    row = work.one(_count, session_id=session_id)
    paid: dict[str, Paid] = defaultdict(Paid)
    for number, status, *sums in work.all(_paid, session_id=session_id):
        kind = _kind(looked, number, status)
        if kind is not None:
            paid[kind] += Paid(*map(int, sums))
    ruled = changed = tied = 0
    for number, decision, body in _last(work, session_id):
        one = looked.get(number)
        if one and one.disputed and one.status in SETTLED and decision in _FINAL and not blobs.is_gone(body):
            ruled += 1
            is_changed, is_tied = _changed(one, decision, parse_object(body))
            changed, tied = changed + is_changed, tied + is_tied
    contested = sum(bool(one.disputed) for one in looked.values())
    low, high = wilson(changed, ruled)
    return Contest(
        rounds=int(row[0]) if row else 0,
        contested=contested,
        losing=paid["losing"],
        rulings=paid["rulings"],
        repeats=paid["repeats"],
        audits=paid["audits"],
        ruled=ruled,
        changed=changed,
        tied=tied,
        low=low,
        high=high,
    )


_count = Statement(sa.select(sa.func.count()).select_from(rounds).where(rounds.c.session_id == _session))


def _review(text: str | None) -> tuple[tuple[Any, ...], bool]:
    """What was disputed, as far as it can be read, and whether the round was only reviewed by chance."""
    if text is None or blobs.is_gone(text):
        return (), False
    review = parse_object(text)
    found = []
    for item in review.get("disagreements") or ():
        match item:
            case {"path": str(path), "positions": list(held)}:
                sides = [one for one in held if isinstance(one, dict)]
                told = tuple((one.get("value"), tuple(map(str, one.get("holders", ())))) for one in sides)
                found.append((parse_path(path), told))
    others = any(review.get(name) for name in ("hollow", "failed", "asked", "unsettled"))
    return tuple(found), bool(review.get("audit")) and not found and not others


def _kind(looked: Mapping[int, _Looked], number: int, proposal: str | None) -> str | None:
    """What a call was for: that of somebody with a proposal in this state, or of somebody without."""
    one = looked[number]
    before = looked.get(one.again_of or 0)
    if before is not None and before.disputed and before.status == "retried":
        return "repeats"
    if not one.disputed:
        return "audits" if one.by_chance and proposal is None else None
    if proposal is None:
        return "rulings"
    lost = proposal == "dissent" or (proposal == "void" and one.status in SETTLED)
    return "losing" if lost else None


def _last(work: Work, session_id: int) -> list[tuple[int, str, str]]:
    """The last ruling of each round."""
    found = {
        number: (number, decision, body)
        for number, decision, body in work.all(_last_rulings, session_id=session_id)
    }
    return list(found.values())


def _changed(one: _Looked, decision: str, body: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether a ruling let something else stand than most had proposed, and whether that was a tie."""
    upheld = {str(name) for name in body.get("upheld", ())}
    amended = patch_from_json(body.get("amendment", ())) if decision == "amend" else ()
    changed = tied = False
    for path, sides in one.disputed:
        held = [side for side in sides if side[1]]
        if not held:
            continue
        most = max(len(holders) for _, holders in held)
        leading = sorted((side for side in held if len(side[1]) == most), key=lambda side: min(side[1]))
        value, holders = leading[0]
        tied |= len(leading) > 1
        if decision == "uphold":
            changed |= upheld.isdisjoint(holders)
        else:
            changed |= decision == "reject" or not _says(amended, path, value)
    return changed, tied


def _says(patch: Iterable[Operation], path: Path, value: JSON) -> bool:
    """Whether an amendment puts this value at a path."""
    for operation in patch:
        depth = len(operation.path)
        if operation.verb == "set" and operation.path == path[:depth]:
            try:
                return canonical(get(operation.value, path[depth:])) == canonical(value)
            except NotFound:
                return False
    return False
