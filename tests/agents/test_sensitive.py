"""A path marked `Sensitive` never reaches a model that is not trusted with it, whatever way text takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Annotated, Any, NamedTuple

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from dissensus_agents.agent import Agent
from dissensus_agents.context.fits import Summarised
from dissensus_agents.errors import ProviderFailed, Untrusted
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.meaning import SameMeaning
from dissensus_agents.judgement.opinions import asked_of
from dissensus_agents.judgement.supervisor import Supervisor, Verdict
from dissensus_agents.messages import Part, Request
from dissensus_agents.models.catalog import describe, resolve
from dissensus_agents.patterns.asked import Asked
from dissensus_agents.patterns.chain import Chain, Link
from dissensus_agents.patterns.failover import Failover
from dissensus_agents.patterns.route import Route
from dissensus_agents.patterns.together import Panel
from dissensus_state.errors import Denied, DissensusError
from dissensus_state.shapes import Append, MergeByKey, Sensitive, SharedState, invariant, shape_of
from dissensus_state.store import Store
from panels import Voice, happened

CANARY = "canary-7f3a"


class File(SharedState):
    """A case with something that not everybody may see."""

    question: str = "Who did it?"
    secret: Annotated[str, Sensitive] = f"the patient is {CANARY}"
    notes: Annotated[list[str], Append, Sensitive] = []
    verdict: str = ""
    public: str = ""

    @invariant("verdict")
    @staticmethod
    def a_rule_that_quotes_what_it_sees(_: File, after: File) -> str | None:
        return f"{after.secret} says no" if after.verdict == "bad" else None


def voice(name: str, *said: Any, trusted: bool = False, lineage: str = "") -> Voice:
    made = Voice(name, *said, lineage=lineage or f"maker-{name}/one")
    made.trusted = trusted
    return made


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"verdict": text, "reasoning": f"because {text}", **more}


def step(work: Any, **settings: Any) -> AgentGraph:
    return AgentGraph(File).add_step("judge", work, writes={"verdict"}, **settings)


def heard(*voices: Voice) -> str:
    """Every text that these models were sent."""
    requests = [request for one in voices for request in one.asked]
    turns = [f"{turn.answer} {turn.objection}" for one in requests for turn in one.turns]
    return "\n".join([f"{one.system}\n{one.prompt}" for one in requests] + turns)


def all_of(view: Any) -> Iterable[Part]:
    return view.everything()


PROMPTS: dict[str, Callable[[Any], Any]] = {
    "everything": all_of,
    "a part": lambda view: view.part("secret"),
    "a literal made of it": lambda view: f"He said: {view.read('/secret')}",
    "a part under a title": lambda view: [view.part("question"), view.part("secret", "history")],
    "the whole state": lambda view: str(view.read("")),
    "an item": lambda view: view.part("notes/0"),
}


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_a_model_that_is_not_trusted_is_not_shown_it_and_nothing_is_sent(
    store: Store, prompt: str
) -> None:
    session = store.create(File(notes=[CANARY]))
    eve = voice("eve", says("x"))
    with pytest.raises(Denied, match="is sensitive, and no model of eve is trusted with it"):
        await step(Agent("eve", eve, prompt=PROMPTS[prompt])).run(session)
    assert eve.asked == []
    assert session.rounds() == []
    assert [event["sensitive"] for event in happened(session, "denied")] == [True]


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_a_model_that_is_trusted_is_shown_it(store: Store, prompt: str) -> None:
    session = store.create(File(notes=[CANARY]))
    ann = voice("ann", says("x"), trusted=True)
    graph = step(Agent("ann", ann, prompt=PROMPTS[prompt]))
    await graph.run(session)
    assert CANARY in heard(ann)
    assert (await graph.replay(session)).calls == 0


async def test_who_does_not_read_it_need_not_be_trusted(store: Store) -> None:
    session = store.create(File())
    eve = voice("eve", says("x"))
    await step(Agent("eve", eve, reads={"question"})).run(session)
    assert session.state.verdict == "x"
    assert CANARY not in heard(eve)


async def test_a_failover_passes_over_whoever_is_not_trusted_and_the_record_says_so(store: Store) -> None:
    session = store.create(File())
    eve, ann, bob = voice("eve", says("e")), voice("ann", ProviderFailed("down"), trusted=True), None
    bob = voice("bob", says("b"), trusted=True)
    await step(Agent("seat", Failover(eve, ann, voice("mal", says("m")), bob))).run(session)
    assert session.state.verdict == "b"
    assert eve.asked == []
    calls = session.round(1)[2]
    assert [call.model for call in calls] == ["ann", "bob"]
    for call in calls:
        passed = (call.detail or {})["passed_over"]
        assert {"model": "eve", "why": "sensitive"} in passed


async def test_where_the_trusted_candidates_fail_the_others_are_not_asked_instead(store: Store) -> None:
    session = store.create(File())
    eve, ann = voice("eve", says("e")), voice("ann", ProviderFailed("down"), trusted=True)
    with pytest.raises(DissensusError):
        await step(Agent("seat", Failover(ann, eve))).run(session)
    assert eve.asked == []


def rules(request: Request) -> dict[str, Any]:
    return {"decision": "retry", "clarification": f"{CANARY} is meant", "reason": "so"}


async def test_a_supervisor_that_is_not_trusted_is_shown_neither_material_nor_positions_nor_reasoning(
    store: Store,
) -> None:
    session = store.create(File())
    ann = voice("ann", says(f"it was {CANARY}"), trusted=True)
    bob = voice("bob", says("nobody"), trusted=True)
    eve = voice("eve", {"decision": "reject", "reason": "no"})
    agents = [Agent("ann", ann), Agent("bob", bob)]
    with pytest.raises(Untrusted, match="/secret"):
        await step(agents, supervisor=Supervisor(eve)).run(session)
    assert eve.asked == []
    chair = Supervisor(Failover(eve, voice("cleo", {"decision": "reject", "reason": "no"}, trusted=True)))
    await step(agents, supervisor=chair).run(session)
    assert eve.asked == []
    assert session.round(1)[0].status == "rejected"


async def test_a_chain_of_supervisors_goes_on_to_one_who_may_see_it(store: Store) -> None:
    session = store.create(File())
    eve = voice("eve", {"decision": "reject", "reason": "no"})
    agents = [Agent(name, voice(name, says(name), trusted=True)) for name in ("ann", "bob")]
    last = Supervisor(lambda _: Verdict(decision="reject", reason="a rule"), name="rule")
    await step(agents, supervisor=[Supervisor(eve), last]).run(session)
    assert eve.asked == []
    assert session.round(1)[3][-1].author == "rule"


async def test_a_rule_that_quotes_it_is_told_to_those_only_who_may_know(store: Store) -> None:
    session = store.create(File())
    eve = voice("eve", says("bad"), says("good"))
    await step(Agent("eve", eve, reads={"question"})).run(session)
    assert len(eve.asked) == 2
    assert CANARY not in heard(eve)
    assert "Why is not shown here" in heard(eve)
    other = store.create(File())
    ann, mal = voice("ann", says("good"), trusted=True), voice("mal", says("bad"))
    graph = step(Agent("ann", Failover(mal, ann), reads={"question"}))
    await graph.run(other)
    assert CANARY in heard(ann)
    assert len(mal.asked) == 1  # before the rule had said anything
    assert CANARY not in heard(mal)
    assert (await graph.replay(other)).calls == 0


async def test_a_clarification_of_a_supervisor_that_saw_it_is_told_to_those_only_who_may_know(
    store: Store,
) -> None:
    session = store.create(File())
    ann, eve = voice("ann", says("a"), trusted=True), voice("eve", says("e"), says("a"))
    chair = Supervisor(lambda _: Verdict(decision="retry", clarification=f"{CANARY} is meant"), name="rule")
    agents = [Agent("ann", ann), Agent("eve", eve, reads={"question"})]
    await step(agents, supervisor=chair).run(session)
    assert CANARY not in heard(eve)
    assert f"{CANARY} is meant" in heard(ann)


async def test_what_is_summarised_is_shown_to_a_trusted_summariser_only(store: Store) -> None:
    session = store.create(File(secret=f"{CANARY} " * 4000))
    cheap, ann = voice("cheap", "short"), voice("ann", says("x"), trusted=True)
    fit = Summarised(cheap, tokens=2000)
    with pytest.raises(DissensusError):
        await step(Agent("ann", ann, fit=fit)).run(session)
    assert cheap.asked == []
    cheap.trusted = True
    again = store.create(File(secret=f"{CANARY} " * 4000))
    await step(Agent("ann", ann, fit=fit)).run(again)
    assert CANARY in heard(cheap)


# Routes: a hard filter before anything is scored


def route(*, by: Any = lambda _: "cheap", **settings: Any) -> tuple[Route, Voice, Voice]:
    eve, ann = voice("eve", says("e")), voice("ann", says("a"), trusted=True)
    options = {"cheap": Agent("eve", eve), "own": Agent("ann", ann)}
    return Route(options, by=by, **settings), eve, ann


async def test_a_way_whose_models_are_not_trusted_is_gone_before_anything_is_scored(store: Store) -> None:
    seen: list[Asked] = []

    def router(asked: Asked) -> str:
        seen.append(asked)
        return "cheap"

    eve, ann, bob = (voice(n, says(n), trusted=n != "eve") for n in ("eve", "ann", "bob"))
    options = {"cheap": Agent("eve", eve), "own": Agent("ann", ann), "other": Agent("bob", bob)}
    session = store.create(File())
    await step(Route(options, by=router, default="own")).run(session)
    assert list(seen[0].options) == ["own", "other"]
    assert eve.asked == []
    passed = {one["what"]: one["why"] for one in session.decisions(1)[0]["passed_over"]}
    assert "/secret is sensitive" in passed["cheap"]


async def test_where_no_way_is_left_nothing_is_sent(store: Store) -> None:
    session = store.create(File())
    voices = [voice(name, says(name)) for name in ("eve", "mal")]
    ways = {one.name: Agent(one.name, one) for one in voices}
    with pytest.raises(Denied, match="is sensitive"):
        await step(Route(ways, by=lambda _: "eve")).run(session)
    assert [one.asked for one in voices] == [[], []]
    assert session.rounds() == []


async def test_a_panel_in_a_way_is_gone_with_its_least_trusted_member(store: Store) -> None:
    ann, eve = voice("ann", says("a"), trusted=True), voice("eve", says("e"))
    own = Agent("own", voice("own", says("o"), trusted=True))
    session = store.create(File())
    pattern = Route({"two": Panel([Agent("ann", ann), Agent("eve", eve)]), "own": own}, by=lambda _: "two")
    await step(pattern).run(session)
    assert session.state.verdict == "o"
    assert (ann.asked, eve.asked) == ([], [])


async def test_a_model_that_routes_is_asked_only_if_it_may_see_the_question(store: Store) -> None:
    chooser = voice("chooser", {"option": "other", "reason": "so", "confidence": 1})
    ann, bob = (voice(name, says(name), trusted=True) for name in ("ann", "bob"))
    options = {"own": Agent("ann", ann), "other": Agent("bob", bob)}
    session = store.create(File())
    await step(Route(options, by=chooser, default="own")).run(session)
    assert chooser.asked == []
    assert session.state.verdict == "ann"
    assert "not trusted with /secret" in session.decisions(1)[0]["reason"]


async def test_a_model_that_routes_is_shown_a_prompt_without_it_where_there_is_one(store: Store) -> None:
    chooser = voice("chooser", {"option": "public", "reason": "so", "confidence": 1})
    eve, ann = voice("eve", says("e")), voice("ann", says("a"), trusted=True)
    options = {"own": Agent("ann", ann), "public": Agent("eve", eve, reads={"question"})}
    session = store.create(File())
    await step(Route(options, by=chooser, default="own")).run(session)
    assert session.state.verdict == "e"
    assert "Who did it?" in heard(chooser)
    assert CANARY not in heard(chooser, eve)


async def test_a_chain_whose_first_link_may_not_be_shown_it_is_gone_from_a_route(store: Store) -> None:
    eve, ann = voice("eve", says("e")), voice("ann", says("a"), trusted=True)
    chains = {one.name: Chain([Link("one", Agent(one.name, one), writes="verdict")]) for one in (eve, ann)}
    session = store.create(File())
    await AgentGraph(File).add_step("answer", Route(chains, by=lambda _: "eve")).run(session)
    assert [one.step for one in session.rounds()] == ["answer.ann.one"]
    assert eve.asked == []
    assert "sensitive" in session.decisions()[0]["passed_over"][0]["why"]


# The marker


class Patient(BaseModel):
    name: Annotated[str, Sensitive]
    age: int = 0


class Typed(TypedDict):
    name: Annotated[str, Sensitive]


@dataclasses.dataclass
class Data:
    inner: list[Patient]


class Row(NamedTuple):
    name: Annotated[str, Sensitive]


class Hospital(SharedState):
    """Marks at every depth."""

    plain: str = ""
    direct: Annotated[str, Sensitive] = ""
    made: Annotated[list[str], Append, Sensitive()] = []
    inside: Annotated[dict[str, Patient], MergeByKey] = {}
    deep: list[Data] | None = None
    typed: Typed | None = None
    row: Row | None = None
    item: list[Annotated[str, Sensitive]] = []


def test_a_mark_inside_makes_the_whole_field_sensitive() -> None:
    marked = {path[0] for path in shape_of(Hospital).sensitive}
    assert marked == {"direct", "made", "inside", "deep", "typed", "item", "row"}
    assert shape_of(Hospital).merges["made"].verb == "append"


def test_the_catalogue_says_who_is_trusted_and_an_argument_has_the_last_word() -> None:
    assert describe("ollama:llama3.1").trusted
    assert not describe("openai:gpt-4o-mini").trusted
    assert resolve("openai:gpt-4o-mini", trusted=True).trusted  # type: ignore[attr-defined]
    assert not resolve("ollama:llama3.1", trusted=False).trusted  # type: ignore[attr-defined]


# Models that are asked beside the panel


async def test_models_that_compare_verify_or_confirm_are_only_asked_if_they_may_see_it(
    store: Store,
) -> None:
    eves = [
        voice(f"eve{n}", {"same": True, "holds": True, "reason": "so", "verdict": "a b"}) for n in range(3)
    ]
    agents = [
        Agent("ann", voice("ann", says(f"a {CANARY} b"), trusted=True, lineage="x/1")),
        Agent("bob", voice("bob", says(f"b {CANARY} a"), trusted=True, lineage="x/1")),
    ]
    session = store.create(File())
    graph = step(
        agents,
        comparators={"verdict": SameMeaning(eves[0])},
        verifiers=[asked_of(eves[1], "verdict")],
        supervisor=Supervisor(lambda _: Verdict(decision="reject", reason="a rule"), name="rule"),
    )
    await graph.run(session)
    assert [one.asked for one in eves[:2]] == [[], []]
    assert happened(session, "uncompared")[0]["code"] == "model.untrusted"

    same = [Agent(name, voice(name, says("a"), trusted=True, lineage="x/1")) for name in ("ann", "bob")]
    hollow = store.create(File())
    eve = Agent("eve", eves[2])
    rule = Supervisor(lambda _: Verdict(decision="reject", reason="a rule"), name="rule")
    await step(same, hollow_below=1.9, hollow=[eve], supervisor=rule).run(hollow)
    assert eves[2].asked == []
    assert happened(hollow, "hollow")[0]["found"] == "not trusted with it"
