"""How a prompt fits its model: what `Agent(fit=…, templates=…)` and `Supervisor(fit=…)` take."""

from __future__ import annotations

from dissensus_agents.context.fits import Fit, Newest, Refuse, Relevant, Summarised
from dissensus_agents.context.templates import BY_MAKER, MARKDOWN, WITHOUT_SYSTEM, XML, Template
from dissensus_agents.errors import ContextOverflow

__all__ = [
    "BY_MAKER",
    "MARKDOWN",
    "WITHOUT_SYSTEM",
    "XML",
    "ContextOverflow",
    "Fit",
    "Newest",
    "Refuse",
    "Relevant",
    "Summarised",
    "Template",
]
