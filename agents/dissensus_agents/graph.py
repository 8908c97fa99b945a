"""A graph of steps over one session, compiled to LangGraph: each step is a round of seven nodes.

LangGraph's own state holds ids and never the shared state: what a round needs is in its records, so
a run that was stopped goes on where it was without a checkpoint.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from dissensus_state.accounts import Policy
from dissensus_state.errors import located
from dissensus_state.journal import Journal
from dissensus_state.records import Isolation, Round
from dissensus_state.shapes import SharedState, shape_of

from .agent import Agent
from .asking import Asker
from .crossing import aside
from .errors import GraphError, RoundParked
from .judgement.ballots import Weigher
from .judgement.comparators import Comparator
from .judgement.meaning import SEAT as COMPARATOR
from .judgement.supervisor import Chain
from .judgement.verifiers import Verifier
from .log import log, unheard
from .models.client import Model
from .remembering import remember
from .replaying import Replayed, replay
from .running import Progress, Run
from .steps import Step, Withheld, make_step, swap
from .watch.governor import Governor
from .watch.unheeded import unheeded

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

START = "__start__"
END = "__end__"

Choose = Callable[[Any], str]
"""A function of the state that names the next step, or END."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended: `finished`, or `parked` at a round that waits for a person."""

    status: str
    version: int
    rounds: int
    parked: int | None = None


