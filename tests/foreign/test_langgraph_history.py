"""What a user of LangGraph is promised: any history of theirs, read as one of ours, truly and once."""

from __future__ import annotations

from typing import Any

import pytest

import foreign_graphs as graphs
from dissensus_agents.foreign.langgraph_history import import_langgraph, list_threads
from dissensus_agents.foreign.schema import LangGraphState
from dissensus_state.chronicle import Chronicle
from dissensus_state.errors import Conflict, NotFound, Refused
from dissensus_state.patches import patch_to_json
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from foreign_graphs import Foreign

THREADS = ["parallel", "talk", "asking", "failing", "slow", "functions"]


def places(session: Session[Any]) -> dict[str, tuple[str, int]]:
    """Where each checkpoint stands, by the id that its commit tells."""
    found = {}
    for branch in session.branches():
        for commit in session.on(branch.name).log(10_000):
            for item in commit.evidence:
                if "#" not in str(commit.key):
                    found[item["langgraph"]["checkpoint"]] = (commit.branch, commit.version)
    return found


def patches(session: Session[Any], branch: str = "main") -> list[tuple[str, list[Any]]]:
    """Who wrote what, oldest first."""
    commits = reversed(session.on(branch).log(1000))
    return [(one.author, patch_to_json(one.patch)) for one in commits]


def test_every_checkpoint_is_a_version_that_holds_just_what_its_channels_held(
    foreign: Foreign, store: Store
) -> None:
    with graphs.opened(*foreign) as saver:
        graphs.tell(saver)
        done = import_langgraph(foreign.address, store)
        assert [one.thread for one in done] == THREADS
        for thread in THREADS:
            session = store.session(thread)
            there = places(session)
            checkpoints = list(graphs.values(saver, thread))
            assert len(there) == len(checkpoints)
            for _, checkpoint, channels in checkpoints:
                branch, version = there[checkpoint]
                held = session.on(branch).raw(version)
                rebuilt = {"items"} if thread == "slow" else set()
                assert {name: held[name] for name in held if name not in rebuilt} == {
                    name: value for name, value in channels.items() if name not in rebuilt
                }
            for branch in session.branches():
                assert session.on(branch.name).verify().versions == branch.head + 1
                session.on(branch.name).replay()


def test_parallel_nodes_are_commits_of_their_own_and_what_they_made_together_is_said_to_be_theirs(
    foreign: Foreign, store: Store
) -> None:
    with graphs.opened(*foreign) as saver:
        graphs.parallel(saver).invoke({"log": ["start"], "total": 1000}, graphs.config("parallel"))
    import_langgraph(foreign.address, store)
    session = store.session("parallel")
    told = dict(patches(session)[4:])
    assert told["left"] == [["append", "/log", ["left"]], ["set", "/second", "left"]]
    assert told["right"] == [["set", "/first", "right"], ["append", "/log", ["right"]]]
    assert told["idle"] == []
    assert told["left+right"] == [["set", "/total", 1111]]
    assert told["join"] == [["append", "/log", ["join 4"]], ["remove", "/notes/a"], ["set", "/notes/b/c", 3]]
    commits = {one.author: one for one in session.log(20)}
    assert commits["left"].base == commits["right"].base == commits["plan"].version
    assert commits["left"].isolation == "snapshot"
    assert commits["right"].reads == ("/first", "/log", "/notes", "/total")
    assert commits["join"].transition == "join"
    assert session.blame("/log/2").commit.author == "left"
    rests = session.impact(commits["left"].version).as_dict()["commits"]
    assert [one["author"] for one in rests] == ["join"], "none of those beside it saw what it wrote"
    assert session.blame("/first").commit.author == "right"


def test_messages_are_plain_values_and_each_is_blamed_on_the_node_that_said_it(
    foreign: Foreign, store: Store
) -> None:
    with graphs.opened(*foreign) as saver:
        graphs.tell_talk(saver)
    import_langgraph(foreign.address, store)
    session = store.session("talk")
    whole = session.at(session.head, LangGraphState).model_extra
    assert whole is not None
    assert [one["content"] for one in whole["messages"]][-1] == "It is rain ☂"
    said = dict(patches(session)[3:6])
    [call] = said["agent"][0][2] if said["agent"][0][0] == "append" else [said["agent"][0][2]]
    assert call["type"] == "ai"
    looked = next(patch for author, patch in patches(session) if author == "look")
    assert looked[0][:2] == ["append", "/messages"]
    assert looked[0][2][0]["content"] == "rain"
    assert session.blame("/turns").commit.author == "agent"


