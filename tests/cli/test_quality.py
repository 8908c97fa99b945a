"""`dissensus grade` and `dissensus quality`: what is known of rounds, and what that says of models."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dissensus_agents.quality import standing
from dissensus_state.journal import Journal
from dissensus_state.patches import Operation
from dissensus_state.records import Call, Change, Proposal
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store
from outage_story import HOSTILE

Command = Callable[..., Any]


class Quiz(SharedState):
    """One answer, again and again."""

    answer: str = ""


def quizzed(
    store: Store, *, wrong_from: int, rounds: int, name: str = "quiz", model: str = "model-a"
) -> None:
    """A session in which one model is right most of the time, and from some round on half of it."""
    session = store.create(Quiz(), name=name)
    journal = Journal(session)
    chance = random.Random(1)
    for number in range(1, rounds + 1):
        call = Call("ana", 1, model, "maker/one", {}, [{"text": "What is it?"}], 0, 0)
        begun = journal.begin("ask", session.head, [call])
        assert begun is not None
        journal.settle([replace(begun[1][0], status="answered", answer="x")])
        patch = (Operation("set", ("answer",), str(number)),)
        made = Proposal("ana", patch, (), 0.9, 1)
        journal.commit(begun[0], Change("ana", patch, begun[0].base), made=[made])
        right = chance.random() < (0.3 if number >= wrong_from else 0.9)
        session.grade(number, **{"right" if right else "wrong": ["ana"]}, by="key", basis="reference")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in which a model got worse, written once."""
    path = tmp_path_factory.mktemp("quality") / "quiz.db"
    with Store.open(str(path)) as store:
        quizzed(store, wrong_from=45, rounds=90)
    return path


@pytest.fixture
def worse(filled: Path, folder: Path) -> Path:
    """A copy of it in the user's folder, under the name that needs no mention."""
    return Path((folder / "dissensus.db").write_bytes(filled.read_bytes()) and folder / "dissensus.db")


def test_a_person_grades_a_round_and_sees_its_grades(told_url: str, ask: Command) -> None:
    where = ("-d", told_url, "--schema", "outage:Outage")
    done = ask(
        "grade", 1, "--right", "alice", "--wrong", "bob, supervisor", "--by", "Grace", "--json", *where
    )
    assert [(one["agent"], one["right"], one["basis"], one["author"]) for one in done.data["grades"]] == [
        ("alice", True, "person", "Grace"),
        ("bob", False, "person", "Grace"),
        ("supervisor", False, "person", "Grace"),
    ]
    shown = ask("grade", "r1", "--right", "alice", "--by", "Grace", "--detail", HOSTILE, *where).out
    assert "alice" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_who_proposed_what_is_right_is_right(told_url: str, ask: Command) -> None:
    where = ("-d", told_url, "--schema", "outage:Outage", "--basis", "reference", "--by", "key", "--json")
    proposals = ask("show", "r1", "-d", told_url, "--json").data["round"]["proposals"]
    said = {item["agent"]: item["patch"][0][2] for item in proposals}
    agent, value = next(iter(said.items()))
    done = ask("grade", 1, "--value", f'{{"/verdict": "{value}"}}', *where)
    assert {one["agent"]: one["right"] for one in done.data["grades"]} == {
        name: other == value for name, other in said.items()
    }
    assert done.data["grades"][0]["basis"] == "reference"
    assert agent in said


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        ((), 2, "A grade names agents, or what is right"),
        (("--right", "alice", "--value", "{}"), 2, "A grade names agents, or what is right"),
        (("--value", "7"), 2, "with a value for each path"),
        (("--value", '{"verdict": 1}'), 2, "with a value for each path"),
        (("--value", '{"/verdit": "x"}'), 3, "Nobody proposed anything at /verdit, but at /verdict"),
        (("--right", "tom"), 3, "No 'tom' was asked in round 1"),
        (("--right", "alice", "--wrong", "alice"), 18, "alice cannot be both right and wrong"),
    ],
)
def test_a_grade_that_says_nothing_is_refused(
    told: Path, ask: Command, arguments: tuple[str, ...], code: int, why: str
) -> None:
    ended = ask("grade", 1, *arguments, "--by", "Grace", "--schema", "outage:Outage", code=code)
    assert why in ended.err


