"""LangGraph's `get_state_history` beside the verbs that answer the same, on 1,000 versions of one workload.

Both sides have written the same 1,000 findings of 1 KiB, LangGraph through its own saver. Then both
answer, in turns, what its history API answers as well:

- *all*: every version, newest first, with its step, its writer and its time;
- *page*: the newest 50 of them;
- *before*: the 50 before a version;
- *one*: who wrote what at a version (`get_state_history(filter={"step": …})`; here `show`).

`history.cpu_vs_langgraph` is our CPU for all four together against theirs, as the median over blocks;
`history.QUESTION_vs_langgraph` each alone. LangGraph's list decodes the state of every version that it
names, ours none; so reading one state (`session.at` against `get_state`) stands beside it as
`history.at_vs_langgraph`.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from findings import Notebook, updates
from places import Folder, Server
from running import Figures
from savers import CONFIG, Graph, Notes, saver_for
from turns import player

from dissensus import Session, Store

VERSIONS = 1000
BLOCKS = 5
PAGE = 50


def against_langgraph(place: Folder | Server) -> Figures:
    """The CPU of each question against LangGraph's, and of all together."""
    theirs_url = place.fresh("langgraph")
    graph = Graph(theirs_url)
    graph.block(list(itertools.islice(updates(1), VERSIONS)))
    graph.close()
    with player("dissensus", place, warm_up=0) as writer:
        writer.turn(VERSIONS)
    with Store.open(writer.url) as store, ExitStack() as stack:
        session = store.session(None, Notebook)
        reader = _reader(theirs_url, stack)
        figures = _in_turns(_ours(session), _theirs(reader))
    place.drop(writer.url)
    place.drop(theirs_url)
    return figures


def _reader(url: str, stack: ExitStack) -> Any:
    """A graph on the same checkpoints, compiled to be read."""
    from langgraph.graph import START, StateGraph

    graph: StateGraph[Any] = StateGraph(Notes)
    graph.add_node("note", lambda _: {})
    graph.add_edge(START, "note")
    return graph.compile(checkpointer=saver_for(url, stack))


Question = Callable[[int], object]


def _ours(session: Session[Notebook]) -> dict[str, Question]:
    return {
        "all": lambda _: [(one.version, one.author, one.at) for one in session.log(limit=VERSIONS + 1)],
        "page": lambda _: [(one.version, one.author, one.at) for one in session.log(limit=PAGE)],
        "before": lambda at: [(one.version, one.author) for one in session.log(limit=PAGE, before=at)],
        "one": lambda at: session.show(at).commit.patch,
        "at": session.at,
    }


def _theirs(graph: Any) -> dict[str, Question]:
    configs = {one.metadata["step"]: one.config for one in graph.get_state_history(CONFIG)}

    def listed(**asked: Any) -> list[Any]:
        return [(one.metadata["step"], one.created_at) for one in graph.get_state_history(CONFIG, **asked)]

    return {
        "all": lambda _: listed(),
        "page": lambda _: listed(limit=PAGE),
        "before": lambda at: listed(limit=PAGE, before=configs[at]),
        "one": lambda at: listed(filter={"step": at}),
        "at": lambda at: graph.get_state(configs[at]).values["findings"],
    }


def _in_turns(ours: dict[str, Question], theirs: dict[str, Question]) -> Figures:
    chosen = random.Random(1)
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ours}
    for block in range(BLOCKS):
        at = chosen.randrange(VERSIONS // 4, VERSIONS - 1)
        for name, mine in ours.items():
            pair = [(0, mine), (1, theirs[name])]
            took = {side: _cpu(question, at) for side, question in (pair if block % 2 else pair[::-1])}
            spent[name].append((took[0], took[1]))
    listing = [name for name in spent if name != "at"]
    together = [
        sum(spent[name][block][0] for name in listing) / sum(spent[name][block][1] for name in listing)
        for block in range(BLOCKS)
    ]
    each = {
        f"history.{name}_vs_langgraph": statistics.median(one / other for one, other in pairs)
        for name, pairs in spent.items()
    }
    return {**each, "history.cpu_vs_langgraph": statistics.median(together)}


def _cpu(question: Question, at: int) -> float:
    before = time.process_time()
    question(at)
    return time.process_time() - before
