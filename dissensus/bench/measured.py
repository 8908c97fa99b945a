"""What was measured: every answer with its score, its cost and its time, read from the records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from dissensus_agents.judgement.supervisor import SEAT
from dissensus_agents.patterns.spelled import Spelled
from dissensus_state.figures import Figures, figures
from dissensus_state.figures import answers as answers_of
from dissensus_state.sessions import Session

from .errors import TasksRefused
from .graders import RIGHT
from .lanes import Known, known
from .plan import Plan
from .schema import Benchmark, key_of, score_key
from .seats import heard
from .statistics import Voice
from .tasks import Item

_GONE = {"failed", "partial"}
"""What became of a call without an answer; one that nobody saw the end of is no fault of its model."""

Where = tuple[str, int]
"""An item and its repeat."""

Calls = Mapping[tuple[int, str], "tuple[Figures, ...]"]
"""The calls of a round by agent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: what it says, what it is worth (0 to 1), and what it took.

    `said` is None where nothing could be read from it. Money is in nano-USD, None where a price is
    unknown; times are milliseconds, None where they were not seen. For a pattern all that its members have
    cost counts as if they had been asked for it alone, and its time is that of its slowest way through.
    `unfit` says what did not fit the form that was asked for.
    """

    said: str | None
    score: float
    cost: int | None
    latency: int
    ttft: int | None
    tokens: int
    unfit: str = ""

    @property
    def right(self) -> bool:
        """Whether it counts as right."""
        return self.score >= RIGHT


@dataclass(frozen=True, slots=True)
class Measured:
    """All answers by who gave them: models by label, patterns as they are spelled.

    `failed` counts by label in how many rounds a model gave no answer at all; `ungraded` the answers that
    wait for a grading model. `lost` is what was charged for calls whose end nobody knows.
    """

    plan: Plan
    answers: Mapping[str, Mapping[Where, Answer]]
    failed: Mapping[str, int]
    ungraded: int
    spent: int
    limit: int | None
    lost: int = 0

    @property
    def models(self) -> list[str]:
        """The labels of the models."""
        return list(self.plan.models)

    @property
    def patterns(self) -> list[str]:
        """The patterns, as they are spelled."""
        return [str(one) for one in self.plan.patterns]

    def items(self, task: str | None = None, half: int | None = None) -> list[Item]:
        """The items of a task and of a half of the split; None: all of them."""
        return [
            item for item in self.plan.tasks.items if task in {None, item.task} and half in {None, item.half}
        ]

    def means(self, subject: str, items: Iterable[Item]) -> dict[str, float]:
        """The mean score of each item that was answered, by id."""
        found = self.answers[subject]
        means = {}
        for item in items:
            scores = [found[item.id, n].score for n in self.repeats if (item.id, n) in found]
            if scores:
                means[item.id] = fmean(scores)
        return means

    def of(self, subject: str, items: Iterable[Item]) -> list[Answer]:
        """The answers to some items."""
        found = self.answers[subject]
        return [found[item.id, n] for item in items for n in self.repeats if (item.id, n) in found]

    def voices(self, a: str, b: str, items: Iterable[Item]) -> tuple[list[Voice], list[Voice]]:
        """What two have said to the same items in the same repeats."""
        one, other = self.answers[a], self.answers[b]
        both = [
            (one[where], other[where], item.grader.options)
            for item in items
            for n in self.repeats
            if (where := (item.id, n)) in one and where in other
        ]
        return [Voice(x.said, x.right, k) for x, _, k in both], [
            Voice(y.said, y.right, k) for _, y, k in both
        ]

    @property
    def repeats(self) -> range:
        """The repeats."""
        return range(1, self.plan.repeats + 1)


def measured(session: Session[Benchmark], plan: Plan) -> Measured:
    """Read and grade everything that stands in the records of a benchmark."""
    found = known(session)
    with session.reading() as work:
        calls = _by_agent(figures(work, session.session_id))
        texts = answers_of(work, session.session_id) if plan.form == "json" else ()
        unfit = {(number, agent): heard(text, plan.form)[2] for number, agent, text in texts}
    answers: dict[str, dict[Where, Answer]] = {name: {} for name in (*plan.models, *map(str, plan.patterns))}
    ungraded = 0
    for item in plan.tasks.items:
        for repeat in range(1, plan.repeats + 1):
            subjects: list[str | Spelled] = [*plan.asked(item), *plan.played(item)]
            for subject in subjects:
                key = key_of(item.id, repeat, str(subject))
                if key not in found.answers:
                    continue
                score = score_of(item, found, key)
                if score is None:
                    ungraded += 1
                    continue
                made = _answer(item, repeat, subject, score, found, calls)
                place = found.rounds.get(key, 0), str(subject)
                answers[str(subject)][item.id, repeat] = replace(made, unfit=unfit.get(place, ""))
    account = session.budget
    lost = sum(row.cost or 0 for rows in calls.values() for row in rows if row.status == "unknown")
    return Measured(plan, answers, _failures(plan, calls), ungraded, account.spent, account.limit, lost)


def _by_agent(rows: Iterable[Figures]) -> Calls:
    found: dict[tuple[int, str], tuple[Figures, ...]] = defaultdict(tuple)
    for row in rows:
        found[row.round, row.agent] += (row,)
    return found


def worth(item: Item, said: str) -> float:
    """What an answer is worth, where that can be said without a model.

    Raises:
        TasksRefused: The grader cannot say it.
    """
    read, score = item.grader.read(said), item.grader.score
    if read is None or score is None:
        return 0.0
    try:
        return score(read)
    except Exception as error:  # whatever a user's function raises
        what = item.grader.by or item.grader.kind
        raise TasksRefused(
            f"The grader {what} failed on an answer to the item {item.id!r}: {error}",
            next_step="Mend it; the answers are kept, and the same command goes on",
        ) from error


def score_of(item: Item, found: Known, key: str) -> float | None:
    """What an answer is worth; None where a model has still to say so."""
    said = found.answers[key]
    if not said:
        return 0.0
    if item.grader.kept:
        return found.scores.get(score_key(key, item.grader.seal))
    return worth(item, said)


def _answer(
    item: Item, repeat: int, subject: str | Spelled, score: float, found: Known, calls: Calls
) -> Answer:
    key = key_of(item.id, repeat, str(subject))
    took = _member(item, repeat, subject, found, calls)
    if isinstance(subject, Spelled):
        took = _pattern(item, repeat, subject, found, calls)
    said = found.answers[key] or None
    if isinstance(subject, Spelled) and said is not None:  # a supervisor may have written it
        said = item.grader.read(said)
    return Answer(said, score, took.cost, took.latency, took.ttft, took.tokens)


@dataclass(frozen=True, slots=True)
class _Took:
    """What calls took one after the other."""

    cost: int | None = 0
    latency: int = 0
    ttft: int | None = None
    tokens: int = 0


def _took(rows: Iterable[Figures]) -> _Took:
    """Of the calls that were answered: what a stopped run has lost says nothing of a model."""
    took = _Took()
    for row in rows:
        if row.status != "answered":
            continue
        cost = None if took.cost is None or row.cost is None else took.cost + row.cost
        ttft = None if row.ttft_ms is None else took.latency + row.ttft_ms
        took = _Took(cost, took.latency + row.latency_ms, ttft, took.tokens + row.tokens)
    return took


def _member(item: Item, repeat: int, subject: str | Spelled, found: Known, calls: Calls) -> _Took:
    """What a model's answer took."""
    number = found.rounds.get(key_of(item.id, repeat, str(subject)), 0)
    return _took(calls.get((number, str(subject)), ()))