def test_a_round_that_waits_is_not_graded(told: Path, ask: Command) -> None:
    ended = ask("grade", 2, "--right", "alice", "--schema", "outage:Outage", code=4)
    assert "Round 2 is not settled yet" in ended.err


def test_what_models_did_is_shown_with_intervals(worse: Path, ask: Command) -> None:
    page = ask("quality").out
    (row, *_) = [line for line in page.splitlines() if "model-a" in line]
    assert "of 90" in row
    assert "[" in row
    data = ask("quality", "--json").data
    (model,) = data["models"]
    assert (model["model"], model["task"], model["asked"]) == ("model-a", "ask", 90)
    assert model["right"]["low"] < model["right"]["rate"] < model["right"]["high"]
    assert model["calibration"]["on"] == 90
    assert data["alarms"] == [], "a reference takes 200 answers"
    assert data["watched"] == {"learned": 0, "streams": 8}


def test_an_alarm_is_shown_checked_told_once_and_reset(worse: Path, ask: Command) -> None:
    """The reference of 40 answers is the model before it got worse."""
    how = ("quality", "--reference", "40")
    assert ask(*how, "--check", "--json", code=26).data["alarms"][0]["session"] == "quiz"
    assert "ALARM model-a at ask: right falls from" in ask(*how, "--check", code=26).out
    told = [one for one in ask("events", "--json").data["events"] if one["kind"] == "alarm"]
    assert len(told) == 1
    assert told[0]["body"]["measure"] == "right"
    reset = ask(*how, "--reset", "right", "--by", "Grace", "--check")
    assert "right learns anew what is normal" in reset.err
    assert "ALARM" not in ask(*how, "--check").out


def test_without_check_nothing_is_written(worse: Path, ask: Command) -> None:
    before = ask("events", "--json").data
    assert ask("quality", "--reference", "40", "--json").data["alarms"]
    assert ask("events", "--json").data == before


def test_only_some_of_it(worse: Path, ask: Command) -> None:
    assert ask("quality", "--task", "other", "--json").data["models"] == []
    assert ask("quality", "--model", "other", "--json").data["models"] == []
    assert ask("quality", "--since", "2000-01-01", "--json").data["rounds"] == 90
    assert ask("quality", "--since", "2999-01-01", "--json").data["rounds"] == 0
    assert ask("quality", "-s", "quiz", "--json").data["session"] == "quiz"
    period = ask("quality", "--reference", "2000-01-01..2000-02-01", "--json").data
    assert period["watched"]["learned"] == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--since", "yesterday"), "'yesterday' is no date"),
        (("--reference", "some"), "'some' is no reference"),
        (("--reference", "3"), "at least 30 answers"),
        (("--reference", "9" * 5000), "is no reference"),
        (("--reset", "right"), "0 alarms stand on 'right'"),
    ],
)
def test_what_cannot_be_shown_is_said(
    worse: Path, ask: Command, arguments: tuple[str, ...], why: str
) -> None:
    assert why in ask("quality", *arguments, code=2).err


def test_names_that_come_from_a_database_cannot_steer_the_terminal(folder: Path, ask: Command) -> None:
    with Store.open("dissensus.db") as store:
        quizzed(store, wrong_from=40, rounds=80, name="q", model=f"m{HOSTILE.replace(chr(13), '')}")
    page = ask("quality", "--reference", "30").out
    assert "ALARM m\\x1b[31m" in page
    assert not {"\x1b", "\x07", "\u202e"} & set(page)


def test_both_databases_say_the_same(database_url: str, ask: Command) -> None:
    with Store.open(database_url) as store:
        quizzed(store, wrong_from=45, rounds=60)
        assert len(standing(store).records) == 1
    data = ask("quality", "-d", database_url, "--json").data
    (model,) = data["models"]
    assert (model["right"]["hits"], model["right"]["of"]) == (42, 60)
