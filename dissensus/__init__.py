"""Several models, one versioned state, and a supervisor that reads before anything is committed.

Each name is loaded when it is first asked for, so that `import dissensus` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dissensus_agents.agent import Agent
    from dissensus_agents.graph import END, AgentGraph
    from dissensus_agents.judgement.supervisor import Person, Supervisor, Verdict
    from dissensus_agents.models.catalog import resolve as model
    from dissensus_agents.models.prices import Price
    from dissensus_agents.models.recordings import RecordedModel
    from dissensus_agents.models.scripted import FunctionModel, ScriptedModel
    from dissensus_state.errors import Conflict, DissensusError
    from dissensus_state.machine import Transition
    from dissensus_state.objections import Objection
    from dissensus_state.records import Budget
    from dissensus_state.rights import Rights
    from dissensus_state.sessions import Session
    from dissensus_state.shapes import (
        Add,
        Append,
        Max,
        Merge,
        MergeByKey,
        Min,
        Replace,
        SharedState,
        Union,
        invariant,
    )
    from dissensus_state.store import Store
    from dissensus_state.upcasting import upcaster

    __version__: str

__all__ = [
    "END",
    "Add",
    "Agent",
    "AgentGraph",
    "Append",
    "Budget",
    "Conflict",
    "DissensusError",
    "FunctionModel",
    "Max",
    "Merge",
    "MergeByKey",
    "Min",
    "Objection",
    "Person",
    "Price",
    "RecordedModel",
    "Replace",
    "Rights",
    "ScriptedModel",
    "Session",
    "SharedState",
    "Store",
    "Supervisor",
    "Transition",
    "Union",
    "Verdict",
    "__version__",
    "invariant",
    "model",
    "upcaster",
]

_HOMES = {
    "Add": "dissensus_state.shapes:Add",
    "Agent": "dissensus_agents.agent:Agent",
    "AgentGraph": "dissensus_agents.graph:AgentGraph",
    "Append": "dissensus_state.shapes:Append",
    "Budget": "dissensus_state.records:Budget",
    "Conflict": "dissensus_state.errors:Conflict",
    "DissensusError": "dissensus_state.errors:DissensusError",
    "END": "dissensus_agents.graph:END",
    "FunctionModel": "dissensus_agents.models.scripted:FunctionModel",
    "Max": "dissensus_state.shapes:Max",
    "Merge": "dissensus_state.shapes:Merge",
    "MergeByKey": "dissensus_state.shapes:MergeByKey",
    "Min": "dissensus_state.shapes:Min",
    "Objection": "dissensus_state.objections:Objection",
    "Person": "dissensus_agents.judgement.supervisor:Person",
    "Price": "dissensus_agents.models.prices:Price",
    "RecordedModel": "dissensus_agents.models.recordings:RecordedModel",
    "Replace": "dissensus_state.shapes:Replace",
    "Rights": "dissensus_state.rights:Rights",
    "ScriptedModel": "dissensus_agents.models.scripted:ScriptedModel",
    "Session": "dissensus_state.sessions:Session",
    "SharedState": "dissensus_state.shapes:SharedState",
    "Store": "dissensus_state.store:Store",
    "Supervisor": "dissensus_agents.judgement.supervisor:Supervisor",
    "Transition": "dissensus_state.machine:Transition",
    "Union": "dissensus_state.shapes:Union",
    "Verdict": "dissensus_agents.judgement.supervisor:Verdict",
    "invariant": "dissensus_state.shapes:invariant",
    "model": "dissensus_agents.models.catalog:resolve",
    "upcaster": "dissensus_state.upcasting:upcaster",
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
