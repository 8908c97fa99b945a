"""What the steps of a line decided, and whether a branch decided otherwise, by the steps' own comparators."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dissensus_state.records import Call, Commit, Proposal, Round, Ruling
from dissensus_state.reuse import is_reused
from dissensus_state.values import JSON, parse_path, pointer

from ..judgement.causes import Stance
from ..judgement.comparators import Comparator
from ..judgement.disagreement import compare
from ..judgement.meaning import fetches
from ..judgement.rates import Share
from ..judgement.supervisor import REVERSED, is_seat
from ..positions import all_values
from ..steps import Step
from .answers import NOTHING, Decision, Missing, Ruled, Spent
from .branches import source_of
from .lines import OUTCOMES, Line
from .purse import cost_of

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

Seat = tuple[str, str]
"""A step, and who is asked there."""

Stage = tuple[str, int]
"""One occurrence of a step: its name, and which one it is."""


@dataclass(frozen=True)
class Occurred:
    """One occurrence of a step: its round, what was written, and how that was settled."""

    round: Round
    commit: Commit | None
    ruled: Ruled
    values: Mapping[str, JSON]


@dataclass(frozen=True)
class Gone:
    """What a line, or a branch, has gone through: its occurrences in order, and what its rounds cost."""

    occurred: Mapping[Stage, Occurred]
    spent: Spent
    abstained: tuple[Mapping[str, JSON], ...]
    asked: frozenset[Seat] = frozenset()


def gone_through(line: Line, rounds: Sequence[Round], told: Session[Any], mine: Iterable[int] = ()) -> Gone:
    """What some rounds of a line came to.

    Args:
        line: The line.
        rounds: Its rounds that count as occurrences; what the others cost is counted too.
        told: The session, whose records say what reused calls had cost.
        mine: Rounds whose cost is counted; by default all of the line.
    """
    counts: Counter[str] = Counter()
    occurred: dict[Stage, Occurred] = {}
    spent, silent, costs = Spent(), list[Mapping[str, JSON]](), _Costs(told)
    asked: set[Seat] = set()
    wanted, paid = {one.round for one in rounds}, set(mine) or {one.round for one in line.rounds}
    for one in line.rounds:
        held, proposals, calls, rulings = line.session.round(one.round)
        if one.round in paid:
            spent = spent.plus(_spent(calls, costs))
            asked |= {(one.step, call.agent) for call in calls}
        if one.round not in wanted or held.status not in OUTCOMES:
            continue
        counts[one.step] += 1
        made = line.by_round.get(one.round)
        occurred[one.step, counts[one.step]] = Occurred(
            held, made, _ruled(held, made, rulings), {} if made is None else _values(made)
        )
        silent += [dict(said) for said in _silent(one, proposals)]
    return Gone(occurred, spent, tuple(silent), frozenset(asked))


def _values(made: Commit) -> dict[str, JSON]:
    """What a commit says at each path; the move of the phase is the transition's own."""
    return all_values(tuple(item for item in made.patch if item.path != ("phase",)))


def _ruled(held: Round, made: Commit | None, rulings: Sequence[Ruling]) -> Ruled:
    if held.status == "parked":
        return Ruled("parked", "a person")
    if rulings:
        last = rulings[-1]
        return Ruled(last.decision, last.author, last.upheld, last.dissent)
    return Ruled("agreed", "", tuple(made.author.split("+")) if made else ())


def _silent(one: Round, proposals: Sequence[Proposal]) -> Iterator[dict[str, JSON]]:
    for item in proposals:
        detail = item.detail or {}
        if item.status == "abstained" and detail.get("code") not in {"governor.spared", "pattern.left"}:
            yield {
                "step": one.step,
                "round": one.round,
                "agent": item.agent,
                "code": detail.get("code"),
                "message": detail.get("message"),
            }


def _spent(calls: Sequence[Call], told: _Costs) -> Spent:
    made = [call for call in calls if not is_reused(call)]
    again = [call for call in calls if is_reused(call)]
    return Spent(
        asked=len(made),
        reused=len(again),
        nano=sum(cost_of(call) for call in made if call.cost is not None or call.status != "answered"),
        unpriced=sum(call.cost is None for call in made),
        reused_nano=sum(told.of(call) for call in again),
        latency_ms=_waited(calls),
    )


class _Costs:
    """What reused calls had cost, as far as a session's own records tell; each round is read once."""

    def __init__(self, session: Session[Any]) -> None:
        self._session = session
        self._known: dict[int, dict[tuple[str, int], int]] = {}

    def of(self, call: Call) -> int:
        """What a reused call had cost when it was made."""
        place = source_of(call, self._session.name)
        if place is None:
            return 0
        if place.round not in self._known:
            made = self._session.round(place.round)[2]
            self._known[place.round] = {(one.agent, one.attempt): cost_of(one) for one in made}
        return self._known[place.round].get((place.seat, place.attempt), 0)