def test_what_happened_to_tasks_is_an_event_and_a_subgraph_a_branch_that_knows_its_caller(
    foreign: Foreign, store: Store
) -> None:
    with graphs.opened(*foreign) as saver:
        graphs.tell_asking(saver)
    import_langgraph(foreign.address, store)
    session = store.session("asking")
    [asked] = session.events("interrupted")
    assert asked.body["node"] == "ask"
    assert asked.body["value"][0]["value"] == {"question": "go on?"}
    assert [one.body["value"] for one in session.events("resumed")] == ["yes", ["yes"]]
    runs = [one for one in session.branches() if one.name.startswith("sub/inner-")]
    assert len(runs) == 2
    for run in runs:
        [first, *_] = session.on(run.name).log(1, before=2)
        assert first.author == "inner"
        called = first.evidence[0]["langgraph"]["called_from"]
        assert called["version"] <= session.on(called["branch"]).head
        [last] = session.on(run.name).log(1)
        assert (last.author, session.on(run.name).raw()["second"]) == ("deep", "deep")
    [caller] = [one for one in session.log(50) if one.author == "inner"]
    assert caller.evidence[0]["langgraph"]["subgraphs"][0] in {run.name for run in runs}


def test_a_change_by_hand_forks_and_the_newest_line_is_main(foreign: Foreign, store: Store) -> None:
    with graphs.opened(*foreign) as saver:
        graphs.tell_asking(saver)
        newest = graphs.asking(saver).get_state(graphs.config("asking"))
    import_langgraph(foreign.address, store)
    session = store.session("asking")
    assert session.raw() == newest.values
    assert ("user", [["set", "/first", "patched"], ["append", "/log", ["by hand"]]]) in patches(session)
    aside = session.on("fork-1")
    assert aside.raw()["first"] == "yes"
    [fork] = [one for one in session.branches() if one.name == "fork-1"]
    assert fork.base_branch == "main"
    assert session.diff(aside.head, of="fork-1")


def test_an_error_in_which_a_node_ended_is_an_event(foreign: Foreign, store: Store) -> None:
    with graphs.opened(*foreign) as saver:
        graphs.tell(saver)
    import_langgraph(foreign.address, store, ["failing"])
    [failed] = store.session("failing").events("failed")
    assert failed.body["node"] == "fail"
    assert "no luck" in str(failed.body["value"])


def test_lists_that_are_kept_in_part_are_followed(foreign: Foreign, store: Store) -> None:
    with graphs.opened(*foreign) as saver:
        graph = graphs.slow(saver)
        whole = graph.invoke({"items": ["start"]}, graphs.config("slow"))
    [done] = import_langgraph(foreign.address, store)
    session = store.session("slow")
    assert session.raw()["items"] == whole["items"]
    assert done.rebuilt == {"items": 5}
    assert session.blame("/items/3").commit.author == "add"


def test_once_more_brings_only_what_is_new_and_nothing_twice(foreign: Foreign, store: Store) -> None:
    with graphs.opened(*foreign) as saver:
        graph = graphs.talk(saver)
        graph.invoke({"messages": [("user", "one")]}, graphs.config("talk"))
        [first] = import_langgraph(foreign.address, store)
        [again] = import_langgraph(foreign.address, store)
        assert (again.checkpoints, again.commits, again.events) == (0, 0, 0)
        assert again.known == first.checkpoints
        head = store.session("talk").head
        graph.invoke({"messages": [("user", "two")]}, graphs.config("talk"))
        [more] = import_langgraph(foreign.address, store)
        assert more.known == first.checkpoints
        assert more.checkpoints > 0
        session = store.session("talk")
        assert session.head == head + more.commits
        assert [one.content for one in graph.get_state(graphs.config("talk")).values["messages"]] == [
            one["content"] for one in session.raw()["messages"]
        ]
        assert len(session.branches()) == 1
        assert session.verify().versions == session.head + 1


def test_a_thread_that_goes_on_elsewhere_later_becomes_a_branch(foreign: Foreign, store: Store) -> None:
    with graphs.opened(*foreign) as saver:
        graph = graphs.parallel(saver)
        graph.invoke({"log": ["start"]}, graphs.config("t"))
        import_langgraph(foreign.address, store)
        before = store.session("t").raw()
        plan = next(one for one in graph.get_state_history(graphs.config("t")) if one.next == ("plan",))
        graph.invoke(None, graph.update_state(plan.config, {"log": ["otherwise"]}))
        [more] = import_langgraph(foreign.address, store)
        newest = graph.get_state(graphs.config("t"))
    session = store.session("t")
    assert session.raw() == before
    assert more.newest == "fork-1"
    assert session.on("fork-1").raw() == newest.values


class Killed(Exception):
    """The process ended here."""


