"""For your own tests: a provider on this machine with every fault, recorded steps, the laws of a merge.

Each name is loaded when it is first asked for: the laws need Hypothesis, the provider nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .answers import Answer, Raw, Received
    from .cases import Case
    from .fake import FakeProvider
    from .faults import FAULTS, Fault
    from .laws import LawBroken, check_merge

__all__ = ["FAULTS", "Answer", "Case", "FakeProvider", "Fault", "LawBroken", "Raw", "Received", "check_merge"]

_HOMES = {
    "Answer": "answers",
    "Case": "cases",
    "FAULTS": "faults",
    "FakeProvider": "fake",
    "Fault": "faults",
    "LawBroken": "laws",
    "Raw": "answers",
    "Received": "answers",
    "check_merge": "laws",
}

if not TYPE_CHECKING:  # a type checker that saw this would take any misspelt name for a right one

    def __getattr__(name):
        """Load a name from its home, once (PEP 562)."""
        if name not in _HOMES:
            raise AttributeError(f"module 'dissensus.testing' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        return value
