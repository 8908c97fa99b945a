"""Routers that were learned, and one that counts: what they choose, why, and what they refuse."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus.patterns import (
    Asked,
    Graded,
    LearnedRouter,
    Option,
    apgr,
    complexity,
    complexity_of,
    fit_router,
)
from dissensus_agents.errors import GraphError, NotInstalled
from dissensus_agents.examples import Example, Voice, as_questions
from dissensus_agents.judgement.ballots import Voter
from dissensus_agents.patterns.learning import design

EASY = "How much is {a} and {b}?"
HARD = "Prove that the polynomial of degree {a} has {b} roots in the complex plane, unless it is constant."

OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        "strong": Option("strong", ("s",), ("large",), cost_of=lambda: 10_000_000),
        "cheap": Option("cheap", ("c",), ("small",), cost_of=lambda: 1_000_000),
    }
)


def _graded(count: int = 300, *, answers: bool = False) -> list[Graded]:
    """The large model knows nearly all; the small one the easy questions, and whatever it is sure of."""
    chance = random.Random(5)
    found = []
    for n in range(count):
        hard = chance.random() < 0.5
        text = (HARD if hard else EASY).format(a=chance.randint(1, 99), b=chance.randint(1, 99))
        small = chance.random() < (0.1 if hard else 0.95)
        answer = "It is 3 + 4 = 7. The answer is 7." if small else "I cannot say. 3 + 4 = 9, and"
        right = {"small": small, "large": chance.random() < 0.95}
        found.append(Graded(f"q{n}", text, right, "maths", answer if answers else None))
    return found


@pytest.fixture(scope="module")
def router() -> LearnedRouter:
    return fit_router(_graded(), made=date(2026, 1, 2))


def _asked(text: str, options: Mapping[str, Option] = OPTIONS) -> Asked:
    return Asked("maths", text, options)


def test_the_cheap_model_gets_what_it_can_do_and_the_strong_one_the_rest(router: LearnedRouter) -> None:
    assert router(_asked(EASY.format(a=12, b=30))).option == "cheap"
    assert router(_asked(HARD.format(a=12, b=30))).option == "strong"


def test_a_choice_says_how_likely_it_is_right_and_what_was_passed_over(router: LearnedRouter) -> None:
    choice = router(_asked(HARD.format(a=12, b=30)))
    assert choice.confidence is not None
    assert choice.confidence > 0.8
    assert "likely right (fitted on 600 graded examples over 300 questions" in choice.reason
    assert set(choice.passed_over) == {"cheap"}
    assert "likely right" in choice.passed_over["cheap"]


def test_what_is_served_is_what_was_fitted(router: LearnedRouter) -> None:
    import numpy as np

    one = _graded(1)[0]
    rows, _, _ = design([one], router.weights.tasks, reads_answer=False)
    scores = rows @ np.array(router.weights.weights).T
    for n, (model, chance) in enumerate(router.chances(one.text, one.task).items()):
        a, b = router.weights.scaling[n]
        assert model == router.weights.models[n]
        assert chance == pytest.approx(float(1 / (1 + np.exp(-(a + b * scores[0, n])))))


def test_what_a_right_answer_is_worth_decides_where_it_is_given(router: LearnedRouter) -> None:
    hard = HARD.format(a=12, b=30)
    assert LearnedRouter(router.weights, worth=0.001).choose(hard, OPTIONS, "maths").name == "cheap"
    assert LearnedRouter(router.weights, worth=10).choose(hard, OPTIONS, "maths").name == "strong"


def test_an_option_of_unknown_models_or_price_is_never_taken_for_free(router: LearnedRouter) -> None:
    unknown = {"new": Option("new", ("n",), ("unheard-of",), cost_of=lambda: 1)}
    assert router(_asked("?", unknown)).option == ""
    mixed = router(_asked(EASY.format(a=1, b=2), {**OPTIONS, **unknown}))
    assert mixed.option == "cheap"
    assert mixed.passed_over["new"] == "its models are unknown to it"
    unpriced = {**OPTIONS, "cheap": Option("cheap", ("c",), ("small",))}
    assert router(_asked(EASY.format(a=1, b=2), unpriced)).option == "strong"


def test_chances_are_calibrated_on_questions_that_it_had_not_seen(router: LearnedRouter) -> None:
    held_out = router.provenance.held_out
    assert held_out["calibration error of small"] < 0.1
    assert held_out["apgr.low"] <= held_out["apgr"] <= held_out["apgr.high"]
    assert held_out["apgr"] > 0.7
    for chance in router.chances(EASY.format(a=3, b=4), "maths").values():
        assert 0 <= chance <= 1


def test_a_router_that_reads_the_cheap_answer_first_needs_it(router: LearnedRouter) -> None:
    reading = fit_router(_graded(answers=True), answers_of="small")
    hard = HARD.format(a=12, b=30)
    sound = reading.chances(hard, "maths", "It is 3 + 4 = 7. The answer is 7.")
    broken = reading.chances(hard, "maths", "I cannot say. 3 + 4 = 9, and")
    assert sound["small"] > broken["small"]
    assert reading.provenance.held_out["apgr"] > router.provenance.held_out["apgr"]
    with pytest.raises(GraphError, match="reads the answer of small before it decides"):
        reading(_asked(hard))


def test_it_is_served_without_numpy_and_survives_its_file(
    router: LearnedRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    again = LearnedRouter.load(router.dump())
    text = HARD.format(a=5, b=6)
    assert again.chances(text, "maths") == router.chances(text, "maths")
    with pytest.raises(NotInstalled, match="numpy"):
        fit_router(_graded())


def test_it_learns_from_questions_that_only_one_of_the_models_was_asked() -> None:
    parted = [
        Graded(one.key, one.text, {name: one.right[name] for name in (("small",) if n % 2 else ("large",))})
        for n, one in enumerate(_graded(600))
    ]
    router = fit_router(parted)
    assert router.provenance.on == 600
    assert "apgr" not in router.provenance.held_out
    assert router(_asked(EASY.format(a=12, b=30))).option == "cheap"
    assert router(_asked(HARD.format(a=12, b=30))).option == "strong"


def test_rounds_that_a_route_has_sent_to_one_model_each_are_examples_for_a_router() -> None:
    sent = [
        Example(one.key, "quiz", one.text, [Voice(name, Voter(name, "x/y"), "7", right=one.right[name])])
        for n, one in enumerate(_graded(300))
        for name in [("small", "large")[n % 2]]
    ]
    rare = Example("k", "quiz", "?", [Voice("r", Voter("rare", "x/y"), "7", right=True)])
    questions = as_questions([*sent, rare])
    assert len(questions) == 300
    assert fit_router(questions).weights.models == ("large", "small")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"buckets": 5000}, "cannot be read"),
        ({"buckets": 100}, "each model must have"),
        ({"models": ["small"]}, "cannot be read"),
        ({"measures": ["length"]}, "other measures than are taken here"),
        ({"scaling": [[0, 1], [0, 2]]}, "does not match its digest"),
        ({"answers_of": "nobody"}, "fit it again|knows nothing"),
    ],
)
def test_a_file_that_was_changed_by_hand_is_refused(
    router: LearnedRouter, change: dict[str, object], why: str
) -> None:
    with pytest.raises(GraphError, match=why):
        LearnedRouter.load(json.dumps(json.loads(router.dump()) | change))


def test_what_cannot_be_fitted_is_refused_with_the_reason() -> None:
    with pytest.raises(GraphError, match="200 to 50,000 graded questions, and not to 10"):
        fit_router(_graded(10))
    rare = [*_graded(), Graded("odd", "?", {"rare": True})]
    with pytest.raises(GraphError, match=r"100 graded answers of each of two models.*1 of rare"):
        fit_router(rare)
    with pytest.raises(GraphError, match="no answer of small to q0"):
        fit_router(_graded(), answers_of="small")
    with pytest.raises(GraphError, match="gain"):
        LearnedRouter(fit_router(_graded()).weights, gain=2)


def test_apgr_is_a_half_for_a_router_that_knows_nothing_and_more_for_one_that_does() -> None:
    import numpy as np

    chance = np.random.default_rng(3)
    weak = (chance.random(4000) < 0.6).astype(float)
    strong = (chance.random(4000) < 0.8).astype(float)
    assert apgr(chance.random(4000), weak, strong) == pytest.approx(0.5, abs=0.06)
    assert apgr(1 - weak, weak, strong) > 0.8
    assert apgr(weak, weak, strong) < 0.3


def test_complexity_takes_options_from_the_simplest_to_the_hardest() -> None:
    ways = {"simple": Option("simple"), "hard": Option("hard")}
    proof = (
        HARD.format(a=3, b=4)
        + " Then derive the bound 3*4^2 + 7/2, compare both, and explain each step. " * 3
    )
    assert complexity()(Asked("t", "Say hello.", ways)).option == "simple"
    choice = complexity()(Asked("t", proof, ways))
    assert choice.option == "hard"
    assert choice.reason.startswith("complexity 0.")
    assert choice.passed_over == {"simple": "it is for less than 0.30"}
    assert complexity([0.01])(Asked("t", "Say hello.", ways)).option == "hard"


def test_bounds_that_do_not_fit_are_refused() -> None:
    for bounds in ([0.5, 0.4], [-1], [2]):
        with pytest.raises(GraphError, match="rise from 0 to 1"):
            complexity(bounds)
    with pytest.raises(GraphError, match="2 bounds for 2 options"):
        complexity([0.2, 0.4])(Asked("t", "?", {"a": Option("a"), "b": Option("b")}))


@given(text=st.text())
def test_complexity_is_a_share_and_more_of_the_same_is_never_simpler(text: str) -> None:
    one, more = (
        complexity_of(text),
        complexity_of(f"{text}\nThen how many are 3 + 4 * 5, if each is twice 6?"),
    )
    assert 0 <= one.score <= 1
    assert complexity_of(text) == one
    assert len(more.measures) == len(one.measures)


@given(text=st.text(), task=st.text(max_size=5))
def test_no_text_breaks_a_router(text: str, task: str) -> None:
    assert set(ROUTER.chances(text, task)) == {"small", "large"}


ROUTER = fit_router(_graded(200))
