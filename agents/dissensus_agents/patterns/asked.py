"""What a router is given, and what it says: the small interface that every way to route has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from dissensus_state.values import JSON

if TYPE_CHECKING:
    from ..judgement.ballots import Rate
    from ..messages import Request


@dataclass(frozen=True, slots=True)
class Option:
    """One way that may be taken.

    `agents` are all that may be asked on it, `models` the first model of each, `lineages` what these were
    made from. `cost` is the most that asking all of them once can cost, in nano-USD (None: a price is
    unknown). `seconds` is how long the slowest of its models took lately, as this database has it
    recorded (None: one of them was never asked). `right` is how often the best of its models was right at
    this task, as graded rounds of this database say (None: none of them was ever graded).
    """

    name: str
    agents: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    lineages: tuple[str, ...] = ()
    cost_of: Callable[[], int | None] = field(default=lambda: None, repr=False, compare=False)
    seconds_of: Callable[[], float | None] = field(default=lambda: None, repr=False, compare=False)
    right_of: Callable[[], Rate | None] = field(default=lambda: None, repr=False, compare=False)

    @property
    def cost(self) -> int | None:
        """The most that asking it once can cost, in nano-USD; worked out when it is asked for."""
        return self.cost_of()

    @property
    def seconds(self) -> float | None:
        """How long its slowest model took lately; read from the database when it is asked for."""
        return self.seconds_of()

    @property
    def right(self) -> Rate | None:
        """How often its best model was right; read from the database when it is asked for."""
        return self.right_of()


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, and which ways there are: what a router decides on.

    Args:
        task: The step's name, or that of the route where the ways are chains.
        question: The prompt of the first agent of the first option, as text.
        options: The ways that are left: those whose models are not trusted with what they would be
            shown are gone already.
        read: Reads a path of the state, as the step's first agent may.
        request: The whole request whose prompt `question` is; None where no agent is asked yet.
        ways: The names of all options in the order in which they were given, those that are gone included.
    """

    task: str
    question: str
    options: Mapping[str, Option]
    read: Callable[[str], JSON] = field(default=lambda _: None, repr=False)
    request: Request | None = field(default=None, repr=False)
    ways: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """Which option a router takes, and why.

    `confidence` (0 to 1) is how sure it is, where it can say so. `passed_over` says for other options why
    they were not taken; what it does not say is filled in. `defaulted` says that the router could not
    choose, so that the default was taken.
    """

    option: str
    reason: str
    confidence: float | None = None
    passed_over: Mapping[str, str] = field(default_factory=dict)
    defaulted: bool = False


Router: TypeAlias = Callable[[Asked], "Choice | str"]
"""Chooses among options: a function of what is asked that gives a `Choice`, or the option's name.

It is asked once for each round, and what it says is recorded; a run that goes on does not ask it again.
"""
