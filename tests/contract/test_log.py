"""The log: its pages, what it can be asked for, and that no page loses or doubles a commit."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from by_hand import concluded
from dissensus_state import sifting
from dissensus_state.errors import NotFound, ValueRefused
from dissensus_state.history import Page
from dissensus_state.records import Commit
from dissensus_state.sessions import Session
from dissensus_state.showing import Listing
from dissensus_state.store import Store
from dissensus_state.values import Path, overlap, parse_path
from inquiries import Claim, Inquiry, Notes, does

WORDS = ("valve", "Pumpe", "STRASSE", "straße", 'a "quoted" \\ word', "a\nline", "drop")
PATHS = (
    "a",
    "b",
    "/answers/x",
    "/answers",
    "/answers/x/deep",
    "/lines",
    "/lines/3",
    "/lines/12",
    "/claims/c1",
    "/claims",
    "/text",
    "",
)
AUTHORS = ("ana", "ben", "cy")
WRITES: tuple[Callable[[random.Random], Any], ...] = (
    lambda dice: does("set", "a", dice.randrange(9)),
    lambda dice: does("set", "text", dice.choice(WORDS)),
    lambda dice: does("append", "lines", dice.choice(WORDS)),
    lambda dice: does("merge", "answers", {dice.choice("xyz"): {"deep": dice.choice(WORDS)}}),
    lambda dice: does("merge", "claims", [Claim(id=f"c{dice.randrange(3)}", text=dice.choice(WORDS))]),
    lambda dice: does("set", "anything", {"large": dice.choice(WORDS) * 17_000}),
)


def written(session: Session[Any], commits: int, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(commits):
        work = dice.choice(WRITES)(dice)

        def reads_first(tx: Any, work: Any = work) -> None:
            tx.read(dice.choice(("a", "/answers", "text")))
            work(tx)

        session.transact(dice.choice((work, reads_first)), dice.choice(AUTHORS))


@pytest.fixture(scope="module")
def lived(opened: dict[str, Store]) -> dict[str, Session[Notes]]:
    """By database, a branch of a branch with reverts and merges among its commits."""
    return {}


@pytest.fixture
def long(
    store: Store, backend: str, lived: dict[str, Session[Notes]], monkeypatch: pytest.MonkeyPatch
) -> Session[Notes]:
    monkeypatch.setattr(sifting, "_LEAST", 4)
    monkeypatch.setattr(sifting, "_MOST", 16)
    monkeypatch.setattr(sifting, "_BATCH", 3)
    if backend not in lived:
        main = store.create(Notes())
        written(main, 30, 1)
        side = main.fork("side", 22)
        written(side, 15, 2)
        side.revert(side.head, author="ana")
        twig = side.fork("twig", 33)
        written(twig, 10, 3)
        other = twig.fork("other")
        other.transact(does("append", "lines", "from the other valve"), "ana")
        twig.merge("other", author="cy")
        written(twig, 3, 4)
        twig.revert(twig.head, author="cy")
        lived[backend] = twig
    return lived[backend]


def test_a_page_says_how_to_get_the_next(long: Session[Notes]) -> None:
    first = long.log(5)
    assert isinstance(first, Page)
    assert isinstance(first, Listing)
    assert (first.next, first.more) == (long.head - 4, True)
    assert f"more before v{first.next}" in str(first)
    assert f"more before v{first.next}" in first._repr_html_()
    last = long.log(1_000)
    assert (last.next, last.more, len(last)) == (None, False, long.head + 1)
    assert long.log(0).next is None
    assert (long.log(1, 1).next, long.log(1, 2).next) == (None, 1)


TESTS: dict[str, Callable[[Commit, Any], bool]] = {
    "author": lambda one, name: one.author == name,
    "reading": lambda one, path: any(overlap(parse_path(path), place) for place in one.read_paths),
    "kind": lambda one, kinds: one.kind in kinds,
    "step": lambda one, step: one.transition == step,
    "text": lambda one, text: any(text.casefold() in leaf for leaf in leaves([o.value for o in one.patch])),
    "since": lambda one, moment: one.at >= moment,
    "until": lambda one, moment: one.at <= moment,
}


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return leaves(list(value.values()))
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [] if value is None or isinstance(value, bool) else [str(value).casefold()]


asked = st.fixed_dictionaries(
    {},
    optional={
        "author": st.sampled_from((*AUTHORS, "user", "nobody")),
        "path": st.sampled_from(PATHS),
        "reading": st.sampled_from(PATHS),
        "kind": st.sets(st.sampled_from(sifting.ALL_KINDS), max_size=3),
        "text": st.sampled_from((*WORDS, "VALVE", "STRASSE", "7", "wordless", "deep", "other")),
        "since": st.integers(0, 66),
        "until": st.integers(0, 66),
    },
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=asked, limit=st.integers(1, 70), before=st.none() | st.integers(0, 70))
def test_pages_together_are_exactly_what_was_asked_for(
    long: Session[Notes], asked: dict[str, Any], limit: int, before: int | None
) -> None:
    every = whole(long)
    for name in asked.keys() & {"since", "until"}:
        asked[name] = every[min(asked[name], len(every) - 1)].at
    others = {name: value for name, value in asked.items() if name != "path"}
    naive = [one for one in every if all(TESTS[name](one, value) for name, value in others.items())]
    if "path" in asked:
        naive = [one for one in naive if touches(long, one, parse_path(asked["path"]))]
    naive = [one for one in naive if before is None or one.version < before]
    found: list[Commit] = []
    page = long.log(limit, before, **asked)
    while True:
        found += page
        assert len(page) == limit or not page.more
        if page.next is None:
            break
        page = long.log(limit, page.next, **asked)
        assert page
    assert found == naive


def touches(session: Session[Any], commit: Commit, path: Path) -> bool:
    """Whether a commit wrote there, above, or below; of a list, only the items that it added."""
    count = length(session, commit.version - 1)
    for one in commit.patch:
        if one.path == ("lines",) == path[:1] and one.verb == "append" and path[1:]:
            count += len(one.value)
            if count - len(one.value) <= int(path[1]) < count:
                return True
        elif any(overlap(path, place) for place in one.touched()):
            return True
    return False


@functools.cache
def length(session: Session[Any], version: int) -> int:
    return len(session.raw(version)["lines"]) if version >= 0 else 0


@functools.cache
def whole(session: Session[Any]) -> list[Commit]:
    return list(session.log(1_000))


def test_the_kinds_of_commits_are_told_apart(long: Session[Notes]) -> None:
    kinds = [one.kind for one in long.log(kind=["merge", "revert"])]
    assert kinds == ["revert", "merge"]
    assert {one.kind for one in long.log(1_000, kind="write")} == {"write"}
    assert long.log(kind="round") == []
    with pytest.raises(NotFound, match="There is no kind of commit 'commit'") as caught:
        long.log(kind="commit")
    assert "write, round, merge" in caught.value.next_step


def test_a_round_is_found_by_its_agents_its_step_and_what_was_said_in_it(inquiry: Session[Inquiry]) -> None:
    round_ = concluded(inquiry)
    ended = inquiry.log(1)[0]
    assert (ended.kind, ended.round) == ("round", round_.round)
    assert inquiry.log(author="ana") == inquiry.log(step="conclude") == inquiry.log(kind="round") == [ended]
    assert inquiry.log(author="ben") == []
    assert [one.version for one in inquiry.log(step="gather")] == [1]
    for text, places in {
        "THE VALVE.": (),
        "the valve": ("written",),
        "log says so": ("ruling",),
        "Ben thought": ("reasoning",),
        "a misquoted line": (),
    }.items():
        page = inquiry.log(text=text)
        assert page.places.get(ended.version, ()) == places
        assert (ended in page) == bool(places)


def test_an_agent_whose_proposal_was_accepted_is_found_under_a_joint_name(inquiry: Session[Inquiry]) -> None:
    from by_hand import change, in_review, rules, to_judging

    to_judging(inquiry)
    journal, round_, made = in_review(inquiry)
    ruling = rules(round_, made, upheld=("ana",), dissent=("ben",))
    joint = change(inquiry, made[0])
    journal.commit(round_, joint, ruling)
    with inquiry.database.writing() as work:
        import sqlalchemy as sa

        from dissensus_state.engines import Statement
        from dissensus_state.tables import commits

        rename = sa.update(commits).where(
            commits.c.session_id == sa.bindparam("session_id_"), commits.c.version == sa.bindparam("version_")
        )
        work.run(
            Statement(rename.values(author="ana+cy")),
            session_id_=inquiry.session_id,
            version_=inquiry.head,
        )
    assert [one.author for one in inquiry.log(author="ana")] == ["ana+cy"]
    assert inquiry.log(author="ben") == []


def test_times_are_given_in_any_common_form(notes: Session[Notes]) -> None:
    notes.transact(does("set", "a", 1), "ana")
    at = notes.log(1)[0].at
    moment = datetime.fromtimestamp(at / 1000, UTC)
    day = moment.date()
    for given_ in (at, str(at), moment, moment.replace(tzinfo=None), moment.isoformat(), day, str(day)):
        assert notes.log(1, since=given_)[0].version == 1
        assert notes.log(1, until=given_)[0].version == 1
    assert notes.log(since=at + 1) == notes.log(until=date(2001, 1, 1)) == []
    for wrong in ("yesterday", "2026-13-01", "", True, 1.5):
        with pytest.raises(ValueRefused, match="is no moment"):
            notes.log(since=wrong)  # type: ignore[arg-type]


def test_events_come_in_pages_of_the_newest(notes: Session[Notes]) -> None:
    for number in range(7):
        notes.record("seen" if number % 2 else "heard", {"n": number})
    every = notes.events()
    assert [event.body["n"] for event in every if event.kind in {"seen", "heard"}] == list(range(7))
    page, found = notes.events(limit=3), []
    while page:
        found = [*page, *found]
        if page.next is None:
            break
        page = notes.events(limit=3, before=page.next)
    assert found == list(every)
    assert [event.body["n"] for event in notes.events("seen", limit=2)] == [3, 5]
    assert notes.events(limit=0) == notes.events("odd") == notes.events(rounds=(1, 9)) == []


def test_a_text_is_found_in_values_that_are_kept_aside(notes: Session[Notes]) -> None:
    notes.transact(does("set", "anything", {"large": "x" * 70_000 + " the Valve"}), "ana")
    assert notes.log(text="valve").places == {1: ("written",)}
    assert notes.log(text="large") == notes.log(text="blob") == []
