"""Ready-made sessions: research over a folder of sources, and the demo."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .investigation import Outcome, investigate
    from .publishing import written
    from .schema import Research

__all__ = ["Outcome", "Research", "investigate", "written"]

_HOMES = {
    "Outcome": "investigation",
    "Research": "schema",
    "investigate": "investigation",
    "written": "publishing",
}

if not TYPE_CHECKING:  # a type checker that saw this would take any misspelt name for a right one

    def __getattr__(name):
        """Load a name from its home, once (PEP 562)."""
        if name not in _HOMES:
            raise AttributeError(f"module 'dissensus.research' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        return value
