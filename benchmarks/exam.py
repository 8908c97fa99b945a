"""Exam questions as rounds of one session: a panel answers, a chair rules where it does not agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from recorded import Question, letter_of

from dissensus_agents.agent import Agent
from dissensus_agents.errors import ModelFailed
from dissensus_agents.graph import END, AgentGraph
from dissensus_agents.judgement.supervisor import Review, Supervisor, Verdict
from dissensus_agents.messages import Part, Reply
from dissensus_agents.models.client import Model
from dissensus_agents.views import View
from dissensus_state.sessions import Session
from dissensus_state.shapes import MergeByKey, SharedState

ROLE = "Answer the multiple-choice question. Finish with 'The answer is (X)'."
NO_LETTER = "-"
"""What stands for an answer where even the chair names no letter: it is never right."""

CHAIRS = ("supervisor", "chair")
"""The seats of the chair: over a disputed question, and over one that nobody else answers."""

ENOUGH_VOTES = 1.01
"""Effective votes below which an agreement goes to the chair: one voter is worth 1, two are worth more."""


class Exam(SharedState):
    """Questions that stand in the state from the start, and a letter for each that is answered."""

    questions: list[str]
    answers: Annotated[dict[str, str], MergeByKey()] = {}  # noqa: RUF012 - pydantic copies it


def exam_of(questions: Sequence[Question]) -> Exam:
    """The state before the first round."""
    return Exam(questions=[question.text for question in questions])


class Seat:
    """An agent that is asked the next question, and that remembers which one for reading the reply.

    Args:
        always: Put `NO_LETTER` down where the reply names none, instead of abstaining.
    """

    def __init__(self, name: str, model: Model, *, always: bool = False) -> None:
        self.agent = Agent(name, model, ROLE, prompt=self._ask, parse=self._read, attempts=1)
        self._always = always
        self._number = 0

    def _ask(self, view: View) -> list[Part]:
        self._number = len(view.read("/answers"))
        return [view.part(f"/questions/{self._number}")]

    def _read(self, reply: Reply) -> Mapping[str, Any]:
        letter = letter_of(reply.text) or (NO_LETTER if self._always else None)
        if letter is None:
            raise ValueError("it names no letter")
        return {"answers": {str(self._number): letter}}


def rule(reply: Reply, review: Review) -> Verdict:
    """The chair's own letter as a verdict: uphold who says the same, else put it in place."""
    letter = letter_of(reply.text) or NO_LETTER
    reason = f"The chair says {letter}"
    for seen in review.positions:
        if letter in seen.values.values():
            return Verdict(decision="uphold", position=seen.label, reason=reason)
    number = next(part.source for part in review.material if part.source).rpartition("/")[2]
    return Verdict(decision="amend", amendment={f"/answers/{number}": letter}, reason=reason)


def graph_of(
    panel: Sequence[Model], chair: Model, settled: Callable[[int], bool] | None = None
) -> AgentGraph:
    """The panel's step, and the chair's own for a question on which the whole panel has abstained.

    Args:
        settled: Called with the number of questions answered when a round is settled; says whether
            to go on. By default the run ends with the last question.
    """

    def after(state: Exam) -> str:
        go_on = settled is None or settled(len(state.answers))
        return "answer" if go_on and len(state.answers) < len(state.questions) else END

    graph = AgentGraph(Exam)
    seats = [Seat(f"seat-{n}", model).agent for n, model in enumerate(panel, 1)]
    supervisor = Supervisor(chair, parse=rule, attempts=1)
    graph.add_step("answer", seats, writes={"answers"}, supervisor=supervisor, hollow_below=ENOUGH_VOTES)
    graph.add_step("chair_alone", [Seat("chair", chair, always=True).agent], writes={"answers"})
    graph.add_edge("answer", after)
    graph.add_edge("chair_alone", after)
    return graph


async def run(graph: AgentGraph, session: Session[Exam]) -> None:
    """Run to the last question; where the whole panel abstains, begin again with the chair alone."""
    most = 2 * len(session.current().state["questions"]) + 100
    while True:
        try:
            await graph.run(session, start="chair_alone" if _nobody(session) else None, max_rounds=most)
        except ModelFailed:
            if not _nobody(session):
                raise
        else:
            return


def _nobody(session: Session[Exam]) -> bool:
    """Whether the last round is void because nobody on the panel named a letter."""
    rounds = session.rounds()
    return bool(rounds) and rounds[-1].status == "void"
