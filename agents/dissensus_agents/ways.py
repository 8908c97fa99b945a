"""The ways between the steps of a graph: edges, chains of steps, and forks at which a route chooses."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .errors import GraphError
from .patterns.chain import Chain
from .patterns.route import ModelRouter, Route
from .steps import Step

START = "__start__"
END = "__end__"

Choose: TypeAlias = Callable[[Any], str]
"""A function of the state that names the next step, or END."""

AddStep: TypeAlias = "Callable[[str, Any, Mapping[str, Any]], None]"
"""Adds one step: its name, its work, its settings."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Where a route chooses among ways of several steps: by option, the name that the way begins at."""

    route: Route
    options: Mapping[str, str]


@dataclass(slots=True)
class Ways:
    """What follows what.

    `edges` are those that were added, and those inside of chains. `heads` say at which name a chain
    begins, `forks` where a route chooses, `owners` of which chain or route a name is an end. `joints` are
    the steps of chains: one that is rejected is not gone on from.
    """

    edges: dict[str, str | Choose] = field(default_factory=dict)
    heads: dict[str, str] = field(default_factory=dict)
    forks: dict[str, Fork] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    joints: set[str] = field(default_factory=set)
    first: str | None = None

    def copied(self) -> Ways:
        """The same, to be changed apart."""
        other = copy.copy(self)
        other.edges, other.heads, other.forks = dict(self.edges), dict(self.heads), dict(self.forks)
        other.owners, other.joints = dict(self.owners), set(self.joints)
        return other

    @property
    def names(self) -> set[str]:
        """The names beside those of steps that an edge may lead to."""
        return {*self.heads, *self.forks}

    def unfold(self, name: str, work: Any, settings: Mapping[str, Any], add: AddStep) -> None:
        """Make steps of a chain, or of a route over chains, and the ways between them.

        Raises:
            GraphError: It cannot be unfolded.
        """
        if isinstance(work, Chain):
            self._unfold_chain(name, work, settings, add)
        elif isinstance(work, Route) and work.unfolds:
            self._unfold_route(name, work, settings, add)
        else:
            self.joints.add(name)
            add(name, work, settings)

    def _unfold_chain(self, name: str, chain: Chain, settings: Mapping[str, Any], add: AddStep) -> None:
        before: str | None = None
        for link in chain.links:
            _check_part(name, link.name)
            own = f"{name}.{link.name}"
            its = {**settings, **link.settings, **({"writes": link.writes} if link.writes else {})}
            self.unfold(own, link.work, its, add)
            if before is None:
                self.heads[name] = own
            else:
                self.edges[before] = own
            before = own
        if before is not None:
            self.owners[before] = name

    def _unfold_route(self, name: str, route: Route, settings: Mapping[str, Any], add: AddStep) -> None:
        if isinstance(route.by, ModelRouter):
            raise GraphError(
                f"The route {name!r} leads to chains, and a model cannot choose among them: its call would "
                "belong to no round",
                next_step="Let a step before it write the choice into the state, and route by_value(…)",
            )
        options = {}
        for option, work in route.given.items():
            _check_part(name, option)
            options[option] = f"{name}.{option}"
            self.unfold(options[option], work, settings, add)
            self.owners[options[option]] = name
        self.forks[name] = Fork(route, options)

    def follows(self, source: str) -> str | Choose:
        """What follows a step: by its own edge, else by that of the chain or the route that it ends."""
        if source == START:
            return self.edges.get(START) or self.first or END
        while source not in self.edges and source in self.owners:
            source = self.owners[source]
        return self.edges.get(source, END)

    def after(self, source: str, state: Any, steps: Mapping[str, Step]) -> str:
        """What follows a settled step in this state: a step, END, or a fork that has yet to be decided."""
        target = self.follows(source)
        if callable(target):
            target = target(state)
        return self.begin(target, steps, source)

    def begin(self, target: object, steps: Mapping[str, Step], source: str = START) -> str:
        """Where a name begins: itself, the first step of a chain, or a fork."""
        found = target
        while isinstance(found, str) and found in self.heads:
            found = self.heads[found]
        if not isinstance(found, str) or found not in {*steps, *self.forks, END}:
            raise GraphError(f"The edge from {source!r} leads to {target!r}, which is no step")
        return found

    def check(self, steps: Mapping[str, Step]) -> None:
        """Every edge names what is there.

        Raises:
            GraphError: One does not.
        """
        known = {*steps, *self.names, START, END}
        for source, target in self.edges.items():
            for name in (source, target):
                if isinstance(name, str) and name not in known:
                    raise GraphError(f"The edge from {source!r} names {name!r}, which is no step")

    def entries(self, option: str) -> str:
        """The name of the first step, or the first fork, of a way."""
        while option in self.heads:
            option = self.heads[option]
        return option

    def drawn(self, steps: Mapping[str, Step]) -> Iterator[str]:
        """The lines of a Mermaid flowchart."""
        for name, step in steps.items():
            if not step.plain:
                yield f'{name}["{name}<br/>{_label(step.pattern.label)}"]'
        for name, fork in self.forks.items():
            yield f'{name}{{"{name}"}}'
            for option, way in fork.options.items():
                yield f"{name} -->|{_label(option)}| {_id(self.entries(way))}"
        for source in (START, *steps):
            target = self.follows(source)
            if isinstance(target, str):
                yield f"{_id(source)} --> {_id(self.entries(target))}"
            else:
                shown = getattr(target, "__name__", "").strip("<>") or "choice"
                yield f"{_id(source)} -.-> choice_{source.strip('_')}{{{shown}}}"


def _check_part(owner: str, name: str) -> None:
    if not name or set("/:. ") & set(name):
        raise GraphError(
            f"{name!r} is no name for a part of {owner!r}", next_step="Use letters, digits, - and _"
        )


def _label(text: str) -> str:
    return "".join(f"#{ord(one)};" if one in '"|<>{}[]`#;' else one for one in text)[:200]


def _id(name: str) -> str:
    return {START: "start([start])", END: "stop([end])"}.get(name, name)
