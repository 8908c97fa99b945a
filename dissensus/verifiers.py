"""Checks against something outside of the models: what `add_step(verifiers=…)` takes."""

from __future__ import annotations

from dissensus_agents.judgement.citations import quotes_stand_in_documents
from dissensus_agents.judgement.verifiers import (
    Evidence,
    Verifier,
    arithmetic,
    quotes_stand_in_sources,
    verifier,
)

__all__ = [
    "Evidence",
    "Verifier",
    "arithmetic",
    "quotes_stand_in_documents",
    "quotes_stand_in_sources",
    "verifier",
]
