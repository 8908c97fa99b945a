"""`dissensus rerun`: the counterfactual on the command line, and what becomes of one that is stopped."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dissensus_state.store import Store

DOCS = Path(__file__).parents[2] / "docs"

MODULE = """
import asyncio
from pathlib import Path
from dissensus import Agent, AgentGraph, FunctionModel, SharedState
from dissensus_agents.judgement.supervisor import Person
from dissensus_agents.models.prices import Price

class Inquiry(SharedState):
    question: str
    finding: str = ""
    verdict: str | None = None

def model(name, field, value, pause=0.0):
    async def answer(request):
        with Path("asked").open("a") as asked:
            asked.write(name + "\\n")
        if pause and Path("slow").exists():
            await asyncio.sleep(pause)
        return {"reasoning": "because", field: value}
    return FunctionModel(name, answer, lineage=f"maker-{name}/one")

cold = model("cold", "finding", "the cache is cold")
sure = model("sure", "verdict", "cache", 60)
unsure = model("unsure", "verdict", "pump")
dear = FunctionModel("dear", lambda request: {"reasoning": "", "verdict": "x"}, price=Price(1000, 1000))

def made(supervisor=None):
    look = Agent("scout", model("warm", "finding", "the disk is full"))
    judge = [Agent("a", model("judge-a", "verdict", "disk")), Agent("b", model("judge-b", "verdict", "disk"))]
    graph = AgentGraph(Inquiry).add_step("look", [look], writes={"finding"})
    graph.add_step("judge", judge, writes={"verdict"}, supervisor=supervisor)
    return graph.add_edge("look", "judge")
