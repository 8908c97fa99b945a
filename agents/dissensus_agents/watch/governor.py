"""The cost governor: what a step need not pay for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ..errors import GraphError
from ..views import View

Trivial: TypeAlias = Callable[[View], bool | str]
"""Says of what the first agent may read whether one agent will do, and why."""

SPARED = "governor.spared"
"""The code under which an agent stands in the records that was not asked."""


@dataclass(frozen=True, slots=True)
class Governor:
    """What a step need not pay for; by default everything is asked.

    Args:
        trivial: A function of the view of the step's first agent. Where it says True, or a reason, no
            panel is asked: the first agent alone, or the next one where it abstains. What it said is
            recorded, and a run that was stopped does not ask it again.
        stop_early: For a plain list of agents: ask in waves, and spare the rest as soon as more votes cannot
            change the outcome.
            True: when two proposals disagree, the round is reviewed whatever the others say; when all agree
            and are worth the `hollow_below` effective votes of the step, no more are needed.
            `"majority"`: for a supervisor that follows the majority: when what most say stands before
            what is said second most often by more votes than are left.
        wave: How many agents are asked at once after the first wave, which has as many as the quorum,
            and at least two.
        reuse: Use an answer that is recorded for exactly the same question again, of this session or
            of another one of the tenant; whoever asks it at the same time waits for the first answer.
            It is off by default, for a model may be asked twice on purpose.
    """

    trivial: Trivial | None = None
    stop_early: bool | Literal["majority"] = False
    wave: int = 1
    reuse: bool = False

    def __post_init__(self) -> None:
        if self.stop_early not in (True, False, "majority"):
            raise GraphError(f"`stop_early` is True, False or 'majority', not {self.stop_early!r}")
        if self.wave < 1:
            raise GraphError(f"A wave is of one agent or more, not of {self.wave}")

    def judge(self, view: View) -> str | None:
        """Why an input is trivial; None where it is not."""
        said: Any = self.trivial(view) if self.trivial is not None else False
        if said is True:
            return "the input is trivial"
        return f"the input is trivial: {said}" if said and isinstance(said, str) else None
