"""A cascade that goes on while it pays, by a policy that was fitted to graded rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import GraphError
from ..judgement.paying import Paying
from .cascade import Settled, no
from .plan import Heard


@dataclass(frozen=True, slots=True)
class pays:  # noqa: N801 - reads as the function that it is used as: until=pays(policy, tiers)
    """A tier settles it where asking the next one would bring less than it costs.

        two, three = (Parallel(some, take="best") for some in ([small, other], [small, other, large]))
        until = pays(policy, [["small"], ["other"], ["large"]])
        graph.add_step("answer", Cascade([small, two, three], until=until), weigh=policy, ...)

    Everybody that was asked so far votes, so each tier of the cascade holds those before it: an agent is
    asked once.

    Args:
        policy: Which has to weigh the step as well.
        tiers: The names of the agents that each of the policy's tiers adds.

    Raises:
        GraphError: There are not as many tiers as the policy has.
    """

    policy: Paying
    tiers: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        if len(self.tiers) != len(self.policy.tiers):
            raise GraphError(
                f"The policy was fitted to {len(self.policy.tiers)} tiers, and {len(self.tiers)} are named",
                next_step="Name for each tier of the policy the agents that it adds",
            )

    def __call__(self, heard: Heard, made: Sequence[str]) -> Settled:
        """Whether it pays to go on, with everybody's votes."""
        del made  # whoever was asked before has a vote as well
        asked = {*heard.proposed, *heard.silent}
        at = max((n for n, names in enumerate(self.tiers) if asked.intersection(names)), default=0)
        weighed = heard.stand(heard.made(name for names in self.tiers for name in names)).weighed
        if weighed is None:
            return no("nobody weighs the step")
        step = self.policy.after(weighed, at)
        return Settled(yes=not step.go, why=step.why, confidence=step.confidence)
