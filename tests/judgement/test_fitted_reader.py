"""A reader fitted to graded disagreements: what travels with it, and what it refuses."""

from __future__ import annotations

import json
import random
import sys
from datetime import date
from pathlib import Path

import pytest

from dissensus.judgement import Dispute, FittedReader, Held, Question, fit_reader, read
from dissensus_agents.errors import GraphError, NotInstalled
from dissensus_agents.judgement.fitted_reader import measure
from dissensus_agents.judgement.reader_fitting import chances
from dissensus_agents.judgement.reading_features import FEATURES, together


def _dispute(n: int, chance: random.Random) -> Dispute:
    """A sum of two numbers; the wrong side calculates wrongly, three times of four, or else guesses."""
    a, b = chance.randint(10, 99), chance.randint(10, 99)
    options = (f"{a + b}", f"{a + b + 10}")
    question = Question.of(f"Case {n}: how many are {a} and {b}?", options)
    right = f"Together they are {a} + {b} = {a + b}. The answer is (A)."
    wrong = f"Together they are {a} + {b} = {a + b + 10}. The answer is (B)."
    if chance.random() < 0.25:
        wrong = "I guess it might be more. The answer is (B)."
    sides = (Held("A", (right,)), Held("B", (wrong,)))
    return Dispute(f"q{n}", question, sides, 0) if n % 2 else Dispute(f"q{n}", question, sides[::-1], 1)


def _disputes(count: int = 200) -> list[Dispute]:
    chance = random.Random(7)
    return [_dispute(n, chance) for n in range(count)]


@pytest.fixture(scope="module")
def fitted() -> FittedReader:
    return fit_reader(_disputes(), made=date(2026, 1, 2))


def test_it_tells_the_wrong_side_of_a_question_that_it_has_not_seen(fitted: FittedReader) -> None:
    sides = [
        Held("B", ("We add 12 + 30 = 52. The answer is (B).",)),
        Held("A", ("We add 12 + 30 = 42. The answer is (A).",)),
    ]
    reading = read(sides, "How many are 12 and 30?", ["42", "52"], reader=fitted)
    assert reading.best == 1
    assert reading.confidence is not None
    assert reading.confidence > 0.8
    assert sum(reading.shares) == pytest.approx(1)


def test_on_what_it_was_fitted_and_how_it_was_tested_travels_with_it(fitted: FittedReader) -> None:
    again = FittedReader.load(fitted.dump())
    assert again.provenance == fitted.provenance
    assert again.on == 200
    assert again.provenance.items == 200
    assert again.provenance.made == date(2026, 1, 2)
    assert "sha256" in again.provenance.split
    assert again.provenance.held_out["accuracy"] > 0.9
    assert "200 graded" in read([Held("A"), Held("B")], "?", reader=again).note


def test_sides_that_are_written_alike_teach_nothing_and_no_figure_says_otherwise() -> None:
    question = Question.of("Which?", ["one", "two"])
    sides = Held("A", ("So.",)), Held("B", ("So.",))
    alike = [Dispute(f"q{n}", question, sides, n % 2) for n in range(120)]
    with pytest.raises(GraphError, match="Nothing in how the sides are written"):
        fit_reader(alike)


def test_the_same_disputes_give_the_same_file_and_others_another_digest(fitted: FittedReader) -> None:
    assert fit_reader(_disputes(), made=date(2026, 1, 2)).dump() == fitted.dump()
    assert fit_reader(_disputes(199)).provenance.data != fitted.provenance.data


def test_what_was_fitted_is_served_without_numpy(
    fitted: FittedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fitted.shares(_disputes()[0].positions, _disputes()[0].question)
    monkeypatch.setitem(sys.modules, "numpy", None)
    served = FittedReader.load(fitted.dump())
    assert served.shares(_disputes()[0].positions, _disputes()[0].question) == before
    with pytest.raises(NotInstalled, match=r"needs numpy.*not installed") as refused:
        fit_reader(_disputes())
    assert "dissensus[learn]" in str(refused.value.next_step)


@pytest.mark.parametrize("options", [("42", "52"), ("the forty-second", "the fifty-second")])
def test_what_is_served_is_what_was_fitted(fitted: FittedReader, options: tuple[str, str]) -> None:
    import numpy as np

    question = Question.of("How many are 12 and 30?", options)
    sides = [
        Held(letter, (f"We add 12 + 30 = {n}, perhaps. So ({letter}).",))
        for letter, n in (("A", 42), ("B", 52))
    ]
    one, other = together([measure(held, question) for held in sides])
    weights = fitted.weights
    likely = chances(
        np.subtract([one], [other]),
        np.array([float(question.calculating)]),
        np.array(weights.scale),
        np.array([*weights.weights, *weights.calculating]),
    )
    assert question.calculating == (options[0] == "42")
    assert fitted.shares(sides, question)[0] == pytest.approx(float(likely[0]))


def test_too_few_disputes_are_refused() -> None:
    with pytest.raises(GraphError, match="There are 99 graded disagreements, and a reader needs 100"):
        fit_reader(_disputes(99))


def _changed(text: str, **changes: object) -> str:
    return json.dumps(json.loads(text) | changes)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"weights": [1.0] * len(FEATURES)}, "does not match its digest"),
        ({"weights": [1.0]}, "weights of each kind"),
        ({"features": ["length"]}, "other features than are measured here"),
        ({"scale": [0.0] * len(FEATURES)}, "a scale must be above 0"),
        ({"format": "dissensus.reader/9"}, "cannot be read"),
        ({"digest": None}, "does not match its digest"),
        ({"extra": 1}, "cannot be read"),
    ],
)
def test_a_file_that_was_changed_by_hand_is_refused(
    fitted: FittedReader, change: dict[str, object], why: str
) -> None:
    with pytest.raises(GraphError, match=why):
        FittedReader.load(_changed(fitted.dump(), **change))


@pytest.mark.parametrize(
    "text",
    ["{", "{" * 100_000, "[1]", "{}", '{"weights": NaN}', "no such file", "x\0y", "{" + " " * 5_000_000],
)
def test_what_is_no_such_file_is_refused(text: str) -> None:
    with pytest.raises(GraphError, match=r"The file with weights|fitted weights"):
        FittedReader.load(text)


def test_it_is_read_from_a_file(fitted: FittedReader, tmp_path: Path) -> None:
    path = tmp_path / "reader.json"
    path.write_text(fitted.dump())
    assert FittedReader.load(path).dump() == fitted.dump()
    path.write_bytes(b"\xff" * 10)
    with pytest.raises(GraphError, match="cannot be opened"):
        FittedReader.load(path)
