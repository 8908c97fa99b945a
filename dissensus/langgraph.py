"""Histories that LangGraph's checkpointers have kept, as sessions.

from dissensus.langgraph import import_langgraph, list_threads

with Store.open("history.db") as store:
    for done in import_langgraph("checkpoints.sqlite", store):
        print(done)                          # and then: store.session(done.session).blame("/messages/3")
"""

from __future__ import annotations

from dissensus_agents.foreign.langgraph_history import Imported, import_langgraph, list_threads
from dissensus_agents.foreign.records import Thread
from dissensus_agents.foreign.schema import LangGraphState

__all__ = ["Imported", "LangGraphState", "Thread", "import_langgraph", "list_threads"]
