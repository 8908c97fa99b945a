"""How hard a question looks, without any model or training: what can be counted in its text.

    Route({"simple": cheap, "hard": panel}, by=complexity())

A heuristic: it is deterministic, says what it counted, and knows nothing of the subject. Where rounds of
the same kind have been graded, a `LearnedRouter` is better (docs/learned-router.md has the figures).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..errors import GraphError
from .asked import Asked, Choice, Router

MAX_READ = 24_000
"""Characters of a question that are read."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*%?")
_SENTENCE = re.compile(r"[.!?](?=\s|$)|\n")
_OPERATORS = re.compile(r"[=+*/^<>≤≥∑∫√\\]|(?<=\d)\s?-\s?(?=\d)")
_STEPS = re.compile(
    r"\b(?:twice|half|third|quarter|double|triple|times|each|every|per|more|less|fewer|than|remaining|left|"
    r"total|then|after|before|while|until|first|second|next|finally|ratio|percent|average|compare|derive|"
    r"prove|explain|why|how many|step|plan|design|analy[sz]e|trade-?offs?)\b",
    re.IGNORECASE,
)
_CLAUSES = re.compile(
    r"[,;:(]|\b(?:if|that|which|who|whose|where|when|because|although|unless|whether|given|such|and|or|but)\b",
    re.IGNORECASE,
)
_DENIALS = re.compile(
    r"\b(?:not|except|least|never|none|false|incorrect|without|cannot)\b|n't\b", re.IGNORECASE
)
_CODE = re.compile(
    r"```|\b(?:def|class|return|import|function|SELECT|for \w+ in|int|void)\b|[{};]\s*$|\w+\(\w*\)",
    re.MULTILINE,
)
_QUANTITIES = re.compile(
    r"\$|€|£|\b(?:hours?|minutes?|days?|weeks?|months?|years?|km|kg|miles?|feet|cm|mph)\b", re.IGNORECASE
)

MEASURES: tuple[str, ...] = (
    "length",  # log of its words, 1 at 500
    "numbers",  # 1 at 12
    "operators",  # 1 at 12
    "steps",  # words of several steps, 1 at 12
    "clauses",  # for each sentence, 1 at 8
    "sentences",  # 1 at 12
    "denials",  # 1 at 2
    "code",  # 1 at 4 places
    "quantities",  # money, time, lengths: 1 at 6
    "long_words",  # mean letters of a word, 0 at 4 and 1 at 7
)
_WEIGHTS = (2.0, 2.0, 1.5, 2.0, 1.0, 1.0, 0.5, 1.0, 0.5, 0.5)
"""Set by hand, and fitted to nothing."""


@dataclass(frozen=True, slots=True)
class Complexity:
    """How hard a question looks: `score` from 0 to 1, and what was counted, each from 0 to 1."""

    score: float
    measures: tuple[float, ...]

    @property
    def reason(self) -> str:
        """In a few words: the score, and the three measures that made most of it."""
        share = {name: w * one for name, w, one in zip(MEASURES, _WEIGHTS, self.measures, strict=True)}
        most = sorted((name for name in share if share[name] > 0), key=lambda name: -share[name])[:3]
        return f"complexity {self.score:.2f}" + (f", for its {', '.join(most)}" if most else "")


def complexity_of(text: str) -> Complexity:
    """Count what makes a question look hard; only the first 24,000 characters are read."""
    text = text[:MAX_READ]
    words = _WORD.findall(text)
    sentences = max(len(_SENTENCE.findall(text)), 1)
    letters = sum(map(len, words)) / len(words) if words else 0.0
    counted = (
        math.log1p(len(words)) / math.log1p(500),
        len(_NUMBER.findall(text)) / 12,
        len(_OPERATORS.findall(text)) / 12,
        len(_STEPS.findall(text)) / 12,
        len(_CLAUSES.findall(text)) / sentences / 8,
        sentences / 12,
        len(_DENIALS.findall(text)) / 2,
        len(_CODE.findall(text)) / 4,
        len(_QUANTITIES.findall(text)) / 6,
        (letters - 4) / 3,
    )
    measures = tuple(min(max(one, 0.0), 1.0) for one in counted)
    score = sum(w * one for w, one in zip(_WEIGHTS, measures, strict=True)) / sum(_WEIGHTS)
    return Complexity(score, measures)


def complexity(bounds: Sequence[float] = ()) -> Router:
    """A router by how hard a question looks: its options stand from the simplest to the hardest.

    Args:
        bounds: Scores (0 to 1, rising) from which the second, the third, … option is taken; by default
            0.3 between two options, and evenly from 0 to 0.6 between more: few questions look harder.

    Raises:
        GraphError: The bounds don't rise; when it is asked: they don't fit the number of options.
    """
    given = tuple(bounds)
    if any(not 0 <= one <= 1 for one in given) or any(b <= a for a, b in pairwise(given)):
        raise GraphError(f"The bounds of complexity() rise from 0 to 1, and are not {given}")

    def by_complexity(asked: Asked) -> Choice:
        names = asked.ways or tuple(asked.options)
        limits = given or tuple(0.6 * n / len(names) for n in range(1, len(names)))
        if len(limits) != len(names) - 1:
            raise GraphError(
                f"complexity() has {len(limits)} bounds for {len(names)} options",
                next_step="Give one bound less than there are options, or none",
            )
        found = complexity_of(asked.question)
        level = sum(found.score >= limit for limit in limits)
        over = {
            name: f"it is for less than {limits[n]:.2f}"
            if n < level
            else f"it is from {limits[n - 1]:.2f} on"
            for n, name in enumerate(names)
            if n != level
        }
        left = [n for n, name in enumerate(names) if name in asked.options]
        nearest = next(
            (n for n in left if n >= level), left[-1]
        )  # where its own may not be taken: a harder one
        over.pop(names[nearest], None)
        return Choice(names[nearest], found.reason, passed_over=over)

    return by_complexity
