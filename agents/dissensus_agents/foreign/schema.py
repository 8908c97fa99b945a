"""The schema of sessions that were brought in from LangGraph: whatever channels the graph had."""

from __future__ import annotations

from dissensus_state.open_states import OpenState


class LangGraphState(OpenState, version=1):
    """The channels of a graph of LangGraph, each a field."""
