"""The command line as the shell sees it: exit codes, streams, colours, interruptions."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from outage_story import HOSTILE

RUN = [sys.executable, "-m", "dissensus"]


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0, stdin: str = "", **environment: str) -> Any: ...


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """What a command shows on a terminal, from both of its streams."""
    ours, theirs = pty.openpty()
    everything = {**os.environ, "TERM": "xterm-256color", **environment}
    process = subprocess.Popen([*RUN, *arguments], stdout=theirs, stderr=theirs, env=everything)
    os.close(theirs)
    shown = b"".join(_until_closed(ours)).decode()
    os.close(ours)
    assert process.wait() == 0, shown
    return shown


def _until_closed(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            return
        if not piece:
            return
        yield piece


@pytest.mark.usefixtures("told")
def test_data_goes_to_standard_output_and_everything_else_to_standard_error(dissensus: Command) -> None:
    shown = dissensus("disagreements", "--json")
    assert json.loads(shown.out)["rounds"]
    assert "Settle it with" in shown.err
    refused = dissensus("show", "v99", code=3)
    assert refused.out == ""
    assert refused.err.startswith("error[not_found]: There is no version v99")
    assert "\nnext: " in refused.err


def test_each_kind_of_failure_has_an_exit_code_of_its_own(told: Path, dissensus: Command) -> None:
    (told.parent / "text.db").write_text("no database " * 100)
    dissensus("log")
    dissensus("log", "--nonsense", code=2)
    assert "Commands:" in dissensus(code=2).err
    assert "error[usage]: Missing command" in dissensus("db", code=2).err
    dissensus("blame", "/nothing", code=3)
    dissensus("log", "-d", "text.db", code=9)
    dissensus("log", "-d", "mysql://host/name", code=10)
    dissensus(
        "rule", "2", "amend", "--amend", '{"/no": 1}', "--reason", "x", "--schema", "outage:Outage", code=17
    )
    dissensus("rule", "2", "amend", "--amend", "-", "--reason", "x", "--schema", "outage:Outage", code=18,
              stdin='{"/verdict": 7}')  # fmt: skip


def test_an_altered_history_fails_the_verification_with_a_code_of_its_own(
    told: Path, dissensus: Command
) -> None:
    import sqlite3

    with sqlite3.connect(told) as connection:
        connection.execute("UPDATE commits SET author = 'mallory' WHERE version = 1")
    connection.close()
    refused = dissensus("verify", code=5).err
    assert "error[verify.tampered]: Version 1 " in refused


@pytest.mark.usefixtures("told")
def test_diff_says_with_its_exit_code_whether_something_differs(dissensus: Command) -> None:
    dissensus("diff", "--exit-code", "v1..v1")
    dissensus("diff", "--exit-code", "v1..v2", code=1)
    dissensus("diff", "v1..v2")


def test_an_error_is_json_on_standard_error_where_json_was_asked_for(told: Path, dissensus: Command) -> None:
    for arguments, exit_code, code in (
        (("show", "v99"), 3, "not_found"),
        (("show", "--nonsense"), 2, "usage"),
        (("machine", "crash:X"), 1, "unexpected"),
    ):
        (told.parent / "crash.py").write_text("1 / 0")
        refused = dissensus(*arguments, "--json", code=exit_code)
        assert refused.out == ""
        error = json.loads(refused.err)
        assert error["code"] == code
        assert error["message"]
        assert error["next"]


def test_a_defect_is_one_line_and_its_traceback_comes_on_request(folder: Path, dissensus: Command) -> None:
    (folder / "crash.py").write_text("raise RuntimeError('first\\nsecond \\x1b[31m')")
    told = dissensus("machine", "crash:X", code=1)
    assert told.err.count("\n") == 1
    assert told.err.startswith("error[unexpected]: RuntimeError: first\\nsecond \\x1b[31m (")
    assert "Traceback" in dissensus("--debug", "machine", "crash:X", code=1).err
    assert "Traceback" in dissensus("--debug", "machine", "nowhere:X", code=2).err
    assert "Traceback" not in dissensus("machine", "nowhere:X", code=2).err


def test_plain_text_holds_no_escape_sequence_and_a_terminal_gets_colours(told: Path) -> None:
    plain = subprocess.run([*RUN, "log"], cwd=told.parent, capture_output=True, check=True).stdout
    assert b"\x1b" not in plain
    assert "\x1b[" in on_a_terminal("log")


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_who_asks_for_no_colour_gets_none(environment: dict[str, str]) -> None:
    assert "\x1b" not in on_a_terminal("disagreements", **environment)


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("command", ["log", "show r2", "state", "diff v0..", "blame findings", "events",
                                     "disagreements", "cost"])  # fmt: skip
def test_what_models_wrote_cannot_steer_the_terminal(command: str) -> None:
    shown = on_a_terminal(*command.split())
    colours = {"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[1;2m"}
    for colour in colours:
        shown = shown.replace(colour, "")
    assert "\x1b" not in shown
    assert not set(HOSTILE) & set(shown) & {"\x07", "\u202e", "\U000e0041"}
    assert not any(line.startswith("version 99") for line in shown.splitlines())
    assert "\x1b[31mred" not in shown


@pytest.mark.usefixtures("told")
def test_what_models_wrote_is_shown_and_not_obeyed_as_markup() -> None:
    assert "[bold]loud[/bold]" in on_a_terminal("show", "r2")


@pytest.mark.usefixtures("told")
def test_a_stream_that_knows_few_characters_gets_escapes_and_no_crash(dissensus: Command) -> None:
    assert "原因" in dissensus("state", PYTHONIOENCODING="utf-8").out
    assert r"\u539f\u56e0" in dissensus("state", PYTHONIOENCODING="ascii").out


@pytest.mark.parametrize("arguments", [("log", "--json"), ("state",)])
def test_a_reader_that_goes_away_is_left_without_a_word(told: Path, arguments: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        [*RUN, *arguments], cwd=told.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait() == 141
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_what_cannot_be_put_out_is_told_with_a_code_and_a_next_step(told: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run(
            [*RUN, "log"], cwd=told.parent, stdout=full, stderr=subprocess.PIPE, check=False
        )
    said = process.stderr.decode()
    assert said.startswith("error[usage]: Standard output cannot be written: No space left on device\nnext: ")
    assert said.count("\n") == 2
    assert process.returncode == 2


SLOW = """
import sys, time
print("ready", file=sys.stderr, flush=True)
time.sleep(60)
"""


def test_after_ctrl_c_the_user_knows_what_was_kept_and_how_to_go_on(told: Path) -> None:
    (told.parent / "slow.py").write_text(SLOW)
    process = subprocess.Popen(
        [*RUN, "rule", "2", "reject", "--reason", "x", "--schema", "slow:Slow"],
        cwd=told.parent,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    said = process.stderr.read().strip()
    process.stderr.close()
    assert process.wait() == 130
    assert said == (
        "interrupted: everything acknowledged is kept in sqlite:///dissensus.db; "
        "the same command goes on from there"
    )


def test_the_version_and_the_help_load_nothing_heavy() -> None:
    heavy = {"sqlalchemy", "pydantic", "langgraph", "rich", "httpx", "alembic"}
    for argument in ("--version", "--help"):
        program = (
            f"import sys; sys.argv = ['dissensus', '{argument}']\n"
            "from dissensus.cli.main import main\n"
            "try: main()\n"
            "finally: print(*sorted(sys.modules), file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert not heavy & {name.partition(".")[0] for name in done.stderr.split()}
        assert "dissensus" in done.stdout


def paged(folder: Path, lines: int, *arguments: str, **environment: str) -> str:
    """What a terminal of so many lines shows of a command whose pager marks what goes through it."""
    pager = folder / "pager.sh"
    pager.write_text("#!/bin/sh\necho PAGED\ncat\n")
    pager.chmod(0o755)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, 100, 0, 0))
    given = {**os.environ, "TERM": "xterm", "PAGER": str(pager), **environment}
    given.pop("LINES", None)
    command = [sys.executable, "-m", "dissensus", *arguments]
    with subprocess.Popen(command, cwd=folder, env=given, stdin=theirs, stdout=theirs) as process:
        os.close(theirs)
        said = b"".join(_until_closed(ours))
        assert process.wait() == 0
    os.close(ours)
    return said.decode()


@pytest.mark.usefixtures("told")
def test_what_is_longer_than_the_terminal_goes_through_the_pager_of_the_user(folder: Path) -> None:
    assert paged(folder, 3, "log").startswith("PAGED")
    assert "PAGED" not in paged(folder, 60, "log")
    assert "PAGED" not in paged(folder, 3, "--no-pager", "log")
    assert "PAGED" not in paged(folder, 3, "log", TERM="dumb")
    assert "PAGED" not in paged(folder, 3, "log", PAGER="cat")
    assert "PAGED" not in paged(folder, 3, "log", "--json")


@pytest.mark.usefixtures("told")
def test_json_lines_are_the_items_of_the_answer(dissensus: Command) -> None:
    commits = [json.loads(line) for line in dissensus("log", "--jsonl").out.splitlines()]
    assert commits == dissensus("log", "--json").data["commits"]
    (blamed,) = [json.loads(line) for line in dissensus("blame", "/verdict", "--jsonl").out.splitlines()]
    assert blamed == dissensus("blame", "/verdict", "--json").data
    refused = dissensus("blame", "/nowhere", "--jsonl", code=3).err
    assert json.loads(refused)["code"] == "not_found"