def test_a_run_that_was_ended_on_the_way_is_gone_on_with(
    foreign: Foreign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dissensus_agents.foreign.threads.AT_ONCE", 3)
    with graphs.opened(*foreign) as saver:
        graphs.tell_asking(saver)

        def end(_: str, done: int, total: int) -> None:
            if done >= total // 2:
                raise Killed

        with pytest.raises(Killed):
            import_langgraph(foreign.address, store, progress=end)
        [rest] = import_langgraph(foreign.address, store)
        assert rest.known > 0
        assert rest.checkpoints > 0
        session = store.session("asking")
        there = places(session)
        for _, checkpoint, channels in graphs.values(saver, "asking"):
            branch, version = there[checkpoint]
            assert session.on(branch).raw(version) == channels
    assert len(session.events("interrupted")) == 1


def test_the_session_can_be_worked_with_like_any_other(foreign: Foreign, store: Store) -> None:
    with graphs.opened(*foreign) as saver:
        graphs.parallel(saver).invoke({"log": ["start"], "total": 1}, graphs.config("parallel"))
    import_langgraph(foreign.address, store)
    blind = store.session("parallel")
    idea = blind.fork("idea", 3)
    assert idea.raw() == blind.raw(3)
    with pytest.raises(Refused, match="opened without its schema"):
        idea.transaction("somebody")
    session = store.session("parallel", LangGraphState)
    with session.on("idea").transaction("somebody", "by hand") as tx:
        tx.append("log", "mine")
        tx.set("quite_new", {"a": [1]})
    assert session.on("idea").state.model_extra == session.on("idea").raw()
    result = session.merge("idea", author="somebody")
    assert result.conflicts == ()
    assert session.raw()["log"][-1] == "mine"
    assert session.raw()["quite_new"] == {"a": [1]}
    session.revert(session.head, author="somebody")
    assert "quite_new" not in session.raw()
    session.verify()


def test_names_that_are_taken_and_threads_that_are_not_there_are_refused(
    foreign: Foreign, store: Store
) -> None:
    with graphs.opened(*foreign) as saver:
        with pytest.raises(NotFound, match="no thread yet"):
            saver.get_tuple(graphs.config("none"))
            import_langgraph(foreign.address, store)
        graph = graphs.parallel(saver)
        graph.invoke({"log": ["a"]}, graphs.config("one"))
        graph.invoke({"log": ["b"]}, graphs.config("two"))
    listed = list_threads(foreign.address)
    assert [one.thread for one in listed] == ["one", "two"]
    assert "<td" in listed._repr_html_()
    with pytest.raises(NotFound, match="no thread 'three'"):
        import_langgraph(foreign.address, store, ["three"])
    with pytest.raises(Refused, match="2 sessions"):
        import_langgraph(foreign.address, store, name="both")
    import_langgraph(foreign.address, store, ["one"], name="mine")
    with pytest.raises(Conflict, match="holds something else"):
        import_langgraph(foreign.address, store, ["two"], name="mine")
    assert [one.name for one in store.sessions()] == ["mine"]


def test_the_places_of_checkpoints_are_found_again_by_their_keys(foreign: Foreign, store: Store) -> None:
    with graphs.opened(*foreign) as saver:
        graphs.tell_asking(saver)
    import_langgraph(foreign.address, store)
    session = store.session("asking", LangGraphState)
    known = Chronicle(session).places()
    mine = {checkpoint: place for checkpoint, place in places(session).items() if checkpoint in known}
    assert mine == {checkpoint: known[checkpoint] for checkpoint in mine}


def test_a_list_that_several_nodes_begin_at_once_is_still_each_ones_own(
    foreign: Foreign, store: Store
) -> None:
    with graphs.opened(*foreign) as saver:
        graphs.beginning(saver).invoke({"first": "none"}, graphs.config("both"))
    import_langgraph(foreign.address, store)
    session = store.session("both")
    assert patches(session)[3:] == [
        ("graph", [["set", "/log", []]]),
        ("one", [["append", "/log", ["one"]]]),
        ("two", [["append", "/log", ["two"]]]),
    ]
    assert [one.base for one in reversed(session.log(2))] == [3, 3]
    session.verify()


def test_what_functions_returned_is_an_event_and_the_result_is_state(foreign: Foreign, store: Store) -> None:
    with graphs.opened(*foreign) as saver:
        graphs.functions(saver).invoke(21, {**graphs.config("functions"), "metadata": {"customer": "c7"}})
    import_langgraph(foreign.address, store)
    session = store.session("functions")
    assert session.raw()["__end__"] == {"doubled": 42}
    assert [one.body["value"] for one in session.events("returned")] == [42]
    [last, before] = session.log(2)
    assert (last.author, before.author, before.patch) == ("work", "double", ())
    assert last.evidence[0]["langgraph"]["metadata"] == {"customer": "c7"}


def test_what_no_checkpoint_holds_yet_is_said_to_be_on_its_way(foreign: Foreign, store: Store) -> None:
    with graphs.opened(*foreign) as saver:
        graph = graphs.waiting(saver)
        graph.invoke({"log": ["start"]}, graphs.config("t"))
        [done] = import_langgraph(foreign.address, store)
        assert done.pending == 1
        assert store.session("t").raw() == {"log": ["start"]}
        graph.invoke(graphs.Command(resume="yes"), graphs.config("t"))
        [more] = import_langgraph(foreign.address, store)
    assert more.pending == 0
    told = patches(store.session("t"))[-2:]
    assert told == [("ask", [["set", "/first", "yes"]]), ("quick", [["append", "/log", ["quick"]]])]
