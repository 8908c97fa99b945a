"""The graph of a session: the one that the user names, else the one that was last run over it.

A graph is code. One of the user's is imported when the user names it; what a database names is only
imported where it is one of our own, since it may have been put there by anybody.
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dissensus_state.errors import NotFound, SchemaRefused

from .border import situation
from .errors import Misuse
from .opening import opened_session
from .schemas import load

if TYPE_CHECKING:
    from dissensus_agents.graph import AgentGraph
    from dissensus_state.sessions import Session

RAN = "ran"
"""The kind of event that says which graph was run over a session."""

OURS = frozenset({"dissensus.research.demo:graph", "dissensus.research.study:graph"})
"""The graphs that may be found by a name that stands in a database: making them does nothing else."""


def note_run(session: Session[Any], graph: str, models: Mapping[str, Any] | None = None) -> None:
    """Write down which graph is run over a session, unless its newest `ran` says so already.

    Args:
        graph: Its name, `module:name`.
        models: The models that were put behind some of its agents, by the agent's name.
    """
    body = {"graph": graph, **({"models": dict(models)} if models else {})}
    known = session.events(RAN)
    if not known or known[-1].body != body:
        session.record(RAN, body)


def graph_of(session: Session[Any], given: str | None = None) -> AgentGraph:
    """The graph of a session, with the models that its newest run put behind the agents.

    Args:
        session: The session; its schema is not needed.
        given: The graph's name, `module:name`; by default that of the newest run, where it is ours.

    Raises:
        Misuse: nothing is found under the name, it is no graph, or it stands in the database only.
        NotFound: no run is written down, and no name is given.
    """
    ran = next((event.body for event in reversed(session.events(RAN))), {})
    name = given or ran.get("graph")
    if not isinstance(name, str):
        raise NotFound(
            f"It is not written down which graph was run over the session {session.name}",
            next_step="Name it with --graph MODULE:NAME",
            session=session.name,
        )
    if given is None and name not in OURS:
        raise Misuse(
            f"The session says that it ran {name}, which is not imported unless you name it",
            next_step=f"Add --graph {name}",
            session=session.name,
        )
    graph = load_graph(name, session)
    models = ran.get("models") if name == ran.get("graph") else None
    return graph.swapped(models) if isinstance(models, dict) and models else graph


def where(session: Session[Any], *, branch: bool = True) -> str:
    """The options by which any command finds the session."""
    from dissensus_state.addresses import to_copy

    here = situation()
    words = ["-d", to_copy(session.database.url), "-s", session.name]
    words += ["--tenant", here.tenant] if here.tenant else []
    words += ["-b", session.branch] if branch and here.branch else []
    return shlex.join(words)


def graph_option(session: Session[Any]) -> str:
    """What a command that runs a session again says of its graph; one that is not ours has to be named."""
    ran = next((event.body.get("graph") for event in reversed(session.events(RAN))), None)
    if ran in OURS:
        return ""
    return f" --graph {shlex.quote(ran) if isinstance(ran, str) else 'MODULE:NAME'}"


def load_graph(name: str, session: Session[Any] | None = None) -> AgentGraph:
    """The `AgentGraph` of that name, or what a function of that name makes.

    Args:
        name: `module:name`; modules in the current folder are found.
        session: What a function with one argument is given.

    Raises:
        Misuse: there is no such module or name, or it is no graph.
    """
    from dissensus_agents.graph import AgentGraph

    found = load(name)
    if not isinstance(found, AgentGraph) and callable(found):
        found = found(session) if session is not None and _wants_one(found) else found()
    if not isinstance(found, AgentGraph):
        raise Misuse(f"{name} is no AgentGraph", next_step="Name one, or a function that makes one")
    return found


def _wants_one(function: Any) -> bool:
    """Whether a function cannot be called without an argument, and can with one."""
    try:
        wanted = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [one for one in wanted if one.default is one.empty and one.kind in places]
    return len(needed) == 1


@contextmanager
def opened_with_graph(
    database: str | None, name: str | None, given: str | None
) -> Iterator[tuple[Session[Any], AgentGraph]]:
    """A session of the database on the branch that was named, opened with its graph's schema.

    Raises:
        SchemaRefused: the graph is over another schema.
    """
    with opened_session(database, name) as found:
        graph = graph_of(found, given)
        yield with_schema(found, graph), graph


def with_schema(session: Session[Any], graph: AgentGraph) -> Session[Any]:
    """The session with the schema that its graph is over.

    Raises:
        SchemaRefused: it was made with another one.
    """
    if not graph.shape.is_named(session.info.schema):
        raise SchemaRefused(
            f"The graph is over {graph.shape.name}, the session was made with {session.info.schema}",
            next_step="Name the graph of this session with --graph",
            session=session.name,
        )
    return type(session)(session.database, session.info, graph.shape, session.branch)
