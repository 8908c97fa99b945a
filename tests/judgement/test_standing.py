"""What is counted of settled rounds, and what weights, quality and thresholds make of it."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.errors import TooFewGrades
from dissensus_agents.judgement.ballots import Rate, Voter
from dissensus_agents.judgement.correlation import phi
from dissensus_agents.judgement.measured import Measured, Seen
from dissensus_agents.judgement.rates import Share, calibration, wilson
from dissensus_agents.judgement.standing import Standing, ruled_by, ruling_held
from dissensus_agents.judgement.thresholds import threshold_for
from dissensus_agents.watch.quality import quality_of
from dissensus_state.records import Grade, Ruling
from dissensus_state.standing import Line, Settled

_NOBODY = Voter("", "")


def line(agent: str, *, right: bool | None = None, **more: Any) -> Line:
    """An agent whose model is called after it."""
    grade = (
        None if right is None else Grade(agent, right, more.pop("basis", "reference"), more.pop("by", "key"))
    )
    said: dict[str, Any] = {
        "status": "accepted",
        "confidence": None,
        "model": f"model-{agent}",
        "lineage": f"maker-{agent}/one",
        "answers": 1,
        "repaired": 0,
        "latency_ms": 100,
        "cost": 5,
        "failure": None,
        **more,
    }
    return Line(agent, grade=grade, **said)


def ruling(decision: Any = "uphold", **said: Any) -> Ruling:
    return Ruling("chair", decision, b"", "so", **{"seed": 7, "attempt": 1, **said})


def settled(*lines: Line, number: int = 1, **more: Any) -> Settled:
    said: dict[str, Any] = {"review": None, "ruling": None, "judge": None, "ruled": None, **more}
    return Settled(1, number, "judge", "committed", 1000 + number, lines=lines, **said)


def disputed(*sides: list[str], failed: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    positions = [{"value": n, "holders": side} for n, side in enumerate(sides)]
    return {"disagreements": [{"path": "/verdict", "positions": positions}], "failed": failed or []}


def test_each_model_has_a_record_at_each_task() -> None:
    rounds = [settled(line("a", right=True), line("b", right=False), number=n) for n in range(3)]
    found = Standing.of([*rounds, settled(line("a"))._replace(task="other")])
    assert {key: len(one) for key, one in found.records.items()} == {
        ("model-a", "judge"): 3,
        ("model-b", "judge"): 3,
        ("model-a", "other"): 1,
    }
    assert found.rounds == 4
    assert found.knowledge.accuracy("model-b", "judge") == Rate(0, 3)
    assert found.knowledge.accuracy("model-a", "other") is None


def test_the_figures_of_a_model() -> None:
    review = disputed(["a"], ["b"], failed=[{"agents": ["a"]}, {"agents": ["b"], "broke": True}])
    found = Standing.of(
        [
            settled(line("a", right=True, confidence=0.9), line("b")),
            settled(
                line(
                    "a", right=False, basis="person", status="dissent", confidence=0.6, answers=3, cost=None
                ),
                line("b"),
                review=review,
                ruling=ruling(upheld=("b",), dissent=("a",)),
            ),
            settled(
                line(
                    "a",
                    status="abstained",
                    latency_ms=None,
                    failure={"code": "answer.malformed", "kind": "refusal"},
                )
            ),
            settled(line("a", repaired=1, latency_ms=900), ruling=ruling("reject", attempt=None, seed=None)),
        ]
    )
    figures = quality_of(found.records["model-a", "judge"])
    counted = {
        name: (getattr(figures, name).hits, getattr(figures, name).of)
        for name in ("right", "dissent", "overruled", "failed", "malformed", "refused")
    }
    assert counted == {
        "right": (1, 2),
        "dissent": (1, 3),
        "overruled": (2, 2),
        "failed": (1, 3),
        "malformed": (3, 4),
        "refused": (1, 4),
    }
    assert (figures.asked, figures.abstained, figures.by) == (4, 1, {"person": 1, "reference": 1})
    assert (figures.latency_ms, figures.cost, figures.unpriced) == ((100, 900), 15, 1)
    assert figures.calibration.on == 2
    assert figures.calibration.brier == pytest.approx((0.1**2 + 0.6**2) / 2)
    assert quality_of(found.records["model-b", "judge"]).failed.hits == 0, "a check that broke fails nobody"
    assert quality_of(found.records["model-b", "judge"]).overruled == Share.counted(0, 1)


@pytest.mark.parametrize(
    ("said", "by"),
    [({"attempt": 1}, "model"), ({"attempt": None}, "rule"), ({"attempt": None, "seed": None}, "person")],
)
def test_whether_a_rule_a_model_or_a_person_has_ruled(said: dict[str, Any], by: str) -> None:
    assert ruled_by(ruling(**said)) == by


def test_who_loses_to_a_rule_dissents_and_is_not_overruled() -> None:
    lost = ruling(upheld=("b",), dissent=("a",), attempt=None)
    found = Standing.of([settled(line("a", status="dissent"), line("b"), ruling=lost)])
    figures = quality_of(found.records["model-a", "judge"])
    assert (figures.dissent.hits, figures.overruled.of) == (1, 0)


UPHELD_A = ruling(upheld=("a",), dissent=("b",))


@pytest.mark.parametrize(
    ("one", "held"),
    [
        (settled(line("a", right=True), line("b")), True),
        (settled(line("a", right=False), line("b")), False),
        (settled(line("a"), line("b", right=True)), False),
        (settled(line("a"), line("b", right=False)), None),
        (settled(line("a"), line("b")), None),
        (
            settled(
                line("a", right=True), ruled=Grade("supervisor", right=False, basis="person", author="eva")
            ),
            False,
        ),
        (settled(line("a", right=True, by="chair"), line("b", right=False, by="chair")), None),
    ],
)
def test_a_ruling_is_held_to_what_is_known_from_outside(one: Settled, *, held: bool | None) -> None:
    assert ruling_held(one, UPHELD_A) is held


def test_who_has_ruled_has_a_record_too() -> None:
    rounds = [
        settled(line("a", right=n > 0), line("b"), ruling=UPHELD_A, judge=("pro", "maker/pro"), number=n)
        for n in range(3)
    ]
    (judge,) = Standing.of([*rounds, settled(ruling=ruling("retry"))]).judges.values()
    assert (judge.author, judge.by, judge.model) == ("chair", "model", "pro")
    assert (judge.held, judge.overturned, judge.decisions) == (2, 1, {"uphold": 3, "retry": 1})


def test_two_models_are_a_pair_where_both_are_graded() -> None:
    rounds = [
        settled(line("a", right=False), line("b", right=False), review=disputed(["a"], ["b"])),
        settled(line("a", right=False), line("b", right=False)),
        settled(line("a", right=True), line("b", right=True)),
        settled(line("a", right=True), line("b")),
        settled(line("a", right=True), line("a", right=True)),
    ]
    found = Standing.of(rounds)
    both = found.together("judge", "model-b", "model-a")
    assert (both.of, both.same_errors, both.phi) == (3, Rate(1, 2), pytest.approx(1.0))
    assert found.knowledge.correlation(Voter("model-a", ""), Voter("model-b", ""), "judge") == (
        pytest.approx(1.0),
        3,
    )
    assert list(Standing.of(rounds, model="model-a").records) == [("model-a", "judge")]


def test_a_models_ruling_counts_only_where_that_is_asked_for_and_for_less() -> None:
    one = settled(line("a"), line("b", right=True), ruling=UPHELD_A)
    assert Standing.of([one]).knowledge.accuracy("model-a", "judge") is None
    knowledge = Standing.of([one], rulings=0.25).knowledge
    assert knowledge.accuracy("model-a", "judge") == Rate(0.25, 0.25)
    assert knowledge.accuracy("model-b", "judge") == Rate(1, 1), "a grade stands before a ruling"
    by_person = settled(line("a"), ruling=ruling(upheld=("a",), attempt=None, seed=None))
    assert Standing.of([by_person], rulings=0.25).knowledge.accuracy("model-a", "judge") is None


@given(seen=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_the_correlation_of_two_models_is_pearsons(seen: list[tuple[bool, bool]]) -> None:
    made = Measured()
    for one, other in seen:
        made.add("t", [Seen("x", one), Seen("y", other)])
    value, on = made.correlation(Voter("y", ""), Voter("x", ""), "t")
    expected = phi(seen)
    assert (value, on) == ((0.0, 0) if expected is None else (pytest.approx(max(0.0, expected)), len(seen)))


def test_nothing_is_known_of_strangers_and_a_model_is_no_pair_with_itself() -> None:
    made = Measured()
    made.add("t", [])
    made.add("t", [Seen("x", right=True), Seen("x", right=False)])
    assert made.on == 1
    assert made.accuracy("x", "t") == Rate(1, 2)
    assert made.accuracy("x", "u") is None
    assert made.correlation(Voter("x", ""), Voter("x", ""), "t") == (0.0, 0)
    assert made.correlation(_NOBODY, Voter("x", ""), "t") == (0.0, 0)


@given(hits=st.integers(0, 200), more=st.integers(0, 200))
def test_an_interval_holds_its_rate_and_narrows_with_more(hits: int, more: int) -> None:
    low, high = wilson(hits, hits + more)
    assert 0 <= low <= high <= 1
    if hits + more:
        assert low <= hits / (hits + more) <= high
        wide = wilson(hits * 4, (hits + more) * 4)
        assert wide[1] - wide[0] <= high - low + 1e-12
    assert Share.counted(0, 0).rate is None


def test_calibration_of_who_means_what_he_says_and_of_who_does_not() -> None:
    chance = random.Random(1)
    said = [chance.random() for _ in range(20_000)]
    honest = calibration((sure, chance.random() < sure) for sure in said)
    assert honest.ece is not None
    assert honest.ece < 0.02
    boaster = calibration([(1.0, right) for right in (True, False)])
    assert (boaster.ece, boaster.brier) == (0.5, 0.5)
    assert calibration([]).brier is None


def rounds_of(n: int, chance: random.Random, *, honest: bool) -> list[Settled]:
    """Rounds of one model that is right as often as it says, or as often whatever it says."""
    made = []
    for number in range(n):
        sure = chance.random()
        right = chance.random() < (sure if honest else 0.6)
        made.append(settled(line("a", right=right, confidence=sure), number=number))
    return made


def test_a_threshold_says_on_what_it_was_set_and_how_it_was_tested() -> None:
    found = threshold_for(Standing.of(rounds_of(4000, random.Random(2), honest=True)), "judge", 0.8)
    assert 0.55 < found.value < 0.85
    assert found.on + found.kept.of == 4000
    assert found.right.low > 0.75
    assert found.note.startswith(f"Set on {found.on} graded rounds of model-a at judge so that at least 0.8")
    assert f"tested on {found.kept.of} others: {found.kept.hits} kept" in found.note
    assert found.as_dict()["right"]["of"] == found.kept.hits


def test_a_threshold_is_not_looked_for_below_one_that_failed() -> None:
    """What is tried until something passes would pass by chance in the end."""
    said = [(0.95, True)] * 200 + [(0.9, False)] * 200 + [(0.5, True)] * 2000
    rounds = [
        settled(line("a", right=right, confidence=sure), number=n) for n, (sure, right) in enumerate(said)
    ]
    assert threshold_for(Standing.of(rounds), "judge", 0.8).value == 0.95


def test_a_threshold_misses_its_target_in_one_of_twenty_settings_at_most() -> None:
    missed = tried = 0
    for seed in range(150):
        standing = Standing.of(rounds_of(600, random.Random(seed), honest=True))
        try:
            found = threshold_for(standing, "judge", 0.75)
        except TooFewGrades:
            continue
        tried += 1
        missed += (1 + found.value) / 2 < 0.75  # the true share above it: confidences are uniform
    assert tried > 100
    assert missed / tried <= 0.08


@pytest.mark.parametrize(
    ("rounds", "target", "why"),
    [
        (
            rounds_of(99, random.Random(3), honest=True),
            0.8,
            "99 graded rounds at 'judge' that state a confidence",
        ),
        (rounds_of(2000, random.Random(4), honest=False), 0.8, "no stated confidence of model-a"),
        ([], 0.8, "Nobody has a record at 'judge'"),
        ([settled(line("a"), line("b"))], 0.8, "Several models have a record at 'judge': model-a, model-b"),
    ],
)
def test_a_threshold_that_nothing_bears_out_is_refused(
    rounds: list[Settled], target: float, why: str
) -> None:
    with pytest.raises(TooFewGrades, match=why):
        threshold_for(Standing.of(rounds), "judge", target)


@pytest.mark.parametrize("target", [0, 1, 1.5, math.nan])
def test_a_target_is_a_share(target: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        threshold_for(Standing(), "judge", target)
