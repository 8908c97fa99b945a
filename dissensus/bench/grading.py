"""Scores that take long are kept, and all verdicts become grades, from which the store's standing learns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from dissensus_state.grades import counting, grades_of
from dissensus_state.records import RULING
from dissensus_state.sessions import Session

from .graders import RIGHT
from .lanes import Known
from .measured import score_of
from .plan import Plan
from .schema import Benchmark, key_of
from .tasks import Item

Verdicts = dict[tuple[int, str], bool]
"""By round and agent: right or wrong."""


def verdicts(plan: Plan, found: Known, item: Item) -> Iterator[tuple[int, str, bool]]:
    """What is known from outside of the models of the answers to an item: round, agent, right or not."""
    if not item.grader.outside:
        return
    for repeat in range(1, plan.repeats + 1):
        for label in plan.asked(item):
            key = key_of(item.id, repeat, label)
            if key in found.answers and (score := score_of(item, found, key)) is not None:
                yield found.rounds.get(key, 0), label, score >= RIGHT
        for pattern in plan.played(item):
            key = key_of(item.id, repeat, str(pattern))
            if pattern.supervisor and key in found.ruled:
                score = score_of(item, found, key)
                if score is not None:
                    yield found.rounds.get(key, 0), RULING, score >= RIGHT


def grade(
    session: Session[Benchmark], plan: Plan, found: Known, items: Iterable[Item], known: Verdicts
) -> None:
    """Grade what the records do not say yet, on the basis of a known answer."""
    rounds: dict[int, dict[str, bool]] = defaultdict(dict)
    for item in items:
        for number, agent, is_right in verdicts(plan, found, item):
            if number and known.get((number, agent)) is not is_right:
                rounds[number][agent] = is_right
    by = f"bench: {plan.tasks.source}"[:200]
    for number, said in rounds.items():
        right = [agent for agent, verdict in said.items() if verdict]
        wrong = [agent for agent, verdict in said.items() if not verdict]
        session.grade(number, right, wrong, by=by if by.isprintable() else "bench", basis="reference")
        known.update({(number, agent): is_right for agent, is_right in said.items()})


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
