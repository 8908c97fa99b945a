"""The suspected cause of a disagreement, by the rules that `Cause` documents."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from dissensus_agents.judgement.causes import CAUSES, Cause, Stance, cited
from dissensus_agents.judgement.disagreement import compare, with_causes
from dissensus_state.values import JSON

RIGHT = "First, 3 * 4 = 12.\nSo the answer is 12."
WRONG = "First, 3 * 4 = 13.\nSo the answer is 13."
RULES: list[tuple[Cause, list[tuple[JSON, dict[str, Any]]]]] = [
    ("stale_read", [("pool", {"base_version": 3}), ("dns", {"broken": ("quotes",)})]),
    ("broken_rule", [("pool", {"broken": ("quotes",), "evidence": 0}), ("dns", {})]),
    ("broken_rule", [("pool", {"broken": ("q",)}), ("dns", {}), ("pool", {"broken": ("q",)})]),
    ("broken_rule", [("12", {"broken": ("q",)}), ("13", {"thinking": WRONG})]),
    ("judgement", [("pool", {"broken": ("q",)}), ("dns", {}), ("pool", {})]),
    ("judgement", [("pool", {"broken": ("q",)}), ("dns", {"broken": ("q",)})]),
    ("reasoning_error", [("12", {"thinking": RIGHT}), ("13", {"thinking": WRONG})]),
    ("reasoning_error", [("12", {}), ("13", {"thinking": WRONG, "evidence": 0})]),
    ("judgement", [("12", {"thinking": WRONG}), ("13", {"thinking": WRONG})]),
    ("judgement", [("12", {}), ("13", {"thinking": WRONG}), ("13", {"thinking": RIGHT})]),
    ("missing_evidence", [("pool", {"evidence": 0}), ("dns", {"evidence": 2})]),
    ("missing_evidence", [(3, {"evidence": 0}), (4, {"evidence": 2})]),
    (
        "missing_evidence",
        [("pool", {"seen": frozenset({"/log"})}), ("dns", {"seen": frozenset({"/log", "/plan"})})],
    ),
    ("judgement", [("pool", {"seen": frozenset({"/log"})}), ("dns", {"seen": frozenset({"/log"})})]),
    ("judgement", [("pool", {"evidence": 0}), ("dns", {"evidence": 0})]),
    ("reasoning_error", [(12, {}), (13.5, {}), (14, {})]),
    ("judgement", [(True, {}), (False, {})]),
    ("ambiguous_question", [("pool", {}), ("dns", {}), ("disk", {})]),
    ("missing_evidence", [("pool", {"confidence": 0.5}), ("dns", {"confidence": 0.2})]),
    ("judgement", [("pool", {"confidence": 0.5}), ("dns", {"confidence": 0.9})]),
    ("judgement", [("pool", {"confidence": 0.5}), ("dns", {})]),
    ("judgement", [("pool", {}), ("dns", {}), ("disk", {}), ("disk", {})]),
    ("judgement", [("pool", {}), ("dns", {})]),
]


def stances(panel: list[tuple[JSON, dict[str, Any]]]) -> list[Stance]:
    return [
        Stance(f"agent{n}", "maker/family", {"/cause": value}, **{"base_version": 4, "evidence": 1, **more})
        for n, (value, more) in enumerate(panel)
    ]


@pytest.mark.parametrize(("cause", "panel"), RULES)
def test_the_suspected_cause_follows_the_documented_rules(
    cause: Cause, panel: list[tuple[JSON, dict[str, Any]]]
) -> None:
    for order in permutations(stances(panel)):
        (one,) = compare(order)
        assert one.cause == cause


def test_every_cause_has_a_rule_that_is_tried() -> None:
    assert {cause for cause, _ in RULES} == set(CAUSES)


def test_a_cause_can_be_suspected_once_more_is_known() -> None:
    bare = stances([("12", {}), ("13", {})])
    known = stances([("12", {"thinking": RIGHT}), ("13", {"thinking": WRONG})])
    (one,) = with_causes(compare(bare), known)
    assert (compare(bare).disagreements[0].cause, one.cause) == ("judgement", "reasoning_error")


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({"/verdict": {"cause": "x", "evidence": [{"quote": "a"}, {"quote": "b"}]}}, 2),
        ({"/quotes": ["a"], "/verdict": {"evidence": []}}, 1),
        ({"/findings/-": {"sources": {"log": 1, "plan": 2}}}, 2),
        ({"/evidence": "12:01 the disk is full"}, 1),
        ({"/evidence": None}, 0),
        ({"/answer": "evidence"}, 0),
    ],
)
def test_what_a_proposal_cites_is_counted(values: dict[str, JSON], count: int) -> None:
    assert cited(values) == count


DATA = Path(os.environ.get("DISSENSUS_DATA", Path(__file__).parents[2] / "../shared/data/panel"))


@pytest.mark.skipif(not DATA.exists(), reason="The recorded answers of real models are not there")
def test_on_recorded_answers_most_disagreements_are_told_to_be_of_judgement() -> None:
    """Letters without evidence, all shown the same: what is left is reasoning, and many readings."""
    lineages = {name: one["lineage"] for name, one in json.loads((DATA / "models.json").read_text()).items()}
    names = ["gemini-1.5-flash-002", "Meta-Llama-3_1-70B-Instruct", "DeepSeek-Coder-V2"]
    found: Counter[str] = Counter()
    with gzip.open(DATA / "mmlu_pro_panel.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            answers = json.loads(line)["answers"]
            panel = [
                Stance(
                    name,
                    lineages[name],
                    {"/answer": answers[name]["extracted"]},
                    0,
                    thinking=answers[name]["text"],
                )
                for name in names
                if answers[name]["extracted"]
            ]
            found.update(one.cause for one in compare(panel))
    shares = {cause: count / found.total() for cause, count in found.items()}
    assert set(shares) == {"judgement", "ambiguous_question", "reasoning_error"}
    assert found.total() > 1000
    assert shares["judgement"] > 0.5
    assert shares["ambiguous_question"] > 0.1
    assert 0 < shares["reasoning_error"] < 0.4
