"""What `dissensus research` does, from what a user wishes to a report, or to the command that goes on."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from dissensus.cli.border import program, situation
from dissensus.cli.errors import Misuse
from dissensus.cli.graphs import note_run
from dissensus.cli.output import note
from dissensus_agents.errors import RoundParked, RoundVoid
from dissensus_state.errors import DissensusError, LeaseLost, NotFound, ValueRefused
from dissensus_state.records import Budget
from dissensus_state.shapes import shape_of

from . import money, seating
from .crew import Staff, reseated, staff
from .display import Display
from .investigation import Outcome, begin, go_on, known
from .progress import Meter
from .publishing import prepare, publish
from .result import show_result
from .schema import Research
from .signing import sign
from .sources import changed
from .study import GRAPH

if TYPE_CHECKING:
    from dissensus_state.sessions import Session
    from dissensus_state.store import Store


ANEW = "To ask anew, add --session with another name."


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user asks for on the command line."""

    question: str | None = None
    sources: Sequence[str] = ()
    models: Sequence[str] = field(default_factory=list)
    supervisor: str | None = None
    budget: str | None = None
    unpriced: Literal["refuse", "allow"] | None = None
    approve: bool = False
    resume: bool = False
    report: bool = False
    scouts: int | None = None
    passes: int = 2
    out: str = "."
    session: str | None = None


def carry_out(store: Store, wish: Wish, database: str, *, as_json: bool) -> int:
    """Begin a session or go on with one, up to its report.

    Args:
        database: How the user named the database, for the commands that are shown.

    Returns:
        0, when the report is written.

    Raises:
        DissensusError: what was acknowledged is kept, and `situation().again` goes on.
    """
    found = _found(store, wish)
    prepare(Path(wish.out))
    if wish.report or (found is not None and found.state.phase == "closed"):
        return _written_again(found, wish, database, as_json=as_json)
    if found is None:
        chosen = _hired(wish)
        found = begin(
            store,
            wish.question or "",
            _sources(wish),
            chosen,
            _budget(wish, chosen),
            wish.passes,
            wish.session,
        )
        note(f"session {found.name}: {chosen.planner.name} plans, {_names(chosen)} read and judge")
    else:
        chosen = _taken_up(found, wish)
    note_run(found, GRAPH)
    situation().again = again(database, found.name, wish.out)
    try:
        outcome = _run(found, chosen, wish, database)
    except LeaseLost:
        raise
    except DissensusError as error:
        if situation().again not in error.next_step:
            then = f"Then go on with `{situation().again}`"
            error.next_step = f"{error.next_step}. {then}" if error.next_step else then
        raise
    return show_result(outcome, database, as_json=as_json)


def again(database: str, session: str, out: str) -> str:
    """The command that goes on with a session."""
    tenant = situation().tenant
    words = ["research", "--resume", "-d", shown(database), "-s", session]
    words += ["--out", out] if out != "." else []
    words += ["--tenant", tenant] if tenant else []
    return f"{program()} {shlex.join(words)}"


def shown(database: str) -> str:
    """A database as a command takes it, without its password."""
    from dissensus_state.addresses import to_copy
    from dissensus_state.engines import read_url

    return to_copy(read_url(database)) if "://" in database else database


def _found(store: Store, wish: Wish) -> Session[Research] | None:
    """The session that is meant, if it was begun."""
    if wish.question is not None:
        found = known(store, wish.question, wish.session, wish.sources)
        if found is None and wish.session in {info.name for info in store.sessions()}:
            raise Misuse(
                f"The session {wish.session!r} is over another question or other sources",
                next_step="Leave the question out to go on with it, or give another --session",
            )
        if found is None and (wish.resume or wish.report):
            raise NotFound(
                "This question was not begun in this database", next_step="Leave out --resume to begin"
            )
        return found
    if wish.session is not None:
        return store.session(wish.session, Research)
    return _only(store, unfinished=not wish.report)


def _only(store: Store, *, unfinished: bool) -> Session[Research]:
    """The one session that can be meant where none is named."""
    shape = shape_of(Research)
    all_of_them = [
        store.session(info.name, Research) for info in store.sessions() if shape.is_named(info.schema)
    ]
    left = [one for one in all_of_them if (one.state.phase != "closed") == unfinished]
    if len(left) == 1:
        return left[0]
    what = "unfinished" if unfinished else "finished"
    names = ", ".join(one.name for one in left[-10:])
    raise NotFound(
        f"There are {len(left)} {what} research sessions" + (f": {names}" if names else ""),
        next_step="Name one with --session"
        if left
        else 'Begin one: dissensus research "QUESTION" --sources FOLDER',
    )


def _hired(wish: Wish) -> Staff:
    """Who is to work on a new question."""
    _sources(wish)
    chosen = staff(
        wish.models or seating.models_here(), wish.supervisor, scouts=wish.scouts, approve=wish.approve
    )
    _check_prices(chosen, wish.unpriced)
    return chosen


def _check_prices(chosen: Staff, policy: object) -> None:
    """Refuse models of unknown price where nobody said that they may be asked all the same."""
    unknown = seating.unpriced(chosen.models)
    if unknown and policy in {None, "refuse"}:
        raise Misuse(
            f"The price of {', '.join(unknown)} is unknown, so no budget can hold it",
            next_step="Add --unpriced allow to go on without knowing, or give its price in dissensus.toml",
        )


