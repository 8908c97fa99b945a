"""`dissensus rule`: a person settles what the agents could not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


@pytest.fixture
def rule(told_url: str, ask: Command) -> Command:
    """Ruling on the parked round 2 of each database."""

    def run(*arguments: object, code: int = 0) -> Any:
        return ask("rule", 2, *arguments, "-d", told_url, "--schema", "outage:Outage", code=code)

    return run


def test_what_is_upheld_is_committed_with_the_dissent_beside_it(
    rule: Command, told_url: str, ask: Command
) -> None:
    done = rule("uphold", "--position", "a", "--reason", "It fits", "--author", "Grace", "--json").data
    assert (done["status"], done["version"], done["decision"]) == ("committed", 4, "uphold")
    found = ask("blame", "/verdict", "-d", told_url, "--json").data
    assert (found["value"], found["rulings"][-1]["author"]) == ("deploy", "Grace")
    assert [item["agent"] for item in found["dissent"]] == ["eve [red]"]
    assert ask("verify", "-d", told_url, "--schema", "outage:Outage").code == 0


def test_an_amendment_replaces_what_the_agents_said(rule: Command, told_url: str, ask: Command) -> None:
    rule("amend", "--amend", '{"/verdict": "both"}', "--reason", "Each saw one half")
    assert ask("state", "-d", told_url, "--json").data["state"]["verdict"] == "both"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("retry", "--clarify", "Quote the line"), "retried"),
        (("reject", "--reason", "Unsupported"), "rejected"),
    ],
)
def test_a_retry_and_a_rejection_settle_the_round_without_a_commit(
    rule: Command, told_url: str, ask: Command, arguments: tuple[str, ...], status: str
) -> None:
    assert f"round 2: {status}" in rule(*arguments).out
    assert ask("log", "-d", told_url, "--json").data["head"] == 3
    assert ask("disagreements", "--open", "-d", told_url, "--json").data["rounds"] == []


def test_a_round_is_settled_once(rule: Command) -> None:
    rule("reject", "--reason", "Unsupported")
    assert "waits for no ruling" in rule("uphold", "--position", "A", "--reason", "No", code=3).err


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("uphold", "--reason", "x"), "uphold needs --position"),
        (("amend", "--reason", "x"), "amend needs --amend"),
        (("retry", "--reason", "x"), "retry needs --clarify"),
        (("reject",), "A ruling says why"),
        (("reject", "--reason", "x", "--position", "A"), "reject does not take --position"),
        (("amend", "--reason", "x", "--amend", "{"), "JSON object"),
        (("amend", "--reason", "x", "--amend", "[1]"), "JSON object"),
        (("amend", "--reason", "x", "--amend", "[" * 100_000), "JSON object"),
        (("escalate", "--reason", "x"), "'escalate'"),
    ],
)
def test_a_ruling_that_does_not_fit_together_is_a_misuse_and_changes_nothing(
    ask: Command, arguments: tuple[str, ...], said: str
) -> None:
    refused = ask("rule", "2", *arguments, "--schema", "outage:Outage", code=2)
    assert "error[usage]" in refused.err
    assert said in refused.err
    assert ask("show", "r2", "--json").data["round"]["status"] == "parked"


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("number", ["zwei", "v2", "-0", ""])
def test_what_is_no_round_is_a_misuse(ask: Command, number: str) -> None:
    assert ask("rule", "--reason", "x", "--", number, "reject", code=2).err


def test_a_ruling_needs_the_schema_by_name_and_a_wrong_one_is_refused(told: Path, ask: Command) -> None:
    ruling = ("rule", "2", "reject", "--reason", "x")
    assert "Add --schema MODULE:CLASS" in ask(*ruling, code=2).err
    assert "no schema" in ask(*ruling, "--schema", "outage:NoSchema", code=2).err
    other = told.parent / "other.py"
    other.write_text("from dissensus_state.shapes import SharedState\nclass Other(SharedState): ...\n")
    assert "was made with outage:Outage" in ask(*ruling, "--schema", "other:Other", code=18).err
