"""Scores that take long are kept, and all verdicts become grades, from which the store's standing learns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dissensus_state.grades import counting, grades_of
from dissensus_state.records import RULING
from dissensus_state.sessions import Session

from .graders import RIGHT
from .lanes import Known
from .measured import score_of
from .plan import Plan
from .schema import Benchmark, key_of
from .tasks import Item

SHOWN = 200
"""Characters of an answer that a grade tells."""


class Verdict(NamedTuple):
    """An agent of a round, whether it was right, and what it said."""

    round: int
    agent: str
    right: bool
    said: str


Verdicts = dict[tuple[int, str], bool]
"""By round and agent: right or wrong."""


def verdicts(plan: Plan, found: Known, item: Item) -> Iterator[Verdict]:
    """What is known from outside of the models of the answers to an item."""
    if not item.grader.outside:
        return
    for repeat in range(1, plan.repeats + 1):
        for label in plan.asked(item):
            key = key_of(item.id, repeat, label)
            if key in found.answers and (score := score_of(item, found, key)) is not None:
                yield Verdict(found.rounds.get(key, 0), label, score >= RIGHT, found.answers[key])
        for pattern in plan.played(item):
            key = key_of(item.id, repeat, str(pattern))
            if pattern.supervisor and key in found.ruled:
                score = score_of(item, found, key)
                if score is not None:
                    yield Verdict(found.rounds.get(key, 0), RULING, score >= RIGHT, found.answers[key])


def grade(
    session: Session[Benchmark], plan: Plan, found: Known, items: Iterable[Item], known: Verdicts
) -> None:
    """Grade what the records do not say yet, on the basis of a known answer."""
    by = f"bench: {plan.tasks.source}"[:200]
    author = by if by.isprintable() else "bench"
    for item in items:
        for one in verdicts(plan, found, item):
            if not one.round or known.get((one.round, one.agent)) is one.right:
                continue
            right, wrong = ([one.agent], []) if one.right else ([], [one.agent])
            said = one.said[:SHOWN] or "nothing that could be graded"
            session.grade(one.round, right, wrong, by=author, basis="reference", detail=f"it said {said}")
            known[one.round, one.agent] = one.right


def graded(session: Session[Benchmark]) -> Verdicts:
    """What the records say already."""
    by_round = defaultdict(list)
    with session.reading() as work:
        for one in grades_of(work, session.session_id):
            by_round[one.round or 0].append(one)
    return {
        (number, agent): one.right
        for number, several in by_round.items()
        for agent, one in counting(several).items()
    }
