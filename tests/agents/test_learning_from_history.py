"""What a store has graded teaches votes, readers, routers and cascades, and these judge what comes next."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.errors import GraphError
from dissensus_agents.examples import as_questions, as_votes, costs_of, examples
from dissensus_agents.fitting import learn_cascade, learn_reader, learn_router, learn_vote
from dissensus_agents.graph import END, AgentGraph
from dissensus_agents.judgement.fitted import FittedVote
from dissensus_agents.judgement.manner import manner
from dissensus_agents.judgement.paying import Paying
from dissensus_agents.judgement.rules import Majority
from dissensus_agents.models.prices import Price
from dissensus_agents.models.scripted import ScriptedModel
from dissensus_agents.patterns.cascade import Cascade, pays
from dissensus_agents.views import View
from dissensus_state.records import Budget
from dissensus_state.sessions import Session
from dissensus_state.shapes import MergeByKey, SharedState
from dissensus_state.store import Store

QUESTIONS = 240
SKILL = {"small": 0.6, "other": 0.6, "large": 0.9}
PRICE = {"small": Price(1, 1), "other": Price(1, 1), "large": Price(40, 40)}


class Quiz(SharedState):
    """Questions, and what was answered to each."""

    questions: list[str]
    answers: Annotated[dict[str, str], MergeByKey()] = {}


def draw(*of: object) -> float:
    """A number from 0 to 1 that is the same for the same."""
    return int.from_bytes(hashlib.sha256(repr(of).encode()).digest()[:6]) / 2**48


def right(question: str) -> str:
    return "ABCD"[int(draw("right", question) * 4)]


def says(name: str, question: str) -> str:
    """The right letter as often as the model is good; a hard question is hard for all but the large one."""
    hard = "hard" in question and name != "large"
    if draw(name, question) < SKILL[name] - 0.35 * hard:
        return right(question)
    wrong = [letter for letter in "ABCD" if letter != right(question)]
    return wrong[int(draw("wrong", name, question) * 3)]


def seat(name: str) -> Agent:
    """An agent that answers the next question, and stands by it in as many words as it is sure."""
    place = [0]

    def ask(view: View) -> Any:
        place[0] = len(view.read("/answers"))
        return [view.part(f"/questions/{place[0]}")]

    def answer(prompt: str) -> str:
        letter = says(name, prompt.strip().splitlines()[-1])
        why = f"We know that it is {letter}, since {name} has looked. The answer is ({letter})."
        return json.dumps({"reasoning": why, "letter": letter})

    model = ScriptedModel(name, answer, lineage=f"maker-{name}/one", price=PRICE[name])
    return Agent(
        name, model, prompt=ask, parse=lambda reply: read(reply.text, place[0]), max_output_tokens=99
    )


def read(text: str, number: int) -> Mapping[str, Any]:
    return {"answers": {str(number): json.loads(text)["letter"]}}


def graph_of(work: Any, **settings: Any) -> AgentGraph:
    graph = AgentGraph(Quiz).add_step("quiz", work, writes={"answers"}, **settings)
    return graph.add_edge("quiz", lambda state: END if len(state.answers) == len(state.questions) else "quiz")


def quiz(store: Store, marks: range) -> Session[Quiz]:
    asked = [f"Question {n} is {'hard, they say' if n % 2 else 'plain'}" for n in marks]
    return store.create(Quiz(questions=asked), budget=Budget(usd=100))


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with a panel's answers to many questions, each graded by the known answer; made once."""
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('taught')}/quiz.db") as store:
        asyncio.run(teach(store, QUESTIONS))
        yield store


async def teach(store: Store, questions: int) -> None:
    session = quiz(store, range(questions))
    work = [seat(name) for name in SKILL]
    await graph_of(work, supervisor=[Majority(), uphold_first]).run(session)
    for round_ in session.rounds():
        question = session.state.questions[round_.round - 1]
        letters = {name: says(name, question) for name in SKILL}
        good = [name for name, letter in letters.items() if letter == right(question)]
        bad = [name for name in letters if name not in good]
        session.grade(round_.round, right=good, wrong=bad, basis="reference", by="the key")


def uphold_first(review: Any) -> Any:
    from dissensus_agents.judgement.supervisor import Verdict

    return Verdict(decision="uphold", position=review.positions[0].label, reason="the first will do")


async def test_examples_are_the_graded_questions_with_all_that_was_said(store: Store) -> None:
    await teach(store, 6)
    found = examples(store, "quiz")
    assert len(found) == 6
    one, asked = found[1], "Question 1 is hard, they say"
    assert one.question.endswith(asked)
    assert {voice.agent: voice.says for voice in one.voices} == {name: says(name, asked) for name in SKILL}
    assert all("has looked" in (voice.thinking or "") for voice in one.voices)
    assert all((voice.cost or 0) > 0 for voice in one.voices)
    assert {voice.agent: voice.right for voice in one.voices} == {
        name: says(name, asked) == right(asked) for name in SKILL
    }
    assert examples(store, "another step") == []
    assert len(as_questions(found)) == len(costs_of(found)) == 6
    again = quiz(store, range(3))  # the same question in another session is the same example
    await graph_of([seat("large")]).run(again)
    for number in (1, 2, 3):
        again.grade(number, right=["large"], basis="person", by="eva")
    assert len(examples(store, "quiz")) == 6
    assert len(examples(again)) == 3


