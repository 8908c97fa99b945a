"""A step of a graph: its agents, what they may write, and how their proposals are judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, Unpack, get_args

from dissensus_state.records import Isolation
from dissensus_state.rights import granted, holds, meet
from dissensus_state.shapes import Shape
from dissensus_state.values import JSON, Path, parse_path, pointer

from .agent import Agent, Task
from .context.summaries import SUFFIX
from .errors import GraphError
from .judgement.ballots import Weigher
from .judgement.comparators import Comparator
from .judgement.disagreement import thresholds
from .judgement.lineage import akin
from .judgement.meaning import SEAT as COMPARATOR
from .judgement.meaning import Fetching, fetches
from .judgement.opinions import SEAT as OPINIONS
from .judgement.opinions import AskedOf
from .judgement.supervisor import Supervisor, chain_of, is_seat, seats_of
from .judgement.witnessing import AnyVerifier
from .models.client import is_trusted
from .patterns.cascade import Cascade
from .patterns.chain import several_steps
from .patterns.failover import Candidates
from .patterns.plan import Pattern, Switch
from .patterns.route import SEAT as ROUTER
from .patterns.route import routing_by, routing_seats, seated
from .patterns.together import Parallel
from .settings import Settings, Withheld, check_settings
from .views import View
from .watch.governor import Governor

RESERVED = set("/:. ")


@dataclass(frozen=True, slots=True)
class Step:
    """What `AgentGraph.add_step` was given, checked against the schema.

    See there for what each setting means. `plain` says that its agents were given as a plain list, all of
    which are asked.
    """

    name: str
    agents: tuple[Agent, ...]
    task: Task
    transition: str | None
    pattern: Pattern
    supervisors: tuple[Supervisor, ...] = ()
    verifiers: tuple[AnyVerifier, ...] = ()
    comparators: Mapping[str, Comparator] = field(default_factory=dict)
    materiality: float | Mapping[str, float] = 0.0
    weigh: Weigher | None = None
    quorum: int = 1
    hollow_below: float | None = None
    hollow: tuple[AnyVerifier | Agent, ...] = ()
    audit: float = 0.0
    withheld: Withheld = "say"
    isolation: Isolation = "serializable"
    again: int = 2
    tasks: Mapping[str, Task] = field(default_factory=dict)
    governor: Governor = field(default_factory=Governor)
    plain: bool = True

    @property
    def askers(self) -> tuple[AskedOf, ...]:
        """The models that are asked where no other verifier decides."""
        return tuple(one for one in (*self.verifiers, *self.hollow) if isinstance(one, AskedOf))

    def task_of(self, agent: str) -> Task:
        """What is asked of one agent: the step's task, or less where it may propose less."""
        return self.tasks.get(agent, self.task)

    @property
    def fetching(self) -> dict[str, Fetching]:
        """The comparators that have to ask before they compare, by path."""
        return {path: one for path, one in self.comparators.items() if fetches(one)}

    @property
    def everybody(self) -> tuple[Agent, ...]:
        """Its agents, and those who are asked where their agreement is hollow."""
        return (*self.agents, *(one for one in self.hollow if isinstance(one, Agent)))

    def joined_by(self, names: Iterable[str]) -> Step:
        """The step with those as agents of its own who were asked since its agreement was hollow."""
        known = set(names)
        also = tuple(one for one in self.hollow if isinstance(one, Agent) and one.name in known)
        return replace(self, agents=(*self.agents, *also)) if also else self

    @property
    def candidates(self) -> tuple[Candidates, ...]:
        """The models behind all of its seats."""
        judges = (judge.candidates for judge in self.supervisors if judge.candidates is not None)
        opinions = (one.candidates for one in self.askers)
        fetched = (one.candidates for one in self.fetching.values())
        return (*(agent.candidates for agent in self.everybody), *judges, *opinions, *fetched)

    @property
    def seats(self) -> dict[str, Supervisor]:
        """The supervisors whose calls stand in the records, by the names of their seats."""
        named = zip(seats_of(self.supervisors), self.supervisors, strict=True)
        return {seat: judge for seat, judge in named if seat is not None}

    @property
    def review(self) -> tuple[Path, ...]:
        """The paths that are compared although their writes commute."""
        return tuple(parse_path(path) for path in self.comparators)


def check_name(name: str) -> None:
    """Whether a step may be called so; a dot stands between a chain and its links.

    Raises:
        GraphError: It may not.
    """
    if not name or RESERVED & set(name):
        raise GraphError(f"{name!r} is no name for a step", next_step="Use letters, digits, - and _")


