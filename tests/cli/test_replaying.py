"""The history against the code of today, on the command line; and a recorded step as a test of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dissensus_agents.divergences import Divergence

INQUIRY = '''
from typing import Annotated, Literal

from dissensus import Agent, AgentGraph, Append, FunctionModel, SharedState, Supervisor, Transition, invariant


def enough(before):
    """A guard."""
    return None if GUARD else "there is nothing to judge"


GUARD = True


class Inquiry(SharedState):
    question: str
    phase: Literal["open", "closed"] = "open"
    findings: Annotated[list[str], Append] = []
    verdict: str | None = None

    transitions = [
        Transition("gather", "open -> open", writes=["findings"]),
        Transition("conclude", "open -> closed", writes=["verdict"], guard=enough),
    ]

    @invariant("findings")
    @staticmethod
    def findings_are_few(before, after):
        return len(after.findings) < 5


def says(name, verdict):
    return FunctionModel(name, lambda request: {"reasoning": "So.", "verdict": verdict})


def chair(request):
    return {"decision": "uphold", "position": "A", "reason": "It says more."}


def graph():
    agents = [
        Agent("ana", says("one", "a leak"), "You look at pipes."),
        Agent("ben", says("two", "a crack"), "You look at walls."),
    ]
    chief = Supervisor(FunctionModel("three", chair), name="chief", instructions="Be brief.")
    return AgentGraph(Inquiry).add_step("conclude", agents, writes={"verdict"}, supervisor=chief)
'''

BEGUN = """
from dissensus import Store
from inquiry import Inquiry

with Store.open({url!r}) as store:
    session = store.create(Inquiry(question="Why is it wet?"), name="wet")
    for author, line in (("ana", "the pipe"), ("ben", "the wall")):
        with session.transaction(author, "gather") as tx:
            tx.append("findings", line)
"""


def begun(folder: Path, dissensus: Any, url: str) -> tuple[Path, str]:
    """A folder with a schema and a graph, and a session that was run over them."""
    (folder / "inquiry.py").write_text(INQUIRY)
    (folder / "begin.py").write_text(BEGUN.format(url=url))
    subprocess.run([sys.executable, "begin.py"], cwd=folder, check=True)
    dissensus("run", "inquiry:graph", "-d", url)
    return folder, url


@pytest.fixture
def both(folder: Path, dissensus: Any, database_url: str) -> tuple[Path, str]:
    """The same on each of the two databases."""
    return begun(folder, dissensus, database_url)


@pytest.fixture
def home(folder: Path, dissensus: Any) -> tuple[Path, str]:
    """The same in a file."""
    return begun(folder, dissensus, f"sqlite:///{folder / 'wet.db'}")


def change(folder: Path, old: str, new: str) -> None:
    """Change the user's code, so that it is read anew."""
    text = (folder / "inquiry.py").read_text()
    assert old in text
    (folder / "inquiry.py").write_text(text.replace(old, new))
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)  # by its time and length it may look the same


