"""Running a benchmark: every item to every model and pattern, once; what is recorded is not asked again.

The items are asked side by side, each on one of the session's branches (`lanes`). An item is one round for
all models, with a proposal for each, and one for each pattern over what these have answered. It stops by
itself where the budget ends, and can be stopped at any moment: the same call goes on.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from dissensus_agents.crossing import aside
from dissensus_agents.errors import MalformedAnswer, MissingKey, ModelFailed, RoundVoid, WrongType
from dissensus_agents.graph import AgentGraph
from dissensus_agents.models.recordings import NotRecorded
from dissensus_agents.patterns.spelled import Spelled
from dissensus_state.errors import BudgetExceeded, Refused
from dissensus_state.sessions import Session

from .grading import Verdicts, grade, graded
from .lanes import AUTHOR, PREFIX, Fence, Known, Lane, Told, known, lanes_of
from .measured import worth
from .plan import Plan
from .policies import asking, grading, playing, step_of
from .schema import Benchmark, item_of, key_of, place_of, score_key
from .tasks import Item

PATIENCE = 5
"""After so many failures in a row a model is not asked again in this run."""

Heard = Callable[[int, int], None]
"""Hears how many items are done, and of how many."""


@dataclass(slots=True)
class Ended:
    """How a run ended: `short` is what the budget said no to, `failed` how often which model failed."""

    short: BudgetExceeded | None = None
    failed: Counter[str] = field(default_factory=Counter)
    last_failure: dict[str, str] = field(default_factory=dict)


async def carry_out(
    session: Session[Benchmark], plan: Plan, *, at_once: int = 8, heard: Heard | None = None
) -> Ended:
    """Ask whatever is not answered yet.

    Args:
        session: Whose budget is never overspent.
        plan: What is measured.
        at_once: How many items are asked at the same time.
        heard: Hears of each item that is done.

    Raises:
        Refused: An item is asked otherwise than it was before.
        LeaseLost: Another process goes on with this benchmark.
        DissensusError: What was acknowledged is kept; the same call goes on.
    """
    fence = await aside(Fence.taken, session)
    found = await aside(known, session)
    _check_same(plan, found)
    return await _Bench(session, plan, fence, found, heard or _unheard).run(at_once)


def _unheard(_done: int, _of: int) -> None:
    """Nobody listens."""


def _check_same(plan: Plan, found: Known) -> None:
    for item in plan.tasks.items:
        if found.asked.get(item.id, item.prompt) != item.prompt:
            raise Refused(
                f"The item {item.id!r} asks something else than it did when this session asked it",
                next_step="Give the item another id, or begin anew with another --session",
            )


class _Bench:
    """One run."""

    def __init__(
        self, session: Session[Benchmark], plan: Plan, fence: Fence, found: Known, heard: Heard
    ) -> None:
        self.session, self.plan, self.fence, self.found = session, plan, fence, found
        self.items = {item.id: item for item in plan.tasks.items}
        self.ended = Ended()
        self._heard = heard
        self._queue: deque[Item] = deque()
        self._in_a_row: Counter[str] = Counter()
        self._working = 0
        self._graded: Verdicts = {}

    async def run(self, at_once: int) -> Ended:
        """Ask on several lanes at once until nothing is left, or nothing more can be paid."""
        left = [item for item in self.plan.tasks.items if self._missing(item)]
        done, of = len(self.items) - len(left), len(self.items)
        self._done, self._of = done, of
        self._heard(done, of)
        self._graded = await aside(graded, self.session)
        lacking = {item.id for item in left}
        whole = [item for item in self.plan.tasks.items if item.id not in lacking]
        await aside(grade, self.session, self.plan, self.found, whole, self._graded)
        lanes = await aside(self._lanes, min(at_once, len(left)))
        firsts = self._begun(lanes, left)
        begun = {item.id for items in firsts.values() for item in items}
        self._queue.extend(item for item in left if item.id not in begun)
        self._working = len(lanes)
        await _together([self._work(Lane(lane), firsts.get(lane.branch, [])) for lane in lanes])
        return self.ended

    def _lanes(self, count: int) -> list[Session[Benchmark]]:
        """Branches to ask on: those that are there first."""
        there = lanes_of(self.session)
        for number in range(len(there) + 1, count + 1):
            self.session.fork(f"{PREFIX}{number}", 0, author=AUTHOR)
        return [self.session.on(f"{PREFIX}{n}") for n in range(1, count + 1)]

    def _begun(self, lanes: Sequence[Session[Benchmark]], left: Sequence[Item]) -> dict[str, list[Item]]:
        """The items about which a round was left open on one of these lanes: they go on there."""
        missing, there = {item.id: item for item in left}, {lane.branch for lane in lanes}
        firsts: dict[str, list[Item]] = {}
        for place, lane in self.found.stood.items():
            item = missing.pop(item_of(place)[0], None) if place and lane in there else None
            if item is not None:
                firsts.setdefault(lane, []).append(item)
        return firsts

    def _missing(self, item: Item) -> list[str]:
        """The answers to an item that are not there."""
        keys = [
            key_of(item.id, repeat, subject)
            for repeat in self._repeats
            for subject in self.plan.subjects(item)
        ]
        seal = item.grader.seal if item.grader.kept else None
        return [
            key
            for key in keys
            if key not in self.found.answers
            or (seal and self.found.answers[key] and score_key(key, seal) not in self.found.scores)
        ]

    @property
    def _repeats(self) -> range:
        return range(1, self.plan.repeats + 1)

    async def _work(self, lane: Lane, first: list[Item]) -> None:
        """Ask one item after the other, until nothing is left or the budget is too small for what is."""
        while item := first.pop(0) if first else self._queue.popleft() if self._queue else None:
            try:
                await self._item(lane, item)
            except BudgetExceeded as error:
                # While others are asked, what they hold may come free: the last one left has all of it.
                self._queue.extendleft([item, *reversed(first)])
                self._working -= 1
                if self._working == 0:
                    self.ended.short = error
                return
            self._done += 1
            self._heard(self._done, self._of)
        self._working -= 1

    async def _item(self, lane: Lane, item: Item) -> None:
        for repeat in self._repeats:
            await aside(self.fence.check)
            if not self._of_repeat(item, repeat):
                continue
            await aside(lane.place, item, repeat)
            await self._ask(lane, item, repeat)
            await self._play(lane, item, repeat)
        await self._score(lane, item)
        await aside(grade, lane.session, self.plan, self.found, [item], self._graded)

    def _of_repeat(self, item: Item, repeat: int) -> list[str]:
        place = f"{place_of(item.id, repeat)}:"
        return [key for key in self._missing(item) if key.startswith(place)]

    # The models

    async def _ask(self, lane: Lane, item: Item, repeat: int) -> None:
        """Ask all who have not answered, side by side; who cannot be paid for then, after the others."""
        while labels := self._unanswered(item, repeat):
            graph = self._graph(lane, item.task, tuple(labels), None)
            step = step_of(item.task, None, self.plan)
            told = await self._round(lane, graph, step, place_of(item.id, repeat))
            answers = (await aside(lambda: lane.state))["answers"]
            for label in labels:
                key = key_of(item.id, repeat, label)
                if key in answers:
                    self.found.answers[key] = answers[key]
                    self.found.rounds[key] = told.round or 0
                    self._in_a_row[label] = 0
            left = [one for one in labels if key_of(item.id, repeat, one) not in self.found.answers]
            short = self._failed(told, left)
            if short is None:
                return
            if len(left) == len(labels):
                raise short

    def _unanswered(self, item: Item, repeat: int) -> list[str]:
        """Who is to be asked an item yet."""
        return [
            label
            for label in self.plan.asked(item)
            if key_of(item.id, repeat, label) not in self.found.answers and self._in_a_row[label] < PATIENCE
        ]

    def _failed(self, told: Told, left: Sequence[str]) -> BudgetExceeded | None:
        """Count who has failed; the error of who could not be paid."""
        short = None
        for label in left:
            detail = told.abstained.get(label, {})
            if detail.get("code") == BudgetExceeded.code:
                short = BudgetExceeded(str(detail.get("message")), next_step=str(detail.get("next") or ""))
                continue
            self._in_a_row[label] += 1
            self.ended.failed[label] += 1
            self.ended.last_failure[label] = str(detail.get("message", "it gave no answer"))
        return short

    # The patterns

    async def _play(self, lane: Lane, item: Item, repeat: int) -> None:
        """Put what was answered to the patterns whose members have all answered."""
        left = [
            pattern
            for pattern in self.plan.played(item)
            if key_of(item.id, repeat, str(pattern)) not in self.found.answers
            and all(key_of(item.id, repeat, name) in self.found.answers for name in pattern.members)
        ]
        if not left:
            return
        await aside(self._hear, lane, item, repeat, {name for pattern in left for name in pattern.members})
        for pattern in left:
            key = key_of(item.id, repeat, str(pattern))
            graph = self._graph(lane, item.task, (), pattern)
            step = step_of(item.task, pattern, self.plan)
            told = await self._round(lane, graph, step, place_of(item.id, repeat))
            answers = (await aside(lambda: lane.state))["answers"]
            if key not in answers:
                await aside(lane.leave, "", "")
                if self._gave_up(told, pattern):
                    continue
                await aside(lane.nothing, key)
            self.found.answers[key] = answers.get(key, "")
            self.found.rounds[key] = told.round or 0
            if told.ruled:
                self.found.ruled.add(key)

    def _gave_up(self, told: Told, pattern: Spelled) -> bool:
        """Whether a pattern has no answer because a model of it failed, which may be otherwise next time."""
        if told.failure is None or isinstance(told.failure, MalformedAnswer | WrongType | RoundVoid):
            return False  # nobody said anything: that is no failure of a model
        self.ended.failed[str(pattern)] += 1
        self.ended.last_failure[str(pattern)] = told.failure.message
        return True

    def _hear(self, lane: Lane, item: Item, repeat: int, labels: set[str]) -> None:
        """Lay out what the models have answered to an item."""
        lane.replies.clear()
        numbers = {self.found.rounds[key_of(item.id, repeat, label)] for label in labels}
        for number in numbers:
            said = lane.heard(number)
            lane.replies.update({label: reply for label, reply in said.items() if label in labels})

    # The scores that take long

    async def _score(self, lane: Lane, item: Item) -> None:
        """Find out what answers are worth where that takes long: the same answer once."""
        if not item.grader.kept:
            return
        for repeat in self._repeats:
            same: dict[str, list[str]] = {}
            for subject in self.plan.subjects(item):
                key = key_of(item.id, repeat, subject)
                place = score_key(key, item.grader.seal)
                if self.found.answers.get(key) and place not in self.found.scores:
                    same.setdefault(self.found.answers[key], []).append(place)
            for said, places in same.items():
                if item.grader.score is None:
                    await self._mark(lane, item, repeat, said, tuple(places))
                else:
                    score = await aside(worth, item, said)
                    await aside(lane.put, "scores", dict.fromkeys(places, score))
                    self.found.scores.update(dict.fromkeys(places, score))

    async def _mark(self, lane: Lane, item: Item, repeat: int, said: str, places: tuple[str, ...]) -> None:
        """Let a model say what an answer is worth."""
        await aside(lane.place, item, repeat)
        key = item.task, item.grader.by
        if key not in lane.graders:
            lane.graders[key] = grading(self.plan, *key, self.items)
        graph, seat = lane.graders[key]
        seat.said, seat.keys = said, places
        told = await self._round(lane, graph, next(iter(graph.steps)), place_of(item.id, repeat))
        scores = (await aside(lambda: lane.state))["scores"]
        self.found.scores.update({place: scores[place] for place in places if place in scores})
        if places[0] not in scores:
            await aside(lane.leave, "", "")
            self.ended.failed[item.grader.by] += 1
            self.ended.last_failure[item.grader.by] = (
                told.failure.message if told.failure else "it gave no score"
            )

    # Rounds

    def _graph(self, lane: Lane, task: str, labels: tuple[str, ...], pattern: Spelled | None) -> AgentGraph:
        key = task, labels, pattern
        if key not in lane.graphs:
            lane.graphs[key] = (
                asking(self.plan, task, labels, self.items)
                if pattern is None
                else playing(self.plan, task, pattern, lane.replies, self.items)
            )
        return lane.graphs[key]

    async def _round(self, lane: Lane, graph: AgentGraph, step: str, place: str) -> Told:
        """Run one round; that nobody could answer is no error here, but what the benchmark is about."""
        await aside(lane.leave, step, place)
        told = Told()
        try:
            async with aclosing(graph.stream(lane.session, start=step, max_rounds=8)) as events:
                async for event in events:
                    told.hear(event)
        except (MissingKey, NotRecorded):
            raise
        except (ModelFailed, RoundVoid, Refused) as error:
            told.failure = error
        return told


async def _together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all; the first error ends the others, and is raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
