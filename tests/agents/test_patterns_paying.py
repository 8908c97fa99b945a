"""A cascade that goes on while it pays: the policy that was fitted decides, and the records say why."""

from __future__ import annotations

import random

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.ballots import Ballot, Voter
from dissensus_agents.judgement.fitting import Graded
from dissensus_agents.judgement.fitting_paying import Tried
from dissensus_agents.judgement.manner import manner
from dissensus_agents.judgement.paying import Paying
from dissensus_agents.patterns.cascade import Cascade, pays
from dissensus_state.store import Store
from panels import Case, agent, cause, voice

pytest.importorskip("numpy", reason="fitting needs the extra `learn`")

SMALL, LARGE = "model-of-small", "model-of-large"


@pytest.fixture(scope="module")
def policy() -> Paying:
    """Small is right unless it guesses, and says so; large is right in nine of ten."""

    def graded(key: int) -> Graded:
        drawn = random.Random(key)
        guess = drawn.random() < 0.4
        small, large = drawn.random() < (0.2 if guess else 0.95), drawn.random() < 0.9
        thinking = "I have to guess." if guess else "It follows."
        said = ((SMALL, 0, thinking), (LARGE, int(small != large), "It follows."))
        ballots = tuple(Ballot(name, Voter(name, name), at, thinking=text) for name, at, text in said)
        return Graded(str(key), ballots, "judge", 0 if small else 1 if large else None)

    costs = [{SMALL: 0.01, LARGE: 1.0}] * 300
    return Tried([graded(key) for key in range(300)], [[SMALL], [LARGE]], costs, features=manner).costing(0.6)


def cascade(policy: Paying, small: Agent, large: Agent) -> AgentGraph:
    pattern = Cascade([small, large], until=pays(policy))
    return AgentGraph(Case).add_step("judge", pattern, writes={"verdict"}, weigh=policy)


def says(name: str, said: str, thinking: str) -> Agent:
    return agent(name, cause(said, reasoning=thinking), lineage=f"maker-{name}/one")


async def test_the_large_model_is_spared_where_asking_it_does_not_pay(store: Store, policy: Paying) -> None:
    small, large = says("small", "disk", "It follows."), says("large", "net", "It follows.")
    session = store.create(Case())
    await cascade(policy, small, large).run(session)
    assert session.state.verdict.cause == "disk"
    assert (len(voice(small).asked), len(voice(large).asked)) == (1, 0)
    settled = session.decisions(1)[-1]
    assert "its cost taken off" in settled["reason"]
    assert settled["confidence"] > 0.8


async def test_it_is_asked_where_the_small_one_guesses_and_the_vote_of_both_stands(
    store: Store, policy: Paying
) -> None:
    small, large = says("small", "disk", "I have to guess."), says("large", "net", "It follows.")
    session = store.create(Case())
    await cascade(policy, small, large).run(session)
    assert session.state.verdict.cause == "net"
    assert (len(voice(small).asked), len(voice(large).asked)) == (1, 1)
    assert session.verify().versions == session.head + 1
