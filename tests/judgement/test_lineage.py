"""Lineage: how many independent votes an agreement is worth."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.judgement.lineage import (
    DIFFERENT_MAKERS,
    SAME_FAMILY,
    SAME_MAKER,
    SAME_MODEL,
    correlation,
    effective_votes,
)

GEMINI, LLAMA = "google/gemini-1.5", "meta/llama-3"
lineages = st.lists(st.sampled_from([GEMINI, LLAMA, "google/gemma", "meta", "", "x/y/z"]), max_size=9)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (GEMINI, LLAMA, DIFFERENT_MAKERS),
        (GEMINI, "google/gemma-2", SAME_MAKER),
        (GEMINI, GEMINI, SAME_FAMILY),
        ("Google/Gemini-1.5", " google / gemini-1.5/flash", SAME_FAMILY),
        ("google", GEMINI, SAME_MAKER),
        ("", GEMINI, SAME_MAKER),
        ("", "", SAME_FAMILY),
    ],
)
def test_the_closer_the_kin_the_more_their_errors_go_together(a: str, b: str, expected: float) -> None:
    assert correlation(a, b) == correlation(b, a) == expected


def test_kinship_is_ordered() -> None:
    assert 0 < DIFFERENT_MAKERS < SAME_MAKER < SAME_FAMILY < SAME_MODEL < 1


@given(panel=lineages)
def test_a_panel_is_worth_at_least_one_vote_and_at_most_its_heads(panel: list[str]) -> None:
    votes = effective_votes(panel)
    assert votes == 0.0 if not panel else 1.0 <= votes <= len(panel)


@given(panel=lineages, seed=st.integers())
def test_the_order_of_the_voters_changes_nothing(panel: list[str], seed: int) -> None:
    names = [f"model{n % 3}" for n in range(len(panel))]
    order = random.Random(seed).sample(range(len(panel)), len(panel))
    shuffled = effective_votes([panel[n] for n in order], [names[n] for n in order])
    assert shuffled == effective_votes(panel, names)


@given(
    heads=st.integers(1, 9),
    low=st.floats(-2, 2, allow_nan=False),
    high=st.floats(-2, 2, allow_nan=False),
)
def test_more_correlation_is_never_worth_more_votes(heads: int, low: float, high: float) -> None:
    low, high = sorted((low, high))
    fewer, more = (
        effective_votes([""] * heads, rho=lambda _a, _b, rho=rho: rho)  # type: ignore[misc]
        for rho in (high, low)
    )
    assert 1.0 <= fewer <= more <= heads


@pytest.mark.parametrize(
    ("measured", "heads", "votes"), [(0.485, 2, 1.347), (0.425, 5, 1.851), (0.416, 9, 2.079)]
)
def test_the_votes_are_those_that_were_measured(measured: float, heads: int, votes: float) -> None:
    found = effective_votes([GEMINI] * heads, rho=lambda _a, _b: measured)
    assert found == pytest.approx(votes, abs=0.002)


def test_asking_one_model_again_is_worth_next_to_nothing() -> None:
    assert effective_votes([GEMINI, GEMINI], ["flash", "flash"]) == pytest.approx(2 / 1.9)
    assert effective_votes([GEMINI, GEMINI], ["flash", "pro"]) == pytest.approx(2 / 1.52)
    assert effective_votes([GEMINI, GEMINI], ["", ""]) == pytest.approx(2 / 1.52)


def test_a_vote_of_another_lineage_is_worth_more_than_one_of_the_same() -> None:
    kin = effective_votes([GEMINI, GEMINI, GEMINI])
    assert kin < effective_votes([GEMINI, GEMINI, LLAMA]) < effective_votes([GEMINI, LLAMA, "x/y"])


def test_what_was_measured_since_counts_at_once() -> None:
    measured = {"rho": 0.0}

    def rho(_a: str, _b: str) -> float:
        return measured["rho"]

    assert effective_votes([GEMINI, LLAMA], rho=rho) == 2.0
    measured["rho"] = 1.0
    assert effective_votes([GEMINI, LLAMA], rho=rho) == 1.0


def test_a_name_for_each_voter_or_for_none() -> None:
    with pytest.raises(ValueError, match="zip"):
        effective_votes([GEMINI, LLAMA], ["flash"])
