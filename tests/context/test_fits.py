from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus.context import ContextOverflow, Newest, Refuse, Relevant, Summarised
from dissensus_agents.agent import Agent
from dissensus_agents.context.counting import room_of, surely_over, tokens_of
from dissensus_agents.context.fits import BETWEEN, cut, overfull
from dissensus_agents.context.fitting import Fitting, Room
from dissensus_agents.context.ranking import ranked
from dissensus_agents.errors import GraphError
from dissensus_agents.messages import Part, Request
from dissensus_agents.models.scripted import FunctionModel
from dissensus_agents.views import render
from dissensus_state.errors import NotFound
from dissensus_state.values import JSON


def of(path: str, value: Any) -> Part:
    return Part(render(value), path, path, value=value)


def nothing(_: str) -> Any:
    raise AssertionError("nothing was to be read")


def size(parts: tuple[Part, ...]) -> int:
    return sum(tokens_of(part.render()) + BETWEEN for part in parts)


def numbered(count: int) -> list[str]:
    return [f"finding number {n} " + "x" * 40 for n in range(count)]


def model(window: int | None = None, name: str = "m") -> FunctionModel:
    made = FunctionModel(name, lambda _: "{}")
    made.window = window  # type: ignore[attr-defined]
    return made


def test_what_fits_is_left_as_it_is() -> None:
    parts = (Part("What happened?"), of("/findings", numbered(3)))
    assert cut(parts, 10_000, Newest(), nothing, "'ana'") == parts


def test_the_newest_items_that_fit_are_shown_and_the_prompt_says_how_many_are_not() -> None:
    (part,) = cut((of("/findings", numbered(40)),), 300, Newest(), nothing, "'ana'")
    assert part.shown is not None
    ((first, last),) = part.shown.ranges
    assert (last, part.shown.of) == (40, 40)
    assert 5 < last - first < 20
    assert (
        f"({last - first} of 40 items are shown: the newest; {40 - last + first} are left out)" in part.text
    )
    assert "finding number 39" in part.text
    assert f"finding number {first - 1} " not in part.text
    assert size((part,)) <= 300


def test_the_newest_end_where_one_does_not_fit_and_nothing_older_is_shown() -> None:
    findings = [*numbered(10), "x" * 4000, *numbered(3)]
    (part,) = cut((of("/findings", findings),), 300, Newest(), nothing, "'ana'")
    assert part.shown is not None
    assert part.shown.ranges == ((11, 14),)


def test_items_are_chosen_by_what_they_say_of_the_question_and_keep_their_order() -> None:
    facts = [f"The weather on day {n} was {'mild ' * 8}" for n in range(30)]
    facts[4] = "The vault was opened by the night clerk"
    facts[21] = "The clerk had lost the keys of the vault"
    (part,) = cut((of("/facts", facts),), 110, Relevant("Who opened the vault?"), nothing, "'ana'")
    assert part.shown is not None
    assert [n for begin, end in part.shown.ranges for n in range(begin, end)][:1] == [4]
    assert part.text.index("opened by the night clerk") < part.text.index("lost the keys")


def test_a_question_in_the_state_is_read_and_enters_the_read_set() -> None:
    read: list[str] = []

    def ask(path: str) -> str:
        read.append(path)
        return "Who opened the vault?"

    cut((of("/facts", numbered(40)),), 300, Relevant("/question"), ask, "'ana'")
    assert read == ["/question"]


def test_of_a_dictionary_items_are_shown_with_their_keys() -> None:
    notes = {f"note{n:02}": "x" * 60 for n in range(30)}
    (part,) = cut((of("/notes", notes),), 200, Newest(), nothing, "'ana'")
    assert "### note29" in part.text
    assert "note00" not in part.text


