"""Recorded steps in tests: each is held to the graph and the schema that the code has today."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from dissensus.cli.graphs import load_graph
from dissensus.cli.schemas import load_schema
from dissensus_agents.cases import Case as Recorded
from dissensus_agents.cases import Graph

if TYPE_CHECKING:
    from dissensus_agents.graph import AgentGraph
    from dissensus_state.shapes import SharedState

Named: TypeAlias = "AgentGraph | Callable[[], AgentGraph] | Graph | str"
"""A graph, a function that makes one, or `MODULE:NAME` of either; modules in the current folder are found."""


class Case(Recorded):
    """One recorded step, as `dissensus pytest-case` writes it: `Case.load(path).replay("inquiry:graph")`."""

    __slots__ = ()

    def replay(self, graph: Named) -> None:
        """Hold a graph to the recorded step; no model is called, no database is opened.

        Raises:
            CaseFailed: something of it would not come out as it was recorded; the message says what. It is
                an `AssertionError` as well.
            CaseRefused: the case does not add up.
        """
        __tracebackhide__ = True
        super().replay(_graph(graph))

    def admit(self, schema: type[SharedState] | str) -> None:
        """Hold a schema to the recorded commit: it would be admitted, and as it was.

        Raises:
            CaseFailed: it would not; the message says which rule refuses it.
        """
        __tracebackhide__ = True
        super().admit(load_schema(schema) if isinstance(schema, str) else schema)


def _graph(given: Any) -> Graph:
    if isinstance(given, str):
        return load_graph(given)
    made: Graph = given if hasattr(given, "steps") else given()
    return made
