"""What a pattern is: given what was heard so far in a round, whom to ask next, or why to stop.

A pattern is pure: it looks at a `Heard` and gives an `Ask`, a `Stop`, or, where a model has to say
which way to go, a `Consult`. Whoever runs the round asks, records, and comes back. What was decided is
written together with what it led to, and read back when a run goes on, so that it is decided once.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from ..errors import GraphError

if TYPE_CHECKING:
    from ..agent import Agent
    from ..judgement.ballots import Ballot, Weighed
    from ..models.client import Model
    from .asked import Asked, Choice
    from .failover import Candidates


@dataclass(frozen=True, slots=True)
class Passed:
    """What was passed over, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of a pattern, as the records keep it.

    `at` is where in the step's pattern it was made: the names and places of the parts around it, from
    the outside in, "" for the outermost one. `chosen` are an option, a tier, or agents.
    """

    pattern: str
    at: str
    chosen: tuple[str, ...]
    reason: str
    confidence: float | None = None
    passed_over: tuple[Passed, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The decision as plain data; what is empty is left out, but for the pattern and the choice."""
        passed = [{"what": one.what, "why": one.why} for one in self.passed_over]
        said = {"at": self.at, "confidence": self.confidence, "passed_over": passed}
        kept = {name: value for name, value in said.items() if value not in (None, "", [])}
        return {"pattern": self.pattern, "chosen": list(self.chosen), "reason": self.reason, **kept}


@dataclass(frozen=True, slots=True)
class Ask:
    """Whom to ask now, all at once.

    Args:
        agents: Their names.
        decisions: What was decided on the way here, the outermost first; empty where nothing was.
        first: The first good answer is enough: the others are left then.
        hedge: Seconds after which the next one is asked beside the one before it; None: all at once.
        least: How many of them it must be possible to ask; None: as many as the quorum.
    """

    agents: tuple[str, ...]
    decisions: tuple[Decision, ...] = ()
    first: bool = False
    hedge: float | None = None
    least: int | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """That nobody else need be asked, and why.

    Args:
        why: A sentence for those who are spared.
        deciding: Whose proposals stand where others differ; empty: nobody's before another's.
        decisions: What was decided on the way here.
        unsettled: Why what was proposed may not stand without a ruling, though nobody contradicts it.
    """

    why: str
    deciding: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    unsettled: str = ""


@dataclass(frozen=True, slots=True)
class Consult:
    """That a model has to say which way to go, before anybody else is asked."""

    seat: str
    at: str
    route: Any
    options: Mapping[str, tuple[str, ...]]
    passed_over: tuple[Passed, ...] = ()


Move: TypeAlias = "Ask | Stop | Consult"


@dataclass(frozen=True, slots=True)
class Stand:
    """Where some of the agents stand: who says the same, and what that is worth.

    `sides` are the groups of those who say the same on everything disputed; `weighed` is what the step's
    weigher makes of them, its shares in their order, and `ballots` are the voices that it weighs.
    """

    sides: tuple[tuple[str, ...], ...]
    disagrees: bool
    votes: float = 0.0
    weighed: Weighed | None = None
    ballots: tuple[Ballot, ...] = ()

    @property
    def sizes(self) -> tuple[int, int]:
        """How many say what most say, and how many what is said second most often."""
        most, second, *_ = [*sorted(map(len, self.sides), reverse=True), 0, 0]
        return most, second

    @property
    def largest(self) -> tuple[str, ...]:
        """The first of the largest sides."""
        return max(self.sides, key=len, default=())


def _nothing(_: str) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known in a round when its pattern is asked what to do.

    Args:
        task: The step's name.
        proposed: Who has proposed something, with how sure it says it is.
        silent: Who was asked and abstained.
        lineages: What the model of each agent was made from.
        models: The name of the model of each agent.
        decisions: What was decided in this round so far.
        barred: Who may not be asked, and why: what it would be shown is not for its models.
        answers: What models that route have said, by their seat.
        hollow_below: The step's bound of effective votes.
        stand: Says where some of those who proposed stand.
        failed: The checks that an agent's proposal did not pass.
        asked: Makes what a router is given of options.
        when: Says when an agent's answer came, in milliseconds since 1970.
        at: Which part of the pattern is asked.
    """

    task: str
    proposed: Mapping[str, float | None] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    lineages: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    decisions: tuple[Decision, ...] = ()
    barred: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, Choice] = field(default_factory=dict)
    hollow_below: float | None = None
    stand: Callable[[Collection[str]], Stand] = lambda names: Stand((tuple(names),), disagrees=False)
    failed: Callable[[str], tuple[str, ...]] = _nothing
    asked: Callable[[Mapping[str, tuple[Agent, ...]]], Asked] | None = None
    when: Callable[[str], int] = lambda _: 0
    at: str = ""

    @property
    def decided(self) -> tuple[Decision, ...]:
        """What this part of the pattern has decided so far, in order."""
        return tuple(one for one in self.decisions if one.at == self.at)

    def inside(self, name: str) -> Heard:
        """The same for a part of this part."""
        return replace(self, at=f"{self.at}/{name}" if self.at else name)

    def waiting(self, names: Iterable[str]) -> tuple[str, ...]:
        """Who of these has neither proposed nor abstained."""
        return tuple(one for one in names if one not in self.proposed and one not in self.silent)

    def made(self, names: Iterable[str]) -> tuple[str, ...]:
        """Who of these has proposed something."""
        return tuple(one for one in names if one in self.proposed)

    def good(self, names: Iterable[str]) -> tuple[str, ...]:
        """Who of these has proposed something that passes the step's checks."""
        return tuple(one for one in self.made(names) if not self.failed(one))


