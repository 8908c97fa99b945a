"""`import_langgraph`: the history that LangGraph's checkpointers have kept, as sessions of ours.

Every checkpoint becomes a commit, or several where several nodes ran in its superstep; the state at the
version of a checkpoint is what its channels held. Nothing of LangGraph is imported for it, and no class
that a checkpoint names is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dissensus_state.chronicle import Chronicle
from dissensus_state.errors import Conflict, NotFound, Refused
from dissensus_state.sessions import Session, SessionInfo
from dissensus_state.shapes import shape_of
from dissensus_state.showing import Listing, Shown, visible

from .naming import key_of, session_name
from .records import Node
from .records import Thread as Thread  # noqa: PLC0414 - what `list_threads` gives
from .schema import LangGraphState
from .tables import Source, opened
from .threads import Counts
from .threads import Thread as _Thread

if TYPE_CHECKING:
    from dissensus_state.store import Store

AUTHOR = "import"
"""Whom the history names for the empty state with which such a session begins."""

Progress = Callable[[str, int, int], None]
"""Told after each transaction: the thread, how many checkpoints were brought in, and of how many."""


@dataclass(frozen=True, slots=True)
class Imported(Shown):
    """What came of one thread.

    Attributes:
        thread: Its id in LangGraph.
        session: The session that it became.
        checkpoints: How many were brought in now.
        known: How many were there from an import before.
        commits: How many commits they became.
        branches: How many branches were begun.
        events: Interrupts, resumptions and errors that were put down.
        newest: The branch on which the newest checkpoint of the graph itself stands; `main` unless the
            thread went on elsewhere after a first import.
        pending: What tasks have written in supersteps that have not ended: it comes with their checkpoints.
        orphans: Checkpoints whose parent the database no longer holds.
        converted: Values that JSON cannot hold as they were, by what they became in the commits.
        left_out: Channels that only say what runs next, with how often they held something.
        rebuilt: Fields of which LangGraph kept what was added only, with how many additions were followed:
            exact where the reducer appends to lists or merges dictionaries, and at each whole value it kept.
    """

    thread: str
    session: str
    checkpoints: int
    known: int
    commits: int
    branches: int
    events: int
    newest: str | None
    pending: int = 0
    orphans: int = 0
    converted: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    rebuilt: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        known = f", {self.known} were known" if self.known else ""
        said = f"{self.session}: {self.checkpoints} checkpoints as {self.commits} commits{known}"
        newest = f"; the newest is on {self.newest}" if self.newest not in {None, "main"} else ""
        return visible(f"{said}, {self.branches} branches, {self.events} events{newest}")


def list_threads(source: str) -> Listing[Thread]:
    """The threads that a database of LangGraph holds, the oldest first.

    Args:
        source: The file of a `SqliteSaver`, or the `postgresql://…` of a `PostgresSaver`; opened for reading.

    Raises:
        HistoryUnreadable: it is neither.
        NotFound: there is no such file.
    """
    with opened(source) as tables:
        return Listing(tables.threads())


def import_langgraph(
    source: str,
    store: Store,
    threads: Iterable[str] | None = None,
    *,
    name: str | None = None,
    progress: Progress | None = None,
) -> Listing[Imported]:
    """Bring the checkpoint history of LangGraph into sessions, one for each thread.

    What was brought in before is not brought in again: run it once more, and only what is new comes. A
    run that was ended on the way is gone on with in the same manner.

    Args:
        source: The file of a `SqliteSaver`, or the `postgresql://…` of a `PostgresSaver`; it is not changed.
        store: Where the sessions go.
        threads: Which threads; None takes all.
        name: What the session is called, where it is one thread; by default as the thread.
        progress: Told after each transaction.

    Raises:
        HistoryUnreadable: it is no database of LangGraph's; what was brought in before the trouble stays.
        HistoryNewer: a checkpoint is of a newer format.
        NotFound: there is no such file, no such thread, or no thread at all.
        Conflict: a session of that name holds something else.
    """
    with opened(source) as tables:
        chosen = _chosen(tables, None if threads is None else list(threads))
        if name is not None and len(chosen) > 1:
            raise Refused(
                f"One name cannot be that of {len(chosen)} sessions",
                next_step="Name one thread with --thread, or leave the name out",
            )
        there = {one.name: one for one in store.sessions()}

        def session(thread: str, nodes: list[Node]) -> Session[LangGraphState]:
            return _session(store, there, name or session_name(thread), thread, nodes)

        return Listing(_bring(tables, one, session, progress) for one in chosen)


def _chosen(tables: Source, wanted: list[str] | None) -> list[str]:
    there = [one.thread for one in tables.threads()]
    if not there:
        raise NotFound(
            f"{tables.name} holds no thread yet", next_step="Run the graph with this checkpointer first"
        )
    if wanted is None:
        return there
    if missing := [one for one in wanted if one not in there]:
        raise NotFound(
            f"There is no thread {missing[0]!r} in {tables.name}; it holds {len(there)}",
            next_step="List them with `dissensus import-langgraph DB --list`",
        )
    return list(dict.fromkeys(wanted))


def _bring(
    tables: Source,
    thread: str,
    session_of: Callable[[str, list[Node]], Session[LangGraphState]],
    progress: Progress | None,
) -> Imported:
    nodes = tables.nodes(thread)
    session = session_of(thread, nodes)
    bringing = _Thread(tables, thread, nodes, Chronicle(session))
    known = sum(key_of(node.namespace, node.id) in bringing.places for node in nodes)
    bringing.bring(lambda done, total: progress(thread, done, total) if progress else None)
    newest = max((node.id for node in nodes if not node.namespace), default=None)
    counts = bringing.counts
    done = Imported(
        thread,
        session.name,
        counts.checkpoints,
        known,
        counts.commits,
        counts.branches,
        counts.events,
        None if newest is None else bringing.places[key_of("", newest)][0],
        counts.pending,
        counts.orphans,
        dict(sorted(counts.converted.items())),
        dict(sorted(counts.left_out.items())),
        dict(sorted(counts.rebuilt.items())),
    )
    if _any(counts):
        session.record("imported", {"from": "langgraph", **done.as_dict()})
    return done


def _any(counts: Counts) -> bool:
    return bool(counts.checkpoints or counts.events)


def _session(
    store: Store, known: Mapping[str, SessionInfo], name: str, thread: str, nodes: list[Node]
) -> Session[LangGraphState]:
    """The session of a thread: a new one, or the one that holds what was brought in of it before.

    Raises:
        Conflict: there is one of that name which holds something else.
    """
    info = known.get(name)
    if info is None:
        return store.create(LangGraphState(), name=name, author=AUTHOR)
    taken = Conflict(
        f"There is a session {name!r} already, and it holds something else than the thread {thread!r}",
        next_step="Give the thread's session another name with --name",
        retry=False,
    )
    if not info.schema.endswith(f":{LangGraphState.__qualname__}"):
        raise taken
    session: Session[LangGraphState] = Session(store.database, info, shape_of(LangGraphState))
    there = Chronicle(session).places()
    mine = {key_of(node.namespace, node.id) for node in nodes}
    mine |= {key_of(node.namespace, node.parent) for node in nodes if node.parent}
    if there and not mine & there.keys():
        raise taken
    return session
