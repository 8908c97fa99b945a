"""Modules that are imported when they are first used: who reads a session loads no more than it reads with.

Where a name is bound so, a type checker sees the module itself:

    if TYPE_CHECKING:
        from . import pruning
    else:
        pruning = Later("pruning")
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Later:
    """A module of this package that is imported when something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = f"{__package__}.{name}"

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)
