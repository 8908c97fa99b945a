"""What a panel proposes: what adds up, what agrees, and what is a disagreement."""

from __future__ import annotations

from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_state.sessions import Session
from panels import Case, agent, cause, happened, kinds, one_step, panel, told, upholds, voice


async def test_one_agent_alone_commits_what_it_proposes(session: Session[Case]) -> None:
    result = await one_step([agent("ana", cause("disk"))]).run(session)

    assert (result.status, result.version, result.rounds) == ("finished", 1, 1)
    assert session.state.verdict is not None
    assert session.state.verdict.cause == "disk"
    assert session.commit_at(1).author == "ana"


async def test_three_who_agree_make_one_commit_of_all_three_without_a_ruling(session: Session[Case]) -> None:
    await one_step(panel("disk", "disk", "disk")).run(session)

    commit = session.commit_at(1)
    round_, proposals, calls, rulings = session.round(1)
    assert (session.head, commit.author, round_.status) == (1, "a+b+c", "committed")
    assert [(item.agent, item.status) for item in proposals] == [(name, "accepted") for name in "abc"]
    assert (len(calls), rulings, round_.review) == (3, [], None)


async def test_everything_that_agents_add_lands_and_is_no_disagreement(session: Session[Case]) -> None:
    agents = [
        agent(name, {"findings": [f"{name} saw it"], "tags": ["seen", name], "doubts": n})
        for n, name in enumerate("abc", 1)
    ]

    progress = await told(one_step(agents, ["findings", "tags", "doubts"]), session)

    state = session.state
    assert "disagreed" not in kinds(progress)
    assert state.findings == ["a saw it", "b saw it", "c saw it"]
    assert (state.tags, state.doubts) == ({"seen", "a", "b", "c"}, 6)


async def test_keys_of_one_dictionary_by_several_agents_all_land(session: Session[Case]) -> None:
    agents = [agent(name, {"answers": {name: f"by {name}", "shared": "same"}}) for name in "ab"]

    await one_step(agents, ["answers"]).run(session)

    assert session.state.answers == {"a": "by a", "b": "by b", "shared": "same"}


async def test_two_values_for_one_field_are_a_disagreement_that_names_the_path(
    session: Session[Case],
) -> None:
    graph = one_step(panel("disk", "network", "disk"), supervisor=Supervisor(upholds("disk")))

    progress = await told(graph, session)

    review = session.round(1)[0].review
    assert review is not None
    assert next(item.body["review"] for item in progress if item.kind == "disagreed") == review
    assert [item["path"] for item in review["disagreements"]] == ["/verdict/cause"]
    assert [(p["value"], p["holders"]) for p in review["disagreements"][0]["positions"]] == [
        ("disk", ["a", "c"]),
        ("network", ["b"]),
    ]


async def test_two_values_under_one_key_are_a_disagreement_and_other_keys_are_not(
    session: Session[Case],
) -> None:
    agents = [
        agent("ana", {"answers": {"1": "yes", "2": "no"}}),
        agent("ben", {"answers": {"1": "no", "3": "no"}}),
    ]

    await one_step(agents, ["answers"], supervisor=Supervisor(upholds("yes"))).run(session)

    review = session.round(1)[0].review
    assert review is not None
    assert [item["path"] for item in review["disagreements"]] == ["/answers/1"]
    assert session.state.answers == {"1": "yes", "2": "no"}


async def test_additions_are_compared_where_the_step_names_a_comparator_for_them(
    session: Session[Case],
) -> None:
    from dissensus_agents.judgement.comparators import SetOf

    agents = [agent(name, {"tags": [name]}) for name in "ab"]
    graph = one_step(agents, ["tags"], comparators={"tags": SetOf()}, supervisor=Supervisor(upholds('"b"')))

    await graph.run(session)

    assert session.state.tags == {"b"}


async def test_g14_a_difference_of_wording_alone_is_committed_and_stands_in_the_history(
    session: Session[Case],
) -> None:
    said = "The writer stopped at noon because the disk of the server was full"
    agents = [agent("ana", {"note": said}), agent("ben", {"note": said.lower() + "."})]

    await one_step(agents, ["note"]).run(session)

    assert session.state.note == said
    (worded,) = happened(session, "immaterial")
    assert worded["path"] == "/note"
    assert [item["holders"] for item in worded["positions"]] == [["ana"], ["ben"]]


async def test_an_agent_whose_additions_touch_nothing_disputed_keeps_them(session: Session[Case]) -> None:
    agents = [
        agent("ana", {**cause("disk"), "findings": []}),
        agent("ben", {**cause("network"), "findings": []}),
        agent("cleo", {"findings": ["the log says so"]}, parse=lambda reply: _only_findings()),
    ]
    graph = one_step(agents, ["verdict", "findings"], supervisor=Supervisor(upholds("disk")))

    await graph.run(session)

    assert session.state.findings == ["the log says so"]
    statuses = {item.agent: item.status for item in session.round(1)[1]}
    assert statuses == {"ana": "accepted", "ben": "dissent", "cleo": "accepted"}


def _only_findings() -> dict[str, list[str]]:
    return {"findings": ["the log says so"]}


async def test_g09_a_value_tells_who_wrote_it_from_what_and_over_whose_dissent(
    session: Session[Case],
) -> None:
    agents = [
        agent(name, cause(said), prompt=_log)
        for name, said in zip("abc", ("disk", "net", "disk"), strict=True)
    ]
    await one_step(agents, supervisor=Supervisor(upholds("disk", reason="the log shows it"))).run(session)

    found = session.blame("/verdict").as_dict()

    assert (found["authors"], found["version"]) == (["a", "c"], 1)
    assert found["reads"] == ["/documents/log"]
    assert found["reasoning"]["b"] == "I think of net."
    assert found["rulings"][0]["reason"] == "the log shows it"
    assert [item["agent"] for item in found["dissent"]] == ["b"]
    assert [item["agent"] for item in found["calls"]] == ["a", "b", "c"]


def _log(view: object) -> object:
    return view.part("/documents/log")  # type: ignore[attr-defined]


async def test_all_agents_of_a_round_see_one_snapshot_though_it_changes_meanwhile(
    session: Session[Case],
) -> None:
    def writes_first(_: object) -> dict[str, object]:
        with session.transaction("user") as transaction:
            transaction.set("note", "changed meanwhile")
        return {"findings": ["first"]}

    agents = [agent("ana", writes_first), agent("ben", {"findings": ["second"]})]
    graph = AgentGraph(Case).add_step("gather", agents, writes={"findings"}, isolation="snapshot")

    await graph.run(session)

    assert all("changed meanwhile" not in voice(one).asked[0].prompt for one in agents)
    assert session.commit_at(2).base == 0
