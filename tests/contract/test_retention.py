"""What is let go is said beforehand: values of old versions, snapshots, raw bodies; and what it all takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from by_hand import answered, begun, change, intent, proposes
from dissensus_state import tables
from dissensus_state.blobs import dereference, get, is_gone, named, pack, put, unpack_text
from dissensus_state.errors import Conflict, Denied, NotFound, Pruned, Refused, Tampered
from dissensus_state.journal import Journal
from dissensus_state.pruning import PrunePlan, _emptied
from dissensus_state.records import Call, Round
from dissensus_state.rights import Rights
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store
from erasing import CANARY, standing
from inquiries import Finding, Inquiry, Notes, does
from tampering import changed, rows

PAGE = "x" * 1000


@pytest.fixture
def long(own_store: Store) -> Session[Notes]:
    """A session of 60 versions and several snapshots, with a value of version 3 that still stands at 10."""
    session = own_store.create(Notes(), name="long")
    for number in range(1, 61):
        if number == 3:
            session.transact(does("set", "anything", CANARY), "ana")
        elif number == 15:
            session.transact(does("set", "anything", "something else"), "ben")
        else:
            session.transact(does("append", "lines", f"{number} {PAGE}"), "ana")
    return session


def states(session: Session[Any], first: int = 0) -> dict[int, Any]:
    return {version: session.raw(version) for version in range(first, session.head + 1)}


def pruned(session: Session[Any], before: int, **options: Any) -> Any:
    return session.prune(session.plan_prune(before, **options), author="chair")


def test_g08_after_pruning_later_versions_are_what_they_were_and_the_chain_verifies(
    long: Session[Notes],
) -> None:
    before, hashes = states(long, 20), [commit.hash for commit in long.log(100)]
    done = pruned(long, 20)
    assert (done.commits, done.commit.author, done.commit.patch) == (20, "chair", ())
    assert {version: long.raw(version) for version in before} == before
    assert [commit.hash for commit in long.log(100)][1:] == hashes
    found = long.verify()
    assert (found.versions, found.pruned) == (62, 28)
    assert standing(long) == []
    assert long.replay().versions == 42
    assert [commit.version for commit, _ in long.versions()][:2] == [20, 21]
    assert long.branches()[0].pruned == 20
    for number in range(30):
        long.transact(does("append", "lines", f"{number} {PAGE}"), "ben")
    assert long.verify().versions == 92


LOST: dict[str, Callable[[Session[Notes]], Any]] = {
    "at": lambda session: session.at(19),
    "raw": lambda session: session.raw(0),
    "diff": lambda session: session.diff(5, 30),
    "fork": lambda session: session.fork("late", 19),
    "revert": lambda session: session.revert(19, author="ana"),
    "blame below": lambda session: session.blame("/anything", 19),
    "blame of what was written below": lambda session: session.blame("/lines/2"),
    "redact below": lambda session: session.redact("/text", 19, author="chair", reason="x"),
}


@pytest.mark.parametrize("what", LOST)
def test_what_the_plan_says_is_lost_is_refused_and_says_from_where_on_the_history_is_there(
    long: Session[Notes], what: str
) -> None:
    pruned(long, 20)
    with pytest.raises(Pruned) as caught:
        LOST[what](long)
    assert (caught.value.code, caught.value.exit_code) == ("version.pruned", 3)
    assert "20" in caught.value.message
    assert long.blame("/lines/30").commit.version > 20
    assert long.head == 61


def test_a_plan_says_in_sentences_what_will_no_longer_be_possible_and_does_nothing(
    long: Session[Notes],
) -> None:
    long.tag("first", 5)
    head = long.head
    plan = long.plan_prune(20)
    assert (plan.commits, plan.snapshots >= 1, plan.forbidden_by, plan.closed) == (20, True, (), ())
    assert plan.characters > 17_000
    told = " ".join(plan.losses)
    for word in ("diff", "blame", "replay", "bisect", "forked", "reverted", "merge", "admission", "'first'"):
        assert word in told
    assert long.head == head
    assert long.raw(0)["lines"] == []
    assert json.dumps(plan.as_dict())


def test_an_open_branch_that_was_forked_below_forbids_it_by_name(long: Session[Notes]) -> None:
    early, late = long.fork("early", 10), long.fork("late", 30)
    plan = long.plan_prune(20)
    assert plan.forbidden_by == ("early",)
    with pytest.raises(Refused, match="early") as caught:
        long.prune(plan, author="chair")
    assert "Close them" in caught.value.next_step
    for number in range(3):
        early.transact(does("set", "a", number), "ben")
    with pytest.raises(Refused, match="main"):
        pruned(early, 12)
    assert late.plan_prune(30).forbidden_by == ("early",)
    assert long.verify().pruned == 0


def test_a_fork_above_stays_whole_and_a_closed_one_below_is_told_to_be_lost(long: Session[Notes]) -> None:
    late, early = long.fork("late", 30), long.fork("early", 10)
    late.transact(does("set", "text", "late"), "ben")
    early.transact(does("set", "text", CANARY), "ben")
    early.close_branch(author="ana")
    plan = long.plan_prune(20)
    assert (plan.forbidden_by, plan.closed) == ((), ("early",))
    assert "'early' can no longer be read at all" in " ".join(plan.losses)
    before = states(late, 20)
    long.prune(plan, author="chair")
    assert {version: late.raw(version) for version in before} == before
    assert standing(long) == []
    for session in (long, late, early):
        assert session.verify().pruned >= 20
    assert late.replay().versions == 12
    with pytest.raises(Pruned, match="'early' rests on versions that were pruned"):
        early.raw()
    with pytest.raises(Pruned):
        early.replay()


@pytest.mark.parametrize("moved", ["fork", "tag", "redaction", "prune"])
def test_a_plan_that_no_longer_says_what_would_happen_is_refused(long: Session[Notes], moved: str) -> None:
    plan = long.plan_prune(20)
    if moved == "fork":
        long.fork("early", 10)
    elif moved == "tag":
        long.tag("first", 5)
    elif moved == "redaction":
        long.redact("/anything", 3, author="chair", reason="x")
    else:
        pruned(long, 10)
    with pytest.raises(Conflict, match="moved on since this was planned"):
        long.prune(plan, author="chair")


def test_a_plan_still_holds_after_commits_that_it_has_nothing_to_do_with(long: Session[Notes]) -> None:
    plan = long.plan_prune(20)
    long.transact(does("set", "a", 7), "ben")
    assert long.prune(plan, author="chair").commits == 20


@pytest.mark.parametrize("before", [0, 61, 999])
def test_there_is_nothing_to_prune_to_where_there_is_no_version(long: Session[Notes], before: int) -> None:
    with pytest.raises(NotFound):
        long.plan_prune(before)


def test_pruning_twice_moves_the_ground_on(long: Session[Notes]) -> None:
    pruned(long, 10)
    assert standing(long)
    done = pruned(long, 40)
    assert done.commits == 30
    assert standing(long) == []
    assert long.verify().pruned > 40
    with pytest.raises(NotFound):
        long.plan_prune(40)


def test_g08_what_a_pruned_history_stands_on_is_held_to_its_digest(long: Session[Notes]) -> None:
    pruned(long, 20)
    (row,) = [row for row in rows(long, tables.snapshots) if row["version"] == 20]
    text = unpack_text(row["state"]).replace(CANARY, "x").replace("something else", "something new!")
    forged = {"state": pack(text.encode()), "size": len(text)}
    with changed(long, tables.snapshots, row, **forged), pytest.raises(Tampered) as caught:
        long.verify()
    assert caught.value.context["version"] == 20
    assert "is not the state that the history was pruned to" in caught.value.message
    with long.database.engine.begin() as connection:
        connection.execute(sa.delete(tables.snapshots))
    with pytest.raises(Tampered) as caught:
        long.verify()
    assert caught.value.context["version"] == 20


def test_g08_a_value_that_is_pruned_beyond_what_was_said_is_found(long: Session[Notes]) -> None:
    pruned(long, 20)
    texts = {row["version"]: row for row in rows(long, tables.commits)}
    assert '"pruned"' in texts[19]["patch"]
    row = texts[30]
    with changed(long, tables.commits, row, patch=_emptied(row["patch"])), pytest.raises(Tampered) as caught:
        long.verify()
    assert caught.value.context["version"] == 30


def test_a_value_that_only_a_pruned_history_holds_can_still_be_redacted(own_store: Store) -> None:
    session = own_store.create(Notes(text="first"))
    session.transact(does("set", "text", CANARY), "ana")
    for number in range(30):
        session.transact(does("append", "lines", f"{number} {PAGE}"), "ana")
    side = session.fork("side", 20)
    pruned(session, 10)
    assert standing(session) == ["snapshots.state"] * len(standing(session)) != []
    done = session.redact("/text", author="chair", reason="asked for")
    assert (done.branch, done.version) == ("main", 10)
    assert standing(session) == []
    for one in (session, side):
        assert one.state.text == "[redacted]"
        assert one.verify().pruned > 0
    session.transact(does("set", "text", "new"), "ana")
    assert session.verify().versions == session.head + 1


def test_the_version_that_the_history_was_pruned_to_can_be_redacted_too(own_store: Store) -> None:
    session = own_store.create(Notes())
    session.transact(does("append", "lines", "one"), "ana")
    session.transact(does("append", "lines", CANARY), "ana")
    session.transact(does("append", "lines", "three"), "ana")
    pruned(session, 2)
    session.redact("/lines/1", author="chair", reason="asked for")
    assert session.state.lines == ["one", "[redacted]", "three"]
    assert standing(session) == []
    assert session.verify().pruned > 0


def asked_with(journal: Journal, prompt: str) -> tuple[Round, list[Call]]:
    """A round whose one agent is asked with this text, after what all are asked with."""
    frame = {"text": "You read logs. " * 20}
    opened = journal.begin(
        "gather", journal.session.head, [replace(intent(), request=[frame, {"text": prompt}])]
    )
    assert opened is not None
    return opened


def test_recordings_of_the_rounds_before_go_only_where_that_is_asked_for(own_store: Store) -> None:
    session = own_store.create(Inquiry())
    journal = Journal(session)
    prompts = ["Read the log. " * 20, "Read the log. " * 20, "Read the other log. " * 20]
    for number, prompt in enumerate(prompts):
        round_, sent = asked_with(journal, prompt)
        journal.settle([answered(sent[0], f"answer {number}")])
        made = proposes(session, "ana", findings=[Finding(text=f"found {number}")])
        told = change(session, made, transition="gather", reads=())
        journal.commit(journal.propose(round_, (made,)), told)
    kept = session.plan_prune(3)
    asked = session.plan_prune(3, recordings=True)
    assert (kept.rounds, asked.rounds) == (0, 2)
    assert "2 round(s) is gone" in asked.losses[-1]
    done = session.prune(asked, author="chair")
    assert (done.rounds, done.blobs) == (2, 1)
    told = [(is_gone(row["answer"]), is_gone(row["request"])) for row in rows(session, tables.calls)]
    assert told == [(True, True), (True, True), (False, False)]
    assert session.verify().rounds == 3
    assert session.round(1)[2][0].request[1:] == [{"text": "[redacted]"}]
    # A worker that had its prompt stored before keeps it anew.
    asked_with(journal, prompts[0])
    texts = [row["request"] for row in rows(session, tables.calls)]
    texts += [row["frame"] for row in rows(session, tables.models)]
    with session.reading() as work:
        for name in {name for text in texts for name in named(text)}:
            assert get(work, session.session_id, dereference(name))


def test_g08_what_was_rebased_over_a_pruned_commit_is_not_taken_for_a_conflict(own_store: Store) -> None:
    session = own_store.create(Notes())
    late = session.transaction("ben")
    session.transact(does("merge", "answers", {"x": 1}), "ana")
    late.merge("answers", {"y": 2})
    late.__exit__(None)
    pruned(session, 2)
    assert session.verify().pruned > 0
    assert session.state.answers == {"x": 1, "y": 2}


class Guarded(SharedState):
    """Notes that the chair alone may rule on."""

    a: int = 0

    rights = [Rights("chair", rule="/"), Rights("*", read="/", commit="/")]


def test_g06_only_who_may_rule_on_everything_may_prune(store: Store) -> None:
    session = store.create(Guarded())
    session.transact(does("set", "a", 1), "ana")
    plan = session.plan_prune(1)
    with pytest.raises(Denied):
        session.prune(plan, author="ana")
    assert session.events()[-1].kind == "refused"
    session.prune(plan, author="chair")
    assert session.verify().pruned == 1


def test_compacting_keeps_every_version_and_says_what_gets_slower(long: Session[Notes]) -> None:
    side = long.fork("side", 30)
    for number in range(20):
        side.transact(does("append", "lines", f"{number} {PAGE}"), "ben")
    long.tag("middle", 40)
    before, other = states(long), states(side)
    plan = long.plan_compact()
    assert plan.snapshots > plan.kept == 3
    assert any("slower to read" in loss for loss in plan.losses)
    done = long.compact(plan)
    assert (done.snapshots, done.kept) == (plan.snapshots, 3)
    found = [(row["branch"], row["version"]) for row in rows(long, tables.snapshots)]
    assert found == [("main", 40), ("main", 60), ("side", 50)]
    assert (states(long), states(side)) == (before, other)
    for session in (long, side):
        session.transact(does("append", "lines", PAGE * 40), "ana")
        assert session.verify().versions == session.replay().versions == session.head + 1


def test_compacting_a_pruned_history_keeps_what_it_stands_on(long: Session[Notes]) -> None:
    pruned(long, 20)
    before = states(long, 20)
    long.compact(long.plan_compact())
    assert states(long, 20) == before
    assert long.verify().pruned > 0


def test_raw_bodies_go_where_that_is_asked_for_and_texts_that_nothing_names(own_store: Store) -> None:
    session = own_store.create(Inquiry())
    journal = Journal(session)
    round_, sent = begun(journal, "gather", "ana")
    journal.settle([replace(answered(sent[0]), raw=b"{}" * 500)])
    made = proposes(session, "ana", findings=[Finding(text="found")])
    journal.commit(journal.propose(round_, (made,)), change(session, made, transition="gather", reads=()))
    with session.writing() as work:
        put(work, session.session_id, "nobody names me")
    plan = session.plan_compact(raw=True)
    assert (plan.bodies, plan.blobs) == (1, 1)
    assert "raw bodies" in plan.losses[-1]
    done = session.compact(plan)
    assert (done.bodies, done.blobs) == (1, 1)
    _, _, (call,), _ = session.round(1)
    assert (call.raw, call.answer) == (b"[redacted]", "The valve.")
    assert session.verify().rounds == 1
    assert session.plan_compact(raw=True).bodies == 0


def test_the_database_gives_the_room_back(own_store: Store, backend: str) -> None:
    if backend == "postgresql":
        pytest.skip("the server gives room back in its own time")
    session = own_store.create(Notes())
    for number in range(200):
        session.transact(does("set", "text", f"{number} " + "".join(map(str, range(3000)))), "ana")
    pruned(session, 200)
    path = Path(str(session.database.url.database))
    before = path.stat().st_size
    assert session.compact(session.plan_compact()).left == ()
    assert path.stat().st_size < before / 4
    assert session.verify().versions == 202


def test_sizes_tell_what_takes_the_room_by_path_and_by_field(long: Session[Notes]) -> None:
    found = long.sizes()
    state = dict(found.state)
    assert found.version == 60
    assert state["/lines"] == len(json.dumps(long.raw()["lines"], separators=(",", ":")))
    assert state["/a"] == 1
    assert found.state[0].name == found.history[0].name == "/lines"
    assert found.largest[0].name.startswith("/lines/")
    assert found.largest[0].size > 1000
    beside = dict(found.beside)
    assert beside["snapshots"] == sum(len(row["state"]) for row in rows(long, tables.snapshots)) > 0
    parts = (*found.history, *found.recordings, *found.beside)
    assert found.total == sum(size.size for size in parts)
    assert json.dumps(found.as_dict())


def test_a_plan_can_be_kept_and_shown(long: Session[Notes]) -> None:
    plan = long.plan_prune(20)
    assert isinstance(plan, PrunePlan)
    assert plan == long.plan_prune(20)
