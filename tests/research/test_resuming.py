"""A demo that is stopped, at one moment after another, ends as if nobody had touched it."""

from __future__ import annotations

import re
import signal
from collections import Counter

import pytest

from dissensus.research import demo, script
from dissensus.research.incident import Incident, incident_graph, opening
from dissensus_state.records import Budget, Call
from dissensus_state.sessions import Session
from dissensus_state.store import Store

MOMENTS = (
    ("database:", signal.SIGINT),
    ("gather:", signal.SIGKILL),
    ("ben answers", signal.SIGINT),
    ("version 2 is committed", signal.SIGKILL),
    ("ben answers", signal.SIGKILL),
    ("ana answers", signal.SIGINT),
    ("they disagree", signal.SIGKILL),
    ("chair reads", signal.SIGINT),
    ("chair rules", signal.SIGKILL),
)
"""What the demo has just said when it is stopped, and how; each run goes on where the last one was."""

INTERRUPTED = 130


async def undisturbed() -> object:
    """What the session comes to if nothing happens to it."""
    with Store.open("sqlite://") as store:
        session = store.create(opening(), budget=Budget(usd=1))
        await incident_graph(script.panel(), script.chair()).run(session)
        return session.raw()


def answered(session: Session[Incident]) -> dict[tuple[int, str], tuple[str | None, int]]:
    """The answers that are recorded, with the moment at which each was asked for."""
    calls = [call for item in session.rounds() for call in session.round(item.round)[2]]
    seats = Counter(_seat(call) for call in calls if call.status == "answered")
    assert set(seats.values()) <= {1}, f"bought twice: {seats}"
    return {_seat(call): (call.answer, call.sent_at) for call in calls if call.status == "answered"}


def told(database: str) -> str:
    """What whoever presses Ctrl-C is told."""
    where = demo.address(database)
    return (
        f"interrupted: everything acknowledged is kept in {where}; "
        f"dissensus demo --database {where} goes on from there"
    )


def _seat(call: Call) -> tuple[int, str]:
    return call.round, call.agent


def recorded(url: str) -> dict[tuple[int, str], tuple[str | None, int]]:
    with Store.open(url) as store:
        return answered(store.session(None, Incident)) if store.sessions() else {}


@pytest.mark.slow
async def test_g11_a_demo_stopped_again_and_again_buys_nothing_twice_and_ends_the_same(
    on_a_terminal, dissensus, database_url: str
) -> None:
    before: dict[tuple[int, str], tuple[str | None, int]] = {}
    for moment, how in MOMENTS:
        ended = on_a_terminal("demo", "-d", database_url, until=moment, signal=how)
        killed = how == signal.SIGKILL
        assert ended.code == (-how if killed else INTERRUPTED), ended
        assert ended.err.strip() == ("" if killed else told(database_url))
        now = recorded(database_url)
        assert before.items() <= now.items(), "what was recorded before is what it was"
        before = now
    said = dissensus("demo", "-d", database_url).out
    assert "resuming at round 3, conclude" in said
    with Store.open(database_url) as store:
        session = store.session(None, Incident)
        assert session.raw() == await undisturbed()
        assert len(answered(session)) == 8
        assert [commit.version for commit in session.log()] == [3, 2, 1, 0]
        assert len(session.rounds()) == 3
        assert session.verify().versions == 4
        assert (await incident_graph(script.panel(), script.chair()).replay(session)).calls == 0


def test_what_was_on_its_way_when_a_demo_was_stopped_is_charged_and_said(
    on_a_terminal, dissensus, database_url: str
) -> None:
    on_a_terminal("demo", "-d", database_url, until="ben answers", signal=signal.SIGKILL)
    said = dissensus("demo", "-d", database_url).out
    assert re.search(r"resuming at round 2, gather: \d answers? recorded, not to be bought again", said)
    assert re.search(
        r"\d calls? without an answer when a run was stopped, charged in full: \$0\.0[1-9]", said
    )


def test_whoever_presses_ctrl_c_is_told_with_which_command_it_goes_on(on_a_terminal, tmp_path) -> None:
    ended = on_a_terminal("demo", until="ben answers", signal=signal.SIGINT)
    assert ended.code == INTERRUPTED
    assert ended.err.strip() == told("dissensus-demo.db")
    again = on_a_terminal("demo", "--database", "dissensus-demo.db")
    assert "ben answers (scripted:quill-small, recorded before, not asked again)" in again.plain
    assert [path.name for path in tmp_path.glob("*.db")] == ["dissensus-demo.db"]
