"""What a round's voices are worth: who weighs them, what is recorded of it, and what it may be called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from dissensus_agents.agent import Agent
from dissensus_agents.errors import GraphError
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.ballots import Ballot, Voter, Weighed
from dissensus_agents.judgement.lineage import effective_votes
from dissensus_agents.judgement.options import options_at
from dissensus_agents.judgement.prior import PriorWeigher
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.judgement.verifiers import Evidence, verifier
from dissensus_agents.running import Progress
from dissensus_agents.status import status_of
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store
from panels import Case, agent, cause, happened, one_step, panel, told, upholds


@dataclass
class Scale:
    """A weigher that gives what it is told to, and keeps what it was asked."""

    shares: tuple[float, ...] | None = (0.83,)
    votes: float = 1.3
    asked: list[tuple[list[Ballot], str, int | None]] = field(default_factory=list)

    def weigh(self, ballots: Sequence[Ballot], task: str, options: int | None = None) -> Weighed:
        self.asked.append((list(ballots), task, options))
        return Weighed(self.votes, self.shares, "measured", 120, "as measured")


def said(progress: Sequence[Progress], kind: str) -> dict[str, Any]:
    return dict(next(item.body for item in progress if item.kind == kind))


def status(session: Session[Any], number: int = 1) -> str:
    commit = next((one for one in session.log() if one.round == number), None)
    evidence = commit.evidence if commit else ()
    return str(status_of(*session.round(number), evidence, session.events()))


async def test_an_agreement_is_weighed_by_lineages_and_nothing_is_stored_of_it(
    session: Session[Case],
) -> None:
    progress = await told(one_step(panel("disk", "disk", "disk")), session)

    agreed = said(progress, "agreed")
    votes = effective_votes(["maker-a/one", "maker-b/one", "maker-c/one"])
    assert agreed["votes"] == votes
    assert agreed["weighed"] == {"votes": round(votes, 3), "basis": "prior"}
    assert (session.round(1)[0].review, session.events()) == (None, [])
    assert status(session) == f"agreed ({votes:.1f} effective votes)"


async def test_what_is_known_of_an_agreement_is_told_and_recorded(session: Session[Case]) -> None:
    scale = Scale()

    progress = await told(one_step(panel("disk", "disk"), weigh=scale), session)

    known = {"votes": 1.3, "basis": "measured", "shares": {"A": 0.83}, "on": 120, "note": "as measured"}
    assert said(progress, "agreed")["weighed"] == known
    assert happened(session, "weighed") == [known]
    ((ballots, task, _),) = scale.asked
    assert [(one.agent, one.position, one.voter.model) for one in ballots] == [
        ("a", 0, "model-of-a"),
        ("b", 0, "model-of-b"),
    ]
    assert (task, ballots[0].thinking) == ("judge", "I think of disk.")
    assert status(session) == "agreed (1.3 effective votes, 0.83)"


async def test_what_a_store_has_graded_weighs_the_rounds_that_come_after(store: Store) -> None:
    """Two models that are right in 36 of 40 graded rounds, and wrong together in the others."""
    graded = store.create(Case(), name="graded")
    graph = one_step(panel("disk", "disk"))
    for n in range(40):
        await graph.run(graded, start="judge")
        names = ["a", "b"]
        graded.grade(n + 1, [] if n % 10 == 0 else names, names if n % 10 == 0 else [], by="ana")

    session = store.create(Case(), name="later")
    progress = await told(graph, session)

    weighed = said(progress, "agreed")["weighed"]
    assert (weighed["basis"], weighed["on"]) == ("measured", 40)
    assert weighed["votes"] < effective_votes(["maker-a/one", "maker-b/one"])
    assert 0.7 < weighed["shares"]["A"] < 0.95
    assert happened(session, "weighed") == [weighed]
    known = status_of(*session.round(1), (), session.events())
    assert (known.word, known.basis, known.on) == ("agreed", "measured", 40)
    assert known.prior is not None
    assert known.votes is not None
    assert known.votes < known.prior


async def test_what_is_disputed_is_weighed_by_position_and_the_review_says_so(session: Session[Case]) -> None:
    scale = Scale((0.7, 0.2))
    agents = [
        agent("a", cause("disk", confidence=0.9)),
        agent("b", cause("network")),
        agent("c", cause("disk")),
    ]
    graph = one_step(agents, weigh=scale, supervisor=Supervisor(upholds("disk")))

    await graph.run(session)

    ballots = scale.asked[0][0]
    assert [(one.agent, one.position, one.confidence) for one in ballots] == [
        ("a", 0, 0.9),
        ("c", 0, None),
        ("b", 1, None),
    ]
    weighed = (session.round(1)[0].review or {})["weighed"]
    assert (weighed["shares"], weighed["votes"], weighed["on"]) == ({"A": 0.7, "B": 0.2}, 1.3, 120)
    assert status(session).startswith("ruled (")


async def test_where_several_paths_are_disputed_each_is_weighed_as_well(session: Session[Case]) -> None:
    agents = [
        agent("a", {"answers": {"1": "yes", "2": "no"}}),
        agent("b", {"answers": {"1": "no", "2": "no"}}),
        agent("c", {"answers": {"1": "no", "2": "yes"}}),
    ]
    await one_step(agents, ["answers"]).run(session)

    weighed = (session.round(1)[0].review or {})["weighed"]
    disputes = {one.path: one for one in session.disagreements()}
    assert set(weighed["paths"]) == {"/answers/1", "/answers/2"} == set(disputes)
    worth = disputes["/answers/1"].weighed
    assert worth is not None
    assert worth["votes"] == round(effective_votes(["model-of-b", "model-of-c"]), 3)


async def test_an_agent_that_goes_along_with_every_side_has_no_voice_there(session: Session[Case]) -> None:
    scale = Scale((0.5, 0.5))
    agents = [agent(name, {"answers": {key: name}}) for name, key in (("a", "1"), ("b", "1"), ("c", "2"))]

    await one_step(agents, ["answers"], weigh=scale).run(session)

    assert [one.agent for one in scale.asked[0][0]] == ["a", "b"]


@pytest.mark.parametrize(
    "given",
    [
        None,
        Weighed(-1.0),
        Weighed(float("nan")),
        Weighed(1.0, (0.5, 0.4)),
        Weighed(1.0, (1.2,)),
        Weighed(1.0, (True,)),
    ],
)
async def test_a_weigher_that_says_what_cannot_be_is_named(session: Session[Case], given: Any) -> None:
    class Odd:
        def weigh(self, *_: Any) -> Any:
            return given

    with pytest.raises(GraphError, match="Odd"):
        await one_step(panel("disk", "disk"), weigh=Odd()).run(session)


class Exam(SharedState):
    """A question with four answers."""

    answer: Literal["A", "B", "C", "D"] | None = None


async def test_a_weigher_knows_among_how_many_answers_the_agents_could_choose(store: Store) -> None:
    scale = Scale()
    graph = AgentGraph(Exam).add_step(
        "sit", [agent("a", {"answer": "B"}), agent("b", {"answer": "B"})], writes={"answer"}, weigh=scale
    )

    await graph.run(store.create(Exam(), name="exam"))

    assert scale.asked[0][2] == 4


class Part(BaseModel):
    """What an answer may hold."""

    kind: Literal["x", "y"] | bool = True
    open: str = ""
    items: list[Literal[1, 2, 3]] = []
    more: dict[str, Part] = {}


@pytest.mark.parametrize(
    ("path", "options"),
    [("/kind", 4), ("/open", None), ("/items/0", 3), ("/more/any/kind", 4), ("/nothing", None), ("", None)],
)
def test_options_are_counted_where_the_schema_names_them(path: str, options: int | None) -> None:
    schema = Part.model_json_schema()
    inner = schema["$defs"]["Part"]
    assert options_at({**inner, "$defs": schema["$defs"]}, path) == options


votes = st.lists(
    st.tuples(
        st.sampled_from(["m1", "m2", "m3"]), st.sampled_from(["a/x", "a/y", "b/x", ""]), st.integers(0, 2)
    ),
    min_size=1,
    max_size=6,
)


@given(cast=votes, names=st.permutations("abcdef"))
def test_the_prior_knows_no_names_and_no_order(cast: list[tuple[str, str, int]], names: list[str]) -> None:
    def weighed(order: Sequence[tuple[str, str, int]], called: Sequence[str]) -> float:
        ballots = [Ballot(name, Voter(m, ln), at) for name, (m, ln, at) in zip(called, order, strict=False)]
        return PriorWeigher().weigh(ballots, "any").votes

    first = weighed(cast, "abcdef")
    assert weighed(list(reversed(cast)), names) == first
    assert 1.0 <= first <= len(cast)


async def test_a_round_is_worth_the_same_whatever_its_agents_are_called(store: Store) -> None:
    found = []
    for n, names in enumerate(permutations("xyz")):
        session = store.create(Case(), name=f"case-{n}")
        agents = [
            Agent(name, one.model) for name, one in zip(names, panel("disk", "disk", "network"), strict=True)
        ]
        await one_step(agents).run(session)
        found.append(session.disagreements()[0].weighed)
    assert all(one == found[0] for one in found)


@verifier
def known(proposed: Any, _state: Any) -> bool:
    return "disk" in str(proposed)


@verifier
def doubtful(_proposed: Any, _state: Any) -> Any:
    return Evidence("doubtful", "1", passed=False)


@verifier
def opinion(_proposed: Any, _state: Any) -> Any:
    return Evidence("opinion", "1", passed=True, outside=False)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"verifiers": [known]}, "verified (known)"),
        ({"verifiers": [opinion]}, "agreed (1.4 effective votes)"),
        ({"verifiers": [known, opinion]}, "verified (known)"),
        ({"verifiers": [known, doubtful], "supervisor": Supervisor(upholds("disk"))}, "ruled (chair)"),
        ({}, "agreed (1.4 effective votes)"),
    ],
)
async def test_verified_is_said_only_of_evidence_from_outside_the_models(
    session: Session[Case], settings: dict[str, Any], words: str
) -> None:
    await one_step(panel("disk", "disk"), **settings).run(session)

    assert status(session) == words


async def test_one_agent_alone_is_single_and_a_round_without_a_commit_is_what_became_of_it(
    session: Session[Case],
) -> None:
    await one_step(panel("disk")).run(session)
    await one_step(panel("disk", "network")).run(session, start="judge")

    assert (status(session, 1), status(session, 2)) == ("single", "parked")


async def test_differences_below_the_threshold_are_recorded_and_nobody_has_to_rule(
    session: Session[Case],
) -> None:
    agents = [agent("a", {"answers": {"n": "x"}}), agent("b", {"answers": {"n": "y"}})]
    graph = one_step(agents, ["answers"], materiality={"/answers/n": 1.0})

    result = await graph.run(session)

    assert (result.status, session.state.answers) == ("finished", {"n": "x"})
    assert session.disagreements() == []
    (small,) = session.disagreements(immaterial=True)
    assert (small.path, small.material, small.round) == ("/answers/n", False, 1)


@pytest.mark.parametrize("materiality", [-0.1, 1.1, True, "much", {"/verdict": 2}])
def test_a_threshold_that_is_no_distance_is_refused(materiality: Any) -> None:
    with pytest.raises(GraphError, match="materiality"):
        one_step(panel("disk"), materiality=materiality)