def make_step(
    shape: Shape,
    name: str,
    agents: Sequence[Agent] | Pattern,
    writes: Iterable[str],
    **settings: Unpack[Settings],
) -> Step:
    """A step, or the error that names what does not fit the schema.

    Raises:
        GraphError: no agents, two of one name, an unknown transition, a quorum that cannot be met.
        FieldMissing: the schema has no field that an agent reads or the step writes.
    """
    more: dict[str, Any] = {**settings, "plain": not isinstance(agents, Pattern)}
    more |= {key: tuple(more[key]) for key in ("verifiers", "hollow") if isinstance(more.get(key), Iterable)}
    check_settings(shape, name, more)
    hollow, quorum = tuple(more.pop("hollow", ())), more.pop("quorum", None)
    pattern = _pattern_of(name, agents)
    agents = pattern.agents
    asked = (*agents, *(one for one in hollow if isinstance(one, Agent)))
    _check_agents(shape, name, asked, routing_seats(pattern))
    thresholds(settings.get("materiality", 0.0))
    _check_number(name, quorum, len(agents))
    chosen = _transition(shape, name, more.pop("transition", None))
    task = Task(shape, sorted(writes))
    _check_writes(shape, name, task, chosen)
    tasks = {agent.name: _own_task(shape, name, agent, task) for agent in asked} if shape.rights else {}
    step = Step(
        name,
        agents,
        task,
        chosen,
        pattern,
        supervisors=chain_of(more.pop("supervisor", None)),
        verifiers=tuple(more.pop("verifiers", ())),
        comparators=dict(more.pop("comparators", None) or {}),
        hollow=hollow,
        quorum=quorum or 1,
        tasks=tasks,
        **more,
    )
    return _checked(shape, step)


def _checked(shape: Shape, step: Step) -> Step:
    """The step, if none of its models would judge what it must not, or is not what a policy was fitted to."""
    _check_supervisors(shape, step)
    check_hollow(step)
    _check_askers(step)
    for part in step.pattern.inner():
        if isinstance(part, Cascade):
            part.check_policy()
    return step


def swap(shape: Shape, step: Step, models: Mapping[str, Any]) -> Step:
    """The step with other models behind some of its agents, supervisors, verifiers, or its routers.

    Raises:
        GraphError: A model would judge its own lineage, where the step does not have that.
    """

    def swapped(agent: Agent) -> Agent:
        return agent.with_model(models[agent.name]) if agent.name in models else agent

    pattern = step.pattern.mapped(swapped)
    if any(seat in models for seat in routing_seats(pattern)):
        pattern = pattern.with_routers(
            lambda seat, given: routing_by(models[seat]) if seat in models else given
        )
    chain = tuple(
        judge.with_model(models[seat]) if seat in models and seat is not None else judge
        for seat, judge in zip(seats_of(step.supervisors), step.supervisors, strict=True)
    )

    def checked(one: AnyVerifier) -> AnyVerifier:
        seated = isinstance(one, AskedOf) and one.seat in models
        return one.with_model(models[one.seat]) if isinstance(one, AskedOf) and seated else one

    comparators = dict(step.comparators)
    if COMPARATOR in models:
        comparators |= {path: one.with_model(models[COMPARATOR]) for path, one in step.fetching.items()}
    swapped_step = replace(
        step,
        agents=pattern.agents,
        pattern=pattern,
        supervisors=chain,
        hollow=tuple(swapped(one) if isinstance(one, Agent) else checked(one) for one in step.hollow),
        verifiers=tuple(map(checked, step.verifiers)),
        comparators=comparators,
    )
    return _checked(shape, swapped_step)


def _pattern_of(name: str, given: Sequence[Agent] | Pattern | Agent) -> Pattern:
    """The pattern of a step: a plain list is asked side by side."""
    if several_steps(given):
        raise GraphError(
            f"The step {name!r} was given a chain, which is several steps",
            next_step="Give it to AgentGraph.add_step, alone, in a Route or in another Chain",
        )
    if isinstance(given, Pattern):
        return seated(given)
    if isinstance(given, Agent):
        return Switch(given)
    names = [agent.name for agent in given]
    if not names or len(set(names)) < len(names):
        _refuse_names(name, names)
    return Parallel(given)


def _check_askers(step: Step) -> None:
    """A model that would judge its own lineage is found before anybody is paid."""
    seats = [one.seat for one in step.askers]
    if len(set(seats)) < len(seats):
        raise GraphError(
            f"Two models of the step {step.name!r} are asked under the seat {max(seats, key=seats.count)}",
            next_step="Give each asked_of(…) a name= of its own",
        )
    for one in step.askers:
        for agent in step.agents:
            if one.refuses(one.kinship(model.lineage for model in agent.candidates.models)):
                raise GraphError(
                    f"The verifier {one.name!r} of the step {step.name!r} is of the lineage of the agent "
                    f"{agent.name!r}, whom it would judge",
                    next_step="Ask a model of another lineage, or say kin=True: the evidence then says so",
                )


def _own_task(shape: Shape, name: str, agent: Agent, task: Task) -> Task:
    """The task of an agent that has rights: what both the step and the agent may write."""
    both = meet(task.writes, granted(shape.rights, agent.name, "propose"))
    if not both:
        raise GraphError(
            f"The agent {agent.name!r} may propose nothing of what the step {name!r} writes: "
            f"{', '.join(map(pointer, task.writes))}",
            next_step="Give it the right to propose it in the schema's `rights`, or leave it out",
        )
    return Task(shape, map(pointer, both), agent.name)


