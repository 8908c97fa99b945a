"""A recorded step as a case: repeated without its database; it fails with words where today differs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.cases import Case as Step
from dissensus_agents.errors import CaseFailed, CaseRefused, MalformedAnswer, ProviderFailed
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.functions import verifier
from dissensus_agents.judgement.supervisor import Person, Supervisor
from dissensus_state.errors import Diverged, NotFound
from dissensus_state.sessions import Session
from dissensus_state.shapes import Append, SharedState, invariant
from judged import judging, muted, speaking
from panels import Case, Voice, agent, cause, one_step, panel, ruling

Cased = Callable[[Session[Any], AgentGraph], Step]


def again(step: Step, folder: Path) -> Step:
    """The case as it comes out of its file."""
    path = folder / "case.json"
    path.write_text(step.text(), encoding="utf-8")
    read = Step.load(path)
    assert read.text() == step.text()
    return read


async def test_a_ruled_round_is_repeated_from_its_file_and_asks_nobody(
    session: Session[Case], tmp_path: Path
) -> None:
    await judging(speaking).run(session)
    step = again(judging(muted).case(session, 1), tmp_path)
    step.replay(judging(muted))
    assert not step.check(judging(muted))
    assert (step.round and step.round.round, len(step.calls), step.untold) == (1, 3, ())
    told = json.loads(step.text())
    assert "You read logs." in step.text()
    assert told["state"] == session.raw(0)
    assert told["commit"]["version"] == 1


async def test_a_changed_prompt_fails_with_the_part_and_the_words(
    session: Session[Case], tmp_path: Path
) -> None:
    await judging(speaking).run(session)
    step = again(Step.of(session), tmp_path)

    def other(view: Any) -> list[Any]:
        return ["What is the reason?", view.part("/documents/log")]

    with pytest.raises(CaseFailed) as caught:
        step.replay(judging(muted, prompt=other))
    assert isinstance(caught.value, AssertionError)
    assert caught.value.exit_code == 5
    said = str(caught.value)
    assert "Round 1 (judge) of case, version 1 does not come out as it was recorded" in said
    assert (
        "would be asked anew: request of ana, attempt 1: parts (part 1): What is the [-cause?-] {+reason?+}"
        in said
    )
    assert "--force" in said

    with pytest.raises(CaseFailed, match=r"frame \(system\): .*\[-logs\.-\] \{\+tables\.\+\}"):
        step.replay(judging(muted, role="You read tables."))
    with pytest.raises(CaseFailed, match="would differ: proposal of zoe: patch"):
        step.replay(judging(muted, parse=lambda reply: {"verdict": {"cause": reply.text}}))


async def test_what_was_committed_in_between_is_in_the_case(session: Session[Case], tmp_path: Path) -> None:
    def meanwhile(_: Any) -> dict[str, Any]:
        with session.transaction("bob") as other:
            other.append("findings", "meanwhile")
        return {"findings": ["late"]}

    graph = one_step([agent("a", meanwhile, reads=["question"])], ["findings"])
    await graph.run(session)
    step = again(Step.of(session, 2), tmp_path)
    assert len(step.since) == 1
    assert step.check(one_step([agent("a", "", reads=["question"])], ["findings"])) == []


async def test_rounds_that_failed_over_were_retried_rejected_parked_or_void_are_cases_too(
    session: Session[Case], tmp_path: Path
) -> None:
    def step(*said: Any, supervisor: Any = None) -> AgentGraph:
        return one_step(panel("disk", "net"), supervisor=supervisor or Supervisor(Voice("chair", *said)))

    retries = ruling("disk", decision="retry", clarification="Look again")
    await step(retries, ruling("disk", decision="amend", amendment={"/verdict/detail": "so"})).run(session)
    await step(ruling("disk", decision="reject")).run(session, start="judge")
    person = step(supervisor=Supervisor(Person("jutta")))
    await person.run(session, start="judge")
    statuses = []
    for number in range(1, 5):
        case = again(person.case(session, round_=number), tmp_path)
        case.replay(step(ruling("disk")))
        statuses.append(case.round.status if case.round else "")
        assert (case.commit is not None) == (number == 2)
    assert statuses == ["retried", "committed", "rejected", "parked"]


async def test_a_failover_and_an_abstention_are_repeated(session: Session[Case], tmp_path: Path) -> None:
    first, second = Voice("first", ProviderFailed("down")), Voice("second", "no json", cause("disk"))
    graph = one_step([Agent("a", [first, second]), agent("b", "no json", attempts=2)], quorum=1)
    await graph.run(session)
    case = again(graph.case(session), tmp_path)
    assert {call.status for call in case.calls} == {"failed", "answered"}
    case.replay(
        one_step([Agent("a", [Voice("first"), Voice("second")]), agent("b", "", attempts=2)], quorum=1)
    )

    silent = one_step([agent("c", "no json", attempts=1)])
    with pytest.raises(MalformedAnswer):
        await silent.run(session, start="judge")
    void = again(silent.case(session, round_=2), tmp_path)
    assert void.round is not None
    assert (void.round.status, void.commit) == ("void", None)
    void.replay(silent)


async def test_a_round_with_a_failed_check_is_a_case(session: Session[Case], tmp_path: Path) -> None:
    @verifier
    def never(proposed: Any, state: Any) -> bool:
        return False

    graph = one_step([agent("a", cause("disk"))], verifiers=[never], supervisor=Supervisor(Person("jutta")))
    await graph.run(session)
    case = again(graph.case(session, round_=1), tmp_path)
    assert case.round is not None
    assert case.round.review is not None
    assert case.round.review["failed"]
    case.replay(graph)

    @verifier(name="never")
    def always(proposed: Any, state: Any) -> bool:
        return True

    @verifier(name="never", version="2")
    def newer(proposed: Any, state: Any) -> bool:
        return False

    def checked(*by: Any) -> AgentGraph:
        return one_step([agent("a", "")], verifiers=by, supervisor=Supervisor(Person("jutta")))

    (one,) = case.check(checked(always))
    assert (one.effect, one.field) == ("differs", "checks")
    assert json.loads(one.expected) == {"a": [["never", "", False]]}
    assert json.loads(one.actual) == {"a": [["never", "", True]]}
    (one,) = case.check(checked(newer))
    assert (one.field, one.expected, one.actual) == ("verifiers", '["never 1"]', '["never 2"]')
    assert [one.field for one in case.check(checked())] == ["verifiers"]

    @verifier(name="never")
    def breaks(proposed: Any, state: Any) -> bool:
        raise RuntimeError("no network")

    case.replay(checked(breaks))


async def test_evidence_of_a_commit_is_found_again(session: Session[Case], tmp_path: Path) -> None:
    @verifier
    def holds(proposed: Any, state: Any) -> bool:
        return bool(state["documents"])

    graph = one_step([agent("a", cause("disk"))], verifiers=[holds])
    await graph.run(session)
    case = again(graph.case(session), tmp_path)
    assert case.commit is not None
    assert case.commit.evidence
    case.replay(graph)

    @verifier(name="holds")
    def not_any_more(proposed: Any, state: Any) -> bool:
        return False

    with pytest.raises(CaseFailed, match="would differ: checks"):
        case.replay(one_step([agent("a", "")], verifiers=[not_any_more]))
    assert (await graph.replay(session, every=True)).same


class Ruled(SharedState):
    """A state with a rule, for commits by hand."""

    lines: Annotated[list[str], Append] = []
    total: int = 0


class Stricter(Ruled):
    """The same with another rule."""

    @invariant("lines")
    @staticmethod
    def at_most_one_line(_: Ruled, after: Ruled) -> str | None:
        """Two are too many."""
        return "there are too many lines" if len(after.lines) > 1 else None


async def test_a_commit_by_hand_is_admitted_again_under_todays_schema(store: Any, tmp_path: Path) -> None:
    session = store.create(Ruled())
    for line in ("one", "two"):
        with session.transaction("bob") as tx:
            tx.append("lines", line)
    for version in range(3):
        again(Step.of(session, version), tmp_path).admit(Ruled)
    again(Step.of(session, 1), tmp_path).admit(Stricter)
    with pytest.raises(CaseFailed, match="would be refused: at most one line: there are too many lines"):
        again(Step.of(session, 2), tmp_path).admit(Stricter)
    with pytest.raises(NotFound):
        Step.of(session, 9)


async def test_a_case_of_what_was_redacted_says_so_and_replays_the_rest(
    session: Session[Case], tmp_path: Path
) -> None:
    await judging(speaking).run(session)
    session.redact("/verdict/cause", author="jutta", reason="asked")
    case = again(Step.of(session, 1), tmp_path)
    assert "Cause: disk" not in case.text()
    assert "the answer of zoe, attempt 1" in case.untold
    case.replay(judging(muted))
    report = await judging(muted).replay(session, every=True)
    assert report.same
    assert report.lost >= 1
    assert report.untold


async def test_an_open_round_is_no_case_yet(session: Session[Case]) -> None:
    from dissensus_state.journal import Journal

    opened = Journal(session).begin("judge", 0, [])
    assert opened is not None
    with pytest.raises(CaseRefused, match="not over"):
        Step.of(session, round_=1)


@pytest.mark.parametrize(
    "broken",
    [
        "", "[]", "{}", '{"dissensus": "case", "format": 9}', '{"dissensus": "case", "format": 1}', "nope",
        '{"dissensus": "case", "format": 1, "session": 3}',
    ],
)  # fmt: skip
def test_a_file_that_is_no_case_is_refused_in_a_line(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "case.json"
    path.write_text(broken, encoding="utf-8")
    with pytest.raises(CaseRefused) as caught:
        Step.load(path)
    assert (caught.value.code, caught.value.exit_code) == ("case.refused", 2)
    with pytest.raises(CaseRefused):
        Step.load(tmp_path / "none.json")


async def test_any_field_of_a_case_that_is_changed_by_hand_is_refused_or_found(
    session: Session[Case], tmp_path: Path
) -> None:
    await judging(speaking).run(session)
    whole = json.loads(Step.of(session).text())
    for name in sorted(
        whole.keys() - {"session", "branch", "schema", "schema_version", "decisions", "untold"}
    ):
        path = tmp_path / "case.json"
        path.write_text(json.dumps({**whole, name: [["odd"]]}), encoding="utf-8")
        with pytest.raises((CaseRefused, Diverged)):
            Step.load(path).replay(judging(muted))
