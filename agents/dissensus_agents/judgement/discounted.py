"""What an agreement is worth, from what is known of its voters: the default weigher.

Each voter has an accuracy, and the errors of voters go together. With independent errors the answer
is Bayes': a vote weighs log(p (K - 1) / (1 - p)), p its accuracy among K options. Real errors are
shared: nine models of seven makers that agree on MMLU-Pro are right in 93 % of the cases where
independence promises 99.99 %. So two things are added, each with one number that is measured:

- **Hard questions are hard for all.** A voter is right where its skill and the question's ease
  together pass a threshold, and what part of that is the question's is what makes errors
  correlate (a probit with one random effect; the loadings by Thurstone's centroid method).
- **Wrong answers attract.** Where several are wrong they say the same more often than chance: the
  wrong answers are drawn from Polya's urn, in which what was said comes up again. Two errors are one
  with the probability rho, the same correlation, and else by chance. Over 36 pairs on MMLU-Pro, errors
  that correlate with 0.42 in the mean are the same error in 44 % of the cases (by chance: 13 %), and a
  pair's two figures rise together.

Whatever correlation the common difficulty leaves over, such as that of one model asked twice or of
one family, is taken off the voices that share it, each by Kish's 1 / (1 + sum of its excesses).
Without correlation all of this is exactly Bayes' rule; a voice's echo changes next to nothing.

How good that is stands in docs/agreement.md, with the plain discount of log-odds beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from statistics import NormalDist

from . import lineage
from .ballots import Ballot, Knowledge, Rate, Voter, Weighed
from .correlation import effective, shrunk

UNGRADED = 0.5
"""The accuracy that a voter is drawn toward: as often right as wrong, until it shows better."""

GRADED_ENOUGH = 10.0
"""As how many graded rounds that counts."""

PAIRED_ENOUGH = 50.0
"""As how many graded rounds of both the correlation that lineages suggest counts."""

FREE = 1000
"""As how many options an answer counts that could have been anything."""

_SURE = 0.98  # no accuracy is taken for higher, and none for lower than its complement
_SHARED = lineage.SAME_FAMILY  # what correlation difficulty explains at most; the rest is echo
_NEXT = -1  # the position of whoever has not voted yet
_NORMAL = NormalDist()
_EASE = tuple(_NORMAL.inv_cdf((n + 0.5) / 24) for n in range(24))
"""How easy a question may be: 24 equally likely cases of a standard normal."""


@dataclass(frozen=True, slots=True)
class Discounted:
    """Weighs ballots by accuracy, and discounts what their errors have in common.

    Without knowledge, or where none of the voters was ever graded, it says only how many effective
    votes stand behind the strongest position, from what the models were made from.

    Args:
        knowledge: What graded rounds say of models; None: nothing.
    """

    knowledge: Knowledge | None = None

    def weigh(self, ballots: Sequence[Ballot], task: str, options: int | None = None) -> Weighed:
        """See `Weigher`.

        Raises:
            ValueError: A position is negative, or there are fewer options than positions.
        """
        if any(ballot.position < 0 for ballot in ballots):
            raise ValueError("Positions are numbered from 0; a ballot has a negative one")
        if not ballots:
            return Weighed(0.0, note="Nobody takes a position")
        cast = _cast(ballots, options)
        held = tuple(ballot.position for ballot in cast)
        rates = self._rates(cast, task)
        rho, paired = self._correlations([one.voter for one in cast], task)
        if not any(rate.of > 0 for rate in rates):
            return Weighed(_strongest(held, rho), note="From lineages alone: none of the voters was graded")
        shares = _shares(held, max(held) + 1, _drawn_in(rates), rho, options or FREE)
        best = shares.index(max(shares))
        least, most = (int(bound(rate.of for rate in rates)) for bound in (min, max))
        return Weighed(
            _votes([n for n, position in enumerate(held) if position == best], rho),
            shares,
            "measured",
            least,
            f"Accuracies from {least} to {most} graded rounds, correlations from "
            f"{f'up to {paired} graded rounds of both' if paired else 'lineages'}",
        )

    def worth(
        self, ballots: Sequence[Ballot], voter: Voter, task: str, options: int | None = None
    ) -> float | None:
        """What asking one more voter brings: how much likelier right the answer is then (0 to 1).

        That is the expected value of its information (Howard 1966): over all that it may say, each as likely
        as the ballots make it, the confidence after that; less the confidence without. Divided by what
        it costs it says whom to ask next; a panel is grown while it is worth its price.

        Returns:
            None where neither this voter nor one of those who voted was ever graded.
        """
        cast = _cast([*ballots, Ballot("", voter, _NEXT)], options)
        held = [ballot.position for ballot in cast]
        rates = self._rates(cast, task)
        if not any(rate.of > 0 for rate in rates):
            return None
        rho, _ = self._correlations([one.voter for one in cast], task)
        taken = sorted(set(held) - {_NEXT})
        kinds = (options or FREE) - len(taken)
        saying = [*((one, 1) for one in taken), *([(_NEXT, kinds)] if kinds else [])]
        sure, total, before = 0.0, 0.0, dict.fromkeys(taken, 0.0)
        for says, ways in saying:
            votes = tuple(says if one == _NEXT else one for one in held)
            joint = {
                truth: ways * math.exp(log)
                for truth, log in _joint(votes, _drawn_in(rates), rho, options or FREE).items()
            }
            total += sum(joint.values())
            sure += max(value for truth, value in joint.items() if truth is not None)
            before = {truth: value + joint[truth] for truth, value in before.items()}
        return max(0.0, sure - max(before.values(), default=0.0)) / total

    def _rates(self, cast: Sequence[Ballot], task: str) -> list[Rate]:
        """How often each was right; nothing graded is no rounds."""
        known = [self.knowledge and self.knowledge.accuracy(one.voter.model, task) for one in cast]
        return [rate or Rate(0, 0) for rate in known]

    def _correlations(self, voters: Sequence[Voter], task: str) -> tuple[tuple[tuple[float, ...], ...], int]:
        """The correlation of each two voters' errors, and on how many rounds the best known rests."""
        n, most = len(voters), 0
        rho = [[1.0] * n for _ in voters]
        for i, j in combinations(range(n), 2):
            one, other = voters[i], voters[j]
            value = prior(one, other)
            if self.knowledge is not None and one.model != other.model:
                measured, on = self.knowledge.correlation(one, other, task)
                value, most = shrunk(measured, on, value, PAIRED_ENOUGH), max(most, on)
            rho[i][j] = rho[j][i] = value
        return tuple(map(tuple, rho)), most


