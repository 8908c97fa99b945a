"""Standings: what settled rounds show of each model at each task.

    with store.database.reading() as work:
        found = Standing(settled(work))
    found.records["openai:gpt-4o", "judge"].graded.of

A model's record at a task is kept in columns, one entry for each time it was asked, so that a hundred
thousand rounds fit into memory and are counted in seconds.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from typing import Any, Final, Literal, NamedTuple

from dissensus_state.records import Grade, Ruling
from dissensus_state.standing import Line, Settled

from .audit import Audited
from .correlation import Both, Together, together
from .measured import Measured, Seen

BASES: Final = ("", "verifier", "person", "reference")
"""On what a grade rests, by the number that a record keeps."""

UNKNOWN: Final = -1
_NONE = math.nan

_REFUSALS: Final = frozenset({"refusal", "content_policy"})
_UNREADABLE: Final = frozenset({"answer.malformed", "answer.wrong_type", "denied"})
_MOST: Final = 127

Ruler = Literal["rule", "model", "person"]


def ruled_by(ruling: Ruling) -> Ruler:
    """What has ruled: a model that was called, a person, who sees the positions as they stand, or a rule."""
    if ruling.attempt is not None:
        return "model"
    return "person" if ruling.seed is None else "rule"


class Entry(NamedTuple):
    """What one settled round shows of one agent's model.

    `right`, `ruled` (whether a model's or a person's ruling let its position stand) are 1 or 0, or
    `UNKNOWN`; `basis` numbers `BASES`. `failed` counts checks from outside the models that it failed,
    `malformed` answers that could not be read as they were. `latency` is in milliseconds and `cost` in
    nano-USD, `UNKNOWN` where that is not known; `confidence` is not a number where none was stated.
    """

    at: int
    session_id: int
    round: int
    proposed: int
    right: int
    basis: int
    dissent: int
    ruled: int
    failed: int
    malformed: int
    refused: int
    latency: int
    cost: int
    confidence: float


_NOTHING: Mapping[str, Any] = {}
_NOWHERE: Mapping[str, tuple[int, ...]] = {}
_NOBODY: Counter[str] = Counter()
_TYPES = "qqqbbbbbbbbqqd"


class Record:
    """What one model did at one task, an entry for each time it was asked, in the order of the rounds."""

    def __init__(self, model: str, lineage: str, task: str) -> None:
        self.model, self.lineage, self.task = model, lineage, task
        self._columns: tuple[array[Any], ...] = tuple(array(kind) for kind in _TYPES)

    def add(self, entry: Entry) -> None:
        """Keep an entry."""
        for column, value in zip(self._columns, entry, strict=True):
            column.append(value)

    def column(self, name: str) -> Sequence[Any]:
        """All entries' values of one name."""
        return self._columns[Entry._fields.index(name)]

    def ordered(self) -> Iterator[Entry]:
        """The entries by when their rounds began."""
        at, sessions, numbers = self._columns[:3]
        keys = list(zip(at, sessions, numbers, strict=True))
        places: Iterable[int] = range(len(keys))
        if any(one > other for one, other in pairwise(keys)):
            places = sorted(places, key=keys.__getitem__)
        for place in places:
            yield Entry._make(column[place] for column in self._columns)

    def __len__(self) -> int:
        return len(self._columns[0])


@dataclass(slots=True)
class Judge:
    """What one author of rulings has ruled at one task.

    `overturned` are rulings that a grade from outside contradicts, `held` those that one bears out.
    """

    author: str
    by: Ruler
    task: str
    model: str
    lineage: str
    decisions: Counter[str] = field(default_factory=Counter)
    held: int = 0
    overturned: int = 0


