"""The declared machine: what is no transition is refused when the schema is used."""

from __future__ import annotations

import pytest

from dissensus_state.errors import TransitionRefused
from dissensus_state.machine import Machine, Transition
from dissensus_state.objections import Rule, against
from dissensus_state.shapes import shape_of
from inquiries import Inquiry, Notes


@pytest.mark.parametrize("phases", ["gathering", "", "->", "a ->", "-> b", "a => b"])
def test_a_transition_needs_a_phase_on_either_side(phases: str) -> None:
    with pytest.raises(TransitionRefused, match="needs its phases as 'from -> to'"):
        Transition("step", phases)


def test_a_transition_between_phases_that_the_schema_does_not_know_is_refused() -> None:
    with pytest.raises(TransitionRefused) as caught:
        Machine([Transition("step", "a, c -> d")], ["a", "b"])
    assert caught.value.message == (
        "The transition 'step' names the phases ['c', 'd'], but the schema's field `phase` knows ['a', 'b']"
    )
    with pytest.raises(TransitionRefused, match=r"knows \[\]"):
        Machine([Transition("step", "a -> b")], None)


def test_the_machine_is_printed_as_a_table() -> None:
    rows = shape_of(Inquiry).machine.table()
    assert rows[3] == {
        "name": "conclude",
        "from": ["judging"],
        "to": "closed",
        "writes": ["/verdict"],
        "guard": None,
        "review": True,
    }
    assert [(row["name"], row["from"], row["guard"]) for row in rows[:3]] == [
        ("gather", ["gathering"], None),
        ("open_judging", ["gathering"], "enough_findings"),
        ("doubt", ["gathering", "judging"], None),
    ]


def test_the_machine_is_drawn_as_a_picture() -> None:
    assert shape_of(Inquiry).machine.mermaid().splitlines() == [
        "stateDiagram-v2",
        "    [*] --> gathering",
        "    gathering --> gathering: gather",
        "    gathering --> judging: open_judging",
        "    gathering --> judging: doubt",
        "    judging --> judging: doubt",
        "    judging --> closed: conclude (review)",
    ]
    assert shape_of(Notes).machine.mermaid() == "stateDiagram-v2"


def test_a_rule_takes_as_much_as_it_asks_for_and_says_no_in_its_own_way() -> None:
    def raises(_: object) -> None:
        raise AssertionError

    def said(rule: Rule) -> str | None:
        found = against(rule, 1, 2, 3)
        return found and found.reason

    assert said(lambda: True) is None
    assert said(lambda before, after: after < before) == "it does not hold"
    assert said(lambda *everything: f"{len(everything)} given") == "3 given"
    assert said(raises) == "it does not hold"
    assert said(bool) is None
    assert said(lambda _: "") == "it does not hold"
