"""The suspected cause of a disagreement, by the rules that `Cause` documents."""

from __future__ import annotations

from typing import Any

import pytest

from dissensus_agents.judgement.causes import Cause, Stance
from dissensus_agents.judgement.disagreement import compare
from dissensus_state.values import JSON


@pytest.mark.parametrize(
    ("cause", "panel"),
    [
        ("stale_read", [("pool", {"base_version": 3}), ("dns", {"broken": ("quotes",)})]),
        ("broken_rule", [("pool", {"broken": ("quotes",), "evidence": 0}), ("dns", {})]),
        ("broken_rule", [("pool", {"broken": ("q",)}), ("dns", {}), ("pool", {"broken": ("q",)})]),
        ("judgement", [("pool", {"broken": ("q",)}), ("dns", {}), ("pool", {})]),
        ("judgement", [("pool", {"broken": ("q",)}), ("dns", {"broken": ("q",)})]),
        ("missing_evidence", [("pool", {"evidence": 0}), ("dns", {"evidence": 2})]),
        ("missing_evidence", [(3, {"evidence": 0}), (4, {"evidence": 2})]),
        ("judgement", [("pool", {"evidence": 0}), ("dns", {"evidence": 0})]),
        ("reasoning_error", [(12, {}), (13.5, {}), (14, {})]),
        ("judgement", [(True, {}), (False, {})]),
        ("ambiguous_question", [("pool", {}), ("dns", {}), ("disk", {})]),
        ("judgement", [("pool", {}), ("dns", {}), ("disk", {}), ("disk", {})]),
        ("judgement", [("pool", {}), ("dns", {})]),
    ],
)
def test_the_suspected_cause_follows_the_documented_rules(
    cause: Cause, panel: list[tuple[JSON, dict[str, Any]]]
) -> None:
    stances = [
        Stance(f"agent{n}", "maker/family", {"/cause": value}, **{"base_version": 4, "evidence": 1, **more})
        for n, (value, more) in enumerate(panel)
    ]
    (one,) = compare(stances)
    assert one.cause == cause
