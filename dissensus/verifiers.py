"""Checks against something outside of the models: what `add_step(verifiers=…)` takes.

`asked_of` is the last resort: a model's opinion, which is never called verified.
"""

from __future__ import annotations

from dissensus_agents.judgement.citations import quotes_stand_in_documents
from dissensus_agents.judgement.evidence import Evidence, demands, verified
from dissensus_agents.judgement.forms import matches, schema
from dissensus_agents.judgement.lookups import lookup
from dissensus_agents.judgement.opinions import asked_of
from dissensus_agents.judgement.programs import runs
from dissensus_agents.judgement.querying import queries
from dissensus_agents.judgement.verifiers import arithmetic, quotes_stand_in_sources, verifier
from dissensus_agents.judgement.witnessing import AsyncVerifier, Verifier, run_verifiers, witnessed

__all__ = [
    "AsyncVerifier",
    "Evidence",
    "Verifier",
    "arithmetic",
    "asked_of",
    "demands",
    "lookup",
    "matches",
    "queries",
    "quotes_stand_in_documents",
    "quotes_stand_in_sources",
    "run_verifiers",
    "runs",
    "schema",
    "verified",
    "verifier",
    "witnessed",
]
