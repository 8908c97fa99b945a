"""Several models, one versioned state, and a supervisor that reads before anything is committed.

Each name is loaded when it is first asked for, so that `import dissensus` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dissensus_agents.agent import Agent
    from dissensus_agents.graph import AgentGraph
    from dissensus_agents.judgement.supervisor import Supervisor
    from dissensus_agents.judgement.verifiers import verifier
    from dissensus_agents.models.catalog import resolve as model
    from dissensus_agents.models.recordings import RecordedModel
    from dissensus_agents.models.scripted import FunctionModel, ScriptedModel
    from dissensus_state.errors import Conflict, DissensusError
    from dissensus_state.machine import Transition
    from dissensus_state.records import Ruling
    from dissensus_state.sessions import Session
    from dissensus_state.shapes import (
        Add,
        Append,
        MergeByKey,
        Replace,
        SharedState,
        Union,
        invariant,
    )
    from dissensus_state.store import Budget, Store

    __version__: str

__all__ = [
    "Add",
    "Agent",
    "AgentGraph",
    "Append",
    "Budget",
    "Conflict",
    "DissensusError",
    "FunctionModel",
    "MergeByKey",
    "RecordedModel",
    "Replace",
    "Ruling",
    "ScriptedModel",
    "Session",
    "SharedState",
    "Store",
    "Supervisor",
    "Transition",
    "Union",
    "__version__",
    "invariant",
    "model",
    "verifier",
]

_HOMES = {
    "Add": "dissensus_state.shapes:Add",
    "Agent": "dissensus_agents.agent:Agent",
    "AgentGraph": "dissensus_agents.graph:AgentGraph",
    "Append": "dissensus_state.shapes:Append",
    "Budget": "dissensus_state.store:Budget",
    "Conflict": "dissensus_state.errors:Conflict",
    "DissensusError": "dissensus_state.errors:DissensusError",
    "FunctionModel": "dissensus_agents.models.scripted:FunctionModel",
    "MergeByKey": "dissensus_state.shapes:MergeByKey",
    "RecordedModel": "dissensus_agents.models.recordings:RecordedModel",
    "Replace": "dissensus_state.shapes:Replace",
    "Ruling": "dissensus_state.records:Ruling",
    "ScriptedModel": "dissensus_agents.models.scripted:ScriptedModel",
    "Session": "dissensus_state.sessions:Session",
    "SharedState": "dissensus_state.shapes:SharedState",
    "Store": "dissensus_state.store:Store",
    "Supervisor": "dissensus_agents.judgement.supervisor:Supervisor",
    "Transition": "dissensus_state.machine:Transition",
    "Union": "dissensus_state.shapes:Union",
    "invariant": "dissensus_state.shapes:invariant",
    "model": "dissensus_agents.models.catalog:resolve",
    "verifier": "dissensus_agents.judgement.verifiers:verifier",
}

if not TYPE_CHECKING:  # a type checker that saw this would take any misspelt name for a right one

    def __getattr__(name):
        """Load a name from its home, once (PEP 562)."""
        if name == "__version__":
            value = import_module("importlib.metadata").version("dissensus")
        elif name in _HOMES:
            module, _, attribute = _HOMES[name].partition(":")
            value = getattr(import_module(module), attribute)
        else:
            raise AttributeError(f"module 'dissensus' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """What there is to import."""
    return sorted(__all__)