def _sources(wish: Wish) -> Sequence[str]:
    if not wish.sources:
        raise Misuse("There is nothing to read", next_step="Name a folder or files with --sources")
    for path in wish.sources:
        if not path.strip():
            raise Misuse("One of the --sources is empty", next_step="Name a folder or a file")
        if not Path(path).expanduser().exists():
            raise NotFound(f"There is no folder or file {path}", next_step="Correct --sources")
    return wish.sources


def _budget(wish: Wish, chosen: Staff) -> Budget:
    """What a new session may spend; whoever asks paid models says how much."""
    policy = wish.unpriced or "refuse"
    if wish.budget is not None:
        return Budget(usd=_dollars(wish.budget), unpriced=policy)
    priced = [model for model in chosen.models if model.price is not None]
    if seating.are_free(priced):
        return Budget(unpriced=policy)
    needed = max(0.01, money.least(chosen) / 1e9)
    if not _talks():
        raise Misuse(
            "These models cost money, and no budget was given",
            next_step=f"Add --budget USD; at least {needed:.2f} has to be reserved for an answer",
        )
    said = click.prompt(f"What may it spend, in US dollars (at least {needed:.2f})", err=True)
    return Budget(usd=_dollars(str(said)), unpriced=policy)


def _dollars(said: str) -> str:
    """An amount of money as people write it: `2`, `0.50`, `$2`."""
    amount = said.strip().lstrip("$")
    try:
        Budget(usd=amount)
    except ValueRefused as error:
        raise Misuse(error.message, next_step="Give --budget an amount like 2 or 0.50") from error
    return amount


def _taken_up(session: Session[Research], wish: Wish) -> Staff:
    """Who goes on with a session, and what there is to say about that."""
    state = session.state
    chosen = reseated(state.crew, wish.models, wish.supervisor)
    chosen = replace(chosen, approve=chosen.approve or wish.approve)
    if wish.scouts not in {None, len(state.crew.scouts)}:
        note(f"--scouts {wish.scouts} is not heeded: it was begun with {len(state.crew.scouts)}. {ANEW}")
    _check_prices(chosen, wish.unpriced or session.budget.unpriced)
    if wish.budget is not None:
        session.set_budget(_dollars(wish.budget))
    if wish.unpriced is not None:
        session.change_budget(lambda now: replace(now, unpriced=wish.unpriced or now.unpriced))
    note(f"session {session.name} goes on at version {session.head}: {_names(chosen)}")
    _note_changes(session)
    return chosen


def _note_changes(session: Session[Research]) -> None:
    """Say which files are not what they were; the session keeps to what it has taken in."""
    state = session.state
    if state.sources and (differ := changed(session, [Path(path) for path in state.folders])):
        note(f"{differ}; the session keeps to the files as they were. {ANEW}")


def _names(chosen: Staff) -> str:
    return ", ".join(dict.fromkeys(model.name for model in (*chosen.scouts, *chosen.panel)))


def _talks() -> bool:
    """Whether somebody sits there who can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _run(session: Session[Research], chosen: Staff, wish: Wish, database: str) -> Outcome:
    """Run it, and let a person sign where one has to and sits there."""
    while True:
        with Display(Meter(session, chosen)) as display:
            outcome = asyncio.run(
                go_on(
                    session,
                    chosen,
                    out=wish.out,
                    heard=display.heard,
                    database=shown(database),
                    tenant=situation().tenant,
                )
            )
        if outcome.status == "rejected":
            raise RoundVoid(
                "The supervisor let no position of the panel stand",
                next_step=f"See why with `dissensus disagreements {_where(session, database)}`; "
                f"`{situation().again}` asks the panel again",
                session=session.name,
            )
        if outcome.parked is None:
            return outcome
        if not (_talks() and sign(session, outcome.parked)):
            raise _parked(session, outcome.parked, database)


def _where(session: Session[Research], database: str) -> str:
    """The options by which any command finds a session."""
    tenant = situation().tenant
    words = ["-d", shown(database), "-s", session.name, *(["--tenant", tenant] if tenant else [])]
    return shlex.join(words)


def _parked(session: Session[Research], number: int, database: str) -> RoundParked:
    where = _where(session, database)
    rule = f"dissensus rule {number} uphold --position A --reason … {where}"
    see, then = f"dissensus disagreements {where}", situation().again
    return RoundParked(
        "The conclusion waits for your ruling",
        next_step=f"See `{see}`; rule with `{rule}`; then go on with `{then}`",
        session=session.name,
        round=number,
    )


def _written_again(found: Session[Research] | None, wish: Wish, database: str, *, as_json: bool) -> int:
    if found is None or found.state.phase != "closed":
        raise NotFound("The session is not finished, so there is no report", next_step="Go on with --resume")
    if not wish.report:
        note(
            f"This was answered before, in the session {found.name}: here it is again, without a call. {ANEW}"
        )
        _note_changes(found)
    files = publish(found, Path(wish.out), shown(database), situation().tenant)
    return show_result(Outcome(found, "closed", files=files), database, as_json=as_json)
