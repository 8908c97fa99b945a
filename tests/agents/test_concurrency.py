"""G2: what becomes of a round when somebody else commits between its reading and its commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_state.errors import Conflict
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from panels import Case, agent, cause, happened, kinds, one_step, told, upholds, voice


def meanwhile(session: Session[Any], said: Any, *writes: Callable[[Any], None]) -> Agent:
    """An agent who reads the log, and before whose n-th answer the user writes something."""

    def answer(_: Any) -> Any:
        if writes and len(voice(one).asked) <= len(writes):
            with session.transaction("user") as transaction:
                writes[len(voice(one).asked) - 1](transaction)
        return said

    one = agent("ana", answer, prompt=lambda view: view.part("/documents/log"))
    return one


async def test_g02_a_round_whose_reading_has_changed_is_begun_again_on_the_new_snapshot(
    session: Session[Case],
) -> None:
    ana = meanwhile(session, cause("disk"), lambda tx: tx.set("/documents/log", "12:00 the fan stops"))

    progress = await told(one_step([ana]), session)

    (conflict,) = (item for item in progress if item.kind == "conflict")
    assert conflict.body["message"] == "user changed /documents/log in version 1"
    assert (conflict.body["expected"], conflict.body["actual"]) == (0, 1)
    assert "12:00 the fan stops" in voice(ana).asked[1].prompt
    first, second = session.rounds()
    assert (first.status, first.base, second.status, second.base) == ("void", 0, "committed", 1)
    assert happened(session, "conflict")[0]["other"] == "user"
    assert session.commit_at(2).author == "ana"


async def test_g02_a_step_is_begun_again_only_so_often_and_the_next_run_goes_on(
    session: Session[Case],
) -> None:
    writes = [lambda tx, n=n: tx.set("/documents/log", f"version {n}") for n in range(5)]
    ana = meanwhile(session, cause("disk"), *writes)
    graph = one_step([ana], again=2)

    with pytest.raises(Conflict, match="user changed /documents/log in version 3") as raised:
        await graph.run(session)

    assert raised.value.exit_code == 4
    assert [item.status for item in session.rounds()] == ["void"] * 3
    await graph.run(session, start=None)
    assert session.commit_at(session.head).author == "ana"


async def test_g02_a_commit_that_touches_nothing_of_the_round_is_rebased_over(session: Session[Case]) -> None:
    ana = meanwhile(session, cause("disk"), lambda tx: tx.set("note", "elsewhere"))

    progress = await told(one_step([ana]), session)

    assert kinds(progress).count("round") == 1
    commit = session.commit_at(2)
    assert (commit.author, commit.base, commit.version) == ("ana", 0, 2)
    assert (session.state.note, session.raw()["verdict"]["cause"]) == ("elsewhere", "disk")


async def test_g02_additions_on_both_sides_commute_and_both_stand(session: Session[Case]) -> None:
    ana = meanwhile(session, {"findings": ["hers"]}, lambda tx: tx.append("findings", "theirs"))

    await one_step([ana], ["findings"]).run(session)

    assert session.state.findings == ["theirs", "hers"]
    assert len(session.rounds()) == 1


async def test_g02_additions_to_what_was_read_are_begun_again(session: Session[Case]) -> None:
    def answer(_: Any) -> Any:
        if len(voice(ana).asked) == 1:
            session.transact(lambda tx: tx.append("findings", "theirs"), "user")
        return {"findings": ["hers"]}

    ana = agent("ana", answer, prompt=lambda view: view.part("/findings"))

    await one_step([ana], ["findings"]).run(session)

    assert session.state.findings == ["theirs", "hers"]
    assert [item.status for item in session.rounds()] == ["void", "committed"]


async def test_g02_a_snapshot_step_keeps_its_paid_answer_and_the_history_says_what_it_had_not_seen(
    session: Session[Case],
) -> None:
    ana = meanwhile(session, {"findings": ["hers"]}, lambda tx: tx.set("/documents/log", "new"))

    await one_step([ana], ["findings"], isolation="snapshot").run(session)

    commit = session.commit_at(2)
    assert (commit.isolation, commit.base, commit.reads) == ("snapshot", 0, ("/documents/log",))
    assert (session.state.findings, len(session.rounds())) == (["hers"], 1)
    assert session.verify().versions == 3


async def test_g02_a_snapshot_step_still_conflicts_where_both_write_one_place(session: Session[Case]) -> None:
    ana = meanwhile(session, cause("disk"), lambda tx: tx.set("verdict", {"cause": "mine"}))

    await one_step([ana], isolation="snapshot").run(session)

    assert [item.status for item in session.rounds()] == ["void", "committed"]
    assert session.raw(2)["verdict"]["cause"] == "disk"


async def test_g05_a_ruling_is_not_carried_over_to_the_round_that_repeats_a_conflict(
    session: Session[Case],
) -> None:
    calls: list[int] = []

    def chair(review: Any) -> Any:
        calls.append(session.head)
        if len(calls) == 1:
            session.transact(lambda tx: tx.set("/documents/log", "new"), "user")
        return upholds("disk")(review)

    agents = [
        agent(name, cause(said), prompt=lambda view: view.part("/documents/log"))
        for name, said in (("a", "disk"), ("b", "net"))
    ]

    await one_step(agents, supervisor=Supervisor(chair)).run(session)

    assert calls == [0, 1]
    assert [len(session.round(number)[3]) for number in (1, 2)] == [1, 1]
    assert session.round(1)[3][0].binding != session.round(2)[3][0].binding
    assert session.commit_at(2).base == 1


async def test_g02_two_sessions_of_one_store_do_not_touch_each_other(store: Store) -> None:
    one, other = store.create(Case(), name="one"), store.create(Case(), name="other")
    ana = meanwhile(other, cause("disk"), lambda tx: tx.set("/documents/log", "new"))

    await one_step([ana]).run(one)

    assert (len(one.rounds()), one.head, other.head) == (1, 1, 1)