def _waited(calls: Sequence[Call]) -> int:
    """How long a round waited: for its slowest agent, then for its slowest seat that rules."""
    agents, judges = defaultdict[str, int](int), defaultdict[str, int](int)
    for call in calls:
        seat = call.agent.removesuffix(REVERSED)
        (judges if is_seat(seat) else agents)[call.agent] += call.latency_ms
    return max(agents.values(), default=0) + max(judges.values(), default=0)


# Comparing


def decisions(then: Gone, now: Sequence[Gone], steps: Mapping[str, Step]) -> Iterator[Decision]:
    """Each path that an occurrence of a step wrote, then or on any branch, in the order of the line."""
    stages = dict.fromkeys([*then.occurred, *(stage for one in now for stage in one.occurred)])
    for stage in stages:
        before, after = then.occurred.get(stage), [one.occurred.get(stage) for one in now]
        yield from _of_stage(stage, before, after, steps[stage[0]])


def _of_stage(
    stage: Stage, before: Occurred | None, after: Sequence[Occurred | None], step: Step
) -> Iterator[Decision]:
    compared = judged_by(step)
    chosen = {pointer(parse_path(path)): one for path, one in compared.items()}
    sides = [one for one in (before, *after) if one is not None]
    paths = dict.fromkeys(path for one in sides for path in _leaves(one.values, chosen))
    shown = [path for path in paths if not any(path.startswith(f"{other}/") for other in paths)]
    settled = [
        one is not None and _is_settled(one) and (before is None or _is_settled(before)) for one in after
    ]
    differing = [
        _differ(before, one, step, compared) if one is not None and counts else None
        for one, counts in zip(after, settled, strict=True)
    ]
    for path in shown or [""]:
        flips = [other is not None and _touches(path, other) for other in differing]
        there = [one is not None for one in after]
        yield Decision(
            step=stage[0],
            ordinal=stage[1],
            path=path,
            then=NOTHING if before is None else _at(before.values, path),
            now=tuple(None if one is None else _at(one.values, path) for one in after),
            flipped=Share.counted(sum(flips), sum(settled)),
            ruled_then=None if before is None else before.ruled,
            ruled_now=tuple(None if one is None else one.ruled for one in after),
            occurred=tuple(there),
        )


def _is_settled(one: Occurred) -> bool:
    """Whether it is decided: nobody has to rule on it any more."""
    return one.round.status != "parked"


def judged_by(step: Step) -> dict[str, Comparator]:
    """The step's comparators that need not ask a model."""
    return {path: one for path, one in step.comparators.items() if not fetches(one)}


def _leaves(values: Mapping[str, JSON], chosen: Mapping[str, Comparator], depth: int = 4) -> Iterator[str]:
    """The paths inside of what was written, as deep as objects reach, down to those with own comparators."""
    for path, value in values.items():
        whole = path in chosen or not isinstance(value, dict) or not value or not depth
        if whole:
            yield path
        else:
            inside = {pointer((*parse_path(path), name)): item for name, item in value.items()}
            yield from _leaves(inside, chosen, depth - 1)


def _differ(
    before: Occurred | None, after: Occurred, step: Step, compared: Mapping[str, Comparator]
) -> tuple[str, ...]:
    """The paths at which a branch says something else than the original."""
    if before is None:
        return tuple(after.values) or ("",)
    if not before.values or not after.values:
        return () if bool(before.values) == bool(after.values) else ("",)
    stances = [_stance("then", before), _stance("now", after)]
    found = compare(stances, compared, step.materiality)
    alone = set(before.values) ^ set(after.values)
    unmatched = [path for path in alone if not _is_said_elsewhere(path, before, after)]
    return (*(one.path for one in found), *unmatched)


def _is_said_elsewhere(path: str, before: Occurred, after: Occurred) -> bool:
    """Whether both speak of a path, one of them of what is above or below it."""

    def speaks(one: Occurred) -> bool:
        return any(_overlap(path, other) for other in one.values)

    return speaks(before) and speaks(after)


def _stance(name: str, one: Occurred) -> Stance:
    return Stance(agent=name, lineage="", values=dict(one.values), base_version=one.round.base)


def _touches(path: str, others: Iterable[str]) -> bool:
    return any(_overlap(path, other) for other in others)


def _overlap(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/")


def _at(values: Mapping[str, JSON], path: str) -> JSON | Missing:
    """What was written at a path; `NOTHING` where nothing was."""
    if path in values:
        return values[path]
    above = next((known for known in values if path.startswith(f"{known}/")), None)
    if above is None:
        return NOTHING
    found = values[above]
    for name in parse_path(path)[len(parse_path(above)) :]:
        if not isinstance(found, dict) or name not in found:
            return NOTHING
        found = found[name]
    return found


def uncompared(steps: Iterable[Step]) -> tuple[str, ...]:
    """The paths whose comparator would have to ask a model."""
    return tuple(dict.fromkeys(path for step in steps for path in step.fetching))
