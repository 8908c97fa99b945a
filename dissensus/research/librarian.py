"""The librarian: chooses from the index what is worth reading, and says why the gathering ends.

It is no model but a function in an agent's seat: what it chose stands in the history like any answer,
costs nothing, and a replay does not need the index for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from dissensus_agents.messages import Part, Request
from dissensus_agents.models.scripted import FunctionModel
from dissensus_agents.views import View

from . import rooms

if TYPE_CHECKING:
    from dissensus_state.documents import Passage
    from dissensus_state.library import Library

NAME = "librarian"

THIN = 8_000
"""Characters from which on a batch is divided, so that more scouts read side by side."""

SHARE = 0.02
"""Of all passages, at most this part is chosen in one pass; but see `FEWEST`."""

FEWEST, MOST = 24, 400
"""Passages that may be chosen in one pass whatever their share is, and at most."""

DEPTH = 12
"""Passages that are looked at for one query."""

HEADS = 2
"""Passages for each query of a sub-question that may be chosen whatever their share is."""

FAINT = 0.25
"""Below this part of a query's best score, a passage is not worth its price."""

BUDGET = "the budget"
"""How the reason begins where the money for reading ended it."""

_RANK = 10
"""How slowly the worth of a passage falls with its rank, in reciprocal rank fusion."""

