"""G9: on what a value rests, through what was read, back to the sources."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

import generations
from by_hand import concluded
from dissensus_state import commits, grounds
from dissensus_state.errors import DissensusError, NotFound
from dissensus_state.grounds import Chain, writers
from dissensus_state.patches import apply, get
from dissensus_state.peeking import Past
from dissensus_state.records import Commit
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.values import Path, overlap, parse_path
from inquiries import Inquiry, Notes, does
from touching import PATHS, Grower, small_blocks


def _chain(session: Session[Any], path: str) -> Chain:
    found = session.blame(path, chain=True).chain
    assert found is not None
    return found


def _reads(session: Session[Notes], author: str, read: str, verb: str, *given: Any) -> None:
    with session.transaction(author) as tx:
        tx.read(read)
        getattr(tx, verb)(*given)


def test_g09_the_chain_goes_from_what_was_read_to_who_wrote_it_back_to_the_first_state(
    notes: Session[Notes],
) -> None:
    notes.transact(does("append", "lines", "seen", "heard"), "ana")
    _reads(notes, "ben", "/lines/0", "set", "a", 1)
    notes.transact(does("append", "lines", "beside"), "cy")
    _reads(notes, "dee", "a", "set", "text", "so it was")
    found = _chain(notes, "text")
    assert [(one.version, one.authors, one.depth) for one in found.sources] == [
        (4, ("dee",), 0),
        (2, ("ben",), 1),
        (1, ("ana",), 2),
    ]
    assert [(one.reader, one.path, one.at, one.writers, one.left) for one in found.links] == [
        (("main", 4), "/a", 3, (("main", 2),), 0),
        (("main", 2), "/lines/0", 1, (("main", 1),), 0),
    ]
    assert found.left == 0
    assert str(found) == (
        "/a, read at v3\n  v2 by ben: /a\n    /lines/0, read at v1\n      v1 by ana: /lines"
    )


def test_g09_who_reads_a_whole_list_rests_on_all_who_added_to_it_and_the_count_of_the_rest_is_told(
    notes: Session[Notes],
) -> None:
    for number in range(12):
        notes.transact(does("append", "lines", f"line {number}"), f"agent {number}")
    _reads(notes, "ben", "lines", "set", "a", 1)
    found = _chain(notes, "a")
    (link,) = found.links
    assert link.writers == tuple(("main", version) for version in (12, 11, 10, 9, 8))
    assert link.left == found.left == 8, "seven more lines, and the first state"
    assert "and up to 8 earlier" in str(found)
    notes.transact(does("set", "lines", ["anew"]), "cy")
    _reads(notes, "ben", "lines", "set", "a", 2)
    (link,) = _chain(notes, "a").links
    assert (link.writers, link.left) == ((("main", 14),), 0), "what was replaced is not rested on"


def test_g09_a_ruled_value_rests_on_what_the_losing_proposals_had_read_too(
    inquiry: Session[Inquiry],
) -> None:
    concluded(inquiry)
    found = _chain(inquiry, "verdict")
    assert {(one.agent, one.path) for one in found.links if one.reader == ("main", 3)} >= {
        (None, "/findings"),
    }
    losers = [one for one in found.links if one.agent is not None]
    proposals = inquiry.blame("verdict").dissent
    wanted = {path for one in proposals for path in one.reads} - set(inquiry.blame("verdict").commit.reads)
    assert {one.path for one in losers} == wanted
    assert inquiry.blame("verdict").chain is None, "only when it is asked for"


def test_g09_a_merge_rests_on_what_it_brought_and_a_revert_on_what_it_took_back(
    notes: Session[Notes],
) -> None:
    notes.transact(does("set", "a", 1), "ana")
    idea = notes.fork("idea")
    idea.transact(does("set", "b", 2), "ben")
    idea.transact(does("append", "lines", "new"), "ben")
    notes.transact(does("set", "text", "moved on"), "cy")
    merged = notes.merge("idea", author="dee").commit
    assert merged is not None
    _reads(notes, "eve", "b", "set", "anything", 1)
    found = _chain(notes, "anything")
    brought = {one.path: one.writers for one in found.links if one.why == "merge"}
    assert brought["/b"] == (("idea", 2),)
    reverted = notes.revert(1, author="dee")
    _reads(notes, "eve", "a", "set", "anything", 2)
    (link,) = [one for one in _chain(notes, "anything").links if one.why == "revert"]
    assert (link.reader, link.writers) == (("main", reverted.version), (("main", 1),))


def test_g09_a_migration_rests_on_what_it_lifted(
    store: Store,
) -> None:
    first = store.create(generations.First(title="Pumps"))
    first.transact(does("set", "text", "It leaks."), "ana", "work")
    second = store.session(first.name, generations.Second)
    migration = second.migrate("dee")
    assert migration is not None
    found = second.blame("body", chain=True)
    assert found.commit == migration
    assert found.chain is not None
    lifted = {one.path: one.writers for one in found.chain.links if one.why == "lift"}
    assert lifted["/text"] == (("main", 1),)
    assert ("main", 1) in {(one.branch, one.version) for one in found.chain.sources}


def test_g09_a_carried_commit_rests_on_the_first_one(notes: Session[Notes]) -> None:
    idea = notes.fork("idea")
    idea.transact(does("set", "a", 1), "ana")
    notes.carry(idea.commit_at(1))
    (link,) = _chain(notes, "a").links
    assert (link.why, link.writers) == ("carry", (("idea", 1),))
    assert "carried at v1" in str(_chain(notes, "a"))


def test_g09_a_chain_has_bounds_and_says_what_it_leaves_out(
    notes: Session[Notes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        _reads(notes, "ana", "a", "set", "a", number + 1)
    assert len(_chain(notes, "a").sources) == 9
    monkeypatch.setattr(grounds, "DEEPEST", 3)
    found = _chain(notes, "a")
    assert ([one.version for one in found.sources], found.left) == ([8, 7, 6, 5], 1)
    assert [one.followed for one in found.sources] == [True, True, True, False]
    assert "up to 1 more" in str(found)
    monkeypatch.setattr(grounds, "DEEPEST", 12)
    monkeypatch.setattr(grounds, "MOST_COMMITS", 2)
    assert (len(_chain(notes, "a").sources), _chain(notes, "a").left) == (2, 1)
    plain = notes.blame("a", chain=True).as_dict()["chain"]
    assert plain["links"][0]["writers"] == [["main", 7]]
    assert "rests on" in str(notes.blame("a", chain=True))
    assert "rests on" in notes.blame("a", chain=True)._repr_html_()


def _lengths(state: Any, path: Path) -> int:
    try:
        return len(get(state, path))
    except (NotFound, TypeError):
        return 0


def _precise(one: Commit, before: Any, path: Path) -> tuple[bool, bool]:
    """Whether a commit touched a path, an `append` only the items it added; and whether it replaced it."""
    touches, replaced = False, False
    for item in one.patch:
        places = item.touched()
        if item.verb == "append" and item.value and len(path) > len(item.path):
            length = _lengths(before, item.path)
            places = tuple((*item.path, str(length + n)) for n in range(len(item.value)))
        elif item.verb == "append" and not item.value:
            places = ()
        before = apply(before, (item,))
        for place in places:
            touches = touches or overlap(path, place)
            part = item.verb in {"merge", "append"} and place != item.path
            whole = item.verb in {"set", "remove"} or part
            replaced = replaced or (whole and path[: len(place)] == place)
    return touches, replaced


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@drawn(data=st.data())
def test_g09_the_writers_of_what_was_read_are_those_that_a_naive_walk_finds(
    store: Store, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    with monkeypatch.context() as patched:
        small_blocks(patched)
        grown = Grower(store, data)
        for _ in range(data.draw(st.integers(1, 25), "steps")):
            with suppress(DissensusError):
                grown.write()
        session = grown.open["main"]
        with session.reading() as work:
            history = list(commits.between(work, session.session_id, "main", -1))
            states = [apply({}, history[0].patch)]
            for one in history[1:]:
                states.append(apply(states[-1], one.patch))
            past = Past(work, session.session_id, "main", session.head)
            version = data.draw(st.integers(0, session.head), "version")
            for path in map(parse_path, PATHS):
                expected: list[int] = []
                for one in reversed(history[: version + 1]):
                    before = states[one.version - 1] if one.version else {}
                    touched, replaced = _precise(one, before, path)
                    expected += [one.version] if touched else []
                    if replaced:
                        break
                found, left = writers(past, path, version, 10**6)
                assert left == 0
                assert set(expected) <= set(found), path
                if len(path) < 3:
                    assert found == [v for v in found if v in expected or _adds_nothing(history[v])], path


def _adds_nothing(one: Commit) -> bool:
    return any(item.verb == "append" and not item.value for item in one.patch)


def test_g09_a_version_is_told_whole_with_the_round_that_it_ended(inquiry: Session[Inquiry]) -> None:
    concluded(inquiry)
    told = inquiry.show(3)
    assert (told.version, told.commit.round, told.round and told.round.round) == (3, 1, 1)
    assert [one.agent for one in told.dissent] == ["ben"]
    assert [one.agent for one in told.calls] == ["ana", "ben"]
    assert [one.decision for one in told.rulings] == ["uphold"]
    assert set(told.as_dict()) == {"commit", "round", "proposals", "calls", "rulings"}
    assert "in round r1" in str(told)
    by_hand = inquiry.show(1)
    assert (by_hand.round, by_hand.proposals, by_hand.calls, by_hand.rulings) == (None, (), (), ())
    assert inquiry.show().version == inquiry.head
    with pytest.raises(NotFound):
        inquiry.show(99)


def test_the_commit_that_a_round_ended_in_is_found_after_the_version_it_was_begun_on(
    inquiry: Session[Inquiry],
) -> None:
    concluded(inquiry)
    idea = inquiry.fork("idea", 2)
    with inquiry.reading() as work:
        found = commits.by_round(work, inquiry.session_id, "main", 1)
        assert found is not None
        assert found.version == 3
        assert commits.by_round(work, inquiry.session_id, idea.branch, 1) is None, "it ended after the fork"
        assert commits.by_round(work, inquiry.session_id, "main", 2) is None
    later = inquiry.fork("later")
    with later.reading() as work:
        assert commits.by_round(work, inquiry.session_id, "later", 1) == found
