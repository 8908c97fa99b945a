"""The one module that knows LangGraph: the steps of a round as nodes, and the ways between them.

Everything here is a coroutine, the choices at the edges too: LangGraph sends plain functions to a
thread, which costs more than what they do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import pairwise
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from . import reviewing
from . import round as rounds
from .crossing import aside
from .errors import GraphError
from .running import Run, Running
from .steps import Step

After = Callable[[str, Any], str]


class Position(TypedDict, total=False):
    """What LangGraph carries from node to node: where the run is, and nothing of the state."""

    round: int
    ending: str
    next: str


Node = Callable[[Run, Running], Awaitable[None] | None]

NODES: Mapping[str, Node] = {
    "propose": rounds.propose,
    "compare": rounds.compare_proposals,
    "weigh": rounds.weigh,
    "verify": rounds.verify,
}
"""What stands between the reading of a snapshot and the review or the commit."""


def weave(steps: Mapping[str, Step], after: After) -> Any:
    """All steps as one compiled LangGraph graph.

    Args:
        after: What follows a settled step.
    """
    graph = StateGraph(Position, context_schema=Run)
    for step in steps.values():
        _add(graph, step, after)
    ways: dict[Any, str] = {name: f"{name}.read" for name in steps} | {END: END}
    graph.add_conditional_edges(START, _next, ways)
    for name in steps:
        graph.add_conditional_edges(f"{name}.review", _ruled, {**ways, "commit": f"{name}.commit"})
        graph.add_conditional_edges(f"{name}.commit", _next, ways)
    return graph.compile()


def _add(graph: Any, step: Step, after: After) -> None:
    name = step.name
    graph.add_node(f"{name}.read", _reading(step))
    for node, work in NODES.items():
        graph.add_node(f"{name}.{node}", _working(name, work))
    graph.add_node(f"{name}.review", _leaving(name, reviewing.review, after))
    graph.add_node(f"{name}.commit", _leaving(name, rounds.commit, after))
    line = ["read", *NODES]
    for one, other in pairwise(line):
        graph.add_edge(f"{name}.{one}", f"{name}.{other}")
    graph.add_conditional_edges(
        f"{name}.verify", _reviewed, {"review": f"{name}.review", "commit": f"{name}.commit"}
    )


def _reading(step: Step) -> Any:
    async def read(_: Position, runtime: Runtime[Run]) -> Position:
        running = await rounds.read(runtime.context, step)
        return {"round": running.round.round}

    return read


def _working(name: str, work: Node) -> Any:
    async def node(_: Position, runtime: Runtime[Run]) -> Position | None:
        running = _running(runtime.context, name)
        done = work(runtime.context, running)
        if done is not None:
            await done
        return {"ending": running.ending} if running.ending else None

    return node


def _leaving(name: str, work: Node, after: After) -> Any:
    """A node after which the round may be settled, so that the next step is to be found."""

    async def node(_: Position, runtime: Runtime[Run]) -> Position:
        run = runtime.context
        running = _running(run, name)
        done = work(run, running)
        if done is not None:
            await done
        return {"ending": running.ending, "next": await _following(run, running, after)}

    return node


async def _following(run: Run, running: Running, after: After) -> str:
    if running.ending == "again":
        return running.step.name
    if running.ending == "committed":
        return after(running.step.name, run.journal.session.remembered.typed)
    if running.ending == "rejected":
        return after(running.step.name, await aside(lambda: run.journal.session.state))
    return END


def _running(run: Run, step: str) -> Running:
    if run.current is None or run.current.step.name != step:
        raise GraphError(f"The step {step!r} has no running round")
    return run.current


async def _next(state: Position) -> str:
    return state["next"]


async def _reviewed(state: Position) -> str:
    return "review" if state["ending"] == "review" else "commit"


async def _ruled(state: Position) -> str:
    """After a review: to the commit, or wherever its ruling leads."""
    return "commit" if state["ending"] == "commit" else state["next"]