_SEARCH = (
    "question",
    "sources",
    "crew",
    "plan",
    "searched",
    "reading",
    "findings",
    "leads",
    "standing",
    "missed",
)
_STOP = ("passes", "searched", "reading", "read", "standing")
_TEXTS = frozenset({"question", "stopped"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A sub-question that is looked for, with its queries."""

    question: int
    queries: tuple[str, ...]


def catalogue(view: View) -> Iterator[Part]:
    """What the librarian looks at to choose."""
    return (view.part(f"/{name}") for name in _SEARCH)


def ledger(view: View) -> Iterator[Part]:
    """What it looks at to say why that is enough."""
    return (view.part(f"/{name}") for name in _STOP)


def given(request: Request) -> dict[str, Any]:
    """What a function in an agent's seat is shown: the values of the state, by field."""
    shown = {part.source[1:]: part.text for part in request.parts if part.source is not None}
    return {name: text if name in _TEXTS else json.loads(text) for name, text in shown.items()}


def searching(library: Library) -> FunctionModel:
    """The librarian's choice for a pass, as an agent's model."""

    def choose(request: Request) -> dict[str, Any]:
        state = given(request)
        wanted = wanted_in(state)
        chosen = _everything(library, state) or [*_missed(library, state), *_found(library, state, wanted)]
        reading = _batched(chosen, state)
        batches = len({item["batch"] for item in reading})
        search = {
            "queries": sum(len(one.queries) for one in wanted),
            "chosen": len(reading),
            "side_by_side": min(len(state["crew"]["scouts"]), batches),
        }
        return {"searched": [search], "reading": reading}

    return FunctionModel(NAME, choose, thread=True)


def stopping() -> FunctionModel:
    """Why the gathering ends, as an agent's model."""
    return FunctionModel(NAME, lambda request: {"stopped": why_enough(given(request))})


def why_enough(state: Mapping[str, Any]) -> str:
    """Why nothing more is read."""
    chosen = state["reading"][-1]["batch"] if state["reading"] else 0
    if state["read"] < chosen:
        left = sum(item["batch"] > state["read"] for item in state["reading"])
        return f"{BUDGET}: what is left is kept for the conclusion; {left} chosen passages were not read"
    if not state["searched"]:
        return f"{BUDGET}: what is left is kept for the conclusion, and nothing was read"
    if not state["searched"][-1]["queries"]:
        return "every sub-question has findings, and nothing more was pointed to"
    if not state["searched"][-1]["chosen"]:
        return "nothing more in the sources bears on what is missing"
    if len(state["searched"]) >= state["passes"]:
        several = state["passes"] > 1
        return (
            f"the {state['passes']} passes that were allowed are made" if several else "one pass was allowed"
        )
    return "the last pass brought nothing new"


def wanted_in(state: Mapping[str, Any]) -> list[Wanted]:
    """What a pass looks for: first everything; then what was pointed to, and what was not found."""
    plan = list(enumerate(state["plan"], 1))
    if not state["searched"]:
        return [Wanted(n, (item["question"], *item["queries"])) for n, item in plan]
    found = {state["findings"][item["finding"] - 1]["question"] for item in state["standing"]}
    wanted = []
    for n, item in plan:
        leads = [lead["query"] for lead in state["leads"] if lead["question"] == n]
        again = [] if n in found else [item["question"], *item["queries"]]
        if queries := tuple(dict.fromkeys((*leads, *again))):
            wanted.append(Wanted(n, queries))
    return wanted


def _everything(library: Library, state: Mapping[str, Any]) -> list[tuple[int, Passage]]:
    """All there is, where it fits into one batch: then searching would only lose something."""
    if state["searched"] or sum(item["characters"] for item in state["sources"]) > rooms.batch(
        state["crew"]["window"]
    ):
        return []
    return [
        (1, library.passage(item["name"], n))
        for item in state["sources"]
        for n in range(1, item["passages"] + 1)
    ]


def _missed(library: Library, state: Mapping[str, Any]) -> list[tuple[int, Passage]]:
    """What was chosen for a scout that then gave no answer."""
    read = {_at(item) for item in state["reading"] if item["batch"] not in state["missed"]}
    lost = {_at(item): item["question"] for item in state["reading"] if _at(item) not in read}
    return [(question, library.passage(*at)) for at, question in lost.items()]


def _at(item: Mapping[str, Any]) -> tuple[str, int]:
    return item["document"], item["n"]


def _found(library: Library, state: Mapping[str, Any], wanted: Sequence[Wanted]) -> list[tuple[int, Passage]]:
    """The best passages for each sub-question that nobody has read; each is chosen once."""
    taken = {_at(item) for item in state["reading"]}
    total = sum(item["passages"] for item in state["sources"])
    room = min(MOST, max(FEWEST, int(total * SHARE)))
    share, most = (max(1, count // max(1, len(wanted))) for count in (room, MOST))
    chosen: list[tuple[int, Passage]] = []
    for one in wanted:
        best = _ranked(library, one.queries)
        each = min(most, max(share, HEADS * len(one.queries)))
        fresh = [passage for passage in best if (passage.name, passage.n) not in taken][:each]
        taken.update((passage.name, passage.n) for passage in fresh)
        chosen += [(one.question, passage) for passage in fresh]
    return chosen


def _ranked(library: Library, queries: Sequence[str]) -> list[Passage]:
    """The passages that some queries find, the best first: reciprocal ranks are added up."""
    worth: dict[tuple[str, int], float] = {}
    found: dict[tuple[str, int], Passage] = {}
    for query in queries:
        hits = library.search(query, limit=DEPTH)
        for rank, hit in enumerate(hits):
            if hit.score < FAINT * hits[0].score:
                break
            at = hit.passage.name, hit.passage.n
            worth[at] = worth.get(at, 0.0) + 1 / (_RANK + rank)
            found[at] = hit.passage
    order = sorted(worth, key=lambda at: (-worth[at], at))
    return [found[at] for at in order]


def _batched(chosen: Sequence[tuple[int, Passage]], state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The passages as a reading list, divided into batches of about the same length."""
    total = sum(len(passage.text) for _, passage in chosen)
    scouts = len(state["crew"]["scouts"])
    most = rooms.batch(state["crew"]["window"])
    wished = max(ceil(total / most), min(scouts, total // THIN), 1)
    first = 1 + (state["reading"][-1]["batch"] if state["reading"] else 0)
    before, reading, kept = 0, [], dict[int, int]()
    for question, passage in chosen:
        length = len(passage.text)
        part = int((before + length / 2) * wished / total)
        batch = kept.setdefault(part, first + len(kept))
        before += length
        reading.append(
            {
                "document": passage.name,
                "n": passage.n,
                "place": passage.place,
                "question": question,
                "batch": batch,
                "size": len(passage.text.encode()),
            }
        )
    return reading
