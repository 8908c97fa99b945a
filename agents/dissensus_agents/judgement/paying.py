"""Whether it pays to ask one more: tiers of models, each with a vote of all that were asked so far.

After each tier the fitted vote says how likely each position is right, and a fitted line says how many
right answers going on brings, less what it costs. It is asked on while that is above zero:

    paying = Paying.from_json(text, features)
    step = paying.step(ballots, task, options)
    step.go, step.models, step.net, step.why

Fitting is `dissensus_agents.judgement.fitting_paying`. Without graded rounds enough for that,
`Discounted.worth` says what one more voter may change by what is known of each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .ballots import Ballot, Weighed
from .fitted import Features, FittedVote, read_json, read_number, read_whole, sealed

KIND = "dissensus/paying"
MAX_TIERS = 20


@dataclass(frozen=True, slots=True)
class Tier:
    """Models that are asked together, and how to vote once they have been.

    `cost` is what asking them costs in the mean, in USD. `line` are the weights of `posture` that give what
    going on beyond this tier brings: right answers, less the cost at the policy's price; None at the last.
    """

    models: tuple[str, ...]
    vote: FittedVote
    cost: float
    line: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Whether to ask on.

    `net` is what that is expected to bring: right answers a question (0 to 1), less its cost at the
    policy's price. `models` are those to be asked, `cost` what they cost in the mean, in USD.
    """

    go: bool
    models: tuple[str, ...] = ()
    cost: float = 0.0
    net: float = 0.0
    confidence: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Promised:
    """What a policy came to on rounds its votes were not fitted to: accuracy, and USD a question."""

    rounds: int
    accuracy: float
    cost: float
    split: str
    digest: str
    at: str


@dataclass(frozen=True, slots=True)
class Paying:
    """Asks tier after tier while it pays. It is a `Weigher`: it weighs by the vote of the tier reached.

    Args:
        tiers: The first is always asked.
        price: What a right answer is taken to be worth, in USD.
        promised: What it came to on rounds held out.
    """

    tiers: tuple[Tier, ...]
    price: float
    promised: Promised

    def weigh(self, ballots: Sequence[Ballot], task: str, options: int | None = None) -> Weighed:
        """See `Weigher`."""
        return self.tiers[self.reached(ballots)].vote.weigh(ballots, task, options)

    def reached(self, ballots: Sequence[Ballot], silent: Sequence[str] = ()) -> int:
        """Which tier has been asked, counted from 0: the last of which a model has voted or is silent."""
        asked = {ballot.voter.model for ballot in ballots}.union(silent)
        return max((n for n, tier in enumerate(self.tiers) if asked.intersection(tier.models)), default=0)

    def step(
        self,
        ballots: Sequence[Ballot],
        task: str,
        options: int | None = None,
        *,
        silent: Sequence[str] = (),
    ) -> Step:
        """Whether to ask the next tier.

        Args:
            ballots: Who has voted so far.
            task: What is asked.
            options: Among how many answers they could choose, where that is known.
            silent: Models that were asked and have no ballot.
        """
        if not ballots and not silent:
            first = self.tiers[0]
            return Step(go=True, models=first.models, cost=first.cost, why="nobody was asked yet")
        at = self.reached(ballots, silent)
        weighed = self.tiers[at].vote.weigh(ballots, task, options) if ballots else Weighed(0.0)
        return self.after(weighed, at)

    def after(self, weighed: Weighed, at: int) -> Step:
        """Whether to go on from a tier, by what its vote has made of the ballots.

        Args:
            weighed: What `weigh` gave.
            at: The tier, counted from 0.
        """
        line = self.tiers[at].line
        if line is None:
            return Step(go=False, confidence=weighed.confidence, why="all tiers were asked")
        coming = self.tiers[at + 1]
        if weighed.shares is None:
            why = weighed.note or "nobody took a position"
            return Step(go=True, models=coming.models, cost=coming.cost, why=why)
        net = sum(weight * value for weight, value in zip(line, posture(weighed.shares), strict=True))
        who = ", ".join(coming.models)
        sure = weighed.confidence
        why = f"{sure:.2f} sure; asking {who} brings {net:+.3f} right answers, its cost taken off"
        return Step(net > 0, coming.models if net > 0 else (), coming.cost, net, sure, why)

    def as_json(self) -> str:
        """The policy as JSON: tiers with their votes, the price, and what it came to."""
        tiers = [
            {
                "models": list(tier.models),
                "cost": tier.cost,
                "line": None if tier.line is None else list(tier.line),
                "vote": json.loads(tier.vote.as_json()),
            }
            for tier in self.tiers
        ]
        said = {
            "kind": KIND,
            "version": 1,
            "price": self.price,
            "promised": asdict(self.promised),
            "tiers": tiers,
        }
        return sealed(said)

    @classmethod
    def from_json(cls, text: str, features: Features | None = None) -> Paying:
        """Read a policy that was fitted elsewhere.

        Raises:
            ValueError: This is no such policy, or a number in it is out of bounds.
        """
        return read_json(text, KIND, lambda said: cls._of(said, features))

    @classmethod
    def _of(cls, said: Mapping[str, Any], features: Features | None) -> Paying:
        if not 0 < len(said["tiers"]) <= MAX_TIERS:
            raise ValueError(f"A policy has 1 to {MAX_TIERS} tiers, and not {len(said['tiers'])}")
        tiers = tuple(_tier(one, features) for one in said["tiers"])
        if any((tier.line is None) != (tier is tiers[-1]) for tier in tiers):
            raise ValueError("Each tier but the last needs a line that says whether to go on")
        told = said["promised"]
        promised = Promised(
            read_whole(told["rounds"]),
            read_number(told["accuracy"]),
            read_number(told["cost"]),
            str(told["split"]),
            str(told["digest"]),
            str(told["at"]),
        )
        return cls(tiers, read_number(said["price"]), promised)


def posture(shares: Sequence[float]) -> tuple[float, ...]:
    """What of the shares says whether asking on pays: 1, the first with its powers, the second, the third."""
    first, second, third = (*sorted(shares, reverse=True), 0.0, 0.0, 0.0)[:3]
    return (1.0, first, first**2, first**3, second, first * second, third)


def _tier(said: Mapping[str, Any], features: Features | None) -> Tier:
    line = said["line"]
    if line is not None and len(line) != len(posture(())):
        raise ValueError(f"A tier's line has {len(posture(()))} weights, and not {len(line)}")
    return Tier(
        tuple(map(str, said["models"])),
        FittedVote.from_dict(said["vote"], features),
        read_number(said["cost"]),
        None if line is None else tuple(map(read_number, line)),
    )
