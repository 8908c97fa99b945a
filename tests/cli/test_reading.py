"""What the reading commands answer, on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest

from outage_story import HOSTILE


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


@pytest.fixture
def answer(told_url: str, ask: Command) -> Command:
    """The answer of a command in JSON, on each database."""

    def data(*arguments: object, code: int = 0) -> Any:
        return ask(*arguments, "-d", told_url, "--json", code=code).data

    return data


def test_the_sessions_are_listed_with_their_schemas(answer: Command) -> None:
    [session] = answer("sessions")["sessions"]
    assert session == {
        "name": "outage",
        "schema": "outage:Outage",
        "schema_version": 2,
        "created_at": 1_700_000_000_000,
    }


def test_the_log_names_every_commit_newest_first_and_turns_its_pages(answer: Command) -> None:
    commits = answer("log")["commits"]
    assert [item["version"] for item in commits] == [3, 2, 1, 0]
    assert [item["author"] for item in commits] == ["chair", "analyst", "analyst", "user"]
    page = answer("log", "--limit", 1, "--before", "HEAD~1")["commits"]
    assert [item["version"] for item in page] == [1]
    assert answer("log", "--before", "v0")["commits"] == []


def test_a_commit_is_shown_with_the_round_it_came_from_and_the_other_way_round(answer: Command) -> None:
    shown = answer("show", "v3")
    assert shown["commit"]["patch"] == [["set", "/verdict", "cache"]]
    assert shown["round"]["round"] == 1
    assert shown == answer("show", "r1") == answer("show")
    assert answer("show", "v1")["round"] is None


def test_a_round_shows_proposals_calls_with_their_reasoning_and_rulings(answer: Command) -> None:
    shown = answer("show", "r1")["round"]
    assert [(item["agent"], item["status"]) for item in shown["proposals"]] == [
        ("alice", "accepted"),
        ("bob", "accepted"),
        ("carol", "dissent"),
    ]
    assert shown["calls"][0]["reasoning"] == "alice thinks:\nstep 1\nstep 2"
    assert [item["usd"] for item in shown["calls"]] == [0.0015, 0.0015, None]
    assert [item["decision"] for item in shown["rulings"]] == ["uphold"]
    assert answer("show", "r2")["commit"] is None


def test_the_state_is_read_at_any_version(answer: Command) -> None:
    assert answer("state", "v0")["state"]["findings"] == []
    assert answer("state")["state"]["findings"] == ["the log says so", HOSTILE]
    assert answer("state", "~2")["version"] == 1


def test_the_difference_of_two_versions_goes_path_by_path_in_either_direction(answer: Command) -> None:
    there = answer("diff", "v1..v3")["differences"]
    assert {item["path"]: (item["before"], item["after"]) for item in there} == {
        "/phase": ("gathering", "judging"),
        "/verdict": (None, "cache"),
    }
    back = answer("diff", "v3..v1")["differences"]
    assert {item["path"]: item["after"] for item in back} == {"/phase": "gathering", "/verdict": None}
    assert answer("diff")["differences"] == answer("diff", "v2..")["differences"]
    assert answer("diff", "..HEAD")["differences"] == []


def test_blame_names_authors_reads_calls_ruling_and_dissent(answer: Command) -> None:
    found = answer("blame", "/verdict")
    assert found["value"] == "cache"
    assert found["authors"] == ["alice", "bob"]
    assert found["reads"] == ["/findings"]
    assert found["rulings"][0]["reason"] == "B misquotes the log"
    assert [item["agent"] for item in found["dissent"]] == ["carol"]
    assert set(found["reasoning"]) == {"alice", "bob", "carol"}
    assert answer("blame", "verdict", "--at", "v1")["authors"] == ["user"]


def test_blame_follows_what_was_read_back_to_the_sources_when_it_is_asked_to(
    answer: Command, told_url: str, ask: Command
) -> None:
    assert answer("blame", "/verdict")["chain"] is None
    chain = answer("blame", "/verdict", "--chain")["chain"]
    first = chain["sources"][0]
    assert (first["version"], first["authors"], first["depth"]) == (3, ["alice", "bob"], 0)
    assert chain["links"][0]["reader"] == ["main", 3]
    assert chain["links"][0]["path"] == "/findings"
    assert ["main", 1] in chain["links"][0]["writers"]
    assert chain["left"] == 0
    shown = ask("blame", "/verdict", "--chain", "-d", told_url).out
    assert "/findings, read at v" in shown
    assert "v1 by analyst: /findings" in shown


def test_a_denied_attempt_is_in_the_events(answer: Command) -> None:
    [event] = answer("events")["events"]
    assert event["kind"] == "refused"
    assert event["body"]["path"] == "/score"


def test_disagreements_bear_the_letters_that_a_ruling_takes(answer: Command) -> None:
    first, second = answer("disagreements")["rounds"]
    [disagreement] = first["review"]["disagreements"]
    assert disagreement["path"] == "/verdict"
    assert [(item["letters"], item["value"], item["holders"]) for item in disagreement["positions"]] == [
        (["A"], "cache", ["alice", "bob"]),
        (["B"], "deploy", ["carol"]),
    ]
    assert [item["letter"] for item in first["review"]["positions"]] == ["A", "B"]
    assert (first["settled"], second["settled"]) == (True, False)
    assert [item["round"] for item in answer("disagreements", "--open")["rounds"]] == [2]


def test_cost_adds_up_by_agent_and_model_and_counts_what_is_unknown(answer: Command) -> None:
    told = answer("cost")
    rows = {item["agent"]: item for item in told["costs"]}
    assert list(rows) == ["alice", "bob", "carol", "eve [red]"]
    assert (rows["alice"]["calls"], rows["alice"]["input_tokens"], rows["alice"]["usd"]) == (2, 200, 0.003)
    assert (rows["carol"]["unknown"], rows["carol"]["unknown_charged_usd"]) == (1, 0.005)
    charged = sum(item["usd"] + item["unknown_charged_usd"] for item in rows.values())
    assert told["budget"]["spent_usd"] == pytest.approx(charged)
    assert told["budget"]["left_usd"] == pytest.approx(2 - charged)


def test_replay_rebuilds_every_version_without_a_call(answer: Command) -> None:
    told = answer("replay")
    assert (told["versions"], told["calls"]) == (4, 0)
    assert len(told["digest"]) == 64


def test_verify_says_whether_the_rules_of_the_schema_were_checked(answer: Command) -> None:
    assert answer("verify")["rules_checked"] is False
    told = answer("verify", "--schema", "outage:Outage")
    assert (told["versions"], told["rules_checked"]) == (4, True)


def test_every_answer_about_a_session_says_which(answer: Command) -> None:
    for command in ("log", "state", "diff", "events", "disagreements", "cost", "replay", "verify"):
        assert answer(command)["session"] == "outage"


@pytest.mark.usefixtures("told")
def test_every_page_says_what_a_person_looks_for(ask: Command) -> None:
    expected = {
        ("log",): "v3 2023-11-14 22:13:20Z chair reconsider r1 /verdict",
        ("show", "v1"): 'append /findings ["the log says so"',
        ("show", "r1"): "proposal of carol: dissent, confidence 0.80",
        ("diff", "v2..v3"): '~ /verdict null -> "cache"',
        ("blame", "/verdict"): "dissent of carol",
        ("disagreements",): 'B carol "deploy"',
        ("cost",): "carol model-carol 1 100 20 0 $0.000000 1",
        ("replay",): "replayed: 4 versions rebuilt, 0 calls made",
        ("verify",): "verified: 4 versions, 1 round",
        ("sessions",): "outage outage:Outage 2",
        ("events",): "refused",
    }
    for arguments, text in expected.items():
        assert text in " ".join(ask(*arguments).out.split()), arguments


@pytest.mark.usefixtures("told")
def test_where_there_is_one_session_it_needs_no_name_and_a_wrong_name_is_not_found(ask: Command) -> None:
    assert ask("log", "-s", "outage").out == ask("log").out
    assert "no session 'other'" in ask("log", "-s", "other", code=3).err


def test_where_there_are_two_sessions_one_has_to_be_named(told: Path, ask: Command) -> None:
    from dissensus_state.store import Store
    from outage import Outage

    with Store.open(str(told)) as store:
        store.create(Outage(question="Again?"), name="second")
    refused = ask("log", code=3).err
    assert "2 sessions" in refused
    assert "--session" in refused
    assert "Again?" in ask("state", "--session", "second").out


def test_reading_makes_no_file_and_says_which_one_is_missing(folder: Path, ask: Command) -> None:
    before = set(folder.iterdir())
    assert "no database file nowhere.db" in ask("log", "-d", "nowhere.db", code=3).err
    assert "--database" in ask("log", code=2).err
    assert set(folder.iterdir()) == before


def test_a_database_is_found_by_the_environment_and_the_option_wins(
    told: Path, ask: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = told.rename(told.with_name("elsewhere.db"))
    monkeypatch.setenv("DISSENSUS_DATABASE", str(elsewhere))
    assert "chair" in ask("log").out
    assert "no database file" in ask("log", "-d", "nowhere.db", code=3).err


def test_what_is_no_address_and_what_is_not_ours_are_told_apart(folder: Path, ask: Command) -> None:
    (folder / "text.db").write_text("This is a text of some length, and no database at all. " * 40)
    assert "error[database.failed]" in ask("log", "-d", "mysql://host/name", code=10).err
    assert "error[database.not_ours]" in ask("log", "-d", "text.db", code=9).err


def test_a_stored_disagreement_that_was_tampered_with_is_refused_and_not_a_crash(
    told: Path, ask: Command
) -> None:
    import sqlite3

    with sqlite3.connect(told) as connection:
        connection.execute("UPDATE rounds SET review = '{\"disagreements\": [7]}' WHERE round = 2")
    connection.close()
    assert "error[value.refused]" in ask("disagreements", code=18).err
