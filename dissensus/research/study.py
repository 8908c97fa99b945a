"""The graph of a research session: plan, search, gather, check, and again; then conclude."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dissensus_agents.agent import Agent
from dissensus_agents.graph import END, AgentGraph
from dissensus_agents.judgement.comparators import Anything, Text
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_state.shapes import shape_of

from . import checking, librarian, money, prompts
from .crew import CHAIR, Staff, reseated
from .rooms import CONCLUDED, PLANNED, SCOUTED, answers, told
from .schema import Research, batches, side_by_side

if TYPE_CHECKING:
    from dissensus_state.library import Library
    from dissensus_state.sessions import Session

GRAPH = "dissensus.research.study:graph"

GATHER = "gather-"
"""Steps of this name are rounds of so many scouts."""

SCOUT, ANALYST = "scout-", "analyst-"

ALIKE = 0.5
"""Share of words from which on two short answers say the same."""


def graph(session: Session[Any]) -> AgentGraph:
    """The graph of a session with the models that it was begun with: how `rerun` and `replay` find it."""
    opened = type(session)(session.database, session.info, shape_of(Research), session.branch)
    return research_graph(opened, reseated(opened.state.crew, (), None))


def research_graph(session: Session[Research], staff: Staff) -> AgentGraph:
    """The steps of a session, with these models in its seats."""
    library, window = session.library, session.state.crew.window
    graph = AgentGraph(Research)
    graph.add_step("plan", [_planner(staff, window)], writes={"plan"})
    graph.add_step("search", [_librarian(library)], writes={"searched", "reading"})
    for seats in range(1, len(staff.scouts) + 1):
        scouts = [_scout(library, staff, seat, window) for seat in range(seats)]
        graph.add_step(f"{GATHER}{seats}", scouts, writes={"findings", "leads"}, transition="gather")
        graph.add_edge(f"{GATHER}{seats}", "check")
    graph.add_step(
        "check",
        [_checker(session)],
        writes={"standing", "dropped", "read", "missed"},
        verifiers=[checking.quotations_stand(library)],
    )
    graph.add_step("enough", [_closing()], writes={"stopped"})
    _add_conclusion(graph, staff, window)
    after_reading = _after_reading(session, staff)
    graph.add_edge("plan", "search").add_edge("search", _after_search(after_reading))
    graph.add_edge("check", after_reading)
    return graph.add_edge("enough", lambda state: "conclude" if state.standing else END)


def _planner(staff: Staff, window: int | None) -> Agent:
    return Agent(
        "planner",
        staff.standing_in(staff.planner),
        prompts.PLAN,
        reads=["question", "sources"],
        prompt=prompts.planning,
        max_output_tokens=answers(PLANNED, window),
    )


def _librarian(library: Library) -> Agent:
    return Agent(librarian.NAME, librarian.searching(library), prompt=librarian.catalogue)


def _closing() -> Agent:
    return Agent(librarian.NAME, librarian.stopping(), prompt=librarian.ledger)


def _scout(library: Library, staff: Staff, seat: int, window: int | None) -> Agent:
    return Agent(
        f"{SCOUT}{seat + 1}",
        staff.standing_in(staff.scouts[seat]),
        prompts.SCOUT,
        reads=["question", "plan", "reading", "read"],
        prompt=prompts.scouting(library, seat),
        max_output_tokens=answers(SCOUTED, window),
    )


def _checker(session: Session[Research]) -> Agent:
    return Agent(
        checking.NAME, checking.checking(session.library, lambda: _silent(session)), prompt=checking.desk
    )


def _silent(session: Session[Research]) -> list[int]:
    """The seats of the scouts that abstained in the last round that they were asked in."""
    asked = [item for item in session.rounds() if item.step.startswith(GATHER) and item.settled]
    if not asked:
        return []
    proposals = session.round(asked[-1].round)[1]
    silent = (item.agent for item in proposals if item.status == "abstained")
    return sorted(int(agent.removeprefix(SCOUT)) for agent in silent)


def _add_conclusion(graph: AgentGraph, staff: Staff, window: int | None) -> None:
    analysts = [
        Agent(
            f"{ANALYST}{seat}",
            model,
            prompts.ANALYST,
            reads=["question", "plan", "reading", "findings", "standing"],
            prompt=prompts.judging(told(window)),
            max_output_tokens=answers(CONCLUDED, window),
        )
        for seat, model in enumerate(staff.panel, 1)
    ]
    graph.add_step(
        "conclude",
        analysts,
        writes={"conclusion"},
        supervisor=Supervisor(
            staff.supervisor,
            name=CHAIR,
            instructions=prompts.CHAIR,
            max_output_tokens=answers(CONCLUDED, window),
            advises=staff.approve,
        ),
        verifiers=[checking.citations_stand()],
        comparators={
            "conclusion/short": Text(ALIKE),
            **dict.fromkeys(("conclusion/answer", "conclusion/points", "conclusion/unknown"), Anything()),
        },
    )


def _after_search(after_reading: Callable[[Any], str]) -> Callable[[Any], str]:
    def choose(state: Research) -> str:
        return after_reading(state) if state.searched[-1].chosen else "enough"

    return choose


def _after_reading(session: Session[Research], staff: Staff) -> Callable[[Any], str]:
    """What follows a search or a check: the next batches, another pass, or the end of the gathering."""

    def choose(state: Research) -> str:
        if state.read < batches(state):
            if money.is_left_for_reading(session.budget.left, staff, state):
                return f"{GATHER}{side_by_side(state)}"
            if not state.standing:
                raise money.used_up(session.budget, staff, state)
            return "enough"
        return "search" if goes_on(state) else "enough"

    return choose


def goes_on(state: Research) -> bool:
    """Whether another pass may bring something: the last one did, or somebody gave no answer."""
    if len(state.searched) >= state.passes:
        return False
    last = {
        n for n, item in enumerate(state.reading, 1) if n > len(state.reading) - state.searched[-1].chosen
    }
    return bool(state.missed) or any(item.passage in last for item in state.standing) or _is_unanswered(state)


def _is_unanswered(state: Research) -> bool:
    found = {state.findings[item.finding - 1].question for item in state.standing}
    return len(state.searched) == 1 and any(n not in found for n in range(1, len(state.plan) + 1))