"""

GRAPH = ["--graph", "reruns_in_test:made"]


@pytest.fixture
def home(folder: Path, dissensus: Any) -> Path:
    (folder / "reruns_in_test.py").write_text(MODULE)
    dissensus("run", "reruns_in_test:made", "-d", "dissensus.db", "--state", '{"question": "Why?"}')
    (folder / "asked").unlink()
    return folder


def asked(folder: Path) -> list[str]:
    file = folder / "asked"
    return sorted(file.read_text().split()) if file.exists() else []


def test_it_says_which_decisions_flipped_and_asks_only_what_changed(dissensus: Any, home: Path) -> None:
    swap = ["--swap", "a=reruns_in_test:sure", "--swap", "b=reruns_in_test:sure"]
    ended = dissensus("rerun", "--from", "v1", *swap, "--times", "2", *GRAPH, "--json")
    (decision,) = ended.data["decisions"]
    assert (decision["path"], decision["then"], decision["flipped"]["hits"]) == ("/verdict", "disk", 2)
    assert asked(home) == ["sure"] * 4
    assert "a, b on version 1" in ended.err
    again = dissensus("rerun", "--from", "v1", *swap, "--times", "2", *GRAPH)
    assert re.search(r"^judge +/verdict +disk +cache +2 of 2 +34%–100%$", again.out, re.MULTILINE), again.out
    assert asked(home) == ["sure"] * 4, "what is finished is told again, and not asked"


def test_with_nothing_changed_it_asks_nobody(dissensus: Any, home: Path) -> None:
    ended = dissensus("rerun", "--from", "v0", *GRAPH)
    assert asked(home) == []
    assert "0 of 1" in ended.out
    assert "0 calls for $0.000000, 3 reused" in ended.out


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGINT])
def test_one_that_is_stopped_goes_on_with_the_same_command(
    dissensus: Any, home: Path, way: signal.Signals
) -> None:
    swap = ["rerun", "--from", "v0", "--swap", "scout=reruns_in_test:cold", "--swap", "b=reruns_in_test:sure"]
    (home / "slow").touch()
    command = [sys.executable, "-m", "dissensus", *swap, *GRAPH]
    with subprocess.Popen(command, cwd=home, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        until = time.monotonic() + 60
        while asked(home) != ["cold", "judge-a", "sure"]:
            assert time.monotonic() < until
            time.sleep(0.02)
        time.sleep(0.3)  # so that the answer of the first judge is recorded
        process.send_signal(way)
        _, err = process.communicate()
    (home / "slow").unlink()
    if way is signal.SIGINT:
        assert process.returncode == 130
        assert "dissensus rerun --from v0 --swap scout=reruns_in_test:cold" in err
        assert "goes on from there" in err

    ended = dissensus(*swap, *GRAPH, "--json", code=20)

    (branch,) = ended.data["branches"]
    assert branch["status"] == "parked", "the two judges disagree, and nobody rules"
    assert asked(home) == ["cold", "judge-a", "sure", "sure"], "only the call in flight is made again"
    with Store.open("sqlite:///dissensus.db") as store:
        session = store.session()
        assert session.on(branch["branch"]).verify().versions == 2
        assert session.head == 2


def test_a_branch_that_waits_for_a_person_exits_with_20_and_goes_on_once_ruled(
    dissensus: Any, home: Path
) -> None:
    command = ["rerun", "--from", "v1", "--swap", "b=reruns_in_test:unsure", *GRAPH]
    ended = dissensus(*command, code=20)
    assert "waits for a person" in ended.out
    (told,) = re.findall(r"^rerun-v1-\w+-1: rule on it with `dissensus (.*)`, then", ended.err, re.MULTILINE)
    rule = [{"A": "B", "…": "it leaks"}.get(word, word) for word in shlex.split(told)]
    dissensus(*rule)
    done = dissensus(*command, "--json")
    assert done.data["branches"][0]["status"] == "finished"
    assert done.data["decisions"][0]["now"] == [{"occurred": True, "value": "pump"}]


def test_a_limit_of_its_own_exits_with_6(dissensus: Any, home: Path) -> None:
    command = ["rerun", "--from", "v1", "--swap", "b=reruns_in_test:dear", *GRAPH]
    ended = dissensus(*command, "--budget", "0.01", code=6)
    assert "rerun's $0.01 are left" in ended.out
    assert "go on with: " in ended.err


def test_a_role_can_come_from_a_file(dissensus: Any, home: Path) -> None:
    (home / "role.txt").write_text("Be brief.")
    ended = dissensus("rerun", "--from", "v0", "--prompt", "judge/a=@role.txt", *GRAPH, "--json")
    assert ended.data["changed"] == {"swap": {}, "prompts": {"judge/a": "Be brief."}}
    assert asked(home) == ["judge-a"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "where to begin"),
        (["--from", "v1", "--swap", "a"], "names no seat"),
        (["--from", "v1", "--swap", "a=nonsense:model"], "In the graph|The graph has warm"),
        (["--from", "v1", "--prompt", "a=@nowhere"], "cannot be read"),
        (["--from", "v1", "--only-impacted"], "begins before what was retracted"),
        (["--from", "v1", "--retracted", "v1"], "belong to a repair"),
        (["--from", "v1", "--swap", "nobody=reruns_in_test:sure"], "no seat 'nobody'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(
    dissensus: Any, home: Path, arguments: list[str], what: str
) -> None:
    ended = dissensus("rerun", *arguments, *GRAPH, code=2)
    assert re.search(what, ended.err)
    assert "next: " in ended.err


def test_the_graph_of_the_demo_is_found_and_of_another_has_to_be_named(dissensus: Any, home: Path) -> None:
    ended = dissensus("rerun", "--from", "v1", code=2)
    assert "Add --graph reruns_in_test:made" in ended.err
    dissensus("demo", "-d", "demo.db")
    done = dissensus("rerun", "--from", "v0", "--swap", "ola=scripted:heron-2", "-d", "demo.db", "--json")
    assert done.data["decisions"][0]["flipped"]["hits"] == 1


def keys_of(page: str, path: str) -> set[str]:
    (found,) = re.findall(rf"^\| `{re.escape(path)}` \| ([a-z_? ]+) \|$", page, re.MULTILINE)
    return set(found.split())


def test_the_keys_of_the_answer_are_those_of_the_page(dissensus: Any, home: Path) -> None:
    page = (DOCS / "cli.md").read_text("utf-8")
    data = dissensus("rerun", "--from", "v0", *GRAPH, "--json").data
    assert set(data) == keys_of(page, "rerun")
    assert set(data["decisions"][0]) == keys_of(page, "rerun.decisions[]")
    assert set(data["branches"][0]) == keys_of(page, "rerun.branches[]")
    assert set(data["spent"]) == keys_of(page, "rerun.spent")
    assert json.dumps(data)


# The repair


def retracted(home: Path, version: int = 1) -> None:
    """Say in the session that a version was wrong."""
    code = (
        "from dissensus import Store; from reruns_in_test import Inquiry; import sys\n"
        "with Store.open('sqlite:///dissensus.db') as store:\n"
        f"    store.session(None, Inquiry).retract({version}, author='chris', reason='misread')"
    )
    subprocess.run([sys.executable, "-c", code], cwd=home, check=True, env=os.environ)


def test_a_repair_is_merged_by_the_command_that_it_names(dissensus: Any, home: Path) -> None:
    retracted(home)
    ended = dissensus("rerun", "--only-impacted", *GRAPH, "--json")
    page = (DOCS / "cli.md").read_text("utf-8")
    said = " ".join(page.split("its answer has the keys `")[1].split("`")[0].split()).split()
    assert set(ended.data) == set(said)
    assert [one["what"] for one in ended.data["commits"]] == ["dropped", "again"]
    assert asked(home) == ["judge-a", "judge-b"]
    command = ended.data["merge"].split()
    assert command[:2] == ["dissensus", "merge"]
    assert f"Merge it with: {ended.data['merge']}" in ended.err
    dissensus(*command[1:])
    state = dissensus("state", "--json").data["state"]
    assert (state["finding"], state["verdict"]) == ("", "disk")
    dissensus("verify", "--schema", "reruns_in_test:Inquiry")
    told = dissensus("rerun", "--only-impacted", *GRAPH)
    assert re.search(r"^v1 +dropped +scout +/finding +misread$", told.out, re.MULTILINE), told.out


def test_a_repair_that_is_killed_goes_on_with_the_same_command(dissensus: Any, home: Path) -> None:
    retracted(home)
    command = ["rerun", "--only-impacted", "--swap", "b=reruns_in_test:sure", *GRAPH]
    (home / "slow").touch()
    with subprocess.Popen([sys.executable, "-m", "dissensus", *command], cwd=home, env=os.environ) as process:
        until = time.monotonic() + 60
        while asked(home) != ["judge-a", "sure"]:
            assert time.monotonic() < until
            time.sleep(0.02)
        time.sleep(0.3)
        process.kill()
    (home / "slow").unlink()
    ended = dissensus(*command, "--json", code=20)
    assert asked(home) == ["judge-a", "sure", "sure"]
    assert [one["what"] for one in ended.data["commits"]] == ["dropped", "again"]
    assert ended.data["parked"] is not None
    assert ended.data["merge"] is None


def test_nothing_retracted_is_nothing_to_repair(dissensus: Any, home: Path) -> None:
    ended = dissensus("rerun", "--only-impacted", *GRAPH, code=3)
    assert "Nothing is retracted on main" in ended.err
