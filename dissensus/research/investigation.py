"""A research session from its question to its report: begun, gone on with, and published.

A session that was stopped, by anything and anywhere, goes on from its records. When the money for
reading is used up, it concludes from what has been found so far.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from dissensus_agents.crossing import aside
from dissensus_agents.running import Progress
from dissensus_state.errors import BudgetExceeded
from dissensus_state.journal import Journal
from dissensus_state.records import Budget, Round
from dissensus_state.sessions import Session
from dissensus_state.shapes import shape_of
from dissensus_state.store import Store

from . import money
from .crew import ModelLike, Staff, reseated, staff
from .schema import Research
from .sources import check_some, folders, take_in
from .study import research_graph

if TYPE_CHECKING:
    from .publishing import Files

Heard: TypeAlias = Callable[[Progress], None]
Status = Literal["closed", "parked", "rejected"]

PASSES = 2

LONGEST_NAME = 40
"""Characters of a session's name that is made from its question."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far an investigation has come.

    `closed`: the report is written. `parked`: the round `parked` waits for a person's ruling.
    `rejected`: the supervisor let no position stand; going on asks the panel again.
    """

    session: Session[Research]
    status: Status
    parked: int | None = None
    files: Files | None = None


async def investigate(
    question: str,
    sources: str | Path | Iterable[str | Path],
    *,
    models: Sequence[ModelLike],
    supervisor: ModelLike | None = None,
    store: Store,
    budget: Budget | None = None,
    scouts: int | None = None,
    passes: int = PASSES,
    approve: bool = False,
    session: str | None = None,
    out: str | Path | None = None,
    heard: Heard | None = None,
) -> Outcome:
    """Answer a question from a folder of sources, or go on where the same question was left.

    Args:
        question: What is to be answered.
        sources: A folder or a file, or several of them.
        models: Models or their names; the panel has one seat for each.
        supervisor: Who plans and rules; by default one of the models, of another lineage if there is one.
        store: Where the session is kept.
        budget: What it may spend; none, if it is not given.
        scouts: How many models read side by side.
        passes: How often the index is searched; the later passes follow up what the earlier ones lack.
        approve: A person signs the ruling: the session is parked until then.
        session: Its name; by default one made from the question.
        out: The folder that the report is written to; without one, none is written.
        heard: Called with everything that happens.

    Raises:
        DissensusError: what was acknowledged is kept; the same call goes on.
    """
    found = await aside(known, store, question, session, sources)
    if found is None:
        chosen = staff(models, supervisor, scouts=scouts, approve=approve)
        found = await aside(begin, store, question, sources, chosen, budget, passes, session)
    else:
        chosen = reseated(found.state.crew, models, supervisor)
    return await go_on(found, chosen, out=out, heard=heard)


def begin(
    store: Store,
    question: str,
    sources: str | Path | Iterable[str | Path],
    chosen: Staff,
    budget: Budget | None = None,
    passes: int = PASSES,
    name: str | None = None,
) -> Session[Research]:
    """A new session over a question; nothing is read or asked yet.

    Raises:
        BudgetExceeded: no answer can come of so little.
        NoSources: there is not a single file.
        Conflict: there is a session of that name.
    """
    money.check_budget(budget.nano if budget else None, chosen)
    given = folders(sources)
    check_some(given)
    state = Research(
        question=_one_line(question),
        folders=[str(path) for path in given],
        crew=chosen.seats,
        passes=passes,
    )
    taken = {info.name for info in store.sessions()}
    return store.create(state, name=name or free_name(question, taken), budget=budget)


def free_name(question: str, taken: Container[str]) -> str:
    """A name for a session over a question that no other has."""
    words = re.findall(r"[a-z0-9]+", question.lower())
    kept = list(accumulate(words, "{}-{}".format))
    short = next((name for name in reversed(kept) if len(name) <= LONGEST_NAME), "research")
    names = (short if n == 1 else f"{short}-{n}" for n in count(1))
    return next(name for name in names if name not in taken)


def known(
    store: Store,
    question: str,
    name: str | None = None,
    sources: str | Path | Iterable[str | Path] | None = None,
) -> Session[Research] | None:
    """The newest session over this question, or the one of that name; None if there is none.

    Args:
        sources: Over these alone; None: whatever it was begun over.
    """
    asked, wanted = _one_line(question), [str(path) for path in folders(sources or ())]
    for info in reversed(store.sessions()):
        if name not in {None, info.name} or not shape_of(Research).is_named(info.schema):
            continue
        session = store.session(info.name, Research)
        state = session.state
        if state.question == asked and wanted in ([], state.folders):
            return session
    return None


def _one_line(question: str) -> str:
    return " ".join(question.split())


async def go_on(
    session: Session[Research],
    chosen: Staff,
    *,
    out: str | Path | None = None,
    heard: Heard | None = None,
    database: str | None = None,
    tenant: str | None = None,
) -> Outcome:
    """Run a session from where it stands to its report."""
    parked = None
    await aside(take_in, session, [Path(path) for path in session.state.folders])
    if session.state.phase != "closed":
        parked = await _run(session, chosen, heard or _unheard)
    state = await aside(lambda: session.state)
    if parked is not None:
        return Outcome(session, "parked", parked)
    if state.phase == "judging" and state.standing:
        return Outcome(session, "rejected")
    from .publishing import publish

    files = await aside(publish, session, Path(out) if out is not None else None, database, tenant)
    return Outcome(session, "closed", files=files)


def _unheard(_: Progress) -> None:
    """Nobody listens."""


async def _run(session: Session[Research], chosen: Staff, heard: Heard) -> int | None:
    """Run the graph; the round that waits for a person, if one does."""
    graph = research_graph(session, chosen)
    start = await aside(_beginning, session)
    while True:
        parked = None
        try:
            async for event in graph.stream(session, start=start):
                heard(event)
                parked = event.round if event.kind == "parked" else parked
        except BudgetExceeded:
            if not await aside(_may_conclude, session):
                raise
            start = "enough"
        else:
            return parked


def _beginning(session: Session[Research]) -> str | None:
    """Where to begin, if not where the session was left: a panel that was rejected is asked again."""
    last = _last_round(session)
    return "conclude" if last and last.step == "conclude" and last.status == "rejected" else None


def _last_round(session: Session[Research]) -> Round | None:
    rounds = session.rounds()
    return rounds[-1] if rounds else None


def _may_conclude(session: Session[Research]) -> bool:
    """Whether a session without money for reading can still conclude; a round that is open is closed."""
    state = session.state
    if state.phase != "gathering" or not state.standing:
        return False
    last = _last_round(session)
    if last is not None and not last.settled:
        why = {
            "void": [{"code": BudgetExceeded.code, "message": "The share of the budget for reading is used"}]
        }
        Journal(session).close(last, "void", why=why)
    return True
