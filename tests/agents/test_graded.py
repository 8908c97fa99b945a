"""What a settled round says of its proposals by itself: outside checks, and persons who rule."""

from __future__ import annotations

from typing import Any

import pytest

from dissensus_agents.judgement.supervisor import Person, Supervisor, Verdict
from dissensus_agents.judgement.verifiers import verifier
from dissensus_agents.session import settle, sides_of_round
from dissensus_state.sessions import Session
from panels import Case, one_step, panel, upholds


@verifier
def is_in_the_log(proposed: Any, state: Any) -> bool:
    """The cause is a word of the log."""
    return str(proposed["/verdict"]["cause"]) in state["documents"]["log"]


def graded(session: Session[Case]) -> list[tuple[str, bool, str, str]]:
    return [(one.agent, one.right, one.basis, one.author) for one in session.grades()]


async def test_g01_a_check_that_fails_grades_with_the_commit(session: Session[Case]) -> None:
    graph = one_step(
        panel("disk", "flood"), verifiers=[is_in_the_log], supervisor=Supervisor(upholds("disk"))
    )
    await graph.run(session)
    assert session.round(1)[0].status == "committed"
    assert graded(session) == [("b", False, "verifier", "is_in_the_log")]


async def test_a_rejected_round_is_graded_too(session: Session[Case]) -> None:
    chair = Supervisor(lambda _: Verdict(decision="reject", reason="no"))
    await one_step(panel("flood", "flood"), verifiers=[is_in_the_log], supervisor=chair).run(session)
    assert [name for name, *_ in graded(session)] == ["a", "b"]


async def test_a_round_that_waits_is_graded_when_a_person_has_ruled(session: Session[Case]) -> None:
    graph = one_step(panel("disk", "flood"), verifiers=[is_in_the_log], supervisor=Supervisor(Person("eva")))
    await graph.run(session)
    assert graded(session) == []
    round_, proposals, _, _ = session.round(1)
    label = next(side.label for side in sides_of_round(round_, proposals) if "a" in side.agents)
    settle(session, 1, decision="uphold", author="eva", reason="I looked", position=label)
    assert graded(session) == [
        ("a", True, "person", "eva"),
        ("b", False, "verifier", "is_in_the_log"),
        ("b", False, "person", "eva"),
    ]


@pytest.mark.parametrize("decision", ["reject", "retry"])
async def test_a_person_who_commits_nothing_grades_nobody_but_checks_do(
    session: Session[Case], decision: Any
) -> None:
    graph = one_step(panel("disk", "flood"), verifiers=[is_in_the_log], supervisor=Supervisor(Person("eva")))
    await graph.run(session)
    settle(session, 1, decision=decision, author="eva", reason="no", clarification="again")
    assert graded(session) == [("b", False, "verifier", "is_in_the_log")]


async def test_a_models_ruling_is_no_grade(session: Session[Case]) -> None:
    await one_step(panel("disk", "net"), supervisor=Supervisor(upholds("disk"))).run(session)
    assert session.round(1)[0].status == "committed"
    assert graded(session) == []
