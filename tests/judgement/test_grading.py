"""What checks and persons say of proposals, as grades."""

from __future__ import annotations

from typing import Any

import pytest

from dissensus_agents.judgement.grading import by_value, of_evidence, of_person, of_review
from dissensus_agents.judgement.verifiers import Evidence
from dissensus_state.errors import NotFound
from dissensus_state.patches import Operation
from dissensus_state.records import Proposal, Ruling


def told(review: dict[str, Any]) -> list[tuple[str, bool, str]]:
    return [(one.agent, one.right, one.author) for one in of_review(review).grades]


def check(verifier: str = "ran_it", *, passed: bool = False, **more: Any) -> dict[str, Any]:
    return {"verifier": verifier, "version": "3", "passed": passed, "agents": ["ana"], **more}


def test_a_failed_check_grades_wrong_and_a_pass_that_does_not_decide_says_nothing() -> None:
    assert told({"failed": [check(path="/verdict")]}) == [("ana", False, "ran_it")]
    assert told({"passed": [check(passed=True)]}) == []


def test_a_pass_that_decides_grades_right() -> None:
    assert told({"passed": [check(passed=True, decides=True)]}) == [("ana", True, "ran_it")]


@pytest.mark.parametrize("more", [{"broke": True}, {"outside": False}])
def test_a_check_that_broke_or_is_a_models_grades_nobody(more: dict[str, Any]) -> None:
    assert told({"failed": [check(**more)]}) == []
    assert told({"passed": [check(passed=True, decides=True, outside=False)]}) == []


def test_checks_that_contradict_each_other_give_no_grade_and_that_is_said() -> None:
    found = of_review({"failed": [check("one")], "passed": [check("two", passed=True, decides=True)]})
    assert found.grades == ()
    (outcome,) = found.told
    assert (outcome.kind, outcome.body) == (
        "contradicted",
        {"agent": "ana", "right": ["two"], "wrong": ["one"]},
    )


def test_each_verifier_grades_once_with_its_version_and_where_it_looked() -> None:
    items = [Evidence("quotes", "2", passed=False, path=f"/verdict/{n}") for n in (1, 0, 1)] + [
        Evidence("sums", "1", passed=False)
    ]
    grades = of_evidence({"ben": items, "ana": ()}).grades
    assert [(one.agent, one.author, one.version, one.detail, one.basis) for one in grades] == [
        ("ben", "quotes", "2", "/verdict/0, /verdict/1", "verifier"),
        ("ben", "sums", "1", None, "verifier"),
    ]


def test_a_value_at_a_path_that_nobody_wrote_grades_nobody_wrong() -> None:
    made = [
        Proposal("ana", (Operation("set", ("verdict",), {"cause": "disk"}),), (), None, 1),
        Proposal("ben", (Operation("set", ("verdict",), {"cause": "pump"}),), (), None, 1),
    ]
    assert by_value(made, {"/verdict/cause": "disk"}) == (["ana"], ["ben"])
    assert by_value(made, {"/verdict/reason": "heat"}) == ([], ["ana", "ben"])
    for path in ("/verdit", "/"):
        with pytest.raises(NotFound, match=f"Nobody proposed anything at {path}, but at /verdict"):
            by_value(made, {path: "disk"})


def test_nothing_is_known_where_nothing_was_checked() -> None:
    assert of_review(None) == of_evidence({}) == ((), ())


@pytest.mark.parametrize("decision", ["amend", "retry", "reject", "escalate"])
def test_a_person_grades_by_upholding_alone(decision: Any) -> None:
    ruling = Ruling("eva", "uphold", b"", "so", upheld=("ana", "cem"), dissent=("ben",))
    assert [(one.agent, one.right, one.basis) for one in of_person(ruling)] == [
        ("ana", True, "person"),
        ("cem", True, "person"),
        ("ben", False, "person"),
    ]
    other = Ruling("eva", decision, b"", "so", upheld=("ana",), dissent=("ben",))
    assert of_person(other) == ()


def proposal(agent: str, path: str, value: Any) -> Proposal:
    return Proposal(agent, (Operation("set", tuple(path.split("/")), value),), ())


def test_who_proposed_a_value_is_right_and_the_others_are_wrong() -> None:
    made = [
        proposal("ana", "verdict", {"cause": "disk", "at": [1, 2.0]}),
        proposal("ben", "verdict", {"cause": "net", "at": [1]}),
        Proposal("cem", (), (), status="abstained"),
        proposal("dea", "note", "disk"),
    ]
    assert by_value(made, {"/verdict/cause": "disk"}) == (["ana"], ["ben", "dea"])
    assert by_value(made, {"/verdict": {"at": [1, 2], "cause": "disk"}}) == (["ana"], ["ben", "dea"])
    assert by_value(made, {"/verdict/at/0": 1}) == (["ana", "ben"], ["dea"])
    assert by_value(made, {"/verdict/at/7": 1, "/verdict/cause": "disk"}) == ([], ["ana", "ben", "dea"])
