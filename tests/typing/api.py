"""What a user writes, for a type checker: it is never run, a test has mypy read it.

Each `type: ignore` is a mistake that the types must catch; one that they no longer catch is reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Annotated, Any, Literal, assert_type

from hypothesis import strategies as st
from pydantic import BaseModel

import dissensus
from dissensus import (
    END,
    Add,
    Agent,
    AgentGraph,
    Append,
    Budget,
    Conflict,
    DissensusError,
    FunctionModel,
    Max,
    Merge,
    MergeByKey,
    Min,
    Person,
    Price,
    Replace,
    ScriptedModel,
    Session,
    SharedState,
    Store,
    Supervisor,
    Transition,
    Union,
    Verdict,
    invariant,
    model,
)
from dissensus.comparators import Number, Text
from dissensus.judgement import Vote
from dissensus.money import Governor, Limits
from dissensus.reruns import Rerun, Share
from dissensus.testing import Answer, FakeProvider, Fault, Received, check_merge
from dissensus.verifiers import Evidence, quotes_stand_in_sources, verifier
from dissensus_agents.graph import Result
from dissensus_agents.judgement.supervisor import Review
from dissensus_agents.messages import Part, Reply, Request
from dissensus_agents.running import Progress
from dissensus_agents.session import settle
from dissensus_agents.views import View
from dissensus_state.history import Page
from dissensus_state.records import Account, Commit


class Finding(BaseModel):
    text: str


class Top(Merge):
    commutes = True

    def __init__(self, most: int) -> None:
        self.most = most

    def merge(self, old: Any, new: Any) -> Any:
        return sorted([*old, *new], reverse=True)[: self.most]


def a_merge_is_tried() -> None:
    check_merge(Top(3), [[1], [2, 3]], examples=50)
    check_merge(Max, st.integers(), same=lambda one, other: bool(one == other))
    check_merge("max", [1])  # type: ignore[arg-type]


class Inquiry(SharedState, version=2):
    question: str
    phase: Literal["gathering", "closed"] = "gathering"
    findings: Annotated[list[Finding], Append] = []
    tags: Annotated[set[str], Union] = set()
    doubts: Annotated[int, Add] = 0
    best: Annotated[float | None, Max] = None
    cheapest: Annotated[float | None, Min] = None
    ranking: Annotated[list[int], Top(3)] = []
    answers: Annotated[dict[str, str], MergeByKey()] = {}
    note: Annotated[str, Replace] = ""
    verdict: str | None = None

    transitions = [Transition("conclude", "gathering -> closed", writes={"verdict"}, review=True)]

    @invariant("verdict", "findings")
    @staticmethod
    def a_verdict_rests_on_findings(before: Inquiry, after: Inquiry, evidence: Any) -> str | None:
        return None if after.verdict is None or after.findings else "there are no findings"


def a_session_knows_its_schema(store: Store) -> None:
    session = store.create(Inquiry(question="Why?"), budget=Budget(usd=2), name="why")
    store.create(Inquiry(question="How?"), budget=5)
    assert_type(session, Session[Inquiry])
    assert_type(session.state, Inquiry)
    assert_type(session.at(3).findings, list[Finding])
    assert_type(session.at(3, SharedState), SharedState)
    assert_type(session.state.verdict, str | None)
    assert_type(session.head, int)
    assert_type(session.log(), Page)
    assert_type(session.budget, Account)
    _ = session.state.verdikt  # type: ignore[attr-defined]


def a_session_is_opened_with_its_schema() -> None:
    with Store.open("sqlite:///inquiry.db") as store:
        assert_type(store.session("why", Inquiry), Session[Inquiry])
        store.create(Finding(text="no state"))  # type: ignore[type-var]


def a_session_is_handed_on(store: Store, session: Session[Inquiry]) -> None:
    assert_type(session.export("inquiry.jsonl", redact=["/verdict"]).bytes, int)
    assert_type(store.import_session("inquiry.jsonl", schema=Inquiry), Session[Inquiry])


def a_transaction_reads_and_writes(session: Session[Inquiry]) -> None:
    with session.transaction(author="analyst", transition="conclude") as transaction:
        transaction.append("findings", Finding(text="full"))
        transaction.set("verdict", "disk")
    session.transact(lambda tx: tx.add("doubts", 1), "analyst")
    session.transaction(transition="conclude")  # type: ignore[call-arg]


def what_a_model_says(request: Request) -> dict[str, Any]:
    assert_type(request.prompt, str)
    return {"verdict": "disk"}


def what_a_prompt_shows(view: View) -> list[str | Part]:
    return ["What is the cause?", view.part("/findings")]


def what_an_answer_means(reply: Reply) -> dict[str, Any]:
    return {"verdict": reply.text}


def agents_take_models_names_and_functions() -> list[Agent]:
    priced = FunctionModel("mine", what_a_model_says, price=Price(Decimal(1), Decimal(2)))
    return [
        Agent("a", priced, "You read logs.", reads=["/findings"], prompt=what_a_prompt_shows),
        Agent("b", "openai:gpt-4o-mini", parse=what_an_answer_means),
        Agent("c", model("openai:gpt-4o-mini"), attempts=2),
        Agent("d", ScriptedModel("scripted", ["one", {"verdict": "two"}])),
        Agent("e", what_a_model_says),
        Agent("f", 3),  # type: ignore[arg-type]
        Agent(model="openai:gpt-4o-mini"),  # type: ignore[call-arg]
    ]


def supervisors_are_models_functions_and_people() -> list[Supervisor]:
    def rule(review: Review) -> Verdict:
        first = review.positions[0]
        return Verdict(decision="uphold", position=first.label, reason="the first")

    async def awaited(review: Review) -> Verdict:
        return Verdict(decision="amend", amendment={"/verdict": "disk"})

    def wrong(review: Review) -> str:
        return "uphold"

    return [
        Supervisor("openai:gpt-4o"),
        Supervisor(ScriptedModel("chair", [{"decision": "reject"}]), attempts=3),
        Supervisor(rule, name="the rule"),
        Supervisor(awaited),
        Supervisor(Person("jutta")),
        Supervisor(wrong),  # type: ignore[arg-type]
    ]


def a_verdict_needs_a_decision_that_there_is() -> None:
    Verdict(decision="retry", clarification="Which log?")
    Verdict(decision="approve")  # type: ignore[arg-type]
    Verdict(reason="none")  # type: ignore[call-arg]


@verifier
def the_cause_is_known(proposed: Any, state: Any) -> bool | str:
    return proposed["/verdict"] in state["answers"] or "no such cause"


@verifier(name="checked", version="2")
def with_evidence(proposed: Any, state: Any) -> Evidence:
    return Evidence("checked", "2", passed=True)


def next_step(state: Inquiry) -> str:
    return "gather" if len(state.findings) < 3 else END


def a_graph_is_put_together(agents: list[Agent], chair: Supervisor) -> AgentGraph:
    graph = AgentGraph(Inquiry).add_step("gather", agents, writes={"findings"})
    graph.add_step(
        "conclude",
        agents,
        writes=["verdict"],
        supervisor=chair,
        verifiers=[the_cause_is_known, with_evidence, quotes_stand_in_sources()],
        comparators={"verdict": Text(0.8), "doubts": Number(rel=0.1)},
        hollow_below=1.5,
        isolation="snapshot",
    )
    graph.add_step("audited", agents, writes={"note"}, audit=0.05, supervisor=[Vote(), chair, Person("ana")])
    graph.add_edge("gather", next_step).add_edge("conclude", END)
    graph.add_step("again", agents, writes={"note"}, isolation="none")  # type: ignore[arg-type]
    graph.add_step("again", agents, writes={"note"}, superviser=chair)  # type: ignore[call-arg]
    AgentGraph(Finding)  # type: ignore[arg-type]
    return assert_type(graph, AgentGraph)


async def a_graph_is_run(graph: AgentGraph, session: Session[Inquiry]) -> None:
    assert_type(graph.stream(session), AsyncGenerator[Progress])
    async for progress in graph.stream(session, start="gather"):
        assert_type(progress.kind, str)
    result = await graph.run(session, max_rounds=3)
    assert_type(result, Result)
    assert_type(result.parked, int | None)
    assert_type((await graph.replay(session)).rounds, int)
    found = await graph.rerun(session, 12, swap={"ana": "ollama:llama3.1"}, times=3, budget="0.50")
    assert_type(found, Rerun)
    assert_type(found.decisions[0].flipped, Share)
    await graph.rerun(session, 12, time=3)  # type: ignore[call-arg]
    assert_type((await graph.repair(session, 3, again=True)).is_finished, bool)
    replayed = await graph.replay(session, every=True, most=10)
    assert_type([one.rule for one in replayed.differences], list[str | None])
    assert_type(graph.case(session, 3).text(), str)


def a_person_settles(session: Session[Inquiry]) -> None:
    made = settle(session, 1, decision="uphold", author="jutta", reason="I looked", position="A")
    assert_type(made, Commit | None)


def errors_have_a_code_and_a_next_step(graph: AgentGraph, session: Session[Inquiry]) -> None:
    try:
        asyncio.run(a_graph_is_run(graph, session))
    except Conflict as conflict:
        assert_type(conflict.context, dict[str, Any])
    except DissensusError as error:
        assert_type(error.code, str)
        assert_type(error.exit_code, int)
        assert_type(error.next_step, str)


def a_misspelt_name_is_found() -> None:
    _ = dissensus.AgentGraf  # type: ignore[attr-defined]


def a_provider_on_this_machine() -> None:
    def decides(asked: Received) -> str | Answer | Fault:
        assert_type(asked.body, dict[str, Any])
        return Answer("42", reasoning="because") if asked.streamed else Fault.rate_limit(retry_after=2)

    with FakeProvider(models=("tiny",)) as provider:
        assert_type(provider, FakeProvider)
        provider.says(Fault.status(503), "42", reasoning="because")
        provider.answers(decides)
        provider.answers(lambda asked: asked.text)
        provider.answers(lambda asked: asked.number)  # type: ignore[arg-type, return-value]
        provider.says(42)  # type: ignore[arg-type]
        provider.url("cohere")  # type: ignore[arg-type]
        assert_type(provider.received, list[Received])


def a_budget_is_a_tree_of_limits(session: Session[Inquiry]) -> None:
    per_day = Limits(usd="0.5", calls=20)
    budget = Budget(usd=2, per_day=per_day, agents={"ana": Limits(tokens=9)}, soft=0.8, in_flight="return")
    assumed = Budget(unpriced=Price(Decimal(3), Decimal(15)))
    assert_type(session.set_budget(budget), Account)
    session.change_budget(lambda now: assumed if now.usd is None else now)
    assert_type(session.limits, Budget)
    assert_type(session.accounts, tuple[Account, ...])
    Budget(unpriced="free")  # type: ignore[arg-type]
    Budget(in_flight="forget")  # type: ignore[arg-type]
    Limits(tokens="many")  # type: ignore[arg-type]


def a_governor_says_what_is_not_paid_for(ana: Agent) -> None:
    def small(view: View) -> bool | str:
        return "it is short" if len(str(view.read("question"))) < 9 else False

    governor = Governor(trivial=small, stop_early="majority", wave=2, reuse=True)
    graph = AgentGraph(Inquiry, governor=governor)
    assert_type(graph.add_step("go", [ana], writes={"verdict"}, governor=Governor()), AgentGraph)
    Governor(stop_early="soon")  # type: ignore[arg-type]
