"""What is changed for a rerun: models behind seats, roles of agents; and the graph with that in place."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any, Protocol

from dissensus_state.shapes import Shape
from dissensus_state.values import JSON, canonical, digest

from ..agent import Agent, as_model
from ..errors import GraphError
from ..judgement.supervisor import REVERSED, SEAT, Supervisor, seats_of
from ..models.scripted import FunctionModel
from ..patterns.failover import candidates_of
from ..running import Run
from ..seats import seats_in
from ..steps import Step, swap

LONGEST_PROMPT = 100_000
"""Characters of a role that is given anew."""


class Graph(Protocol):
    """What a rerun has to know of a graph."""

    @property
    def shape(self) -> Shape:
        """The schema it is over."""
        ...

    @property
    def steps(self) -> dict[str, Step]:
        """Its steps."""
        ...

    def with_steps(self, steps: Mapping[str, Step], /) -> Graph:
        """The same edges between other steps."""

    def follows(self, step: str, state: Any, /) -> str:
        """What its edge leads to after a step."""

    async def walk(
        self, session: Any, start: str | None, max_rounds: int, put: Callable[[Run], None], /
    ) -> Run:
        """Run from where the session stands."""


@dataclass(frozen=True)
class Changes:
    """Other models and roles, by seat: an agent's name, `STEP/AGENT` for one step alone, or `supervisor`.

    `swap` and `prompts` are as they were given; `supervisor` is the model of the seat that rules.
    """

    swap: Mapping[str, Any] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)

    @property
    def fresh(self) -> frozenset[str]:
        """The seats that are asked anew, whatever is recorded."""
        return frozenset((*self.swap, *self.prompts))

    def is_fresh(self, step: str, seat: str) -> bool:
        """Whether a seat is asked anew in a step."""
        return not self.fresh.isdisjoint(_names_of(step, seat))

    def unasked(self, asked: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """The seats that were given something else, and that nobody asked.

        Args:
            asked: The seats that were asked, each with its step.
        """
        there = {name for step, seat in asked for name in _names_of(step, seat)}
        return tuple(sorted(self.fresh - there))

    @property
    def models(self) -> dict[str, str]:
        """The names of the models, by seat."""
        return {
            seat: ", ".join(one.name for one in candidates_of(given, seat, as_model).models)
            for seat, given in sorted(self.swap.items())
        }

    def as_dict(self) -> dict[str, JSON]:
        """What is changed, as plain data."""
        return {"swap": dict(self.models), "prompts": dict(sorted(self.prompts.items()))}

    def __str__(self) -> str:
        said = [f"{seat}={model}" for seat, model in self.models.items()]
        said += [f"another prompt for {seat}" for seat in sorted(self.prompts)]
        return ", ".join(said) or "nothing changed"

    def label(self, *where: JSON) -> str:
        """Eight characters that stand for what is changed, and where."""
        return digest(canonical([*where, self.as_dict()])).hex()[:8]


def changes_of(
    graph: Graph, swap: Mapping[str, Any], prompts: Mapping[str, str], supervisor: Any = None
) -> Changes:
    """What is changed, under the names of the seats.

    Args:
        graph: The graph whose seats they are; a supervisor may be called by its own name.

    Raises:
        GraphError: there is no such seat, or it has no role to be given anew.
    """
    swapped = {**swap, **({} if supervisor is None else {SEAT: supervisor})}
    names = _own_names(graph)
    found = Changes(
        {names.get(seat, seat): _named(model) for seat, model in swapped.items()},
        {names.get(seat, seat): _checked(seat, text) for seat, text in prompts.items()},
    )
    for seat in found.fresh:
        _check(graph, seat)
    for seat in found.prompts.keys() - found.swap.keys():
        _check_prompt(graph, seat)
    return found


def seated(graph: Graph) -> list[JSON]:
    """Who sits where in a graph, with which models and what they are told: another graph is another rerun."""
    return [
        [
            step.name,
            [[one.name, one.role, [model.name for model in one.candidates.models]] for one in step.everybody],
            [[judge.name, judge.instructions] for judge in step.supervisors],
        ]
        for step in graph.steps.values()
    ]


def _named(given: Any) -> Any:
    """A function of the user's as a model of its own name: two of them are two changes."""
    if isinstance(given, list | tuple):
        return [_named(one) for one in given]
    if isinstance(given, FunctionType):
        return FunctionModel(f"{given.__module__}:{given.__qualname__}", given)
    return given


