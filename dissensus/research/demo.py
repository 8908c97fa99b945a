"""`dissensus demo`: one session from end to end, on scripted models and by the ordinary path."""

from __future__ import annotations

import asyncio
import shlex
import sys
from itertools import count
from pathlib import Path

from dissensus.cli import texts
from dissensus.cli.blocks import Block, Line, plain
from dissensus.cli.border import program
from dissensus.cli.graphs import note_run
from dissensus.cli.output import colours, write
from dissensus_agents.graph import AgentGraph
from dissensus_state.addresses import to_copy
from dissensus_state.engines import read_url
from dissensus_state.errors import DatabaseFailed, located
from dissensus_state.records import Budget, Round
from dissensus_state.sessions import Session
from dissensus_state.shapes import shape_of
from dissensus_state.store import Store

from . import answer, script
from .incident import Incident, incident_graph, opening
from .telling import Teller, wrapped

NAME = "demo"
FILE = "dissensus-demo"
GRAPH = "dissensus.research.demo:graph"
LIMIT = Budget(usd=1)
DELAY = 0.5
"""Seconds that a scripted model takes where somebody watches."""

ABOUT = (
    "Four agents analyse an incident over four documents, and a supervisor rules on what they do not "
    "agree on. The models are scripted: what they say was written for this demo, and their lineages and "
    "prices are invented. All else is the ordinary path: no key, no network."
)
COMMANDS = ("log", f"blame {answer.CAUSE}", "disagreements", "replay", "verify")


def main(database: str | None = None, tenant: str | None = None) -> int:
    """Run the demo, go on with one that was stopped, or show what a finished one has left.

    Args:
        database: A SQLite file or a URL; by default a new file in the current folder.
        tenant: Whose session it becomes, where PostgreSQL keeps tenants apart.

    Returns:
        0.

    Raises:
        DissensusError: what it says; what was acknowledged is kept.
    """
    chosen = database or free_file()
    delay = DELAY if sys.stdout.isatty() else 0.0
    again = resuming(chosen, tenant)
    with located(resume=again), Store.open(chosen, tenant=tenant) as store:
        session, is_new = _session(store)
        where = Line(f"database: {address(chosen)}", "dim")
        _show([Line("dissensus demo", "bold"), wrapped(ABOUT, 0), where])
        if session.state.verdict is None:
            note_run(session, GRAPH)
            asyncio.run(_watch(graph(delay), session, is_new=is_new))
        else:
            _show([Line(), Line("This demo has finished before; here is its result.", "yellow")])
        _show([*answer.page(session), *_next(store, session, _chosen(chosen, tenant))])
    return 0


def graph(delay: float = 0.0) -> AgentGraph:
    """The demo's graph, as `rerun` and `replay` find it; its models take about `delay` seconds."""
    return incident_graph(script.panel(delay), script.chair(delay))


def free_file() -> str:
    """A new file in the current folder, so that what an earlier demo left stays as it is.

    Raises:
        DatabaseFailed: nothing can be written there.
    """
    names = (f"{FILE}.db" if number == 1 else f"{FILE}-{number}.db" for number in count(1))
    return next(name for name in names if _made(Path(name)))


def _made(path: Path) -> bool:
    """Whether the file was not there, and now is: two demos that begin at once get one each."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError as error:
        raise DatabaseFailed(
            f"{path} cannot be made in the current folder: {error.strerror}",
            next_step="Name a file somewhere else with --database",
        ) from error
    return True


def address(database: str) -> str:
    """A database as a command takes it, without its password.

    Raises:
        DatabaseFailed: it is none.
    """
    return shlex.quote(to_copy(read_url(database)) if "://" in database else database)


def resuming(database: str, tenant: str | None = None) -> str:
    """The command that goes on with a demo that was stopped."""
    return f"{program()} demo --database {_chosen(database, tenant)}"


def _chosen(database: str, tenant: str | None) -> str:
    """A database and its tenant as a command takes them."""
    return address(database) + (f" --tenant {shlex.quote(tenant)}" if tenant else "")


def _session(store: Store) -> tuple[Session[Incident], bool]:
    """The newest demo in the database, or a new one; and whether it is new."""
    found = store.sessions()
    ours = [info.name for info in found if info.schema == shape_of(Incident).name]
    if ours:
        return store.session(ours[-1], Incident), False
    name = None if NAME in {info.name for info in found} else NAME
    return store.create(opening(), name=name, budget=LIMIT), True


async def _watch(steps: AgentGraph, session: Session[Incident], *, is_new: bool) -> None:
    """Run the graph from where the session stands, and show what happens as it happens."""
    teller = Teller(session) if is_new else _taken_up(session)
    async for event in steps.stream(session):
        _show(teller.tell(event))


def _taken_up(session: Session[Incident]) -> Teller:
    """Say where the session goes on; what is recorded there is not asked for again."""
    left = next((item for item in reversed(session.rounds()) if not item.settled), None)
    known = _recorded(session, left) if left else frozenset()
    where = f"round {left.round}, {left.step}" if left else f"version {session.head}"
    answers = f": {texts.count(len(known), 'answer')} recorded, not to be bought again" if left else ""
    _show([Line(), Line(f"resuming at {where}{answers}", "yellow")])
    return Teller(session, known)


def _recorded(session: Session[Incident], left: Round) -> frozenset[tuple[int, str]]:
    calls = session.round(left.round)[2]
    return frozenset((left.round, call.agent) for call in calls if call.status == "answered")


def _next(store: Store, session: Session[Incident], chosen: str) -> list[Block]:
    """The commands to go on with, ready to be copied."""
    if store.database.in_memory:
        return []
    alone = len(store.sessions()) == 1
    options = f"-d {chosen}" if alone else f"-d {chosen} -s {shlex.quote(session.name)}"
    commands = (Line(f"{program()} {command} {options}", "cyan", 2) for command in COMMANDS)
    return [Line(), Line("To look into it", "bold"), *commands]


def _show(blocks: list[Block]) -> None:
    if blocks and colours():
        from dissensus.cli.terminal import coloured

        write(coloured(blocks))
    elif blocks:
        write(plain(blocks))
