"""How many independent votes an agreement is worth, from what the models were made from.

A lineage is `maker/family`, as `google/gemini-1.5` or `meta/llama-3`. How much the errors of two
models go together is a prior here, until the store has measured its own. It is read off public
recordings, as phi (Pearson's correlation of right and wrong over the same questions):

| pair | prior | from |
|---|---|---|
| different makers | 0.42 | mean of 34 pairs on MMLU-Pro (10,279 questions): 0.416 |
| one maker, two families | 0.47 | not measured: half-way between its neighbours |
| one family | 0.52 | gemini-1.5 pro and flash on the same questions: 0.523 |
| one model, asked twice | 0.90 | not measured: only the sampling differs, so near 1 |

How far to trust it: the 34 pairs spread from 0.31 to 0.53. Other tasks have other means over all
their pairs: code output 0.51, grade-school mathematics 0.45, hard mathematics 0.38, tool calls
0.31. Llama-3.1 70B and 8B, one family of unequal strength, have 0.413: as large a part of what
their accuracies (0.65 and 0.46) leave possible as the two Geminis' (0.6). Voting over samples of
one model does help somewhat (Wang et al., ICLR 2023), so asking twice is below 1.

Different makers are no guarantee: over 406 pairs, accuracy explains far more of the shared wrong
answers (+0.47 per unit) than lineage (+0.04), since strong models echo each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations

DIFFERENT_MAKERS = 0.42
SAME_MAKER = 0.47
SAME_FAMILY = 0.52
SAME_MODEL = 0.90


def correlation(a: str, b: str) -> float:
    """The prior correlation (0 to 1) of the errors of two models of these lineages.

    An unknown lineage (`""`, or a maker alone) is never taken for an independent one: it counts as
    the same maker's, and as the same family where both say the same.

    Args:
        a: `maker/family` of one model; case and anything after the family are left aside.
        b: That of the other.
    """
    one, other = _parts(a), _parts(b)
    if one == other:
        return SAME_FAMILY
    return SAME_MAKER if one[0] == other[0] or not (one[0] and other[0]) else DIFFERENT_MAKERS


def _parts(lineage: str) -> tuple[str, str]:
    maker, _, family = lineage.strip().casefold().partition("/")
    return maker.strip(), family.partition("/")[0].strip()


def akin(a: str, b: str) -> str | None:
    """Why two models are not known to be independent: `same lineage` or `unknown lineage`; None if they are.

    Args:
        a: `maker/family` of one model; a maker alone is no lineage.
        b: That of the other.
    """
    one, other = _parts(a), _parts(b)
    if not (all(one) and all(other)):
        return "unknown lineage"
    return "same lineage" if one == other else None


def effective_votes(
    lineages: Sequence[str],
    names: Sequence[str] | None = None,
    rho: Callable[[str, str], float] = correlation,
) -> float:
    """How many independent votes a panel is worth: n / (1 + (n - 1) rho), rho the mean correlation.

    This is Kish's design effect. On nine models of MMLU-Pro it gives 2.08 with the measured rho of
    0.416, where the full matrix gives 2.10. Votes say how far to trust an agreement, and nothing
    about whom to follow: one vote per lineage chooses worse than a plain majority (0.686, 0.712).

    Args:
        lineages: The lineage of each voter.
        names: The model of each voter, so that one model asked twice is known as such; an empty
            name is nobody's.
        rho: The correlation of two lineages, symmetric; what lies outside of 0 to 1 is cut off
            there, so that no panel is worth more than its heads.

    Returns:
        From 1.0 to the number of voters; 0.0 without voters.

    Raises:
        ValueError: there are not as many names as lineages.
    """
    voters = zip(lineages, names if names is not None else ("",) * len(lineages), strict=True)
    count = _remembered if rho is correlation else _votes
    return count(tuple(sorted(voters)), rho)


def _votes(voters: tuple[tuple[str, str], ...], rho: Callable[[str, str], float]) -> float:
    n = len(voters)
    if n < 2:
        return float(n)
    pairs = [
        SAME_MODEL if one[1] and one[1] == other[1] else min(1.0, max(0.0, rho(one[0], other[0])))
        for one, other in combinations(voters, 2)
    ]
    return n / (1 + (n - 1) * sum(pairs) / len(pairs))


_remembered = lru_cache(maxsize=1024)(_votes)
"""For the prior only: a measured correlation may be another one at the next round."""