@dataclass(slots=True)
class Standing:
    """What settled rounds show of models, of pairs of them, and of who has ruled.

    Attributes:
        records: By model and task.
        pairs: What two models did in the rounds that are graded for both, by task and their names.
        judges: By author, kind and task.
        knowledge: What weights rest on.
        rounds: How many rounds were read.
        audited: What became of the agreements that were drawn by lot.
    """

    records: dict[tuple[str, str], Record] = field(default_factory=dict)
    pairs: dict[tuple[str, str, str], Counter[Both]] = field(default_factory=dict)
    judges: dict[tuple[str, Ruler, str], Judge] = field(default_factory=dict)
    knowledge: Measured = field(default_factory=Measured)
    rounds: int = 0
    audited: list[Audited] = field(default_factory=list)

    @classmethod
    def of(cls, found: Iterable[Settled], *, model: str | None = None, rulings: float = 0.0) -> Standing:
        """Count settled rounds.

        Args:
            found: The rounds, as `dissensus_state.standing.settled` reads them.
            model: Only this model's records and pairs.
            rulings: For how much of a graded round a model's ruling on a proposal counts in `knowledge`,
                where nothing from outside is known of it: 0 to 1.
        """
        made = cls()
        for one in found:
            made._add(one, model, rulings)
        return made

    def together(self, task: str, one: str, other: str) -> Together:
        """How the errors of two models go together at a task."""
        first, second = sorted((one, other))
        return together(self.pairs.get((task, first, second), Counter[Both]()).elements())

    def _add(self, one: Settled, model: str | None, rulings: float) -> None:
        self.rounds += 1
        review = one.review or _NOTHING
        stands = _stands(review) if review else _NOWHERE
        failed = _failed(review) if review else _NOBODY
        for line in one.lines:
            if line.model and model in (None, line.model):
                self._record(line, one.task).add(_entry(one, line, failed[line.agent]))
        self._pair(one, stands, model)
        self._know(one, rulings)
        for ruling, judge in one.earlier:
            self._judge(one, ruling, judge, advice_held(one, ruling))
        if one.ruling is not None:
            self._judge(one, one.ruling, one.judge, ruling_held(one, one.ruling))
        if review.get("audit"):
            self.audited.append(_audited(one, review))

    def _record(self, line: Line, task: str) -> Record:
        key = line.model, task
        if key not in self.records:
            self.records[key] = Record(line.model, line.lineage, task)
        return self.records[key]

    def _pair(self, one: Settled, stands: Mapping[str, tuple[int, ...]], model: str | None) -> None:
        graded = [line for line in one.lines if line.grade is not None]
        if len(graded) < 2:
            return
        for first, second in combinations(sorted(graded, key=lambda line: line.model), 2):
            if first.model == second.model or (
                model is not None and model not in {first.model, second.model}
            ):
                continue
            both = Both(
                bool(first.grade and first.grade.right),
                bool(second.grade and second.grade.right),
                stands.get(first.agent) == stands.get(second.agent) and not _apart(first.grade, second.grade),
            )
            key = one.task, first.model, second.model
            self.pairs.setdefault(key, Counter())[both] += 1

    def _know(self, one: Settled, rulings: float) -> None:
        seen = [Seen(line.model, line.grade.right) for line in one.lines if line.grade and line.model]
        self.knowledge.add(one.task, seen)
        if rulings <= 0 or one.ruling is None or ruled_by(one.ruling) != "model":
            return
        for line in one.lines:
            stood = _ruled(one, line)
            if line.grade is None and line.model and stood != UNKNOWN:
                self.knowledge.count(one.task, line.model, right=bool(stood), weight=rulings)

    def _judge(
        self,
        one: Settled,
        ruling: Ruling,
        said: tuple[str, str] | None,
        held: bool | None,  # noqa: FBT001 - what was found out, or nothing
    ) -> None:
        by = ruled_by(ruling)
        model, lineage = said or ("", "")
        key = ruling.author, by, one.task
        judge = self.judges.get(key)
        if judge is None:
            judge = self.judges[key] = Judge(ruling.author, by, one.task, model, lineage)
        judge.decisions[ruling.decision] += 1
        if held is not None:
            judge.held += held
            judge.overturned += not held


def _apart(one: Grade | None, other: Grade | None) -> bool:
    """Whether grades tell that two said different things where the round cannot.

    So it is in a benchmark, where each writes in its own place and the grades name what was said.
    """
    if one is None or other is None or (one.basis, one.author) != (other.basis, other.author):
        return False
    return one.right != other.right or (None not in (one.detail, other.detail) and one.detail != other.detail)