def test_small_parts_stay_whole_and_large_ones_share_what_is_left() -> None:
    parts = (Part("Who?"), of("/few", numbered(2)), of("/a", numbered(90)), of("/b", numbered(90)))
    made = cut(parts, 800, Newest(), nothing, "'ana'")
    assert made[:2] == parts[:2]
    shown = [part.shown.count for part in made[2:] if part.shown]
    assert len(shown) == 2
    assert abs(shown[0] - shown[1]) <= 1
    assert size(made) <= 800


@pytest.mark.parametrize("fit", [Newest(), Relevant("x")])
def test_the_words_of_a_prompt_are_never_cut(fit: Any) -> None:
    with pytest.raises(ContextOverflow) as error:
        cut((Part("word " * 4000), of("/findings", numbered(40))), 300, fit, nothing, "'ana'")
    assert "'ana' is about" in error.value.message
    assert error.value.context["over"] > 4000
    assert "nothing was sent" in error.value.next_step


def test_an_item_that_does_not_fit_by_itself_is_an_error() -> None:
    with pytest.raises(ContextOverflow, match="The longest of them is /findings"):
        cut((of("/findings", ["x" * 9000, "y" * 9000]),), 300, Newest(), nothing, "'ana'")


items = st.lists(
    st.text(max_size=60) | st.integers() | st.lists(st.text(max_size=9), max_size=4), max_size=40
)


@given(items, items, st.integers(1, 800), st.sampled_from([Newest(), Relevant("a b c")]))
def test_a_fitted_prompt_fits_is_the_same_each_time_and_keeps_the_order(
    first: list[Any], second: list[Any], room: int, fit: Any
) -> None:
    parts = (Part("Hm?"), of("/first", first), of("/second", second))
    try:
        made = cut(parts, room, fit, nothing, "'ana'")
    except ContextOverflow:
        assert size(parts) > room
        return
    assert size(made) <= room
    assert made == cut(parts, room, fit, nothing, "'ana'")
    for part, value in zip(made[1:], (first, second), strict=True):
        if part.shown:
            kept = [n for begin, end in part.shown.ranges for n in range(begin, end)]
            assert kept == sorted(set(kept))
            assert 0 < len(kept) < len(value)
            assert part.text.endswith(render([value[n] for n in kept]))


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=9), st.integers(0, 4000))
def test_shares_are_fair_and_never_more_than_there_is(sizes: list[int], room: int) -> None:
    parts = [Part("x" * (4 * one), "/p") for one in sizes]
    shares = overfull(parts, room, lambda _: True, "'ana'")
    needed = {place: one + BETWEEN for place, one in enumerate(sizes)}
    if not shares:
        assert sum(needed.values()) <= room
        return
    whole = sum(one for place, one in needed.items() if place not in shares)
    assert whole + sum(shares.values()) <= room or not room
    assert max(shares.values()) - min(shares.values()) <= len(sizes)


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("word", 1), ("word w", 2), ("日本語", 3), ("a日b", 2)]
)
def test_a_token_is_estimated_at_four_characters_and_at_one_sign_of_other_scripts(
    text: str, tokens: int
) -> None:
    assert tokens_of(text) == tokens


def test_the_room_of_a_prompt_leaves_place_for_the_answer_and_for_a_wrong_estimate() -> None:
    request = Request("x" * 400, (), max_output_tokens=1000)
    assert room_of(request, 8000) == 8000 - 400 - 1000 - 100 - 2 * 16 - 256
    assert room_of(request, 8000, 500) == 500
    assert room_of(request, None) is None
    assert room_of(request, None, 500) == 500


def test_terms_that_are_rare_weigh_more_and_equal_items_are_told_by_their_age() -> None:
    texts = ["the disk is full", "the net is down", "the disk is slow", "the disk"]
    assert ranked(texts, "Is the net full?")[0] in (0, 1)
    assert ranked(["a", "a", "a"], "b") == [2, 1, 0]
    assert ranked([], "b") == []


FITS: dict[str, Any] = {"refuse": Refuse(), "newest": Newest(), "summarised": Summarised(model())}


