"""Disagreement: what agents are told apart by, who holds what, and why that may be."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.judgement.comparators import By, Exact, Number, SetOf, Text, identity
from dissensus_agents.judgement.disagreement import (
    Comparison,
    Disagreement,
    Position,
    Stance,
    compare,
)
from dissensus_state.errors import ValueRefused
from dissensus_state.values import JSON, canonical, parse, store

POOL = "The deploy at 14:03 exhausted the connection pool, so that every request had to wait."
POOL_TOO = "The deploy at 14:03 has exhausted the connection pool, so every request had to wait."
DNS = "A resolver stopped answering, which clients saw as a slow service until it was replaced."


def _stance(agent: str, values: Mapping[str, JSON], **more: object) -> Stance:
    return Stance(agent, "maker/family", values, **{"base_version": 4, "evidence": 1, **more})  # type: ignore[arg-type]


def _panel(path: str, *said: JSON) -> list[Stance]:
    return [_stance(f"agent{n}", {path: value}) for n, value in enumerate(said)]


leaves = (
    st.sampled_from(["H", "C", POOL, POOL_TOO, DNS])
    | st.sampled_from([0, 1, 1.0, 1.04, 1.08, 2])
    | st.none()
    | st.booleans()
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["cause", "a/b"]), inner),
    max_leaves=5,
)
proposals = st.dictionaries(
    st.sampled_from(["/verdict", "/verdict/cause", "/answers/73", "/answers"]), values, max_size=3
)
panels = st.lists(proposals, max_size=5).map(
    lambda made: [_stance(f"agent{n}", item) for n, item in enumerate(made)]
)
choices = st.dictionaries(
    st.sampled_from(["", "/verdict", "answers", "/verdict/cause"]),
    st.sampled_from([Exact(), Number(rel=0.05), SetOf(0.5), Text(0.8), By(lambda _a, _b: 0.5, 0.5)]),
    max_size=2,
)


def _summary(found: Sequence[Disagreement]) -> set[object]:
    return {
        (
            one.path,
            one.distance,
            one.cause,
            frozenset((identity(p.value), frozenset(p.holders)) for p in one.positions),
        )
        for one in found
    }


@given(panel=panels, chosen=choices, seed=st.integers())
def test_who_is_heard_first_changes_nothing(panel: list[Stance], chosen: dict[str, By], seed: int) -> None:
    shuffled = random.Random(seed).sample(panel, len(panel))
    one, other = compare(panel, chosen), compare(shuffled, chosen)
    assert _summary(one.disagreements) == _summary(other.disagreements)
    assert _summary(one.immaterial) == _summary(other.immaterial)


@given(said=proposals, chosen=choices, heads=st.integers(0, 5))
def test_a_unanimous_panel_has_no_disagreement(
    said: dict[str, JSON], chosen: dict[str, By], heads: int
) -> None:
    assert compare([_stance(f"agent{n}", said) for n in range(heads)], chosen) == Comparison()


@given(panel=panels, chosen=choices)
def test_everybody_who_speaks_to_a_path_holds_exactly_one_position(
    panel: list[Stance], chosen: dict[str, By]
) -> None:
    names = [stance.agent for stance in panel]
    for one in compare(panel, chosen):
        holders = [holder for position in one.positions for holder in position.holders]
        assert len(holders) == len(set(holders))
        speakers = {stance.agent for stance in panel if one.path in stance.values}
        assert speakers <= set(holders) <= set(names)
        assert len(one.positions) >= 2
        assert 0 < one.distance <= 1
        assert [p.holders[0] for p in one.positions] == sorted(p.holders[0] for p in one.positions)
        assert all(list(p.holders) == sorted(p.holders) for p in one.positions)


@given(panel=panels)
def test_agents_who_differ_are_never_taken_to_say_the_same_in_silence(panel: list[Stance]) -> None:
    alike = all(
        identity(one.values[path]) == identity(other.values[path])
        for one in panel
        for other in panel
        for path in one.values.keys() & other.values.keys()
        if not isinstance(one.values[path], dict) or not isinstance(other.values[path], dict)
    )
    found = compare(panel)
    assert alike or found.disagreements or found.immaterial


@given(panel=panels, chosen=choices)
def test_a_stored_disagreement_is_read_back_as_it_was(panel: list[Stance], chosen: dict[str, By]) -> None:
    for one in compare(panel, chosen):
        stored = parse(store(one.as_dict()))
        again = Disagreement.from_dict(stored)
        assert canonical(parse(store(again.as_dict()))) == canonical(stored)
        assert isinstance(again.distance, float)


def test_two_against_one_on_an_answer() -> None:
    found = compare(_panel("/answers/73", "H", "C", "H"))
    assert list(found) == [
        Disagreement(
            "/answers/73",
            (Position("H", ("agent0", "agent2")), Position("C", ("agent1",))),
            1.0,
            "judgement",
        )
    ]
    assert not found.immaterial
    assert len(found) == 1


def test_a_disagreement_names_the_field_and_not_the_object_around_it() -> None:
    found = compare(
        _panel(
            "/verdict",
            {"cause": "pool", "service": {"name": "checkout", "since": 3}},
            {"cause": "dns", "service": {"name": "checkout", "since": 4}},
        )
    )
    assert [one.path for one in found] == ["/verdict/cause", "/verdict/service/since"]
    assert [one.cause for one in found] == ["judgement", "reasoning_error"]


def test_the_same_thing_in_other_words_is_kept_and_does_not_count() -> None:
    found = compare(_panel("/verdict", {"cause": "pool", "why": POOL}, {"cause": "pool", "why": POOL_TOO}))
    assert not found
    (worded,) = found.immaterial
    assert worded.path == "/verdict/why"
    assert [position.value for position in worded.positions] == [POOL, POOL_TOO]


def test_a_position_worded_in_two_ways_is_one_position_and_says_so() -> None:
    found = compare(_panel("/why", POOL, DNS, POOL_TOO, POOL))
    (one,) = found
    assert one.positions == (
        Position(POOL, ("agent0", "agent2", "agent3")),
        Position(DNS, ("agent1",)),
    )
    (worded,) = found.immaterial
    assert [position.holders for position in worded.positions] == [
        ("agent0", "agent3"),
        ("agent2",),
    ]


def test_a_position_speaks_with_the_words_of_most_of_its_holders() -> None:
    (one,) = compare(_panel("/why", POOL, DNS, POOL_TOO, POOL_TOO))
    assert one.positions[0] == Position(POOL_TOO, ("agent0", "agent2", "agent3"))


def test_what_is_merely_a_chain_of_small_steps_is_not_taken_for_agreement() -> None:
    panel = _panel("/share", 1.0, 1.04, 1.08)
    (one,) = compare(panel, {"/share": Number(rel=0.05)})
    assert [position.holders for position in one.positions] == [("agent0", "agent1"), ("agent2",)]
    assert one.distance == pytest.approx(0.08 / 1.08)
    for order in permutations(panel):
        (same,) = compare(order, {"/share": Number(rel=0.05)})
        assert {p.value: set(p.holders) for p in same.positions} == {
            1.0: {"agent0", "agent1"},
            1.08: {"agent2"},
        }


def test_a_key_that_one_agent_left_out_is_what_it_said_of_it() -> None:
    (one,) = compare(_panel("/verdict", {"cause": "pool"}, {"cause": "pool", "severity": "high"}))
    assert one.path == "/verdict/severity"
    assert one.positions == (Position(None, ("agent0",)), Position("high", ("agent1",)))


def test_whoever_proposes_one_field_is_compared_with_whoever_proposes_the_whole() -> None:
    panel = [
        _stance("whole", {"/verdict": {"cause": "pool", "steps": ["restart", "scale"], "a/b": 2}}),
        _stance("field", {"/verdict/cause": "dns"}),
        _stance("item", {"/verdict/steps/1": "wait"}),
        _stance("key", {"/verdict/a~1b": 1}),
    ]
    found = compare(panel)
    assert len(found) == 3
    assert {one.path: one.positions for one in found} == {
        "/verdict/cause": (Position("pool", ("whole",)), Position("dns", ("field",))),
        "/verdict/steps/1": (Position("scale", ("whole",)), Position("wait", ("item",))),
        "/verdict/a~1b": (Position(2, ("whole",)), Position(1, ("key",))),
    }


def test_a_field_that_some_propose_alone_and_others_inside_the_whole_is_named_once() -> None:
    panel = _panel("/verdict", {"cause": "pool"}, {"cause": "dns"})
    (one,) = compare([*panel, _stance("field", {"/verdict/cause": "dns"})])
    assert one.positions[1] == Position("dns", ("agent1", "field"))


def test_a_path_that_only_one_agent_speaks_to_is_no_disagreement() -> None:
    panel = [_stance("a", {"/cause": "pool"}), _stance("b", {"/remedy": "restart"})]
    assert compare(panel) == Comparison()


def test_an_object_against_none_is_a_disagreement_on_the_object() -> None:
    (one,) = compare(_panel("/verdict", None, {"cause": "pool"}))
    assert one.path == "/verdict"


@pytest.mark.parametrize(
    ("chosen", "disputed"),
    [
        ({}, ["/m/p50", "/m/p99"]),
        ({"m": Number(rel=0.05)}, ["/m/p99"]),
        ({"/m": Number(rel=0.05)}, ["/m/p99"]),
        ({"": Number(rel=0.5)}, []),
        ({"": Number(rel=0.5), "/m/p99": Exact()}, ["/m/p99"]),
        ({"/other": Number(rel=0.5)}, ["/m/p50", "/m/p99"]),
        ({"/m/p": Number(rel=0.5)}, ["/m/p50", "/m/p99"]),
    ],
)
def test_the_comparator_of_the_longest_path_counts(chosen: dict[str, Number], disputed: list[str]) -> None:
    panel = _panel("/m", {"p50": 100, "p99": 800}, {"p50": 102, "p99": 900})
    assert [one.path for one in compare(panel, chosen)] == disputed


def test_your_own_comparator_sees_the_whole_object() -> None:
    def by_cause(a: dict[str, str], b: dict[str, str]) -> float:
        return 0.0 if a["cause"].lower() == b["cause"].lower() else 1.0

    panel = _panel("/verdict", {"cause": "pool", "n": 1}, {"cause": "POOL", "n": 2}, {"cause": "dns"})
    (one,) = compare(panel, {"/verdict": By(by_cause)})
    assert one.path == "/verdict"
    assert [position.holders for position in one.positions] == [("agent0", "agent1"), ("agent2",)]


def test_what_is_not_far_enough_apart_for_you_is_immaterial() -> None:
    panel = _panel("/n", 100, 110)
    assert [one.path for one in compare(panel, threshold=0.05)] == ["/n"]
    found = compare(panel, threshold=10 / 110)
    assert not found.disagreements
    assert [one.path for one in found.immaterial] == ["/n"]


def test_a_difference_that_does_not_matter_takes_no_vote_from_a_position() -> None:
    found = compare(_panel("/n", 100, 150, 101), threshold=0.05)
    (one,) = found
    assert [position.holders for position in one.positions] == [("agent0", "agent2"), ("agent1",)]
    assert [[held.holders for held in small.positions] for small in found.immaterial] == [
        [("agent0",), ("agent2",)]
    ]
    assert found == compare(_panel("/n", 100, 150, 101), {"/n": Number(rel=0.0)}, threshold=0.05)


@pytest.mark.parametrize(
    "stored",
    [
        None,
        {},
        {"path": "/a", "positions": [], "distance": 2, "cause": "judgement"},
        {"path": "/a", "positions": [], "distance": 1, "cause": "envy"},
        {"path": "/a", "positions": [{"value": 1}], "distance": 1, "cause": "judgement"},
        {
            "path": "/a",
            "positions": [{"value": 1, "holders": [2]}],
            "distance": 1,
            "cause": "judgement",
        },
    ],
)
def test_a_record_that_was_tampered_with_is_refused(stored: JSON) -> None:
    with pytest.raises(ValueRefused, match="is not a stored"):
        Disagreement.from_dict(stored)


thresholds_ = st.floats(0, 1) | st.dictionaries(
    st.sampled_from(["", "/verdict", "answers", "/verdict/cause"]), st.floats(0, 1), max_size=3
)


@given(panel=panels, chosen=choices, least=st.floats(0, 1), more=st.floats(0, 1), path=st.booleans())
def test_a_larger_threshold_never_adds_a_disagreement_and_loses_no_difference(
    panel: list[Stance], chosen: dict[str, By], least: float, more: float, *, path: bool
) -> None:
    low, high = sorted((least, more))
    small: float | dict[str, float] = {"/verdict": low} if path else low
    large: float | dict[str, float] = {"/verdict": high} if path else high
    one, other = compare(panel, chosen, small), compare(panel, chosen, large)
    assert _summary(other.disagreements) <= _summary(one.disagreements)
    assert _summary([*one.disagreements, *one.immaterial]) == _summary(
        [*other.disagreements, *other.immaterial]
    )


@given(panel=panels, chosen=choices, least=thresholds_, seed=st.integers())
def test_thresholds_know_no_order_either(
    panel: list[Stance], chosen: dict[str, By], least: float | dict[str, float], seed: int
) -> None:
    shuffled = random.Random(seed).sample(panel, len(panel))
    assert _summary(compare(panel, chosen, least)) == _summary(compare(shuffled, chosen, least))


def test_the_threshold_of_the_longest_path_counts() -> None:
    panel = _panel("/verdict", {"cause": 100, "share": 50}, {"cause": 110, "share": 60})
    found = compare(panel, threshold={"": 0.5, "/verdict": 0.2, "/verdict/cause": 0.0})
    assert [one.path for one in found] == ["/verdict/cause"]
    assert [one.path for one in found.immaterial] == ["/verdict/share"]


@pytest.mark.parametrize(
    ("said", "entropy"),
    [(("a", "b"), math.log(2)), (("a", "b", "c"), math.log(3)), (("a", "a", "a", "b"), 0.5623351446188083)],
)
def test_the_entropy_of_a_disagreement_says_how_split_the_agents_are(
    said: tuple[str, ...], entropy: float
) -> None:
    (one,) = compare(_panel("/x", *said))
    assert one.entropy == pytest.approx(entropy)