class Sum(SharedState):
    """One number."""

    total: float = 0


@pytest.mark.parametrize("third", [40.0, 90.0])
async def test_what_the_round_took_for_the_same_is_one_position_of_the_example(
    store: Store, third: float
) -> None:
    totals = zip("abc", (40.0, 40.1, third), strict=True)
    agents = [
        Agent(name, ScriptedModel(name, [json.dumps({"reasoning": "so", "total": total})]))
        for name, total in totals
    ]
    session = store.create(Sum())
    graph = AgentGraph(Sum).add_step("sum", agents, writes={"total"}, materiality=0.01, supervisor=Majority())
    await graph.run(session)
    wrong = ["c"] if third == 90 else []
    session.grade(1, right=sorted({*"abc"} - {*wrong}), wrong=wrong, basis="reference", by="key")
    (one,) = examples(store, "sum")
    assert one.decided
    assert one.right == "40"
    assert [voice.says for voice in one.voices] == ["40", "40", "90" if wrong else "40"]


async def test_a_vote_that_was_learned_weighs_the_next_rounds(taught: Store) -> None:
    vote = learn_vote(taught, "quiz", options=4)
    assert vote.provenance.rounds == len(as_votes(examples(taught), 4)) == QUESTIONS
    assert vote.provenance.tested is not None
    assert vote.provenance.tested.accuracy[0] > 0.8
    assert FittedVote.from_json(vote.as_json(), manner).weights == pytest.approx(vote.weights, abs=1e-5)
    session = quiz(taught, range(1000, 1040))
    from dissensus_agents.judgement.rules import Vote

    judges = [Vote(above=0.5), uphold_first]
    await graph_of([seat(name) for name in SKILL], weigh=vote, supervisor=judges).run(session)
    state = session.state
    score = sum(state.answers[str(n)] == right(question) for n, question in enumerate(state.questions))
    alone = sum(says("large", question) == right(question) for question in state.questions)
    assert score >= alone - 2
    ruled = [rulings[-1] for _, _, _, rulings in map(session.round, range(1, 41)) if rulings]
    assert any("fitted, on 240 graded rounds" in one.reason for one in ruled)


async def test_a_router_that_was_learned_tells_hard_from_plain(taught: Store) -> None:
    router = learn_router(taught, "quiz")
    assert router.provenance.items == QUESTIONS
    asked = {one.question for one in examples(taught)}
    form = next(one for one in asked if one.endswith("Question 101 is hard, they say"))
    hard = router.chances(form.replace("101", "241"))
    plain = router.chances(form.replace("101 is hard, they say", "242 is plain"))
    assert hard["large"] - hard["small"] > plain["large"] - plain["small"] + 0.1


async def test_a_cascade_that_was_learned_asks_on_while_it_pays(taught: Store) -> None:
    policy = learn_cascade(taught, [["small", "other"], ["large"]], "quiz", accuracy=0.8, options=4)
    policy = Paying.from_json(policy.as_json(), manner)
    session = quiz(taught, range(2000, 2040))
    tiers = [[seat("small"), seat("other")], seat("large")]
    from dissensus_agents.patterns.together import Panel

    work = Cascade([Panel(tiers[0]), tiers[1]], until=pays(policy, 4))
    await graph_of(work, weigh=policy, supervisor=uphold_first).run(session)
    asked = [
        any(item.agent == "large" and item.status != "abstained" for item in session.round(n)[1])
        for n in range(1, 41)
    ]
    assert 0 < sum(asked) < 40
    state = session.state
    assert sum(state.answers[str(n)] == right(question) for n, question in enumerate(state.questions)) >= 28
    assert any("brings" in str(one) for one in session.decisions(1))


@pytest.mark.parametrize(
    ("tiers", "bound", "said"),
    [
        ([["small"], ["large"]], {"accuracy": 1.0}, "No cascade was fitted: At any cost"),
        ([["small"], ["large"]], {"usd": 1e-12}, "No cascade was fitted: The first tier alone costs"),
        ([["small"], ["small"]], {"accuracy": 0.5}, "each in one tier alone"),
        ([[], ["large"]], {"accuracy": 0.5}, "each in one tier alone"),
        ([], {"accuracy": 0.5}, "each in one tier alone"),
    ],
)
def test_a_cascade_that_cannot_be_fitted_is_refused_with_the_reason(
    taught: Store, tiers: list[list[str]], bound: dict[str, float], said: str
) -> None:
    with pytest.raises(GraphError, match=said):
        learn_cascade(taught, tiers, "quiz", **bound)


async def test_too_little_is_said_to_be_too_little(store: Store) -> None:
    for learn, what in ((learn_vote, "vote"), (learn_router, "router"), (learn_reader, "reader")):
        with pytest.raises(GraphError, match=f"a {what} needs") as caught:
            learn(store, "quiz")
        assert "dissensus grade" in (caught.value.next_step or "")
    with pytest.raises(GraphError, match="one of usd= and accuracy="):
        learn_cascade(store, [["small"]])


def test_a_cascade_of_other_tiers_than_the_policys_is_refused() -> None:
    policy = type("P", (), {"tiers": (type("T", (), {"models": ("small",)}),)})()
    with pytest.raises(GraphError, match="fitted to the tiers"):
        Cascade([seat("other")], until=pays(policy))