def _pattern(item: Item, repeat: int, pattern: Spelled, found: Known, calls: Calls) -> _Took:
    """What a pattern's answer took: tier after tier, in each as long as the slowest, then who rules."""
    number = found.rounds.get(key_of(item.id, repeat, str(pattern)), 0)
    took = _Took()
    for tier in pattern.tiers:
        asked = [name for name in tier if (number, name) in calls]
        side = [_member(item, repeat, name, found, calls) for name in asked]
        if side:
            took = _after(took, side, first=pattern.kind == "parallel")
    ruled = calls.get((number, SEAT))
    return _after(took, [_took(ruled)]) if ruled else took


def _after(before: _Took, side: list[_Took], *, first: bool = False) -> _Took:
    """Calls side by side, after others."""
    pick = min if first else max
    costs = [before.cost, *(one.cost for one in side)]
    known_costs = [cost for cost in costs if cost is not None]
    ttfts = [one.ttft for one in side if one.ttft is not None]
    return _Took(
        cost=sum(known_costs) if len(known_costs) == len(costs) else None,
        latency=before.latency + pick(one.latency for one in side),
        ttft=before.latency + pick(ttfts) if len(ttfts) == len(side) else None,
        tokens=before.tokens + sum(one.tokens for one in side),
    )


def _failures(plan: Plan, calls: Calls) -> dict[str, int]:
    """In how many rounds each model was asked and gave no answer."""
    found = dict.fromkeys(plan.everybody, 0)
    for (_, agent), rows in calls.items():
        if agent in found and all(row.status in _GONE for row in rows):
            found[agent] += 1
    return found