@pytest.mark.parametrize("fit", list(FITS))
def test_a_rule_without_a_window_or_a_bound_is_no_rule(fit: str) -> None:
    with pytest.raises(GraphError, match="Nobody knows the window") as error:
        Agent("ana", model(None), fit=FITS[fit])
    assert "tokens=8000" in error.value.next_step


@pytest.mark.parametrize("wrong", ["newest", Newest, 7, Newest(tokens=0)])
def test_what_is_no_rule_is_said_when_the_agent_is_made(wrong: Any) -> None:
    with pytest.raises(GraphError, match=r"no rule|1 or more|is empty"):
        Agent("ana", model(9000), fit=wrong)


def test_a_path_to_be_relevant_to_that_leads_nowhere_is_said_with_what_to_write() -> None:
    def ask(path: str) -> JSON:
        raise NotFound(f"There is nothing at {path}")

    with pytest.raises(GraphError, match="relevant to /nope") as error:
        cut((of("/facts", numbered(400)),), 300, Relevant("/nope"), ask, "'ana'")
    assert "'/question'" in error.value.next_step


@pytest.mark.parametrize("wrong", [Relevant(""), Relevant(" "), Summarised(model(), piece=0)])
def test_a_rule_that_nothing_can_follow_is_said_when_the_agent_is_made(wrong: Any) -> None:
    with pytest.raises(GraphError, match=r"1 or more|is empty"):
        Agent("ana", model(9000), fit=wrong)


def long(tokens: int) -> Request:
    return Request("", (of("/findings", ["x" * (4 * tokens - 8)]),), max_output_tokens=100)


def fitting(fit: Any, *windows: int | None) -> Fitting:
    return Fitting("ana", "", fit, [model(window, f"m{n}") for n, window in enumerate(windows)])


def test_without_a_rule_only_what_surely_does_not_fit_is_refused() -> None:
    assert fitting(None, None).of(long(10**5), nothing) == long(10**5)
    assert fitting(None, 10_000).of(long(15_000), nothing) == long(15_000)
    with pytest.raises(ContextOverflow):
        fitting(None, 10_000).of(long(25_000), nothing)
    assert fitting(None, 10_000, 50_000).of(long(25_000), nothing) == long(25_000)
    assert fitting(None, 10_000, None).of(long(25_000), nothing) == long(25_000)


def test_refuse_is_stricter_than_no_rule() -> None:
    with pytest.raises(ContextOverflow) as error:
        fitting(Refuse(), 10_000).of(long(9_500), nothing)
    assert error.value.code == "context.overflow"
    assert fitting(Refuse(), 10_000).of(long(8_000), nothing) == long(8_000)


def test_a_prompt_fits_the_smallest_window_that_may_be_asked() -> None:
    request = Request("", (of("/findings", numbered(400)),), max_output_tokens=100)
    alone = fitting(Newest(), 5000).of(request, nothing).parts[0].shown
    both = fitting(Newest(), 9000, 5000, None).of(request, nothing).parts[0].shown
    assert alone is not None
    assert alone == both


def test_the_room_of_a_record_wins_over_the_window_of_today() -> None:
    request = Request("", (of("/findings", numbered(400)),), max_output_tokens=100)
    then = fitting(Newest(), 5000).of(request, nothing)
    shown = then.parts[0].shown
    assert shown is not None
    assert fitting(Newest(), 9000).of(request, nothing, Room(shown.room)) == then
    assert fitting(Newest(), 900).of(request, nothing, Room(None)) == request


def test_an_answer_as_long_as_the_window_leaves_no_room() -> None:
    with pytest.raises(ContextOverflow, match="there is room for 0"):
        fitting(Newest(), 4096).of(Request("", (of("/findings", numbered(4)),)), nothing)


def test_surely_counts_eight_characters_for_a_token() -> None:
    read: Callable[[str], int] = lambda text: surely_over(Request("", (Part(text),)), 10)  # noqa: E731
    assert (read("x" * 80), read("x" * 88)) == (0, 1)
