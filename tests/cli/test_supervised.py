"""What supervisors ruled, advised and found ambiguous, as the command line tells it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Protocol

import pytest

from dissensus_agents.judgement.rules import Majority
from dissensus_agents.judgement.supervisor import Person, Supervisor
from dissensus_state.store import Store
from panels import Case, Voice, agent, cause, one_step, panel, ruling, upholds


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


@pytest.fixture
def store(folder: Path) -> Any:
    with Store.open(str(folder / "dissensus.db")) as opened:
        yield opened


def test_a_chain_is_shown_with_every_ruling_its_advice_and_its_confidence(store: Store, ask: Command) -> None:
    advising = Supervisor(Voice("chair", ruling("net", confidence=0.7)), advises=True)
    session = store.create(Case(), name="chain")
    graph = one_step(panel("disk", "net"), supervisor=[Majority(), advising, Person("ana")])
    asyncio.run(graph.run(session))

    found = ask("disagreements", "--open", "--json").data["rounds"][0]["rulings"]
    shown = ask("disagreements", "--open").out

    assert [(one["n"], one["author"], one["decision"]) for one in found] == [
        (1, "majority", "escalate"),
        (2, "chair", "escalate"),
        (3, "ana", "escalate"),
    ]
    assert (found[1]["advice"], found[1]["confidence"]) == ({"decision": "uphold", "upheld": ["b"]}, 0.7)
    assert "ruling 1 of majority: escalate" in shown
    assert "no position has more votes than every other one" in shown
    assert "0.70" in shown


def test_who_advises_names_no_agent_while_a_person_is_to_rule(store: Store, ask: Command) -> None:
    advising = Supervisor(Voice("chair", ruling("net")), advises=True)
    agents = [agent("analyst-one", cause("disk")), agent("analyst-two", cause("net"))]
    asyncio.run(one_step(agents, supervisor=[advising, Person("ana")]).run(store.create(Case())))

    shown = ask("disagreements", "--open").out

    assert "chair advises to uphold position B" in shown
    assert "analyst-" not in shown


def test_an_ambiguous_question_is_shown_with_its_readings(store: Store, ask: Command) -> None:
    readings = ["Why did the writer stop?", "Why did the reader stop?"]
    chair = Voice("chair", ruling("net", cause="ambiguous_question", readings=readings))
    asyncio.run(one_step(panel("disk", "net"), supervisor=Supervisor(chair)).run(store.create(Case())))

    assert "Why did the reader stop?" in ask("disagreements").out
    assert ask("show", "r1", "--json").data["round"]["rulings"][0]["readings"] == readings
    (event,) = [one for one in ask("events", "--json").data["events"] if one["kind"] == "ambiguous"]
    assert event["body"]["readings"] == readings


def test_audits_and_hollow_agreements_are_shown_for_what_they_are(store: Store, ask: Command) -> None:
    chair = Supervisor(upholds("disk"), name="chair")
    session = store.create(Case())
    asyncio.run(one_step(panel("disk", "disk"), audit=1.0, supervisor=chair).run(session))
    twins = [agent(name, cause("disk"), lineage="google/gemini") for name in "ab"]
    other = agent("z", cause("net"), lineage="meta/llama")
    graph = one_step(twins, hollow_below=1.5, hollow=[other], supervisor=chair)
    asyncio.run(graph.run(session, start="judge"))

    first, second = (one["review"] for one in ask("disagreements", "--json").data["rounds"])
    shown = ask("disagreements").out

    assert (first["audit"], first["share"]) == (True, 1.0)
    assert second["sent_to"] == [{"to": "z", "found": "disagrees", "votes": [1.316, 1.316]}]
    assert "drawn by lot" in shown
    assert "z: disagrees" in shown
    assert ask("quality").code == 0
    assert ask("verify").code == 0
