"""What models write to justify themselves does not make them disagree."""

from __future__ import annotations

from dissensus_agents.judgement.comparators import Anything, Text
from dissensus_agents.judgement.disagreement import Stance, compare

POOL = "The pool of connections ran dry because a leak was never given back."
DEPLOY = "Every worker waited for the new release, which had been rolled out shortly before."


def stances(first: object, second: object) -> list[Stance]:
    return [Stance("a", "x/1", {"/verdict": first}, 1), Stance("b", "y/1", {"/verdict": second}, 1)]


def test_prose_beside_a_name_that_both_give_is_an_immaterial_difference() -> None:
    found = compare(stances({"cause": "leak", "why": POOL}, {"cause": "leak", "why": DEPLOY}))
    assert not found.disagreements
    assert [item.path for item in found.immaterial] == ["/verdict/why"]


def test_where_names_differ_the_disagreement_is_about_the_name_alone() -> None:
    found = compare(stances({"cause": "leak", "why": POOL}, {"cause": "deploy", "why": DEPLOY}))
    assert [item.path for item in found.disagreements] == ["/verdict/cause"]


def test_prose_is_compared_where_it_is_all_that_is_said() -> None:
    found = compare(stances(POOL, DEPLOY))
    assert [item.path for item in found.disagreements] == ["/verdict"]


def test_a_comparator_for_its_path_makes_prose_count_beside_other_values() -> None:
    both = stances({"cause": "leak", "why": POOL}, {"cause": "leak", "why": DEPLOY})
    found = compare(both, {"/verdict/why": Text()})
    assert [item.path for item in found.disagreements] == ["/verdict/why"]


def test_evidence_under_anything_never_makes_a_disagreement_and_is_not_lost() -> None:
    both = stances({"cause": "leak", "lines": [1, 2]}, {"cause": "leak", "lines": [7]})
    assert compare(both).disagreements
    found = compare(both, {"/verdict/lines": Anything()})
    assert not found.disagreements
    assert [item.path for item in found.immaterial] == ["/verdict/lines"]
