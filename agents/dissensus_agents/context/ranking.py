"""Which items speak most of a question: their words, weighed by how rare they are (BM25). Pure.

S. Robertson, H. Zaragoza: The Probabilistic Relevance Framework: BM25 and Beyond (2009).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from dissensus_state.terms import terms_of

SATURATION = 1.2
LENGTH = 0.75


def ranked(texts: Sequence[str], question: str) -> list[int]:
    """The places of the texts, the most relevant first; of equal ones the later first."""
    asked = set(terms_of(question, asked=True))
    found = [Counter(terms_of(text)) for text in texts]
    lengths = [sum(counts.values()) for counts in found]
    usual = sum(lengths) / len(lengths) if any(lengths) else 1.0
    rarity = {term: _rarity(found, term) for term in sorted(asked)}
    scores = [
        sum(_weight(counts[term], length / usual) * rare for term, rare in rarity.items())
        for counts, length in zip(found, lengths, strict=True)
    ]
    return sorted(range(len(texts)), key=lambda place: (-scores[place], -place))


def _rarity(found: Sequence[Counter[str]], term: str) -> float:
    holding = sum(term in counts for counts in found)
    return math.log(1 + (len(found) - holding + 0.5) / (holding + 0.5))


def _weight(count: int, length: float) -> float:
    return count * (SATURATION + 1) / (count + SATURATION * (1 - LENGTH + LENGTH * length))