def _cast(ballots: Sequence[Ballot], options: int | None) -> list[Ballot]:
    """The ballots in an order of their own: sums of floats depend on it, and nothing else here does."""
    held = len({ballot.position for ballot in ballots if ballot.position != _NEXT})
    if options is not None and options < held:
        raise ValueError(f"{held} positions are held among {options} options")
    return sorted(ballots, key=lambda one: (one.voter.model, one.voter.lineage, one.position))


def _drawn_in(rates: Sequence[Rate]) -> tuple[float, ...]:
    return tuple(rate.shrunk(UNGRADED, GRADED_ENOUGH) for rate in rates)


def prior(one: Voter, other: Voter) -> float:
    """What lineages suggest of the correlation (0 to 1) of two voters' errors."""
    if one.model and one.model == other.model:
        return lineage.SAME_MODEL
    return lineage.correlation(one.lineage, other.lineage)


def _strongest(held: Sequence[int], rho: Sequence[Sequence[float]]) -> float:
    """The effective votes behind the position that has most of them."""
    return max(_votes([n for n, one in enumerate(held) if one == position], rho) for position in set(held))


def _votes(holders: Sequence[int], rho: Sequence[Sequence[float]]) -> float:
    pairs = [rho[i][j] for i, j in combinations(holders, 2)]
    return effective(len(holders), sum(pairs) / len(pairs)) if pairs else float(len(holders))


@lru_cache(maxsize=4096)
def _shares(
    held: tuple[int, ...],
    count: int,
    accuracies: tuple[float, ...],
    rho: tuple[tuple[float, ...], ...],
    options: int,
) -> tuple[float, ...]:
    """How likely each of `count` positions is right; what is missing to 1 is that none is."""
    joint = _joint(held, accuracies, rho, options)
    top = max(joint.values())
    parts = {truth: math.exp(log - top) for truth, log in joint.items()}
    total = sum(parts.values())
    return tuple(parts.get(position, 0.0) / total for position in range(count))