def ruling_held(one: Settled, ruling: Ruling) -> bool | None:
    """Whether a grade from outside bears a ruling out; None where none speaks to it.

    A grade of the ruling itself counts before what follows from those of the positions: one that upholds
    what is graded wrong, or lets go what is graded right, did not hold. Nobody bears himself out.
    """
    if one.ruled is not None and one.ruled.author != ruling.author:
        return one.ruled.right
    if ruling.decision != "uphold":
        return None
    grades = {line.agent: line.grade for line in one.lines if line.grade is not None}
    given = {agent: grade.right for agent, grade in grades.items() if grade.author != ruling.author}
    upheld = [given[agent] for agent in ruling.upheld if agent in given]
    if upheld:
        return all(upheld)
    return False if any(given.get(agent) for agent in ruling.dissent) else None


def advice_held(one: Settled, ruling: Ruling) -> bool | None:
    """The same of what a supervisor of a chain advised, which the next one had to rule on.

    A person who ruled after it decides whether it held; else the grades of the positions do.
    """
    advice, last = ruling.advice, one.ruling
    if advice is None or last is None:
        return None
    upheld = tuple(map(str, _items(advice.get("upheld"))))
    if ruled_by(last) == "person":
        return (advice.get("decision"), set(upheld)) == (last.decision, set(last.upheld))
    if advice.get("decision") != "uphold":
        return None
    dissent = tuple(line.agent for line in one.lines if line.agent not in upheld)
    advised = replace(ruling, decision="uphold", upheld=upheld, dissent=dissent)
    return ruling_held(one._replace(ruled=None), advised)


def _items(stored: object) -> list[object]:
    return stored if isinstance(stored, list) else []


def _entry(one: Settled, line: Line, failed: int) -> Entry:
    failure = line.failure or {}
    proposed = line.status != "abstained"
    unread = line.answers - 1 if proposed else (line.answers if failure.get("code") in _UNREADABLE else 0)
    grade = line.grade
    return Entry(
        at=one.at,
        session_id=one.session_id,
        round=one.round,
        proposed=int(proposed),
        right=UNKNOWN if grade is None else int(grade.right),
        basis=0 if grade is None else BASES.index(grade.basis),
        dissent=int(line.status == "dissent"),
        ruled=_ruled(one, line),
        failed=min(failed, _MOST),
        malformed=min(max(unread, 0) + line.repaired, _MOST),
        refused=int(failure.get("kind") in _REFUSALS),
        latency=UNKNOWN if line.latency_ms is None else line.latency_ms,
        cost=UNKNOWN if line.cost is None else line.cost,
        confidence=_NONE if line.confidence is None else line.confidence,
    )


def _ruled(one: Settled, line: Line) -> int:
    """Whether a model's or a person's ruling let a proposal stand."""
    ruling = one.ruling
    if ruling is None or line.status == "abstained" or ruled_by(ruling) == "rule":
        return UNKNOWN
    if ruling.decision == "reject":
        return 0
    if ruling.decision == "uphold" and line.agent in ruling.upheld:
        return 1
    return 0 if line.agent in ruling.dissent else UNKNOWN


def _stands(review: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Which position each agent holds on every disagreement; nothing where all say the same."""
    found: dict[str, tuple[int, ...]] = {}
    disputed = review.get("disagreements", ())
    for number, question in enumerate(disputed):
        positions = question.get("positions", ()) if isinstance(question, dict) else ()
        for place, position in enumerate(positions):
            for agent in position.get("holders", ()):
                held = found.get(agent, (-1,) * len(disputed))
                found[agent] = (*held[:number], place, *held[number + 1 :])
    return found


def _failed(review: Mapping[str, Any]) -> Counter[str]:
    """How many checks from outside the models each agent's proposal failed."""
    found: Counter[str] = Counter()
    for item in review.get("failed", ()):
        if item.get("outside", True) and not item.get("broke", False):
            found.update(item.get("agents", ()))
    return found


def _audited(one: Settled, review: Mapping[str, Any]) -> Audited:
    upheld = None if one.ruling is None else one.ruling.decision == "uphold"
    grades = [line.grade.right for line in one.lines if line.grade is not None]
    share = float(review.get("share", 0.0))
    return Audited(one.round, one.task, share, upheld, all(grades) if grades else None)