def under_pytest(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """The generated tests under a pytest of their own, with nothing of ours in it."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:asyncio",
            "-W",
            "error",
            *names,
        ],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_a_replay_with_the_graph_of_today_lists_what_differs_and_exits_with_5(
    home: tuple[Path, str], dissensus: Any
) -> None:
    folder, url = home
    asked = ["replay", "-d", url, "--graph", "inquiry:graph"]
    same = dissensus(*asked, "--json").data
    assert (same["versions"], same["rounds"], same["by_hand"], same["calls"]) == (4, 1, 2, 0)
    assert (same["differences"], same["more"], same["refused"]) == ([], 0, 0)

    change(folder, "You look at pipes.", "You look at drains.")
    first = dissensus(*asked, "--json", code=5)
    assert first.out == ""
    error = json.loads(first.err)
    assert (error["code"], error["call"], error["part"]) == ("replay.diverged", "ana, attempt 1", "system")

    change(folder, "< 5", "< 2")
    change(folder, "GUARD = True", "GUARD = False")
    change(folder, "Be brief.", "Be kind.")
    listed = dissensus(*asked, "--all", "--json", code=5).data
    assert (listed["refused"], listed["anew"], listed["differing"], listed["more"]) == (2, 2, 0, 0)
    keys = set(Divergence.__dataclass_fields__)
    assert all(set(one) == keys for one in listed["differences"])
    rules = [(one["version"], one["rule"]) for one in listed["differences"] if one["effect"] == "refused"]
    assert rules == [(2, "invariant.violated"), (3, "transition.refused")]
    words = [one["words"] for one in listed["differences"] if one["effect"] == "asked"]
    assert "[-pipes.-] {+drains.+}" in words[0]
    assert "[-brief.-] {+kind.+}" in words[1]

    page = dissensus(*asked, "--all", code=5).out
    assert "v2 (gather)  would be refused  findings are few" in page
    assert "v3 round 1 (conclude)  would be asked anew  request of ana, attempt 1: frame (system)" in page
    cut = dissensus(*asked, "--all", "--most", "1", code=5).out
    assert "… and 3 more differences: add --most" in cut


def test_without_a_name_the_graph_is_not_imported_and_a_schema_alone_admits_again(
    home: tuple[Path, str], dissensus: Any
) -> None:
    folder, url = home
    asked = ["replay", "-d", url]
    assert "Add --graph inquiry:graph" in dissensus(*asked, "--all", code=2).err
    assert dissensus(*asked, "--schema", "inquiry:Inquiry", "--json").data["by_hand"] == 2
    change(folder, 'writes=["findings"]', 'writes=["verdict"]')
    refused = dissensus(*asked, "--schema", "inquiry:Inquiry", "--all", "--json", code=5).data
    assert [one["rule"] for one in refused["differences"]] == ["denied", "denied"]
    twice = dissensus(*asked, "--schema", "inquiry:Inquiry", "--graph", "inquiry:graph", code=2)
    assert "A graph has its own schema" in twice.err
    assert dissensus(*asked, "--json").data["answers"] == 3, "the history alone needs no code"


def test_the_written_tests_pass_now_and_fail_in_words_once_the_code_changes(
    both: tuple[Path, str], dissensus: Any
) -> None:
    folder, url = both
    asked = ["pytest-case", "-d", url, "-o", "cases"]
    told = dissensus(*asked, "r1", "--graph", "inquiry:graph", "--json").data
    assert (told["version"], told["round"], told["untold"]) == (3, 1, [])
    hand = dissensus(*asked, "v2", "--schema", "inquiry:Inquiry")
    assert "Run it with: pytest cases/test_wet_v2.py" in hand.err
    assert sorted(path.name for path in (folder / "cases").iterdir()) == [
        "test_wet_r1.json", "test_wet_r1.py", "test_wet_v2.json", "test_wet_v2.py",
    ]  # fmt: skip
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).unlink()
    done = under_pytest(folder, "cases")
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout + done.stderr

    change(folder, "You look at walls.", "You look at the ceiling.")
    change(folder, "< 5", "< 2")
    done = under_pytest(folder, "cases")
    assert done.returncode == 1
    assert "would be asked anew: request of ben, attempt 1: frame (system)" in done.stdout
    assert "You look at [-walls.-] {+the ceiling.+}" in done.stdout
    assert "would be refused: findings are few" in done.stdout
    assert "write the case again" in done.stdout
    assert "again.py" not in done.stdout, "the report begins at the user's test"


def test_the_written_tests_are_clean_and_are_not_written_over(home: tuple[Path, str], dissensus: Any) -> None:
    folder, url = home
    asked = ["pytest-case", "-d", url, "r1", "--graph", "inquiry:graph"]
    dissensus(*asked)
    before = (folder / "test_wet_r1.json").read_bytes()
    there = dissensus(*asked, code=2)
    assert "test_wet_r1.py is there already" in there.err
    assert "--force" in there.err
    dissensus(*asked, "--force")
    assert (folder / "test_wet_r1.json").read_bytes() == before
    ruff = Path(sys.executable).with_name("ruff")
    rules = ["--isolated", "--select", "ALL", "--ignore", "INP001,D203,D213,CPY001,COM812"]
    for command in (["check", *rules], ["format", "--isolated", "--check"]):
        done = subprocess.run(
            [ruff, *command, "test_wet_r1.py"], cwd=folder, capture_output=True, encoding="utf-8", check=False
        )
        assert done.returncode == 0, done.stdout
    assert "def test_wet_r1() -> None:" in (folder / "test_wet_r1.py").read_text()


def test_a_case_that_fails_already_is_not_written_unless_forced(
    home: tuple[Path, str], dissensus: Any
) -> None:
    folder, url = home
    change(folder, "You look at walls.", "You look at the ceiling.")
    asked = ["pytest-case", "-d", url, "r1", "--graph", "inquiry:graph"]
    failed = dissensus(*asked, code=5)
    *differs, error, _ = failed.err.splitlines()
    assert error.startswith("error[case.failed]: Round 1 (conclude) of wet, version 3 does not come out")
    assert differs
    assert all(line.startswith("  - would be asked anew: request of ") for line in differs), "a line each"
    assert not list(folder.glob("test_*"))
    dissensus(*asked, "--force")
    assert under_pytest(folder, "test_wet_r1.py").returncode == 1


def test_what_cannot_be_a_case_is_refused_with_what_to_do(home: tuple[Path, str], dissensus: Any) -> None:
    _, url = home
    asked = ["pytest-case", "-d", url]
    assert "Add --graph inquiry:graph" in dissensus(*asked, "r1", code=2).err
    assert "--schema MODULE:CLASS" in dissensus(*asked, "v1", code=2).err
    assert "held to a graph" in dissensus(*asked, "r1", "--schema", "inquiry:Inquiry", code=2).err
    assert "not_found" in dissensus(*asked, "r9", "--graph", "inquiry:graph", code=3).err
    assert "is no AgentGraph" in dissensus(*asked, "r1", "--graph", "inquiry:GUARD", code=2).err


def test_names_that_a_database_holds_cannot_write_code_into_the_test() -> None:
    from dissensus.testing.written import _plain, name_of
    from dissensus_agents.cases import Case

    odd = 'x"""\nimport os  # \\'
    case = Case(odd, f"b{odd}", "m:C", 1, {})
    assert re.fullmatch(r"[a-z0-9_]+", name_of(case))
    assert not set(_plain(odd)) & set('"\\\n#')


def test_the_demo_replays_with_its_own_graph_and_gives_a_case(dissensus: Any, folder: Path) -> None:
    dissensus("demo", "-d", "demo.db")
    found = dissensus("replay", "-d", "demo.db", "--all", "--json").data
    assert (found["rounds"], found["differences"]) == (3, [])
    dissensus("pytest-case", "HEAD", "-d", "demo.db")
    done = under_pytest(folder, "test_demo_r3.py")
    assert done.returncode == 0, done.stdout
