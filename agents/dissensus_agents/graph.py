"""A graph of steps over one session, compiled to LangGraph: each step is a round of seven nodes.

LangGraph's own state holds ids and never the shared state: what a round needs is in its records, so
a run that was stopped goes on where it was without a checkpoint.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from dissensus_state.accounts import Policy
from dissensus_state.errors import located
from dissensus_state.journal import Journal
from dissensus_state.records import Round
from dissensus_state.shapes import SharedState, shape_of

from .agent import Agent
from .asking import Asker
from .cases import Case
from .crossing import aside
from .divergences import MOST
from .errors import GraphError, RoundParked
from .forking import forked
from .log import log, unheard
from .models.client import Model
from .patterns.chain import Chain as Links
from .patterns.chain import several_steps
from .patterns.plan import Pattern
from .remembering import remember
from .replaying import Replayed, replay
from .reruns.face import Reruns
from .running import Progress, Run
from .seats import seats_in
from .settings import Settings
from .steps import Step, check_name, make_step, swap
from .watch.alarms import Alarms
from .watch.governor import Governor
from .watch.unheeded import unheeded
from .watch.watching import Watching
from .ways import END, START, Choose, Ways

if TYPE_CHECKING:
    from dissensus_state.sessions import Session


__all__ = ["END", "START", "AgentGraph", "Choose", "Result"]


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended: `finished`, or `parked` at a round that waits for a person."""

    status: str
    version: int
    rounds: int
    parked: int | None = None


