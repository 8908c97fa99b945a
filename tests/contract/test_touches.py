"""The index of the commits: it names every version that touched a path, whatever the history holds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from dissensus_state import commits, heads, indexing, marks, tables, touches
from dissensus_state.errors import DatabaseFailed, Tampered
from dissensus_state.lineages import lineage
from dissensus_state.patches import Operation
from dissensus_state.records import Change, Commit
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.values import Path, overlap, parse_path
from inquiries import Notes, does
from touching import PATHS, Grower, small_blocks


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch)


def _all(session: Session[Any]) -> list[Commit]:
    with session.reading() as work:
        return list(commits.between(work, session.session_id, session.branch, -1))


def _asked(session: Session[Any], path: str, before: int = 2**62, **options: Any) -> list[int]:
    with session.reading() as work:
        where = (work, session.session_id, session.branch, parse_path(path))
        return touches.versions(*where, before=before, limit=10**6, **options)


def _touching(found: list[Commit], path: Path) -> set[int]:
    """By the rule of conflicts: an `append` touches its list, and so everything in it."""
    return {one.version for one in found if any(overlap(path, place) for place in one.writes)}


def _needed(found: list[Commit], path: Path) -> set[int]:
    """The same, but an `append` to a field beside nothing of it: what must be named at the least."""
    return {
        one.version
        for one in found
        if any(
            overlap(path, place)
            for item in one.patch
            for place in item.touched()
            if item.verb != "append" or len(item.path) > 1 or len(path) == 1
        )
    }


def _tables(session: Session[Any]) -> int:
    query = sa.select(sa.func.count()).where(tables.touches.c.session_id == session.session_id)
    with session.database.engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@drawn(data=st.data())
def test_g09_the_index_names_every_version_that_touched_a_path_and_every_authors(
    store: Store, small: None, data: st.DataObject
) -> None:
    grown = Grower(store, data)
    grown.grow(data.draw(st.integers(1, 30), "steps"))
    for session in grown.open.values():
        session.verify()
        if data.draw(st.booleans(), "ready"):
            indexing.ready(session.database, session.session_id, session.branch)
        history = _all(session)
        before = data.draw(st.integers(0, session.head + 2), "before")
        known = [one for one in history if one.version < before]
        for path in PATHS:
            named = _asked(session, path, before)
            assert named == sorted(set(named), reverse=True)
            assert _needed(known, parse_path(path)) <= set(named) <= _touching(known, parse_path(path)), path
        for author in ("ana", "ben", "cy", "dee", "schema", "nobody"):
            with session.reading() as work:
                found = touches.by_author(
                    work, session.session_id, session.branch, author, before=before, limit=10**6
                )
            assert found == [one.version for one in reversed(known) if one.author == author]


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@drawn(data=st.data())
def test_g09_an_item_that_was_appended_is_its_commits_alone(
    store: Store, small: None, data: st.DataObject
) -> None:
    session = store.create(Notes(lines=["zero"] * data.draw(st.integers(0, 3), "first")))
    open_, who = {"main": session}, {"main": [0] * len(session.state.lines)}
    for number in range(data.draw(st.integers(1, 25), "steps")):
        name = data.draw(st.sampled_from(sorted(open_)), "branch")
        what = data.draw(st.sampled_from(["append"] * 5 + ["both", "fork", "rewrite", "other"]), "what")
        if what == "fork":
            new, at = f"b{number}", open_[name].head
            open_[new], who[new] = open_[name].fork(new, at), [*who[name]]
            continue
        with open_[name].transaction("ana") as tx:
            items = [f"line {number}"] * data.draw(st.integers(1, 6), "items")
            if what == "rewrite":
                tx.set("lines", items)
            elif what == "other":
                tx.add("total", 1)
            else:
                tx.append("lines", *items)
                if what == "both":
                    tx.append("lines", "and one")
        version = open_[name].head
        if what == "rewrite":
            who[name] = []
        if what != "other":
            who[name] += [version] * (len(open_[name].state.lines) - len(who[name]))
    for name, found in open_.items():
        for position, version in enumerate(who[name]):
            newest = next(iter(_asked(found, f"/lines/{position}")))
            assert newest == version, (name, position)
        beside = _asked(found, f"/lines/{len(who[name])}")
        assert beside[:1] == _asked(found, "/lines", where=frozenset({"at"}))[:1], "no item stands there"


def test_g09_a_block_is_indexed_by_the_commit_that_fills_it(store: Store, small: None) -> None:
    session = store.create(Notes())
    counts = []
    for number in range(1, 12):
        session.transact(does("append", "lines", f"line {number}"), "ana")
        counts.append(_tables(session))
    rises = [1 + number for number, (one, two) in enumerate(itertools.pairwise([0, *counts])) if two > one]
    assert rises == [3, 7, 11]


def test_g09_many_commits_in_one_transaction_are_indexed_with_the_block_that_they_fill(
    store: Store, small: None
) -> None:
    from dissensus_state import transitions

    session = store.create(Notes())
    changes = [Change("ana", (Operation("append", ("lines",), [f"{n}"]),), 0) for n in range(23)]
    with session.database.writing() as work:
        _, head, _ = transitions.decide_all(work, session.session_id, "main", None, session.shape, changes)
    session.remember(head)
    with session.reading() as work:
        index = touches.Touches(work, session.session_id, "main")
        assert index.reach() == 15, "as many blocks as a writer takes at once"
    assert [_asked(session, f"/lines/{n}")[0] for n in range(23)] == list(range(1, 24))


@pytest.fixture
def old(store: Store, small: None) -> Iterator[Session[Notes]]:
    """A session from before there was an index."""
    session = store.create(Notes())
    for number in range(30):
        session.transact(does("append", "lines", f"line {number}"), "ana" if number % 2 else "ben")
    with session.writing() as work:
        indexing.forget(work, session.session_id, "main")
    assert _tables(session) == 0
    return session


def test_g09_what_is_not_indexed_is_read_from_the_commits(old: Session[Notes]) -> None:
    assert [_asked(old, f"/lines/{n}")[0] for n in range(30)] == list(range(1, 31))
    assert _tables(old) == 0


def test_g09_an_older_database_is_caught_up_once_and_answers_the_same(old: Session[Notes]) -> None:
    before = {path: _asked(old, path) for path in PATHS}
    indexing.ready(old.database, old.session_id, "main")
    there = _tables(old)
    with old.reading() as work:
        assert touches.Touches(work, old.session_id, "main").reach() == 27
    indexing.ready(old.database, old.session_id, "main")
    assert _tables(old) == there > 0
    assert {path: _asked(old, path) for path in PATHS} == before


def test_g09_a_writer_catches_an_older_database_up_a_few_blocks_at_a_time(
    old: Session[Notes], monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = []
    for _ in range(8):
        old.transact(does("add", "total", 1), "cy")
        with old.reading() as work:
            reached.append(touches.Touches(work, old.session_id, "main").reach())
    assert reached == [15] * 4 + [31] * 4
    assert [_asked(old, f"/lines/{n}")[0] for n in range(30)] == list(range(1, 31))


def test_g09_a_page_goes_on_where_the_last_one_ended(old: Session[Notes]) -> None:
    with old.reading() as work:
        place = (work, old.session_id, "main")
        first = touches.versions(*place, ("lines",), limit=7)
        second = touches.versions(*place, ("lines",), before=first[-1], limit=7)
        assert first + second == list(range(30, 16, -1))
        own = touches.by_author(*place, "ben", limit=3)
        assert own + touches.by_author(*place, "ben", before=own[-1], limit=2) == [29, 27, 25, 23, 21]
        assert touches.newest(*place, ("lines", "4")) == 5
        assert touches.newest(*place, ("lines", "4"), 4) == 0
        assert lineage(*place)[-1].branch == "main"


def test_g09_a_list_that_a_redaction_made_shorter_is_indexed_anew(store: Store, small: None) -> None:
    session = store.create(Notes())
    session.transact(does("set", "lines", ["one", "two", "three"]), "ana")
    for number in range(8):
        session.transact(does("append", "lines", f"line {number}"), "ana")
    session.redact("lines", 1, author="cy", reason="private", replacement=["gone"])
    assert session.state.lines[:2] == ["gone", "line 0"]
    assert [session.blame(f"/lines/{n}").commit.version for n in range(9)] == list(range(1, 10))


@pytest.mark.parametrize("set_first", [True, False])
def test_g09_a_list_that_one_commit_sets_and_appends_to_has_the_length_that_it_ends_with(
    store: Store, small: None, *, set_first: bool
) -> None:
    session = store.create(Notes(lines=["one", "two"]))
    with session.transaction("ana") as tx:
        doing = [(tx.set, ["lines", ["anew"]]), (tx.append, ["lines", "more", "and more"])]
        for verb, given in doing if set_first else reversed(doing):
            verb(*given)
    for number in range(7):
        session.transact(does("append", "lines", f"line {number}"), "ben")
    first = len(session.at(1).lines)
    assert [_asked(session, f"/lines/{first + n}")[0] for n in range(7)] == list(range(2, 9))
    assert [session.blame(f"/lines/{n}").commit.version for n in range(first)] == [1] * first


def test_g09_of_what_was_pruned_the_index_says_no_more_than_the_commits(store: Store, small: None) -> None:
    session = store.create(Notes())
    for number in range(11):
        session.transact(does("merge", "answers", {f"key {number}": number}), "ana")
    kept = marks.spot("/answers/key 2"), marks.spot("/answers/key 9")
    spots = sa.select(tables.touches.c.spot).where(tables.touches.c.session_id == session.session_id)
    with session.database.engine.connect() as connection:
        assert set(kept) <= set(connection.execute(spots).scalars())
    session.prune(session.plan_prune(6), author="cy")
    indexing.ready(session.database, session.session_id, "main")
    assert session.blame("/answers/key 9").commit.version == 10
    with session.database.engine.connect() as connection:
        assert set(kept) & set(connection.execute(spots).scalars()) == {kept[1]}
    assert _asked(session, "/answers") == list(range(11, -1, -1))


def test_g09_what_cannot_be_written_is_read_from_the_commits(
    old: Session[Notes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> Any:
        raise DatabaseFailed("attempt to write a readonly database")

    monkeypatch.setattr(old.database, "writing", refused)
    assert old.blame("/lines/7").commit.version == 8
    assert _tables(old) == 0


@pytest.mark.parametrize("told", [b"\x00", b"\xff" * 7, b"\x00\x00\xff\x00\x00\x00\x00"])
@pytest.mark.parametrize("what", [marks.HERE, marks.BELOW, marks.AUTHOR, marks.ITEMS, marks.LENGTH])
def test_g08_an_index_that_was_changed_is_found_and_made_anew(
    store: Store, small: None, told: bytes, what: int
) -> None:
    session = store.create(Notes())
    for number in range(11):
        with session.transaction("ana" if number % 2 else "ben") as tx:
            tx.append("lines", f"line {number}")
            tx.set("a", number)
    assert session.verify().versions == 12
    rows = sa.update(tables.touches).where(
        tables.touches.c.session_id == session.session_id, tables.touches.c.what == what
    )
    with session.database.engine.begin() as connection:
        connection.execute(rows.values(versions=told))
    with pytest.raises(Tampered, match="The index of commits"):
        session.verify()
    with session.reading() as work:
        named = touches.by_author(work, session.session_id, "main", "ana", limit=100)
    assert all(version <= session.head for version in named)
    session.compact(session.plan_compact())
    assert session.verify().versions == 12
    assert session.blame("/lines/9").commit.version == 10


def test_g08_a_row_of_the_index_that_was_taken_away_is_found(store: Store, small: None) -> None:
    session = store.create(Notes())
    for number in range(6):
        session.transact(does("set", "a", number), "ana")
    gone = sa.delete(tables.touches).where(
        tables.touches.c.session_id == session.session_id, tables.touches.c.what == marks.AUTHOR
    )
    with session.database.engine.begin() as connection:
        connection.execute(gone)
    with pytest.raises(Tampered, match="The index of commits"):
        session.verify()


def test_g09_readers_and_writers_that_catch_up_at_once_leave_one_index(old: Session[Notes]) -> None:
    def write(name: str) -> None:
        for _ in range(6):
            old.transact(does("append", "lines", name), name)

    def ready(_: str) -> None:
        indexing.ready(old.database, old.session_id, "main")

    with ThreadPoolExecutor(4) as pool:
        doing = [pool.submit(one, f"agent {n}") for n, one in enumerate((ready, write, ready, write))]
        for one in doing:
            one.result()
    indexing.ready(old.database, old.session_id, "main")
    assert old.verify().versions == 43
    with old.reading() as work:
        assert touches.Touches(work, old.session_id, "main").reach() == 39
    assert [_asked(old, f"/lines/{n}")[0] for n in range(42)] == list(range(1, 43))


def test_g09_who_asks_while_holding_the_branch_does_not_wait_for_itself(old: Session[Notes]) -> None:
    with old.writing() as work:
        heads.read(work, old.session_id, "main")
        assert old.blame("/lines/7").commit.version == 8
    assert _tables(old) == 0
    assert old.blame("/lines/7").commit.version == 8
    assert _tables(old) > 0
