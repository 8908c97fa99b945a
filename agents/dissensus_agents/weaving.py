"""The one module that knows LangGraph: the steps of a round as nodes, and the ways between them.

Everything here is a coroutine, the choices at the edges too: LangGraph sends plain functions to a
thread, which costs more than what they do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import pairwise
from typing import Any, Protocol, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from . import checking, comparing, fetching, reviewing, weighing
from . import round as rounds
from .crossing import aside
from .errors import GraphError
from .running import Run, Running
from .steps import Step


class After(Protocol):
    """What follows a settled step, asked of the state that it left."""

    async def __call__(self, run: Run, source: str, state: Any, *, rejected: bool = False) -> str:
        """The name of the next step, or END."""


class Position(TypedDict, total=False):
    """What LangGraph carries: the number of the running round, and where the run is to begin."""

    round: int
    next: str


Node = Callable[[Run, Running], Awaitable[None] | None]


async def _consulted(run: Run, running: Running) -> None:
    await fetching.consult(run, running)
    comparing.compare_proposals(run, running)


def _compare(run: Run, running: Running) -> Awaitable[None] | None:
    """Compare at once, where no comparator has to ask first."""
    if running.step.fetching:
        return _consulted(run, running)
    comparing.compare_proposals(run, running)
    return None


NODES: Mapping[str, Node] = {
    "propose": rounds.propose,
    "compare": _compare,
    "weigh": weighing.weigh,
}
"""What stands between the reading of a snapshot and its verifiers."""


def weave(steps: Mapping[str, Step], after: After) -> Any:
    """All steps as one compiled LangGraph graph.

    Args:
        after: What follows a settled step.
    """
    graph = StateGraph(Position, context_schema=Run)
    ways = (*(_reading_node(name) for name in steps), END)
    for step in steps.values():
        _add(graph, step, after, ways)
    graph.add_conditional_edges(START, _beginning, list(ways))
    return graph.compile()


def _add(graph: Any, step: Step, after: After, ways: tuple[str, ...]) -> None:
    name = step.name
    review, commit = f"{name}.review", f"{name}.commit"
    graph.add_node(_reading_node(name), _reading(step))
    for node, work in NODES.items():
        graph.add_node(f"{name}.{node}", _working(name, work))
    graph.add_node(f"{name}.verify", _verifying(name, review, commit), destinations=(review, commit))
    graph.add_node(review, _reviewing(name, commit, after), destinations=(commit, *ways))
    graph.add_node(commit, _committing(name, after), destinations=ways)
    for one, other in pairwise(["read", *NODES, "verify"]):
        graph.add_edge(f"{name}.{one}", f"{name}.{other}")


def _reading_node(step: str) -> str:
    return f"{step}.read"


def _reading(step: Step) -> Any:
    async def read(_: Position, runtime: Runtime[Run]) -> Position:
        running = await rounds.read(runtime.context, step)
        if runtime.context.between is not None:
            await runtime.context.between.opened(running)
        return {"round": running.round.round}

    return read


def _working(name: str, work: Node) -> Any:
    async def node(_: Position, runtime: Runtime[Run]) -> None:
        done = work(runtime.context, _running(runtime.context, name))
        if done is not None:
            await done

    return node


def _verifying(name: str, review: str, commit: str) -> Any:
    async def verify(_: Position, runtime: Runtime[Run]) -> Command[str]:
        running = _running(runtime.context, name)
        await checking.verify(runtime.context, running)
        return Command(goto=review if running.ending == "review" else commit)

    return verify


def _reviewing(name: str, commit: str, after: After) -> Any:
    async def review(_: Position, runtime: Runtime[Run]) -> Command[str]:
        running = _running(runtime.context, name)
        await reviewing.review(runtime.context, running)
        ruled = running.ending == "commit"
        return Command(goto=commit if ruled else await _following(runtime.context, running, after))

    return review


def _committing(name: str, after: After) -> Any:
    async def commit(_: Position, runtime: Runtime[Run]) -> Command[str]:
        running = _running(runtime.context, name)
        await rounds.commit(runtime.context, running)
        return Command(goto=await _following(runtime.context, running, after))

    return commit


async def _following(run: Run, running: Running, after: After) -> str:
    """The node to go on with once the round is settled, or parked."""
    if run.watching is not None and running.ending != "parked":
        for alarm in await aside(run.watching.settled, running.round.round):
            run.tell(running, "alarm", **alarm.as_dict())
    if run.between is not None:
        await run.between.settled(running)
    if running.ending == "again":
        return _reading_node(running.step.name)
    if running.ending not in {"committed", "rejected"}:
        return END
    if running.ending == "committed":
        target = await after(run, running.step.name, run.journal.session.remembered_state)
    else:
        state = await aside(lambda: run.journal.session.state)
        target = await after(run, running.step.name, state, rejected=True)
    if run.between is not None:
        target = await run.between.led(running, target)
    return _node(target)


def _node(step: str) -> str:
    return END if step == END else _reading_node(step)


def _running(run: Run, step: str) -> Running:
    if run.current is None or run.current.step.name != step:
        raise GraphError(f"The step {step!r} has no running round")
    return run.current


async def _beginning(state: Position) -> str:
    return _node(state["next"])