def _names_of(step: str, seat: str) -> tuple[str, str]:
    """What a seat of a step may be called."""
    own = seat.removesuffix(REVERSED)
    return own, f"{step}/{own}"


def _own_names(graph: Graph) -> dict[str, str]:
    """The seats of supervisors by the supervisors' names, where no agent is called so."""
    agents = {agent.name for step in graph.steps.values() for agent in step.everybody}
    named = {judge.name: seat for step in graph.steps.values() for seat, judge in step.seats.items()}
    return {name: seat for name, seat in named.items() if name not in agents}


def _check_prompt(graph: Graph, seat: str) -> None:
    """Raise `GraphError` where nobody behind a seat that rules has instructions: a person, a function."""
    step, slash, name = seat.rpartition("/")
    judges = [
        judge
        for one in graph.steps.values()
        for own, judge in one.seats.items()
        if own == name and (not slash or one.name == step)
    ]
    if judges and all(judge.candidates is None for judge in judges):
        raise GraphError(
            f"{judges[0].name!r} is no model, and has no prompt to be given anew",
            next_step="Put a model in its place with `swap`, or `supervisor`",
        )


def _checked(seat: str, text: str) -> str:
    if not isinstance(text, str):
        raise GraphError(f"The prompt of {seat!r} is a text, and not {text!r}")
    if not text.strip() or len(text) > LONGEST_PROMPT:
        raise GraphError(
            f"The prompt of {seat!r} has 1 to {LONGEST_PROMPT:,} characters, and not {len(text):,}"
        )
    return text


def _check(graph: Graph, seat: str) -> None:
    step, slash, name = seat.rpartition("/")
    steps = [one for one in graph.steps.values() if not slash or one.name == step]
    known = dict.fromkeys(own for one in steps for own in seats_in(one))
    if not steps or name not in known:
        places = ", ".join(dict.fromkeys(own for one in graph.steps.values() for own in seats_in(one)))
        raise GraphError(
            f"There is no seat {seat!r} to be given something else",
            next_step=f"The graph has {places}; STEP/AGENT names one step alone",
        )


def changed(graph: Graph, changes: Changes) -> Graph:
    """The graph with other models and roles.

    Raises:
        GraphError: a seat has no role, or a model would judge its own lineage.
    """
    return graph.with_steps(
        {name: _changed(graph.shape, step, changes) for name, step in graph.steps.items()}
    )


def _changed(shape: Shape, step: Step, changes: Changes) -> Step:
    models, roles = _of_step(step, changes.swap), _of_step(step, changes.prompts)
    if models:
        step = swap(shape, step, models)
    return _with_roles(step, roles) if roles else step


def _of_step(step: Step, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is meant for the seats of one step; what is for this step alone comes before what is for all."""
    seats = set(seats_in(step))
    of_all = {seat: one for seat, one in given.items() if seat in seats}
    own = {seat.removeprefix(f"{step.name}/"): one for seat, one in given.items() if "/" in seat}
    return {**of_all, **{seat: one for seat, one in own.items() if seat in seats}}


def _with_roles(step: Step, roles: Mapping[str, str]) -> Step:
    def agent_of(one: Agent) -> Agent:
        if one.name not in roles:
            return one
        other = copy.copy(one)
        other.role = roles[one.name]
        return other

    def judge_of(seat: str | None, one: Supervisor) -> Supervisor:
        if seat is None or seat not in roles:
            return one
        if one.candidates is None:
            return one
        other = copy.copy(one)
        other.instructions = roles[seat]
        return other

    pattern = step.pattern.mapped(agent_of)
    judges = zip(seats_of(step.supervisors), step.supervisors, strict=True)
    return replace(
        step,
        pattern=pattern,
        agents=pattern.agents,
        hollow=tuple(agent_of(one) if isinstance(one, Agent) else one for one in step.hollow),
        supervisors=tuple(judge_of(seat, judge) for seat, judge in judges),
    )
