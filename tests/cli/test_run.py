"""`dissensus run`: a user's graph from the command line, with everything that can go wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

MODULE = """
import asyncio
from pathlib import Path
from dissensus import Agent, AgentGraph, FunctionModel, SharedState, Supervisor
from dissensus_agents.judgement.supervisor import Person

class Inquiry(SharedState):
    question: str
    verdict: str | None = None
    severity: int = 0

def says(verdict):
    def answer(request):
        with Path("asked").open("a") as asked:
            asked.write(verdict + "\\n")
        return {"reasoning": "because", "verdict": verdict}
    return answer

def make(supervisor=None, models=("leak", "leak"), writes=("verdict",), **options):
    graph = AgentGraph(Inquiry)
    made = [model if callable(model) else says(model) for model in models]
    agents = [Agent(f"a{n}", model, **options) for n, model in enumerate(made)]
    return graph.add_step("conclude", agents, writes=writes, supervisor=supervisor)

agreed = make()
parked = lambda: make(Supervisor(Person("chris")), ("leak", "release"))
malformed = lambda: make(models=(lambda request: "I would rather not say",))
mistyped = lambda: make(models=(lambda request: {"reasoning": "", "verdict": ["a", "list"]},))
unknown = lambda: make(models=())
def only(model):
    return AgentGraph(Inquiry).add_step("conclude", [Agent("a", model)], writes={"verdict"})
no_model = lambda: only("nobody:nothing")
no_key = lambda: only("openai:gpt-4o-mini")
no_field = lambda: make(writes=("verdikt",))
def unreadable():
    return make(prompt=lambda view: view.part("/severity"), reads={"question"})
async def slow(request):
    Path("slow").touch()
    await asyncio.sleep(60)
def sleepy():
    return make(models=("leak", slow))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "inquiry.py").write_text(MODULE)
    return tmp_path


def started(home: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dissensus", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=home, text=True, stdout=pipe, stderr=pipe, env=os.environ)


def run(home: Path, graph: str, *arguments: str, new: bool = True) -> tuple[int, str, str]:
    state = ["--state", '{"question": "Why?"}'] if new else []
    process = started(home, "run", f"inquiry:{graph}", "-d", "it.db", *state, *arguments)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_a_graph_runs_over_a_new_session_and_the_same_command_finds_it_finished(home: Path) -> None:
    code, out, err = run(home, "agreed", "--json", "--budget", "1")
    assert code == 0, err
    assert json.loads(out)["state"]["verdict"] == "leak"
    code, out, _ = run(home, "agreed", "--json", new=False)
    assert (code, json.loads(out)["version"]) == (0, 1)
    assert (home / "asked").read_text().count("leak") == 2


def test_a_round_that_waits_for_a_person_is_said_with_what_to_do_and_settled_by_rule(home: Path) -> None:
    code, _, err = run(home, "parked")
    assert (code, "error[round.parked]" in err, "dissensus rule" in err) == (20, True, True)
    how = ("--position", "B", "--reason", "the log", "--schema", "inquiry:Inquiry")
    ruling = started(home, "rule", "1", "uphold", *how, "-d", "it.db")
    _, err = ruling.communicate(timeout=60)
    assert ruling.returncode == 0, err
    code, out, _ = run(home, "parked", "--json", new=False)
    assert (code, json.loads(out)["state"]["verdict"]) == (0, "release")


@pytest.mark.parametrize(
    ("graph", "code", "name"),
    [
        ("malformed", 14, "answer.malformed"),
        ("mistyped", 15, "answer.wrong_type"),
        ("unknown", 2, "graph.error"),
        ("no_model", 12, "model.unknown"),
        ("no_key", 13, "model.missing_key"),
        ("no_field", 17, "schema.field_missing"),
        ("unreadable", 16, "denied"),
        ("absent", 2, "usage"),
    ],
)
def test_bad_input_has_an_exit_code_a_name_and_a_next_step_of_its_own(
    home: Path, graph: str, code: int, name: str
) -> None:
    found, out, err = run(home, graph)
    assert (found, f"error[{name}]" in err, "next:" in err, out) == (code, True, True, ""), err
    assert "Traceback" not in err


def test_a_state_that_does_not_fit_the_schema_begins_no_session(home: Path) -> None:
    process = started(home, "run", "inquiry:agreed", "-d", "it.db", "--state", '{"question": 7}')
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "path: /question" in err) == (18, True), err
    code, _, err = run(home, "agreed", new=False)
    assert (code, "holds no session yet" in err, "--state" in err) == (3, True, True), err


def test_a_budget_for_a_session_that_is_there_is_refused_and_not_forgotten(home: Path) -> None:
    assert run(home, "agreed", "--budget", "1")[0] == 0
    code, out, err = run(home, "agreed", "--budget", "9", new=False)
    assert (code, out, "dissensus budget 9" in err) == (2, "", True), err


def test_ctrl_c_keeps_what_was_answered_and_the_same_command_goes_on(home: Path) -> None:
    state = '{"question": "Why?"}'
    process = started(home, "run", "inquiry:sleepy", "-d", "it.db", "--state", state)
    for _ in range(400):
        if (home / "slow").exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=90)
    assert (process.returncode, "goes on from there" in err) == (130, True), err


def test_another_model_for_an_agent_is_one_option_and_several_stand_in_for_each_other(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dissensus.testing import FakeProvider

    with FakeProvider() as provider:
        provider.says('{"reasoning": "the log", "verdict": "disk"}')
        monkeypatch.setenv("VLLM_BASE_URL", provider.url("openai"))
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        code, out, err = run(home, "no_key", "--json", "--model", "a=openai:gpt-4o-mini,vllm:tiny")
    assert code == 0, err
    assert json.loads(out)["state"]["verdict"] == "disk"
    assert "openai:gpt-4o-mini failed (key), the next is asked" in err


def test_a_model_for_nobody_and_half_an_option_are_said(home: Path) -> None:
    code, _, err = run(home, "agreed", "--model", "nobody=vllm:tiny")
    assert (code, "no agent 'nobody'" in err) == (2, True), err
    code, _, err = run(home, "agreed", "--model", "a0")
    assert (code, "--model analyst=ollama:llama3.1" in err) == (2, True), err