def _check_supervisors(shape: Shape, step: Step) -> None:
    """A supervisor who may not rule on what it would be shown is found before anybody is paid."""
    for judge in step.supervisors:
        if judge.person is None and not holds(shape.rights, judge.name, "rule", step.task.writes):
            raise GraphError(
                f"The supervisor {judge.name!r} may not rule on what the step {step.name!r} writes: "
                f"{', '.join(map(pointer, step.task.writes))}",
                next_step="Give it the right to rule in the schema's `rights`, or take another supervisor",
            )
        models = judge.candidates.models if judge.candidates else ()
        judged = [model.lineage for agent in step.agents for model in agent.candidates.models]
        kin = [any(akin(model.lineage, one) == "same lineage" for one in judged) for model in models]
        if judge.kin == "refuse" and kin and all(kin):
            raise GraphError(
                f"The supervisor {judge.name!r} is of a lineage that it would judge in {step.name!r}",
                next_step="Take a model of another lineage, or let the rulings say so: kin='say'",
            )


def check_hollow(step: Step) -> None:
    """What a hollow consensus is sent to, and how many agreements are audited, must be able to help.

    Raises:
        GraphError: It cannot.
    """
    if not 0 <= step.audit <= 1:
        raise GraphError(f"`audit` is a share from 0 to 1, not {step.audit!r}")
    if step.withheld not in get_args(Withheld):
        raise GraphError(f"`withheld` is 'say' or 'escalate', not {step.withheld!r}")
    if step.hollow and step.hollow_below is None:
        raise GraphError(
            f"The step {step.name!r} says where a hollow consensus is sent, and not when one is hollow",
            next_step="Give hollow_below=…, in effective votes",
        )
    there = {model.lineage for agent in step.agents for model in agent.candidates.models}
    for one in step.hollow:
        models = one.candidates.models if isinstance(one, Agent) else ()
        if any(akin(model.lineage, lineage) == "same lineage" for model in models for lineage in there):
            raise GraphError(
                f"{one.name!r} is of a lineage that the panel of {step.name!r} has already",
                next_step="Ask a model of another lineage about a hollow consensus",
            )


def _check_agents(shape: Shape, name: str, agents: Sequence[Agent], routes: Sequence[str]) -> None:
    names = [agent.name for agent in agents]
    if not names or len(set(names)) < len(names):
        _refuse_names(name, names)
    for one in names:
        _check_seat(one, routes)
    for agent in agents:
        for path in agent.reads or ():
            if path:
                shape.field(path[0])


def _check_seat(name: str, routes: Sequence[str]) -> None:
    """No agent is called as a seat beside the agents' own."""
    taken = {
        "the seat that rules": is_seat(name),
        "the seat that routes": name in (ROUTER, *routes),
        "a seat that checks": name.startswith(OPINIONS),
        "a seat that summarises": SUFFIX in name,
        "the seat that compares": name.partition("~")[0] == COMPARATOR,
    }
    for seat, is_taken in taken.items():
        if is_taken:
            raise GraphError(f"{name!r} is the name of {seat}", next_step="Call the agent otherwise")


def _refuse_names(name: str, names: Sequence[str]) -> NoReturn:
    raise GraphError(
        f"The step {name!r} needs agents with names of their own, not {list(names)}",
        next_step="Give each agent a name of its own",
    )


def _check_number(name: str, quorum: int | None, agents: int) -> None:
    if quorum is not None and not 1 <= quorum <= agents:
        raise GraphError(f"The step {name!r} has {agents} agents, so its quorum cannot be {quorum}")


def _transition(shape: Shape, name: str, transition: str | None) -> str | None:
    known = shape.machine.transitions
    if transition is None and name in known:
        return name
    if known and transition not in known:
        raise GraphError(
            f"The step {name!r} takes the transition {transition!r}; the schema has {sorted(known)}",
            next_step="Name the step after its transition, or give transition=…",
        )
    if transition is not None and not known:
        raise GraphError(f"The schema of the step {name!r} declares no transitions")
    return transition


def _check_writes(shape: Shape, name: str, task: Task, transition: str | None) -> None:
    allowed = shape.machine.transitions[transition].writable if transition else None
    if allowed is None:
        return
    outside = [path for path in task.writes if not any(path[: len(a)] == a for a in allowed)]
    if outside:
        raise GraphError(
            f"The step {name!r} would write {', '.join(map(pointer, outside))}, which its transition "
            f"{transition!r} may not",
            next_step="Add it to the transition's writes, or take it from the step's",
        )


def view_of(shape: Shape, agent: Agent, state: JSON, version: int) -> View:
    """What both the step and the schema's rights let an agent read, in the order of the schema's fields.

    A state that comes from a snapshot has another order, and a prompt must not depend on where it is from.
    """
    may = granted(shape.rights, agent.name, "read")
    state = {name: state[name] for name in (*shape.merges, *(state.keys() - shape.merges)) if name in state}
    allowed = meet(agent.reads, may)
    return View(
        state,
        version,
        allowed,
        shape.keys,
        agent.name,
        sparse=may is not None,
        sensitive=shape.sensitive,
        trusted=bool(shape.sensitive) and any(map(is_trusted, agent.candidates.models)),
    )
