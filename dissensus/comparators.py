"""How far apart two values are: what `add_step(comparators=…)` takes."""

from __future__ import annotations

from dissensus_agents.judgement.amounts import Amount
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
from dissensus_agents.judgement.labels import Address, Choice, Name
from dissensus_agents.judgement.lists import Record
from dissensus_agents.judgement.meaning import Embeddings, SameMeaning
from dissensus_agents.judgement.times import Time
from dissensus_agents.models.embedding import EmbeddingModel

__all__ = [
    "Address",
    "Amount",
    "Anything",
    "By",
    "Choice",
    "Comparator",
    "EmbeddingModel",
    "Embeddings",
    "Exact",
    "ListOf",
    "Name",
    "Number",
    "Record",
    "SameMeaning",
    "SetOf",
    "Text",
    "Time",
]