class Pattern(ABC):
    """A way to ask several agents; `Switch`, `Parallel`, `Panel`, `Cascade`, `Route` and any mix of them.

    Derive from it for a pattern of your own: give `kind`, call `__init__` with its parts by name, and
    write `next`.

    Attributes:
        kind: How the records name it.
        parts: What it is made of, by name: patterns, an agent as a `Switch`.
    """

    kind: ClassVar[str] = "pattern"

    def __init__(self, parts: Mapping[str, Pattern]) -> None:
        for name in parts:
            if not name or "/" in name:
                raise GraphError(f"{name!r} is no name for a part of a {self.kind}")
        self.parts: dict[str, Pattern] = dict(parts)

    @property
    def agents(self) -> tuple[Agent, ...]:
        """All that it may ask, each once, in the order in which they are given."""
        found = {id(agent): agent for part in self.parts.values() for agent in part.agents}
        return tuple(found.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its agents."""
        return tuple(agent.name for agent in self.agents)

    @abstractmethod
    def next(self, heard: Heard) -> Move:
        """What to do now. The same is said of the same, and nothing else is looked at."""

    @property
    def may_choose(self) -> frozenset[str]:
        """What its decisions can choose among: its parts, and its agents, by name."""
        return frozenset((*self.parts, *self.names))

    def unavoidable(self, barred: Collection[str]) -> tuple[str, ...]:
        """Who of those that may not be asked it could come to ask."""
        found = [name for part in self.parts.values() for name in part.unavoidable(barred)]
        return tuple(dict.fromkeys(found))

    def mapped(self, change: Callable[[Agent], Agent]) -> Self:
        """The same pattern of other agents; one that stands in it twice is changed once."""
        seen: dict[int, Agent] = {}

        def once(agent: Agent) -> Agent:
            return seen.setdefault(id(agent), change(agent))

        return self._mapped(once)

    def _mapped(self, change: Callable[[Agent], Agent]) -> Self:
        other = copy.copy(self)
        other.parts = {name: part._mapped(change) for name, part in self.parts.items()}  # noqa: SLF001
        return other

    def inner(self) -> Iterator[Pattern]:
        """It, and all patterns in it."""
        yield self
        for part in self.parts.values():
            yield from part.inner()

    def part_at(self, at: str) -> Pattern | None:
        """The part at an address, as a decision names it."""
        found: Pattern | None = self
        for name in at.split("/") if at else ():
            found = found.parts.get(name) if found is not None else None
        return found

    def with_routers(self, change: Callable[[str, Candidates], Candidates]) -> Self:
        """The same with other models where a model says which way to go."""
        other = copy.copy(self)
        other.parts = {name: part.with_routers(change) for name, part in self.parts.items()}
        return other

    @property
    def models(self) -> tuple[Model, ...]:
        """The models that it asks beside those of its agents."""
        return tuple(model for part in self.parts.values() for model in part.models)

    @property
    def label(self) -> str:
        """What it is, in a few words, for a picture of the graph."""
        inside = ", ".join(part.label for part in self.parts.values())
        return f"{self.kind}: {inside}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.parts.values()))})"


class Switch(Pattern):
    """One agent: to change the model, change one line, or give `models={"name": …}` at run time."""

    kind = "switch"

    def __init__(self, agent: Agent) -> None:
        super().__init__({})
        self.agent = agent

    @property
    def agents(self) -> tuple[Agent, ...]:
        """The one."""
        return (self.agent,)

    def next(self, heard: Heard) -> Move:
        """Ask it; then stop."""
        if heard.waiting(self.names):
            return Ask(self.names)
        return Stop("it has answered", heard.made(self.names))

    @property
    def may_choose(self) -> frozenset[str]:
        """What its decisions can choose among: its parts, and its agents, by name."""
        return frozenset((*self.parts, *self.names))

    def unavoidable(self, barred: Collection[str]) -> tuple[str, ...]:
        """It, if it is barred."""
        return self.names if self.agent.name in barred else ()

    def _mapped(self, change: Callable[[Agent], Agent]) -> Self:
        other = copy.copy(self)
        other.agent = change(self.agent)
        return other

    @property
    def label(self) -> str:
        """The agent's name."""
        return self.agent.name

    def __repr__(self) -> str:
        return f"Switch({self.agent!r})"


def as_pattern(given: Any) -> Pattern:
    """An agent, or a pattern, as a pattern.

    Raises:
        GraphError: It is neither.
    """
    if isinstance(given, Pattern):
        return given
    if callable(getattr(given, "with_model", None)) and hasattr(given, "candidates"):
        return Switch(given)
    raise GraphError(
        f"{given!r} is neither an agent nor a pattern that can stand here",
        next_step="Give an Agent, or a Switch, Parallel, Panel, Cascade or Route; a Chain is several "
        "steps, and stands in a Route or in another Chain",
    )