class AgentGraph(Reruns):
    """Steps and the edges between them, over a schema.

    The first step added is where a run begins, unless an edge from `START` says otherwise. From a
    step without an edge, a run ends.

    Args:
        schema: The model of the shared state.
        governor: What its steps need not pay for; by default all of it is asked.
        alarms: What rings when a model gets worse at a step, after each settled round; by default nothing.
    """

    def __init__(
        self, schema: type[SharedState], governor: Governor | None = None, alarms: Alarms | None = None
    ) -> None:
        self.shape = shape_of(schema)
        self.governor = governor or Governor()
        self.alarms = alarms
        self.steps: dict[str, Step] = {}
        self._ways = Ways()
        self._compiled: Any = None

    def add_step(
        self,
        name: str,
        agents: Sequence[Agent] | Agent | Pattern | Links,
        *,
        writes: Iterable[str] = (),
        **settings: Unpack[Settings],
    ) -> AgentGraph:
        """Add a step: these agents propose, side by side, what these fields should become.

        Args:
            name: Unique; where the schema has a transition of that name, the step takes it.
            agents: Agents, all of which are asked, or a pattern (`dissensus.patterns`). A `Chain`, or a
                `Route` over chains, becomes a step `NAME.LINK` for each of its links.
            writes: The fields or paths that they may write; the output type follows from them.
            settings: How it is judged, settled and paid for: see `Settings`.

        Raises:
            GraphError, FieldMissing: the step does not fit the schema.
        """
        if name in {*self.steps, *self._ways.names}:
            raise GraphError(f"There is a step {name!r} already")
        check_name(name)
        self._ways.first = self._ways.first or name
        given: dict[str, Any] = {
            **settings,
            "writes": writes,
            "governor": settings.get("governor") or self.governor,
        }
        if several_steps(agents):
            shared = {key: given[key] for key in given.keys() - {"transition", "quorum"}}
            self._ways.unfold(name, agents, shared, self._add)
        else:
            self._add(name, agents, given)
        self._compiled = None
        return self

    def _add(self, name: str, work: Any, settings: Mapping[str, Any]) -> None:
        """One step; a link takes the transition of its own name, where it says no other."""
        rest: dict[str, Any] = dict(settings)
        writes, link = rest.pop("writes"), name.rpartition(".")[2]
        if rest.get("transition") is None and link in self.shape.machine.transitions:
            rest["transition"] = link
        writes = (writes,) if isinstance(writes, str) else writes
        self.steps[name] = make_step(self.shape, name, work, writes, **rest)

    def add_edge(self, source: str, target: str | Choose) -> AgentGraph:
        """Say what follows a step: another one, `END`, or a function of the state that names it."""
        if source in self._ways.edges:
            raise GraphError(
                f"The step {source!r} has a way on already",
                next_step="Give one edge with a function of the state; agents that work side by side "
                "belong in one step",
            )
        self._ways.edges[source] = target
        self._compiled = None
        return self

    async def stream(
        self,
        session: Session[Any],
        *,
        start: str | None = None,
        max_rounds: int = 10_000,
        models: Mapping[str, Any] | None = None,
        deltas: bool = False,
    ) -> AsyncGenerator[Progress]:
        """Run over a session from where it stands, and tell what happens as it happens.

        A run that was stopped, at any point and by anything, goes on: no recorded answer is asked
        for again, nothing is committed twice.

        Args:
            start: Begin a new pass at this step instead of going on.
            max_rounds: Where to stop a graph that does not end.
            models: Other models for this run, by the agent's name, as for `Agent(model=…)`; `supervisor`
                names the seat that rules, `supervisor.2` that of a chain's second model.
            deltas: Tell answers as they come, as `delta` with `agent`, `text` and `reasoning`.

        Raises:
            DissensusError: the round that failed is in the records; the next run goes on from it.
        """
        if models:
            told = self.swapped(models).stream(session, start=start, max_rounds=max_rounds, deltas=deltas)
            async with aclosing(told) as swapped:
                async for progress in swapped:
                    yield progress
            return
        run = await self._begin(session, max_rounds)
        run.deltas = deltas
        for warning in await self._unheeded(session):
            yield warning
        early: list[Progress] = []  # a fork may be decided before LangGraph streams
        run.emit = early.append
        position = {"next": await aside(self._entry, run, start)}
        run.emit = partial(_emit, session.name)
        for progress in early:
            log(session.name, progress)
            yield progress
        events = self.compile().astream(
            position, {"recursion_limit": max_rounds * 9 + 20}, context=run, stream_mode="custom"
        )
        with located(session=session.name):
            async with aclosing(events):
                async for progress in events:
                    yield progress
        yield Progress("finished", body={"status": run.status})

    async def run(
        self,
        session: Session[Any],
        *,
        start: str | None = None,
        max_rounds: int = 10_000,
        models: Mapping[str, Any] | None = None,
    ) -> Result:
        """The same, without telling: the way it ended."""
        if models:
            return await self.swapped(models).run(session, start=start, max_rounds=max_rounds)
        await self._unheeded(session)
        run = await self.walk(session, start, max_rounds, _unheard)
        parked = run.current.round.round if run.current and run.status == "parked" else None
        return Result(run.status, await aside(lambda: session.head), run.rounds, parked)

    async def walk(
        self, session: Session[Any], start: str | None, max_rounds: int, put: Callable[[Run], None]
    ) -> Run:
        """Run as `run` does, with what `put` puts into it: what a rerun is made of."""
        run = await self._begin(session, max_rounds)
        run.emit = partial(log, session.name)
        put(run)
        position = {"next": await aside(self._entry, run, start)}
        with located(session=session.name):
            await self.compile().ainvoke(
                position, {"recursion_limit": max_rounds * 9 + 20}, context=run, stream_mode=[]
            )
        return run

    def follows(self, step: str, state: Any) -> str:
        """What its edge leads to after a step in this state: a step, a fork, or END."""
        return self._ways.after(step, state, self.steps)

    def node(
        self, step: str, session: Session[Any] | Callable[[Any], Session[Any]]
    ) -> Callable[[Any], Awaitable[dict[str, Any]]]:
        """One step as a node of a LangGraph graph of your own: `builder.add_node("judge", …)`.

        It runs one round (again, where it must be; after one that another step has left) and changes
        nothing of that graph's state; read the session. A round that waits raises `RoundParked`.

        Args:
            session: The session, or a function of that graph's state that finds it.
        """
        if step not in self.steps:
            raise GraphError(f"There is no step {step!r}; there are: {', '.join(self.steps)}")
        alone = AgentGraph(self.shape.schema, alarms=self.alarms)
        alone.steps = dict(self.steps)
        alone._ways.edges = dict.fromkeys(self.steps.keys() - {step}, step)

        async def run_step(state: Any) -> dict[str, Any]:
            found = session(state) if callable(session) else session
            result = await alone.run(found, start=step)
            if result.parked is not None:
                raise RoundParked(
                    "The round waits for a person's ruling", session=found.name, round=result.parked
                )
            return {}

        run_step.__name__ = step
        return run_step

    def swapped(self, models: Mapping[str, Any]) -> AgentGraph:
        """The same graph with other models behind some of its agents.

        Args:
            models: By the agent's name, in whatever steps it is; `supervisor` names the seat that rules.

        Raises:
            GraphError: No step has an agent of such a name.
        """
        other = self.with_steps({name: swap(self.shape, step, models) for name, step in self.steps.items()})
        known = {seat for step in self.steps.values() for seat in seats_in(step)}
        if strange := sorted(models.keys() - known):
            raise GraphError(
                f"There is no agent {strange[0]!r} to give a model to",
                next_step=f"The graph has {', '.join(sorted(known))}",
            )
        return other

    def with_steps(self, steps: Mapping[str, Step]) -> AgentGraph:
        """A graph with the same edges between other steps of the same names."""
        other = AgentGraph(self.shape.schema, alarms=self.alarms)
        other.steps = dict(steps)
        other._ways = self._ways.copied()
        return other

    async def replay(self, session: Session[Any], *, every: bool = False, most: int = MOST) -> Replayed:
        """Rebuild every version and every round from the recordings, with this graph's code and schema.

        No model is called. Each commit is admitted again; of each round that ended in one, the requests,
        the proposals, what they say against each other and the patch are made again.

        Args:
            every: Report everything that differs, instead of raising the first of it.
            most: How many differences a report lists; it counts the rest.

        Raises:
            Diverged: naming the version, round, call, field, expected and actual value of the first thing
                that differs, because the history, the code, a prompt or the schema is not what it was.
        """
        return await aside(replay, session, self.shape, self.steps, most if every else None)

    def case(self, session: Session[Any], version: int | None = None, *, round_: int | None = None) -> Case:
        """A recorded step as a case for tests, which a graph is held to: see `Case.of` and `Case.replay`."""
        return Case.of(session, version, round_=round_)

    def mermaid(self) -> str:
        """The steps and edges as a Mermaid flowchart."""
        return "\n    ".join(["flowchart LR", *self._ways.drawn(self.steps)])

    def compile(self) -> Any:
        """The LangGraph graph; it runs with a `Run` as its context.

        Raises:
            GraphError: there are no steps, or an edge names one that is not there.
        """
        if self._compiled is None:
            from .weaving import weave

            if not self.steps:
                raise GraphError("The graph has no steps", next_step="Add one with add_step")
            self._ways.check(self.steps)
            self._compiled = weave(self.steps, self._after)
        return self._compiled

    async def _begin(self, session: Session[Any], max_rounds: int) -> Run:
        if session.shape.name != self.shape.name:
            raise GraphError(
                f"The graph is over {self.shape.name}, the session {session.name} over {session.shape.name}"
            )
        self.compile()
        journal = await aside(Journal, session)
        budget = await aside(lambda: session.budget)
        await aside(remember, journal, self._models())
        asker = Asker(journal, Policy.of(budget))
        run = Run(journal, asker, partial(_emit, session.name), max_rounds)
        asker.warn = run.warn
        if self.alarms is not None:
            run.watching = await aside(Watching, session, self.alarms)
        return run

    async def _unheeded(self, session: Session[Any]) -> list[Progress]:
        """Limits of agents and tasks that are not in this graph, logged."""
        warnings = unheeded(await aside(lambda: session.limits), self.steps)
        for warning in warnings:
            log(session.name, warning)
        return warnings

    def _models(self) -> list[Model]:
        """All candidates of all seats."""
        seats = [seat for step in self.steps.values() for seat in step.candidates]
        routers = [model for step in self.steps.values() for model in step.pattern.models]
        return [*routers, *(model for seat in seats for model in seat.models)]

    async def _after(self, run: Run, source: str, state: Any, *, rejected: bool = False) -> str:
        """What follows a settled step, asked of the state that it left.

        A chain is not gone on from where a link was rejected.
        """
        if rejected and source in self._ways.joints:
            return END
        target = self._ways.after(source, state, self.steps)
        if target in self._ways.forks:
            return await aside(forked, run, self._ways, self.steps, target)
        return target

    def _entry(self, run: Run, start: str | None) -> str:
        """Where to begin: at the round that was left, at the step asked for, or after the last one."""
        last = run.journal.last_round()
        if last is not None and not last.settled:
            return self._known(last)
        if start is not None:
            if start not in {*self.steps, *self._ways.names}:
                raise GraphError(f"There is no step {start!r} to start at")
            return forked(run, self._ways, self.steps, self._ways.begin(start, self.steps))
        here = last is not None and last.step in self.steps
        if last is not None and here and _stays(last, self._ways):
            return last.step
        source = last.step if last is not None and here else START
        target = self._ways.after(source, run.journal.session.state, self.steps)
        return forked(run, self._ways, self.steps, target)

    def _known(self, left: Round) -> str:
        if left.step in self.steps:
            return left.step
        raise GraphError(
            f"The round {left.round} was left open at the step {left.step!r}, which this graph has not",
            next_step="Run the graph that the round belongs to, or settle it with `dissensus rule`",
            round=left.round,
        )


def _unheard(run: Run) -> None:
    run.unheard = unheard()


def _emit(session: str, progress: Progress) -> None:
    from langgraph.config import get_stream_writer

    log(session, progress)
    get_stream_writer()(progress)


def _stays(last: Round, ways: Ways) -> bool:
    """Whether a settled round is to be repeated: it was sent back, or a chain stopped at it."""
    return last.status in {"retried", "void"} or (last.status == "rejected" and last.step in ways.joints)
