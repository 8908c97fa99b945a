"""Reading without a model: findings with their step, and which side they cost."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus.judgement import Held, Question, first_wrong_step, read
from dissensus_agents.judgement.chains import MAX_READ, Chain
from dissensus_agents.judgement.reading import MAX_FINDINGS, Kind, findings_of

TRAIN = """A train goes 60 km in 2 hours. How far does it go in 5 hours?
(A) 120 km
(B) 150 km
(C) 300 km
(D) 30 km"""

RIGHT = "It goes 60 / 2 = 30 km an hour. In 5 hours it goes 30 * 5 = 150 km. The answer is (B)."
SLIPPED = "It goes 60 / 2 = 30 km an hour. In 5 hours it goes 30 * 5 = 300 km. The answer is (C)."
ELSEWHERE = "It goes 60 / 2 = 30 km an hour. In 5 hours it goes 30 * 5 = 150 km. The answer is (A)."


def _kinds(says: str, reasoning: str, question: str = TRAIN) -> set[Kind]:
    return {one.kind for one in findings_of(Held(says, (reasoning,)), Question.of(question))}


def test_the_first_step_that_does_not_come_out_is_named_with_what_it_comes_to() -> None:
    found = first_wrong_step(SLIPPED, "C", TRAIN)
    assert found is not None
    assert (found.kind, found.step) == ("arithmetic", 1)
    assert found.quote.startswith("30 * 5 = 300")
    assert found.detail == "it comes to 150"


def test_a_sound_chain_has_no_wrong_step() -> None:
    assert first_wrong_step(RIGHT, "B", TRAIN) is None
    assert _kinds("B", RIGHT) == set()


def test_an_answer_that_is_not_what_its_own_reasoning_arrived_at_is_found() -> None:
    found = first_wrong_step(ELSEWHERE, "A", TRAIN)
    assert found is not None
    assert found.kind == "does_not_follow"
    assert found.detail == "it arrives at 150, which is (B), and answers (A)"


def test_options_may_be_given_apart_from_the_question() -> None:
    options = ["120 km", "150 km", "300 km", "30 km"]
    found = first_wrong_step(ELSEWHERE, "120 km", "How far does it go?", options)
    assert found is not None
    assert found.kind == "does_not_follow"


@pytest.mark.parametrize(
    ("reasoning", "kind"),
    [
        ("So 30 * 5 = 150 km. The answer is (B). Wait. The answer is (C).", "two_answers"),
        ("We get 133 km; the closest is 120 km. The answer is (A).", "gives_up"),
        ("We get 133 km. None of the given options match. The answer is (A).", "gives_up"),
        ("It goes 60 / 2 = 30 km an hour. In 5 hours it therefore", "cut_off"),
        ("The train goes thirty kilometres every hour.\n" * 4 + "The answer is (B).", "loops"),
        ("The answer is (B).", "no_work"),
    ],
)
def test_manners_of_writing_that_are_no_good_sign_are_found_and_are_not_hard(
    reasoning: str, kind: Kind
) -> None:
    found = [one for one in findings_of(Held("B", (reasoning,)), Question.of(TRAIN)) if one.kind == kind]
    assert len(found) == 1
    assert not found[0].hard
    assert found[0].quote


def test_the_side_that_contradicts_arithmetic_is_the_wrong_one_and_the_share_says_how_often() -> None:
    reading = read([Held("C", (SLIPPED,)), Held("B", (RIGHT,))], TRAIN)
    assert reading.best == 1
    assert reading.confidence == pytest.approx(0.83)
    assert sum(reading.shares) == pytest.approx(1)
    assert reading.on == 149
    assert "MMLU-Pro" in reading.note
    assert [[one.kind for one in found] for found in reading.findings] == [["arithmetic"], []]


def test_it_abstains_where_its_confidence_is_not_above_what_is_asked_for() -> None:
    sides = [Held("C", (SLIPPED,)), Held("B", (RIGHT,))]
    assert read(sides, TRAIN, above=0.83).best is None
    assert read(sides, TRAIN, above=0.82).best == 1


@pytest.mark.parametrize(
    "sides",
    [
        [("B", RIGHT), ("B", RIGHT)],
        [("C", SLIPPED), ("A", "It is far. The answer is (A).")],  # no calculation: says nothing against
        [("C", SLIPPED), ("D", SLIPPED.replace("(C)", "(D)"))],
        [("C", SLIPPED), ("B", RIGHT), ("D", "The answer is (D).")],
        [("B", "")],
        [],
    ],
)
def test_it_does_not_decide_without_a_contradiction_on_exactly_one_of_two_sides(
    sides: list[tuple[str, str]],
) -> None:
    reading = read([Held(says, (text,)) for says, text in sides], TRAIN)
    assert reading.best is None
    assert reading.confidence is None
    assert len(reading.findings) == len(sides)


@given(
    texts=st.lists(
        st.sampled_from([RIGHT, SLIPPED, ELSEWHERE, "", "The answer is (D)."]), min_size=2, max_size=2
    )
)
def test_exchanging_the_sides_exchanges_their_shares(texts: list[str]) -> None:
    sides = [Held("B", (texts[0],)), Held("C", (texts[1],))]
    assert read(sides, TRAIN).shares == pytest.approx(read(sides[::-1], TRAIN).shares[::-1])


def test_what_a_model_repeats_of_its_prompt_does_not_count() -> None:
    manners = "Let's think step by step. We refer to Wikipedia articles on trains for help. "
    assert Chain.of(manners + RIGHT).body == Chain.of(RIGHT).body


@given(
    says=st.text(max_size=20),
    reasoning=st.text() | st.text("The answer is (A)=+ 0123.\n"),
    question=st.text(),
)
def test_no_text_breaks_it(says: str, reasoning: str, question: str) -> None:
    reading = read([Held(says, (reasoning,)), Held("B", (RIGHT,))], question)
    assert len(reading.shares) == 2


def test_a_huge_reasoning_is_read_in_bounded_time() -> None:
    for piece in (
        "1 + 1 = 3. ",
        "the answer ",
        "(" * 50,
        "\\frac{1}{",
        "<<",
        "so the final ",
        "answer is ",
        " = ",
    ):
        text = piece * (2_000_000 // len(piece))
        began = time.process_time()
        found = findings_of(Held("A", (text,)), Question.of(text[:200_000]))
        assert time.process_time() - began < 5, piece
        assert len(found) <= MAX_FINDINGS
    assert len(Chain.of("a" * 1_000_000).text) == MAX_READ
