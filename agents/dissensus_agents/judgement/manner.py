"""How a reasoning is written, in numbers: what a vote can be told of it besides who wrote it.

Only the text is read, neither the question nor the answer. Every number lies between -3 and 3, so that
a fitted vote needs no scale of its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

MAX_READ = 12_000
"""Characters of a reasoning that are read."""

_STATED = re.compile(r"answer is:? \(?([A-Za-z0-9.,$-]{1,20})", re.IGNORECASE)
_SAID: Mapping[str, re.Pattern[str]] = {
    name: re.compile(rf"\b(?:{words})", re.IGNORECASE)
    for name, words in {
        "turns": r"however|but\b|although|wait\b|actually|instead",
        "hedges": r"probably|likely|perhaps|possibly|might|may\b|seems?\b|appears?\b|assum",
        "gives_up": r"guess|not (?:sure|enough|listed|provided|given|match)|unclear|unable|unfortunately"
        r"|error|mistake|typo|cannot (?:be )?determin",
        "closest": r"closest|nearest|approximat",
        "none_fits": r"none of",
        "most": r"most\b|best\b",
        "concludes": r"therefore|thus\b|hence|so the",
        "knows": r"we know|known|refer to|according to|defined as",
        "plans": r"step by step|first,|let's|let us",
        "negates": r"not\b|never|incorrect|false",
        "calculates": r"we can|we get|we have|using|formula|equation",
    }.items()
}


def manner(thinking: str) -> dict[str, float]:
    """How a reasoning is written.

    Returns:
        `length`, `short`, `long` (logarithms, about their usual middle), `numbers`, `equals`, `lines`
        (how many, as logarithms), `unfinished` (no answer is stated), `two_answers`, `loops` (a line of
        it comes again and again), and for each kind of phrase whether it occurs; 0 for an empty text.
    """
    text = thinking[:MAX_READ]
    length = math.log1p(len(text)) - 6
    stated = _STATED.findall(text)
    lines = [line for line in text.splitlines() if len(line) > 20]
    found = {
        "length": length / 2,
        "short": max(0.0, -length),
        "long": max(0.0, length - 1),
        "numbers": math.log1p(sum(map(str.isdigit, text))) / 4,
        "equals": math.log1p(text.count("=")) / 2,
        "lines": math.log1p(len(lines)) / 2,
        "unfinished": float(not stated),
        "two_answers": float(len({one.strip(".,$").casefold() for one in stated}) > 1),
        "loops": float(len(lines) - len(set(lines)) > 2),
    }
    found.update((name, float(bool(said.search(text)))) for name, said in _SAID.items())
    return {name: max(-3.0, min(3.0, value)) if text else 0.0 for name, value in found.items()}
