"""What differs between versions: the same, whether it is told from the commits between or from two states."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dissensus_state import comparing
from dissensus_state.diff import Diff, Difference, diff
from dissensus_state.errors import NotFound
from dissensus_state.patches import get
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.values import parse_path
from inquiries import Claim, Inquiry, Notes, does

WORDS = ("valve", "the pump was open", "the pump was shut", "", "drop")
PATHS = ("/a", "/lines", "/lines/3", "/answers", "/answers/x", "/answers/x/list/0", "/claims", "/claims/c1")
Dice = random.Random
WRITES: tuple[Callable[[Dice], Any], ...] = (
    lambda dice: does("set", "a", dice.randrange(9)),
    lambda dice: does("set", "text", dice.choice(WORDS)),
    lambda dice: does("add", "total", dice.randrange(3)),
    lambda dice: does("append", "lines", dice.choice(WORDS)),
    lambda dice: does("append", "lines", dice.choice(WORDS), dice.choice(WORDS)),
    lambda dice: does("union", "tags", {dice.choice(WORDS), dice.choice(WORDS)}),
    lambda dice: does("set", "lines", [dice.choice(WORDS) for _ in range(dice.randrange(4))]),
    lambda dice: does(
        "merge", "answers", {dice.choice("xyz7"): {"list": [1, 2], "deep": dice.choice(WORDS)}}
    ),
    lambda dice: does("merge", "answers", {"x": {"list": [dice.randrange(3), 2, 3], "deep": {"er": 1}}}),
    lambda dice: does("set", "/answers/x", {"list": [3, 1], "deep": dice.choice(WORDS)}),
    lambda dice: does("remove", f"/answers/{dice.choice('xyz7')}"),
    lambda dice: does("set", "/answers/x/list/0", dice.randrange(3)),
    lambda dice: does("set", "/answers/x/list/1", dice.randrange(3)),
    lambda dice: does("append", "/answers/x/list", dice.randrange(9)),
    lambda dice: does("merge", "claims", [Claim(id=f"c{dice.randrange(4)}", text=dice.choice(WORDS))]),
    lambda dice: does("set", "claims", [Claim(id=name) for name in dice.sample(["c0", "c1", "c2"], k=2)]),
    lambda dice: does("set", "anything", {"large": [dice.choice(WORDS)] * dice.randrange(900)}),
)


def written(session: Session[Any], commits: int, dice: Dice) -> None:
    for _ in range(commits):
        works = [dice.choice(WRITES)(dice) for _ in range(dice.choice((1, 1, 2)))]
        try:
            with session.transaction(dice.choice(("ana", "ben"))) as tx:
                for work in works:
                    work(tx)
        except NotFound:
            session.transact(does("append", "lines", "there was nothing"), "ana")


def lived(store: Store, seed: int) -> list[Session[Notes]]:
    """A session with a fork, a revert, a merge, on three branches."""
    dice = Dice(seed)
    main = store.create(Notes())
    written(main, 20, dice)
    side = main.fork("side", 12)
    written(side, 6, dice)
    twig = side.fork("twig")
    written(twig, 4, dice)
    twig.transact(does("append", "lines", "to be taken back"), "ana")
    twig.revert(twig.head, author="ana")
    return [main, side, twig]


def whole(one: Session[Any], first: int, other: Session[Any], last: int) -> list[Difference]:
    return diff(one.raw(first), other.raw(last), {"claims": "id"})


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_differ_in_what_their_states_differ_in(
    store: Store, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    branches = lived(store, seed)
    answered: list[object] = []
    narrow = comparing.on_one_line

    def watched(*arguments: Any) -> list[Difference] | None:
        answered.append(narrow(*arguments))
        return answered[-1]  # type: ignore[return-value]

    monkeypatch.setattr(comparing, "on_one_line", watched)
    for session in branches:
        for last in range(session.head + 1):
            for first in {max(last - 3, 0), max(last - 1, 0), last, min(last + 2, session.head)}:
                assert session.diff(first, last) == whole(session, first, session, last), (first, last)
    assert sum(one is not None for one in answered) > len(answered) * 0.8
    main, side, twig = branches
    for first, last in ((11, 13), (12, 13), (14, 15), (13, 12)):
        assert side.diff(first, last, of="main") == whole(main, first, side, last)
        assert main.diff(first, last, of=twig) == whole(twig, first, main, last)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_differs_at_a_path_is_that_part_of_what_differs(notes: Session[Notes], data: Any) -> None:
    if notes.head == 0:
        written(notes, 40, Dice(5))
    first, last = (data.draw(st.integers(0, notes.head)) for _ in range(2))
    path = data.draw(st.sampled_from(PATHS))
    place = parse_path(path)
    try:
        found = notes.diff(first, last, path=path)
    except NotFound:
        assert not stands(notes, path, first)
        assert not stands(notes, path, last)
        return
    if all(not token.isdigit() for token in place):
        every = notes.diff(first, last)
        deep = [one for one in every if parse_path(one.path)[: len(place)] == place]
        above = [one for one in every if len(parse_path(one.path)) < len(place)]
        assert list(found) == deep or any(
            place[: len(parse_path(one.path))] == parse_path(one.path) for one in above
        )
    for one in found:
        assert parse_path(one.path)[: len(place)] == place


def stands(session: Session[Any], path: str, version: int) -> bool:
    try:
        get(session.raw(version), parse_path(path), {"claims": "id"})
    except NotFound:
        return False
    return True


def test_an_answer_says_between_which_versions(store: Store, inquiry: Session[Inquiry]) -> None:
    other = store.create(Inquiry(question="Why did it start?"))
    found = other.diff(inquiry.head, of=inquiry)
    assert isinstance(found, Diff)
    assert str(found.before) == f"{inquiry.name}:main v1"
    assert str(found.after) == f"{other.name}:main v0"
    assert [(one.kind, one.path) for one in found] == [
        ("removed", "/findings/0"),
        ("changed", "/question"),
    ]
    assert f"{inquiry.name}:main v1 .. {other.name}:main v0" in found._repr_html_()
    assert str(found[:1]) == '- /findings/0  {"source":"log","text":"The valve was open"}'
    assert other.diff(0, of=inquiry, path="/question")[0].kind == "changed"
    with pytest.raises(NotFound, match="There is no version 7"):
        other.diff(7, of=inquiry)


def test_a_session_is_compared_with_one_of_another_database(inquiry: Session[Inquiry]) -> None:
    with Store.open("sqlite://") as elsewhere:
        copy = elsewhere.create(Inquiry())
        assert [one.path for one in copy.diff(1, of=inquiry)] == ["/findings/0"]
        assert [one.kind for one in inquiry.diff(0, of=copy)] == ["added"]
        assert inquiry.diff(0, 0, of=copy) == []


def test_lists_with_keys_are_compared_by_key_across_sessions(store: Store) -> None:
    one, other = store.create(Notes()), store.create(Notes())
    one.transact(does("merge", "claims", [Claim(id="a"), Claim(id="b", text="old")]), "ana")
    other.transact(does("merge", "claims", [Claim(id="b", text="new"), Claim(id="a")]), "ana")
    assert [item.path for item in other.diff(1, of=one)] == ["/claims/b/text"]


def test_items_of_a_list_that_were_set_one_by_one_are_compared_as_the_list(notes: Session[Notes]) -> None:
    notes.transact(does("merge", "answers", {"x": [1, 2, 3]}), "ana")
    for place, value in enumerate((2, 3, 1)):
        notes.transact(does("set", f"/answers/x/{place}", value), "ana")
    assert notes.diff(1, 4) == whole(notes, 1, notes, 4)
    assert [(one.kind, one.path) for one in notes.diff(1, 4)] == [
        ("removed", "/answers/x/0"),
        ("added", "/answers/x/2"),
    ]
