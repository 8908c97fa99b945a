"""What rests on a commit or a value, through what was read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from by_hand import answered, begun, change, in_review, proposes, rules, to_judging
from dissensus_state.errors import NotFound
from dissensus_state.impact import Impact
from dissensus_state.journal import Journal
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Inquiry, Notes, does
from resting import PATHS, Life, Naive


def tips(found: Impact) -> set[tuple[str, int]]:
    """The commits of an impact by branch and version."""
    assert len(found.commits) == found.count
    return {(one.branch, one.version) for one in found.commits}


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_the_impact_of_every_commit_of_a_random_history_is_that_of_a_naive_walk(
    store: Store, seed: int
) -> None:
    session = store.create(Notes())
    Life(session, seed).live(40)
    naive = Naive(session)
    for name, line in naive.lines.items():
        branch = session.on(name)
        for version in range(len(line)):
            assert tips(branch.impact(version)) == naive.impact((name, version)), (seed, name, version)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_the_impact_of_every_value_of_a_random_history_is_that_of_a_naive_walk(
    store: Store, seed: int
) -> None:
    session = store.create(Notes())
    Life(session, seed).live(40)
    naive = Naive(session)
    for name, line in naive.lines.items():
        branch = session.on(name)
        for path in PATHS[:-1]:
            version = len(line) - 1 - seed % 3 if len(line) > 3 else len(line) - 1
            place = tuple(path.split("/"))
            try:
                found = branch.impact(path, version)
            except NotFound:
                continue
            origins = [tip for tip, _ in naive.contributors(name, place, version)]
            assert [*found.origins] == origins[::-1]
            assert tips(found) == naive.impact(*origins, path=path), (seed, name, path, version)


def wrote(session: Session[Any], author: str, *does_what: Any, reads: tuple[str, ...] = ()) -> int:
    """A commit of one operation after reading some paths; its version."""
    with session.transaction(author) as tx:
        for path in reads:
            tx.read(path)
        does(*does_what)(tx)
    return session.head


def test_who_read_one_item_rests_on_the_commit_that_added_it_and_on_no_other(notes: Session[Notes]) -> None:
    wrote(notes, "ana", "append", "lines", "one")
    wrote(notes, "ben", "append", "lines", "two", "three")
    wrote(notes, "caro", "set", "a", 1, reads=("lines/2",))
    wrote(notes, "dora", "set", "b", 1, reads=("lines",))
    assert notes.impact(1).versions == [4]
    assert notes.impact(2).versions == [3, 4]
    wrote(notes, "ana", "set", "lines", ["new"])
    wrote(notes, "emil", "set", "a", 2, reads=("lines",))
    assert notes.impact(2).versions == [3, 4], "what was replaced as a whole is not there any more"
    assert notes.impact("/lines/1", 4).versions == [4]
    assert notes.impact("lines", 4).origins == (("main", 0), ("main", 1), ("main", 2))


def test_a_link_says_what_was_read_by_whom_at_which_version_and_what_had_been_written(
    notes: Session[Notes],
) -> None:
    wrote(notes, "ana", "merge", "answers", {"x": {"deep": 1}})
    wrote(notes, "ben", "set", "a", 1, reads=("answers/x/deep", "text"))
    wrote(notes, "caro", "set", "b", 1, reads=("a",))
    found = notes.impact(1)
    first, second = found.commits
    (link,) = first.links
    assert (link.kind, link.branch, link.version, link.path) == ("read", "main", 1, "/answers/x/deep")
    assert (link.wrote, link.reader, link.base, link.round) == ("/answers/x", "ben", 1, None)
    assert (first.distance, second.distance, second.writes) == (1, 2, ("/b",))
    assert str(found) == (
        "v1 of main: 2 commits\n"
        "  v2 of main  ben  read /answers/x/deep at v1: v1 of main (/answers/x)\n"
        "    v3 of main  caro  read /a at v2: v2 of main"
    )
    assert found.as_dict()["commits"][0]["links"] == [link.as_dict()]


def test_what_a_lost_proposal_had_read_counts_where_a_ruling_compared_it(inquiry: Session[Inquiry]) -> None:
    to_judging(inquiry)
    journal = Journal(inquiry)
    opened, sent = begun(journal, "conclude", "ana", "ben")
    journal.settle([answered(call) for call in sent])
    mine, its = (proposes(inquiry, name, verdict=name) for name in ("ana", "ben"))
    made = (replace(mine, reads=("/question",)), its)
    proposed = journal.propose(opened, made, {"disagreements": ["/verdict"]})
    ruling = rules(proposed, made, upheld=("ana",), dissent=("ben",))
    journal.commit(proposed, change(inquiry, made[0], reads=(("question",),)), ruling)
    (found,) = inquiry.impact(1).commits[-1:]
    (link,) = found.links
    assert (found.version, link.reader, link.status, link.round, link.base) == (3, "ben", "dissent", 1, 2)
    assert "ben read /findings at v2 in r1, dissent: v1 of main (/findings/0)" in str(link)


def test_a_round_that_ended_in_no_commit_is_listed_and_nothing_follows_from_it(
    inquiry: Session[Inquiry],
) -> None:
    to_judging(inquiry)
    in_review(inquiry)
    found = inquiry.impact(1)
    assert found.versions == []
    (round_,) = found.rounds
    assert (round_.round, round_.step, round_.base, len(round_.links)) == (1, "conclude", 2, 2)
    assert {link.reader for link in round_.links} == {"ana", "ben"}
    assert "1 round without one" in str(found)


def test_it_goes_on_over_forks_merges_and_reverts_and_a_superseded_branch_brings_nothing(
    notes: Session[Notes],
) -> None:
    wrote(notes, "ana", "set", "a", 1)
    idea, other = notes.fork("idea"), notes.fork("other", 0)
    wrote(idea, "ben", "set", "b", 1, reads=("a",))
    wrote(notes, "caro", "set", "text", "x")
    other.supersede("main", author="ana")
    assert other.impact(0).versions == []
    merged = notes.merge("idea", author="ana").commit
    assert merged is not None
    notes.revert(merged.version, author="ana")
    found = notes.impact(1)
    assert tips(found) == {("idea", 2), ("main", 3), ("main", 4)}
    assert found.versions == [3, 4]
    assert idea.impact(1).versions == [2]
    kinds = {(one.branch, one.version): one.links[0].kind for one in found.commits}
    assert kinds == {("idea", 2): "read", ("main", 3): "merge", ("main", 4): "revert"}
    assert [*notes.impact(2).commits] == []


def test_what_is_not_there_has_no_impact(notes: Session[Notes]) -> None:
    for of in (9, -1, "/nothing", "answers/x"):
        with pytest.raises(NotFound):
            notes.impact(of)


def test_whatever_a_history_says_is_escaped_where_it_is_shown(notes: Session[Notes]) -> None:
    wrote(notes, "ana", "set", "a", 1)
    wrote(notes, "<b>\x1b[31m", "set", "b", 1, reads=("a",))
    found = notes.impact(1)
    assert "<b>" not in found._repr_html_()
    assert "\x1b" not in str(found) + found._repr_html_() + found.commits._repr_html_()


def test_a_long_impact_says_how_much_of_it_is_not_shown(notes: Session[Notes]) -> None:
    wrote(notes, "ana", "set", "a", 1)
    for number in range(50):
        wrote(notes, "ben", "set", "b", number, reads=("a",))
    lines = str(notes.impact(1)).split("\n")
    assert (len(lines), lines[-1]) == (42, "  … and 10 more, further away")


def test_a_long_history_is_walked_exactly(store: Store) -> None:
    session = store.create(Notes())
    Life(session, 7).live(350)
    naive = Naive(session)
    for version in (1, 2, 5):
        assert tips(session.impact(version)) == naive.impact(("main", version))
