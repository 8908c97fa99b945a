"""`dissensus research` as a user meets it: what it asks for, how it is stopped and gone on with."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dissensus.testing import Answer, FakeProvider, Received
from dissensus_state.store import Store
from scouts_in_script import PLAN, QUESTION, harbour, thinker

MODELS = ("--models", "openai-compatible:a,openai-compatible:b", "--models", "openai-compatible:c")
SESSION = "what-happened-in-the-harbour"


def said_by(received: Received) -> Answer:
    short = "the pump broke down" if received.model == "b" else "it was the valve"
    said = thinker(received.model, PLAN, short=short)._answers(received.text)  # type: ignore[operator]
    return Answer(json.dumps(said))


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        running.answers(said_by)
        monkeypatch.setenv("OPENAI_COMPATIBLE_BASE_URL", running.url("openai"))
        yield running


@pytest.fixture
def asked(folder: Path) -> tuple[str, ...]:
    """The command in a folder with sources."""
    harbour(folder / "notes")
    return ("research", QUESTION, "--sources", "notes", *MODELS, "--unpriced", "allow")


def test_a_question_is_answered_and_the_report_says_how_to_check_it(
    ask, asked, provider, folder: Path
) -> None:
    done = ask(*asked)
    assert done.out.startswith("it was the valve\n")
    assert re.search(r"dissent +analyst-2\n", done.out)
    report = (folder / f"{SESSION}.md").read_text("utf-8")
    (command,) = re.findall(r"^dissensus (replay .*)$", report, re.MULTILINE)
    assert ask(*command.split(), "--json").data["digest"]
    assert re.search(r"^\d scouts? read$", done.err, re.MULTILINE)
    assert re.search(r"^batch \d of \d · .* spent, about .* to come", done.err, re.MULTILINE)
    assert "they disagree: analyst-1, analyst-3 say “it was the valve”" in done.err


def test_its_json_gives_the_answer_with_its_citations(ask, asked, provider, folder: Path) -> None:
    (folder / "notes/empty.txt").touch()
    data = ask(*asked, "--json").data
    page = (Path(__file__).parents[2] / "docs/cli.md").read_text("utf-8")
    for path, keys in re.findall(r"^\| `research\.?([\w.\[\]]*)` \| ([a-z_ ]+) \|$", page, re.MULTILINE):
        there = data[path.removesuffix("[]")] if path else data
        for one in there if isinstance(there, list) else [there]:
            assert set(one) == set(keys.split()), path
    assert data["session"] == SESSION
    assert data["short"] == "it was the valve"
    assert data["confidence"]["word"] == "low"
    assert [one["document"] for one in data["citations"]] == ["notes-07.txt", "notes-21.txt"]
    assert data["points"][0]["citations"] == [1]
    assert data["dissent"][0]["short"] == "the pump broke down"
    assert Path(data["files"]["html"]).is_file()


def test_the_same_question_again_costs_nothing(ask, asked, provider, folder: Path) -> None:
    ask(*asked)
    before = len(provider.received)
    again = ask(*asked, "--out", "again")
    assert len(provider.received) == before
    assert "This was answered before" in again.err
    assert (folder / f"again/{SESSION}.md").read_bytes() == (folder / f"{SESSION}.md").read_bytes()
    anew = ask(*asked, "--session", "anew")
    assert len(provider.received) > before
    assert anew.out.startswith("it was the valve")
    written = ask("research", "--report", "-s", SESSION, "--out", "third")
    assert "third/" in written.out


def test_what_is_missing_is_named_before_anything_is_begun(ask, folder: Path, monkeypatch) -> None:
    harbour(folder / "notes")
    assert "There is no question" in ask("research", code=2).err
    assert "The question is empty" in ask("research", "  ", code=2).err
    assert "There is nothing to read" in ask("research", "Why?", *MODELS, code=2).err
    assert "no folder or file nowhere" in ask("research", "Why?", "--sources", "nowhere", *MODELS, code=3).err
    monkeypatch.setenv("OPENAI_COMPATIBLE_BASE_URL", "http://127.0.0.1:9/v1")
    unknown = ask("research", "Why?", "--sources", "notes", *MODELS, code=2)
    assert "price of openai-compatible:c" in unknown.err
    assert "--unpriced allow" in unknown.err
    paid = ("research", "Why?", "--sources", "notes", "--models", "openai:gpt-5.4-mini")
    assert "Add --budget USD; at least 0." in ask(*paid, code=2).err
    assert "is too little" in ask(*paid, "--budget", "0.001", code=6).err
    assert "nothing was begun" in ask("research", "--resume", "-d", "none.db", code=3).err
    with Store.open("dissensus.db") as store:
        assert not store.sessions()


def test_what_was_meant_and_is_empty_or_no_amount_is_refused_before_anything_is_begun(
    ask, asked, provider, folder: Path
) -> None:
    assert "One of the --sources is empty" in ask("research", "Why?", "--sources", "", *MODELS, code=2).err
    assert "--models names no model" in ask(*asked[:4], "--models", ",", code=2).err
    for said in ("-1", "nan", "abc"):
        refused = ask(*asked, f"--budget={said}", code=2).err
        assert f"'{said}' is no amount of US dollars\nnext: Give --budget an amount like 2 or 0.50" in refused
    (folder / "hollow").mkdir()
    hollow = ask("research", "Why?", "--sources", "hollow", *asked[4:], code=3).err
    assert "There is nothing to read in" in hollow
    (folder / "file").touch()
    refused = ask(*asked, "--out", "file", code=23).err
    assert "The report cannot be written to file" in refused
    assert "session" not in refused
    with Store.open("dissensus.db") as store:
        assert not store.sessions()


def test_a_person_may_decide_to_sign_when_it_was_begun_already(ask, asked, provider, monkeypatch) -> None:
    url = provider.url("openai")
    monkeypatch.setenv("OPENAI_COMPATIBLE_BASE_URL", "http://127.0.0.1:9/v1")
    ask(*asked, code=19)
    monkeypatch.setenv("OPENAI_COMPATIBLE_BASE_URL", url)
    assert "waits for your ruling" in ask("research", "--resume", "--approve", code=20).err


def test_a_session_goes_on_with_models_of_unknown_price_only_if_somebody_says_so(
    ask, asked, provider, monkeypatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    ask(*asked[:4], "--models", "ollama:down", code=19)
    other = ("research", "--resume", "--models", "openai-compatible:a")
    assert "price of openai-compatible:a is unknown" in ask(*other, code=2).err
    heeded = ask(*other, "--unpriced", "allow", "--scouts", "5")
    assert heeded.out.startswith("it was the valve")
    assert "--scouts 5 is not heeded: it was begun with 2" in heeded.err


def test_a_person_signs_and_then_it_goes_on(ask, asked, provider) -> None:
    parked = ask(*asked, "--approve", code=20)
    assert "The conclusion waits for your ruling" in parked.err
    (rule,) = re.findall(r"`dissensus (rule \d+ uphold) --position A --reason … (.*?)`", parked.err)
    (again,) = re.findall(r"go on with `dissensus (research --resume .*?)`", parked.err)
    ask(*rule[0].split(), "--position", "B", "--reason", "I was there", *rule[1].split())
    done = ask(*again.split())
    assert done.out.startswith("the pump broke down")


def test_a_session_is_gone_on_with_by_name_or_alone(ask, asked, provider) -> None:
    ask(*asked, "--approve", code=20)
    assert f"session {SESSION} goes on" in ask("research", "--resume", code=20).err
    assert f"session {SESSION} goes on" in ask("research", "--resume", "-s", SESSION, code=20).err
    ask(*asked, "--approve", "--session", "second", code=20)
    assert "There are 2 unfinished research sessions" in ask("research", "--resume", code=3).err
    other = ask("research", "Why else?", "--resume", code=3)
    assert "was not begun in this database" in other.err
    another = ask("research", "Why else?", "--session", SESSION, code=2)
    assert "is over another question or other sources" in another.err


def test_the_same_question_over_other_sources_is_another_session(ask, asked, provider, folder: Path) -> None:
    ask(*asked, "--approve", code=20)
    harbour(folder / "others")
    other = [*asked[:3], "others", *asked[4:]]
    assert f"session {SESSION}-2: " in ask(*other, "--approve", code=20).err
    assert f"session {SESSION} goes on" in ask(*asked, code=20).err


def test_what_changed_in_the_folder_since_is_said(ask, asked, provider, folder: Path) -> None:
    ask(*asked, "--approve", code=20)
    (folder / "notes/notes-03.txt").write_text("other", "utf-8")
    (folder / "notes/new.txt").write_text("new", "utf-8")
    assert "1 changed since (notes-03.txt); 1 new since (new.txt)" in ask("research", "--resume", code=20).err


def test_a_provider_that_is_down_ends_it_with_its_error_and_the_next_run_goes_on(
    ask, asked, provider, monkeypatch
) -> None:
    monkeypatch.setenv("OPENAI_COMPATIBLE_BASE_URL", "http://127.0.0.1:9/v1")
    down = ask(*asked, code=19)
    assert "error[round.void]" in down.err
    assert f"Then go on with `dissensus research --resume -d dissensus.db -s {SESSION}`" in down.err
    monkeypatch.setenv("OPENAI_COMPATIBLE_BASE_URL", provider.url("openai"))
    assert ask("research", "--resume").out.startswith("it was the valve")


@pytest.mark.slow
def test_g11_ctrl_c_stops_cleanly_and_says_how_to_go_on(asked, provider, folder: Path) -> None:
    def slowly(received: Received) -> Answer:
        return Answer(said_by(received).text, delay=0.3)

    provider.answers(slowly)
    with subprocess.Popen(
        [sys.executable, "-m", "dissensus", *asked],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.endswith("read\n"):
                process.send_signal(signal.SIGINT)
                break
        said = process.stderr.read()
        assert process.wait(timeout=60) == 130, said
    again = f"dissensus research --resume -d dissensus.db -s {SESSION}"
    assert f"interrupted: everything acknowledged is kept in dissensus.db; {again} goes on" in said
    done = subprocess.run(
        [sys.executable, "-m", *again.split()], cwd=folder, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.startswith("it was the valve")


@pytest.mark.slow
def test_on_a_terminal_one_line_lives_and_a_person_is_asked(asked, provider, folder: Path) -> None:
    said = on_a_terminal(
        folder, [*asked, "--approve"], [("Your ruling", "uphold B\n"), ("Why", "I was there\n")]
    )
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
    assert "Position A (analyst-1, analyst-3): it was the valve" in plain
    assert "chair advises to uphold position A" in plain
    assert "F1: “FACT A 1: The valve of the third boiler stood open at noon.” (notes-07.txt, " in plain
    assert "the pump broke down\r\n  confidence" in plain
    assert " spent, about " in plain


def on_a_terminal(folder: Path, arguments: list[str], replies: list[tuple[str, str]]) -> str:
    """Everything that the command says on a terminal where somebody answers."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "dissensus", *arguments],
        cwd=folder,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = ""
    waiting: list[Any] = list(replies)
    while True:
        try:
            piece = os.read(ours, 4096).decode(errors="replace")
        except OSError:
            break
        if not piece:
            break
        said += piece
        if waiting and waiting[0][0] in said:
            os.write(ours, waiting.pop(0)[1].encode())
            said = said.replace("Your ruling", "your ruling").replace("Why", "why")
    assert process.wait(timeout=60) == 0, said
    os.close(ours)
    return said
