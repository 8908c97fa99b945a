"""`dissensus bench` as a user meets it: from a task file to a table, and what can go wrong on the way."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

import examinees
from dissensus.testing import FakeProvider, Received
from dissensus_agents.patterns.configured import configured
from dissensus_state.store import Store
from examinees import lines, number_of, right_of, said_of
from small_disks import mounted

DOCS = Path(__file__).parents[2] / "docs"
MODELS = ("--models", "flash=@examinees:flash,llama=@examinees:llama", "--models", "pro=@examinees:pro")
PAID = (*MODELS, "--budget", "1")
CASCADE = "cascade:flash+llama>pro"

SLOW = """
import os
from pathlib import Path
from examinees import examinee
seconds = float(os.environ.get("SLOW", "0.15"))
flash, llama, pro = (examinee(name, Path("asked"), seconds) for name in ("flash", "llama", "pro"))
"""


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0, **environment: str) -> Any: ...


@pytest.fixture
def tasks(folder: Path) -> Path:
    """A task file, and the models of a module beside it."""
    shutil.copy(Path(examinees.__file__), folder)
    (folder / "slow.py").write_text(SLOW)
    path = folder / "tasks.jsonl"
    path.write_text(lines(24))
    return path


def parts(value: Any, path: str) -> Iterator[Any]:
    name, _, rest = path.partition(".")
    if not name:
        yield value
        return
    inner = value[name.removesuffix("[]")]
    for item in inner if name.endswith("[]") else [inner]:
        if item is not None:
            yield from parts(item, rest)


def test_from_a_task_file_to_a_table_and_a_routing(ask: Command, tasks: Path, folder: Path) -> None:
    files = ("--out", "table.md", "--routing", "routing.toml", "--least", "5")
    done = ask("bench", "tasks.jsonl", *MODELS, "--pattern", CASCADE, "--budget", "1", *files)
    right = sum(said_of("pro", n) == right_of(n) for n in range(24)) / 24
    assert re.search(rf"^pro +{right:.3f} +\[0\.\d+ [01]\.\d+\] ", done.out, re.MULTILINE)
    for title in ("How errors go together", "What the votes are worth", "Suggested routing"):
        assert f"\n{title}\n" in done.out
    assert done.err.startswith("session bench-tasks: 24 items, 3 models, 1 pattern, 8 at a time\n0 of 24")
    assert done.err.endswith("24 of 24 items\n")
    page = (folder / "table.md").read_text("utf-8")
    assert page.startswith("# tasks.jsonl: 24 items\n")
    assert f"| pro | {right:.3f} |" in page
    routing = configured(folder / "routing.toml")
    assert routing.rules[0].task == "*"
    assert (routing.rules[0].chosen_on, routing.rules[0].held_out) != (0, 0)
    assert routing.models["pro"].usd_out == 4
    assert [path.name for path in folder.glob(".*")] == []


def test_its_json_has_the_keys_of_the_page(ask: Command, tasks: Path, folder: Path) -> None:
    given = ("--pattern", CASCADE, "--budget", "1", "--least", "5", "--repeats", "2")
    data = ask("bench", "tasks.jsonl", *MODELS, *given, "--out", "t.json", "--json").data
    page = (DOCS / "cli.md").read_text("utf-8")
    rows = re.findall(r"^\| `bench\.?([\w.\[\]]*)` \| ([a-z_? ]+) \|$", page, re.MULTILINE)
    assert len(rows) > 10
    for path, keys in rows:
        named = keys.split()
        for one in parts(data, path):
            assert set(one) <= {key.removesuffix("?") for key in named}, path
            assert {key for key in named if not key.endswith("?")} <= set(one), path
    assert {row["task"] for row in data["rows"]} == {None, "even", "odd"}
    assert json.loads((folder / "t.json").read_text("utf-8"))["rows"] == data["rows"]
    ask("bench", "tasks.jsonl", *MODELS, "--table", "--out", "t.csv")
    table = (folder / "t.csv").read_text("utf-8").splitlines()
    assert table[0].startswith("task,name,kind,items,answers,quality,low,high,usd_per_item")
    assert len(table) == 1 + 3 * 3


def test_the_same_command_again_asks_nobody_and_shows_the_same(ask: Command, tasks: Path) -> None:
    first = ask("bench", "tasks.jsonl", *MODELS, "--budget", "1")
    assert ask("bench", "tasks.jsonl", *MODELS).out == first.out
    assert ask("bench", "tasks.jsonl", *MODELS, "--table").out == first.out
    assert "bench-tasks" in ask("sessions").out
    assert ask("verify").out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nowhere.jsonl", *MODELS), 3, "There is no file nowhere.jsonl"),
        (("broken.jsonl", *MODELS), 2, "broken.jsonl, line 2: there is no key 'expekted'"),
        (("tasks.jsonl",), 2, "No model was named"),
        (("tasks.jsonl", "--models", "nobody:nothing"), 12, "nobody:nothing"),
        (("tasks.jsonl", "--models", "@examinees:nobody"), 2, "nobody"),
        (("tasks.jsonl", "--models", "a=@examinees:pro,a=@examinees:pro"), 2, "label 'a' is given twice"),
        (("tasks.jsonl", *MODELS), 2, "These models cost money, and no budget was given"),
        (("tasks.jsonl", *MODELS, "--budget", "much"), 2, "Give --budget an amount like 2 or 0.50"),
        (("tasks.jsonl", *PAID, "--pattern", "panel:flash"), 2, "'panel:flash' is no pattern"),
        (("tasks.jsonl", *PAID, "--pattern", "panel:flash+nobody"), 12, "nobody"),
        (("tasks.jsonl", *PAID, "--out", "table.pdf"), 23, "ends in none of .md, .json, .csv"),
        (("tasks.jsonl", *PAID, "--out", "no/table.md"), 23, "there is no folder no"),
        (("tasks.jsonl", *MODELS, "--budget", "1", "--grader", "best"), 2, "there is no grader 'best'"),
        (("tasks.jsonl", *MODELS, "--table"), 3, "no database file"),
        (("tasks.jsonl", *MODELS, "--recordings", "none.jsonl"), 2, "none.jsonl"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_is_begun(
    ask: Command, tasks: Path, folder: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (folder / "broken.jsonl").write_text(lines(1) + '{"id": "x", "question": "?", "expekted": 1}\n')
    refused = ask("bench", *arguments, code=code)
    assert said in refused.err
    assert "next: " in refused.err
    assert not refused.out
    if (folder / "dissensus.db").exists():
        with Store.open("dissensus.db") as store:
            assert not store.sessions()


def test_a_budget_that_ends_in_the_middle_leaves_the_table_and_says_how_to_go_on(
    ask: Command, tasks: Path
) -> None:
    given = ("bench", "tasks.jsonl", *MODELS, "--max-tokens", "2000")
    ended = ask(*given, "--budget", "0.0099", "--json", code=6)
    done = {row["name"]: row["items"] for row in ended.data["rows"] if row["task"] is None}
    assert 0 < done["pro"] < 24
    assert json.loads(ended.err.splitlines()[-1])["next"].endswith("and the same command goes on")
    assert ask(*given, "--budget", "1", "--json").data["rows"][2]["items"] == 24


def test_too_few_answers_make_no_routing(ask: Command, tasks: Path, folder: Path) -> None:
    few = ask("bench", "tasks.jsonl", *MODELS, "--budget", "1", "--routing", "r.toml", code=24)
    assert "Nothing can be suggested: all items together have" in few.err
    assert "\npro " in few.out
    assert not (folder / "r.toml").exists()


def test_real_providers_are_asked_in_their_own_words(
    ask: Command, tasks: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decide(received: Received) -> str:
        number = number_of(received.text)
        return json.dumps({"reasoning": "so", "answer": said_of("pro", number), "confidence": 0.9})

    with FakeProvider() as provider:
        provider.answers(decide)
        monkeypatch.setenv("OPENAI_COMPATIBLE_BASE_URL", provider.url("openai"))
        models = ("--models", "openai-compatible:a,openai-compatible:b", "--unpriced", "allow")
        given = ("bench", "tasks.jsonl", *models, "--limit", "6", "--json")
        data = ask(*given, "--pattern", "panel:openai-compatible:a+openai-compatible:b").data
        assert len(provider.received) == 12
        asked = provider.received[0].body
        ask("recordings", "export", "-o", "bench.jsonl")
        again = ask(*given, "--recordings", "bench.jsonl", "-d", "again.db").data
        assert len(provider.received) == 12
    assert [one["role"] for one in asked["messages"]] == ["system", "user"]
    assert "Write one JSON object" in asked["messages"][0]["content"]
    one = data["rows"][0]
    assert one["quality"]["value"] == sum(said_of("pro", n) == right_of(n) for n in range(6)) / 6
    assert (one["unfit"], one["usd_per_item"], one["latency_ms"]["p50"] >= 0) == (0, None, True)
    assert one["ttft_ms"]["p50"] is not None
    assert [row["quality"] for row in again["rows"][:2]] == [row["quality"] for row in data["rows"][:2]]


def started(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dissensus", "bench", "tasks.jsonl", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def asks(folder: Path, at_least: int = 0) -> Counter[tuple[str, str]]:
    """How often who was asked what; waits until so much was."""
    log = folder / "asked"
    until = time.monotonic() + 60
    while at_least and (not log.exists() or log.read_text().count("\n") < at_least):
        assert time.monotonic() < until
        time.sleep(0.02)
    return Counter((model, number) for _, model, number in map(str.split, log.read_text().splitlines()))


SLOWLY = ("--models", "flash=@slow:flash,llama=@slow:llama,pro=@slow:pro", "--budget", "5", "-c", "4")


def test_ctrl_c_leaves_a_table_of_what_is_done_and_the_same_command_goes_on(
    dissensus: Command, tasks: Path, folder: Path
) -> None:
    running = started(folder, *SLOWLY)
    asks(folder, 24)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert re.search(r"^pro +.* \d+/24 ", out, re.MULTILINE)
    assert "interrupted: everything acknowledged is kept in" in err
    done = dissensus("bench", "tasks.jsonl", *SLOWLY, "--json").data
    assert all(row["items"] == 24 for row in done["rows"] if row["task"] is None)
    counted = asks(folder)
    assert len(counted) == 72
    assert sum(counted.values()) <= 72 + 12, "only what was in flight is asked again"


def test_a_kill_loses_nothing_that_was_answered(dissensus: Command, tasks: Path, folder: Path) -> None:
    for at_least in (20, 50):
        running = started(folder, *SLOWLY)
        asks(folder, at_least)
        running.kill()
        running.communicate()
    done = dissensus("bench", "tasks.jsonl", *SLOWLY, "--json").data
    rows = [row for row in done["rows"] if row["task"] is None]
    assert [(row["items"], row["nothing"]) for row in rows] == [(24, 0)] * 3
    right = [sum(said_of(row["name"], n) == right_of(n) for n in range(24)) / 24 for row in rows]
    assert [row["quality"]["value"] for row in rows] == pytest.approx(right)
    assert max(row["usd_per_item"] for row in rows) < 0.0002, "what a kill has lost says nothing of a model"
    counted = asks(folder)
    assert len(counted) == 72
    assert sum(counted.values()) <= 72 + 2 * 12
    dissensus("verify")


def test_of_two_at_once_the_later_goes_on(dissensus: Command, tasks: Path, folder: Path) -> None:
    first = started(folder, *SLOWLY, SLOW="1")
    asks(folder, 6)
    done = dissensus("bench", "tasks.jsonl", *SLOWLY, "--json").data
    _, err = first.communicate(timeout=60)
    assert first.returncode == 4
    assert "Another process has taken the benchmark bench-tasks over, and goes on with it" in err
    assert all(row["items"] == 24 for row in done["rows"] if row["task"] is None)


def test_a_full_disk_ends_it_and_room_lets_it_go_on(
    tmp_path: Path, tasks: Path, folder: Path, dissensus: Command
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    with mounted(small, "40m") as is_mounted:
        if not is_mounted:
            pytest.skip("no small disk can be mounted here")
        taken = small / "taken"
        taken.write_bytes(bytes(39 * 2**20))
        (folder / "many.jsonl").write_text(lines(150))
        given = ("bench", "many.jsonl", *MODELS, "--budget", "1", "-d", small / "b.db")
        ended = dissensus(*given, code=11)
        assert "error[database.full]" in ended.err
        taken.unlink()
        assert dissensus(*given, "--json").data["rows"][0]["items"] == 150


def test_a_table_for_which_there_is_no_room_is_written_later_without_a_call(
    tmp_path: Path, tasks: Path, ask: Command
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    with mounted(small, "1m") as is_mounted:
        if not is_mounted:
            pytest.skip("no small disk can be mounted here")
        (small / "taken").write_bytes(bytes(os.statvfs(small).f_bavail * os.statvfs(small).f_frsize))
        given = ("bench", "tasks.jsonl", *PAID, "--out", str(small / "table.json"))
        assert "There is no room for" in ask(*given, code=11).err
        assert [path.name for path in small.iterdir()] == ["taken"]
        (small / "taken").unlink()
        ask(*given, "--table")
        assert json.loads((small / "table.json").read_text("utf-8"))["rows"]