class AgentGraph:
    """Steps and the edges between them, over a schema.

    The first step added is where a run begins, unless an edge from `START` says otherwise. From a
    step without an edge, a run ends.

    Args:
        schema: The model of the shared state.
        governor: What its steps need not pay for; by default all of it is asked.
    """

    def __init__(self, schema: type[SharedState], governor: Governor | None = None) -> None:
        self.shape = shape_of(schema)
        self.governor = governor or Governor()
        self.steps: dict[str, Step] = {}
        self._edges: dict[str, str | Choose] = {}
        self._compiled: Any = None

    def add_step(
        self,
        name: str,
        agents: Sequence[Agent],
        *,
        writes: Iterable[str],
        supervisor: Chain | None = None,
        verifiers: Iterable[Verifier] = (),
        comparators: Mapping[str, Comparator] | None = None,
        materiality: float | Mapping[str, float] = 0.0,
        weigh: Weigher | None = None,
        transition: str | None = None,
        quorum: int | None = None,
        hollow_below: float | None = None,
        hollow: Sequence[Verifier | Agent] = (),
        audit: float = 0.0,
        withheld: Withheld = "say",
        isolation: Isolation = "serializable",
        again: int = 2,
        governor: Governor | None = None,
    ) -> AgentGraph:
        """Add a step: these agents propose, side by side, what these fields should become.

        Args:
            name: Unique; where the schema has a transition of that name, the step takes it.
            agents: At least one; their names are unique in the step.
            writes: The fields or paths that they may write; the output type follows from them.
            supervisor: Who rules on a disagreement; of several, each rules where the one before escalates.
                Without one, and where the last one escalates, the round is parked for a person.
            verifiers: Checks that run on what each side proposes; a failed one asks for a ruling.
            comparators: How a path is compared; by default by type, and what adds up only if named here.
            materiality: Up to which distance (0 to 1) a difference is only recorded; for all, or by path.
            weigh: Says what the voices are worth; by default by what the store has graded, else lineages.
            transition: The transition of the schema's machine that the step takes.
            quorum: How many agents must propose something; by default one.
            hollow_below: From how many effective votes down an agreement is hollow and is reviewed.
            hollow: What a hollow agreement is sent to before a supervisor: verifiers, agents of other lineages.
            audit: The share (0 to 1) of the agreements that is drawn by lot, and reviewed all the same.
            withheld: `"escalate"` has a model's word never stand for a position whose reasoning is withheld.
            isolation: `"snapshot"` keeps a paid answer though what it read has changed.
            again: How often the step is begun again after a conflict, a refusal or a `retry`.
            governor: What the step need not pay for; by default that of the graph.

        Raises:
            GraphError, FieldMissing: the step does not fit the schema.
        """
        if name in self.steps:
            raise GraphError(f"There is a step {name!r} already")
        self.steps[name] = make_step(
            self.shape,
            name,
            agents,
            writes,
            transition,
            quorum,
            supervisor=supervisor,
            verifiers=tuple(verifiers),
            comparators=dict(comparators or {}),
            materiality=materiality,
            weigh=weigh,
            hollow_below=hollow_below,
            hollow=tuple(hollow),
            audit=audit,
            withheld=withheld,
            isolation=isolation,
            again=again,
            governor=governor or self.governor,
        )
        self._compiled = None
        return self

    def add_edge(self, source: str, target: str | Choose) -> AgentGraph:
        """Say what follows a step: another one, `END`, or a function of the state that names it."""
        if source in self._edges:
            raise GraphError(
                f"The step {source!r} has a way on already",
                next_step="Give one edge with a function of the state; agents that work side by side "
                "belong in one step",
            )
        self._edges[source] = target
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
            models: Other models for this run, by the agent's name; `supervisor` names the seat that
                rules, `supervisor.2` that of the second model of a chain. As for `Agent(model=…)`.
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
        position = {"next": await aside(self._entry, run, start)}
        events = self.compile().astream(position, _config(max_rounds), context=run, stream_mode="custom")
        with located(session=session.name):
            async with aclosing(events):
                async for progress in events:
                    yield progress
        yield Progress("finished", body={"status": _status(run)})

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
        run = await self._begin(session, max_rounds)
        run.emit, run.unheard = partial(log, session.name), unheard()
        await self._unheeded(session)
        position = {"next": await aside(self._entry, run, start)}
        with located(session=session.name):
            await self.compile().ainvoke(position, _config(max_rounds), context=run, stream_mode=[])
        parked = run.current.round.round if run.current and _status(run) == "parked" else None
        return Result(_status(run), await aside(lambda: session.head), run.rounds, parked)

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
        alone = AgentGraph(self.shape.schema)
        alone.steps = dict(self.steps)
        alone._edges = dict.fromkeys(self.steps.keys() - {step}, step)

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
        other = self.with_steps({name: swap(step, models) for name, step in self.steps.items()})
        known = {agent.name for step in self.steps.values() for agent in step.everybody}
        known |= {seat for step in self.steps.values() for seat in step.seats}
        known |= {COMPARATOR for step in self.steps.values() if step.fetching}
        if strange := sorted(models.keys() - known):
            raise GraphError(
                f"There is no agent {strange[0]!r} to give a model to",
                next_step=f"The graph has {', '.join(sorted(known))}",
            )
        return other

    def with_steps(self, steps: Mapping[str, Step]) -> AgentGraph:
        """A graph with the same edges between other steps of the same names."""
        other = AgentGraph(self.shape.schema)
        other.steps = dict(steps)
        other._edges = dict(self._edges)
        return other

    async def replay(self, session: Session[Any]) -> Replayed:
        """Rebuild every version and every round from the recordings, with this graph's code.

        No model is called. `Diverged` names the first round, field, expected and actual value that
        differ, because the history, the code, a prompt or the schema is not what it was.
        """
        return await aside(replay, session, self.steps)

    def mermaid(self) -> str:
        """The steps and edges as a Mermaid flowchart."""
        lines = ["flowchart LR"]
        for source in (START, *self.steps):
            target = self._target(source)
            if target is not None:
                lines.append(f"    {_id(source)} {_arrow(source, target)}")
        return "\n".join(lines)

    def compile(self) -> Any:
        """The LangGraph graph; it runs with a `Run` as its context.

        Raises:
            GraphError: there are no steps, or an edge names one that is not there.
        """
        if self._compiled is None:
            from .weaving import weave

            self._check_edges()
            self._compiled = weave(self.steps, self._after)
        return self._compiled

    def _check_edges(self) -> None:
        if not self.steps:
            raise GraphError("The graph has no steps", next_step="Add one with add_step")
        for source, target in self._edges.items():
            for name in (source, target):
                if isinstance(name, str) and name not in {*self.steps, START, END}:
                    raise GraphError(f"The edge from {source!r} names {name!r}, which is no step")

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
        return run

    async def _unheeded(self, session: Session[Any]) -> list[Progress]:
        """Limits of agents and tasks that are not in this graph, logged."""
        warnings = unheeded(await aside(lambda: session.limits), self.steps)
        for warning in warnings:
            log(session.name, warning)
        return warnings

    def _models(self) -> list[Model]:
        """All candidates of all seats."""
        seats = [agent.candidates for step in self.steps.values() for agent in step.everybody]
        judges = (judge for step in self.steps.values() for judge in step.supervisors)
        seats += [judge.candidates for judge in judges if judge.candidates]
        seats += [one.candidates for step in self.steps.values() for one in step.fetching.values()]
        return [model for seat in seats for model in seat.models]

    def _target(self, source: str) -> str | Choose | None:
        if source == START:
            return self._edges.get(START, next(iter(self.steps), None))
        return self._edges.get(source, END)

    def _after(self, source: str, state: Any) -> str:
        """What follows a settled step, asked of the state that it left."""
        target = self._target(source)
        if callable(target):
            target = target(state)
        if target not in {*self.steps, END}:
            raise GraphError(f"The edge from {source!r} leads to {target!r}, which is no step")
        return str(target)

    def _entry(self, run: Run, start: str | None) -> str:
        """Where to begin: at the round that was left, at the step asked for, or after the last one."""
        last = run.journal.last_round()
        if last is not None and not last.settled:
            return self._known(last)
        if start is not None:
            if start not in self.steps:
                raise GraphError(f"There is no step {start!r} to start at")
            return start
        if last is not None and last.step in self.steps and last.status in {"retried", "void"}:
            return last.step
        source = last.step if last is not None and last.step in self.steps else START
        return self._after(source, run.journal.session.state)

    def _known(self, left: Round) -> str:
        if left.step in self.steps:
            return left.step
        raise GraphError(
            f"The round {left.round} was left open at the step {left.step!r}, which this graph has not",
            next_step="Run the graph that the round belongs to, or settle it with `dissensus rule`",
            round=left.round,
        )


def _config(max_rounds: int) -> dict[str, Any]:
    return {"recursion_limit": max_rounds * 9 + 20}


def _status(run: Run) -> str:
    return "parked" if run.current is not None and run.current.ending == "parked" else "finished"


def _emit(session: str, progress: Progress) -> None:
    from langgraph.config import get_stream_writer

    log(session, progress)
    get_stream_writer()(progress)


def _arrow(source: str, target: str | Choose) -> str:
    if isinstance(target, str):
        return f"--> {_id(target)}"
    name = getattr(target, "__name__", "").strip("<>") or "choice"
    return f"-.-> choice_{source.strip('_')}{{{name}}}"


def _id(name: str) -> str:
    return {START: "start([start])", END: "stop([end])"}.get(name, name)
