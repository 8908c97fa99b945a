"""What the answers are worth: right ones, and money, computed from the recordings alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from exam import NO_LETTER, Exam, Seat
from recorded import Question

from dissensus_agents.agent import Task
from dissensus_agents.models.client import Model, estimate
from dissensus_agents.models.prices import cost
from dissensus_agents.views import View
from dissensus_state.shapes import shape_of


def share(right: Iterable[bool]) -> float:
    """The share of what is so, in four places."""
    judged = list(right)
    return round(sum(judged) / len(judged), 4)


def accuracy(exam: Sequence[Question], model: str) -> float:
    """How often a model is right by the published rule; no letter is wrong."""
    return share(question.letter(model) == question.right for question in exam)


def differing(exam: Sequence[Question], model: str) -> int:
    """How often the published rule reads another letter than the recording's own field has."""
    return sum(question.letter(model) != question.on_record[model] for question in exam)


def majority(question: Question, panel: Sequence[str]) -> str | None:
    """The letter that most of the panel name; of several, the one named by the earliest seat."""
    named = Counter(letter for model in panel if (letter := question.letter(model)))
    return named.most_common(1)[0][0] if named else None


def expected(question: Question, panel: Sequence[str], chair: str) -> str:
    """What the session must come to: the panel's letter where two or more agree, else the chair's."""
    named = [letter for model in panel if (letter := question.letter(model))]
    if len(named) > 1 and len(set(named)) == 1:
        return named[0]
    return question.letter(chair) or NO_LETTER


def chair_alone(exam: Sequence[Question], chair: Model) -> int:
    """What the chair would cost if it were asked every question as a panelist is, in nano-USD."""
    seat, task, price = Seat("chair", chair).agent, Task(shape_of(Exam), ["answers"]), chair.price
    if price is None:
        return 0
    total = 0
    for question in exam:
        view = View({"questions": [question.text], "answers": {}}, 0)
        text = question.answers[chair.name]
        total += cost(price, estimate(seat.request(view, task), text))
    return total