def _joint(
    held: tuple[int, ...],
    accuracies: tuple[float, ...],
    rho: tuple[tuple[float, ...], ...],
    options: int,
) -> dict[int | None, float]:
    """For each position, and for none of them (None), the logarithm of how likely it is with these votes."""
    loads, powers, urn = _common(rho)
    right = [_by_ease(p, load) for p, load in zip(accuracies, loads, strict=True)]
    taken = sorted(set(held))
    joint: dict[int | None, float] = {
        truth: _likelihood(held, truth, right, powers, urn, options) for truth in taken
    }
    if rest := options - len(taken):
        joint[None] = _likelihood(held, None, right, powers, urn, options) + math.log(rest)
    return joint


def _likelihood(
    held: Sequence[int],
    truth: int | None,
    right: Sequence[Sequence[float]],
    powers: Sequence[float],
    urn: float,
    options: int,
) -> float:
    """The logarithm of how likely these votes are, were `truth` right (None: an answer nobody gave)."""
    cases = []
    for ease in range(len(_EASE)):
        log = 0.0
        for position, chances, power in zip(held, right, powers, strict=True):
            p = chances[ease]
            log += power * math.log(p if position == truth else 1 - p)
        cases.append(log)
    top = max(cases)
    voted = top + math.log(sum(math.exp(case - top) for case in cases))
    wrong: dict[int, float] = {}
    for position, power in zip(held, powers, strict=True):
        if position != truth:
            wrong[position] = wrong.get(position, 0.0) + power
    return voted + _drawn(sorted(wrong.values()), urn, max(1, options - 1))


def _drawn(wrong: Sequence[float], urn: float, kinds: int) -> float:
    """The logarithm of how likely these counts of wrong answers are, from Polya's urn of `kinds`."""
    if math.isinf(urn):
        return -sum(wrong) * math.log(kinds)
    each = urn / kinds
    drawn = sum(math.lgamma(count + each) - math.lgamma(each) for count in wrong)
    return drawn - math.lgamma(sum(wrong) + urn) + math.lgamma(urn)


@lru_cache(maxsize=1024)
def _common(
    rho: tuple[tuple[float, ...], ...],
) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """What voters share: each one's loading on difficulty, the power of its voice, and the urn's content."""
    n = len(rho)
    if n < 2:
        return (0.0,) * n, (1.0,) * n, math.inf
    # Pearson's correlation of two halves of a normal is 2/pi asin(r): read backwards.
    latent = [[math.sin(math.pi / 2 * one) for one in row] for row in rho]
    loads = _loadings(latent)
    powers = []
    for i in range(n):
        explained = [loads[i] * loads[j] for j in range(n)]
        excess = (max(0.0, latent[i][j] - explained[j]) / (1 - explained[j]) for j in range(n) if j != i)
        powers.append(1 / (1 + sum(excess)))
    pairs = [min(rho[i][j], _SHARED) for i, j in combinations(range(n), 2)]
    same = sum(pairs) / len(pairs)
    urn = (1 - same) / same if same > 0 else math.inf
    return tuple(loads), tuple(powers), urn


def _loadings(latent: Sequence[Sequence[float]]) -> list[float]:
    """Thurstone's centroid: how much of each voter's variation is the one that all share."""
    n, most = len(latent), math.sin(math.pi / 2 * _SHARED)
    cut = [[min(one, most) for one in row] for row in latent]
    total = sum(cut[i][j] for i, j in combinations(range(n), 2))
    own = [total / (n * (n - 1) / 2)] * n
    for _ in range(0 if n < 3 else 20):
        rows = [sum(cut[i]) - cut[i][i] + own[i] for i in range(n)]
        whole = sum(rows)
        own = [min(most, row * row / whole) if whole else 0.0 for row in rows]
    return [math.sqrt(one) for one in own]


def _by_ease(accuracy: float, load: float) -> tuple[float, ...]:
    """How often a voter is right at each ease of a question; the mean is about its accuracy."""
    p = min(_SURE, max(1 - _SURE, accuracy))
    skill, rest = _NORMAL.inv_cdf(p), math.sqrt(1 - load * load)
    return tuple(min(0.9999, max(0.0001, _NORMAL.cdf((skill + load * ease) / rest))) for ease in _EASE)
