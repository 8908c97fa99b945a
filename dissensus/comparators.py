"""How far apart two values are: what `add_step(comparators=…)` takes."""

from __future__ import annotations

from dissensus_agents.judgement.comparators import (
    Anything,
    By,
    Comparator,
    Exact,
    ListOf,
    Number,
    SetOf,
    Text,
)

__all__ = ["Anything", "By", "Comparator", "Exact", "ListOf", "Number", "SetOf", "Text"]
