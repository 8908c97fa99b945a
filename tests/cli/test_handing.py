"""`export, import`: a session as one file, and from it into another database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dissensus.cli import handing
from dissensus_state.archive import FORMS
from json_schemas import misfits

Ask = Callable[..., Any]
DOCS = Path(__file__).parents[2] / "docs"
OUTAGE = ("--schema", "outage:Outage", "--author", "clerk")


@pytest.fixture
def session(ask: Ask, told: Path) -> str:
    """The name of the session in the current folder."""
    name: str = ask("sessions", "--json").data["sessions"][0]["name"]
    return name


def test_a_session_is_moved_to_another_database_and_back(ask: Ask, session: str, told_url: str) -> None:
    out = ask("export", "-d", told_url, "-o", "there.jsonl")
    assert out.out.startswith("there.jsonl\n  ")
    page = ask("import", "there.jsonl", "-d", "here.db")
    assert page.out.splitlines()[0] == ask("sessions", "-d", "here.db", "--json").data["sessions"][0]["name"]
    assert "dissensus verify" in page.err
    assert ask("verify", "-d", "here.db", "--schema", "outage:Outage", "--json").data["rules_checked"]
    ask("export", "-d", "here.db", "-o", "back.jsonl")
    assert Path("back.jsonl").read_bytes() == Path("there.jsonl").read_bytes()


def test_the_answers_say_what_was_moved(ask: Ask, session: str) -> None:
    out = ask("export", "-o", "session.jsonl", "--json").data
    assert (out["path"], out["form"], out["session"]) == ("session.jsonl", "jsonl", session)
    assert out["bytes"] == Path("session.jsonl").stat().st_size
    into = ask("import", "session.jsonl", "-d", "here.db", "--name", "again", "--json").data
    assert (into["session"], into["source"], into["heads"]) == ("again", session, out["heads"])
    assert into["counts"] == out["counts"]
    assert into["heads"]["main"]["hash"] == ask("verify", "--json").data["head"]


@pytest.mark.parametrize(("form", "name"), [("jsonl", "{}.jsonl"), ("sqlite", "{}.db")])
def test_a_file_is_named_after_its_session(ask: Ask, session: str, form: str, name: str) -> None:
    made = ask("export", "--form", form, "--json").data
    assert made["path"] == name.format(session)
    assert ask("import", made["path"], "-d", "here.db", "--json").data["session"] == session


def test_a_database_of_the_form_sqlite_opens_as_it_is(ask: Ask, session: str) -> None:
    ask("export", "--form", "sqlite", "-o", "copy.db")
    assert ask("log", "-d", "copy.db", "--json").data["commits"] == ask("log", "--json").data["commits"]


def test_a_session_goes_through_a_pipe(dissensus: Any, ask: Ask, session: str) -> None:
    sent = dissensus("export", "-o", "-")
    assert sent.out.startswith('{"type":"header"')
    assert sent.err.startswith(f"{session}: ")
    got = dissensus("import", "-", "-d", "here.db", "--json", stdin=sent.out)
    assert got.data["session"] == session


def test_what_stands_instead_of_a_number_is_said(ask: Ask, session: str) -> None:
    asked = ["export", "-s", session, "-o", "part.jsonl", *OUTAGE]
    assert "Say what is to stand there instead" in ask(*asked, "--redact", "/score", code=18).err
    ask(*asked, "--redact-with", "/score", "-1")
    ask("import", "part.jsonl", "-d", "here.db")
    assert ask("at", "HEAD", "/score", "-d", "here.db").out == "-1\n"
    assert "is no JSON" in ask(*asked, "--redact-with", "/score", "none", code=2).err


def test_what_is_redacted_or_left_out_is_not_in_the_file(ask: Ask, session: str) -> None:
    ask("export", "-o", "whole.jsonl")
    assert b"the log says so" in Path("whole.jsonl").read_bytes()
    out = ask("export", "-o", "part.jsonl", "--redact", "/findings/0", "--without-reasoning", *OUTAGE)
    assert "redacted: /findings/0" in out.out
    assert "without reasoning" in out.out
    assert b"the log says so" not in Path("part.jsonl").read_bytes()
    ask("import", "part.jsonl", "-d", "here.db")
    newest, redacted = ask("log", "-d", "here.db", "-n", "2", "--json").data["commits"]
    assert newest["source"]["omit"]["what"] == ["reasoning"]
    assert redacted["source"]["redact"]["reason"] == "export"
    assert {newest["author"], redacted["author"]} == {"clerk"}
    assert ask("verify", "-d", "here.db", *OUTAGE[:2], "--json").data["redacted"] == 1


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["export", "--redact", "/findings/0"], 2, "its schema is needed"),
        (["export", "--redact", "/nothing", *OUTAGE], 3, "There is nothing at /nothing"),
        (["export", "--form", "xml"], 2, "'xml' is not one of"),
        (["export", "-o", "-", "--json"], 2, "cannot both go to standard output"),
        (["export", "-o", "no/folder"], 2, "no/folder cannot be written"),
        (["export", "-o", "dissensus.db"], 2, "is the database itself"),
        (["export", "-o", "-", "--form", "sqlite"], 2, "cannot be written into a stream"),
        (["import", "nowhere.jsonl", "-d", "here.db"], 3, "There is no file nowhere.jsonl"),
        (["import", "outage.py", "-d", "here.db"], 2, "error[archive.refused]: Line 1"),
        (["import", "dissensus.db", "-d", "dissensus.db"], 4, "There is a session"),
        (["import", "dissensus.db", "-s", "none", "-d", "here.db"], 3, "There is no session 'none'"),
    ],
)
def test_what_cannot_be_moved_says_why(
    ask: Ask, session: str, given: list[str], code: int, said: str
) -> None:
    assert said in ask(*given, code=code).err


def test_a_file_that_was_changed_is_refused_and_the_commit_named(ask: Ask, session: str) -> None:
    ask("export", "-o", "session.jsonl")
    data = Path("session.jsonl").read_text("utf-8")
    Path("session.jsonl").write_text(data.replace("the log says so", "the log lied"), "utf-8")
    error = ask("import", "session.jsonl", "-d", "here.db", "--json", code=5).err
    told = json.loads(error.splitlines()[-1])
    assert (told["code"], told["branch"], told["version"]) == ("verify.tampered", "main", 1)
    assert ask("sessions", "-d", "here.db", "--json").data["sessions"] == []


def test_the_forms_of_the_command_are_those_there_are() -> None:
    assert sorted(handing.FORMS) == sorted(FORMS)


def test_every_line_fits_the_published_schema(ask: Ask, session: str) -> None:
    schema = json.loads(ask("export", "--json-schema").out)
    assert schema == json.loads((DOCS / "export.schema.json").read_text("utf-8"))
    ask("export", "-o", "session.jsonl")
    lines = [json.loads(line) for line in Path("session.jsonl").read_text("utf-8").splitlines()]
    assert {line["type"] for line in lines} > {"header", "branch", "commit", "round", "call", "end"}
    for line in lines:
        assert misfits(line, {"$ref": f"#/$defs/{line['type']}"}, schema) == []
    for line in lines:
        key = next(iter(line.keys() - {"type", "description"}))
        assert misfits({**line, "another": 1}, {"$ref": f"#/$defs/{line['type']}"}, schema)
        assert misfits({**line, key: {"odd": 1.5}}, {"$ref": f"#/$defs/{line['type']}"}, schema) or key in {
            "how_to_read", "detail", "body", "review", "keys", "past_keys", "price", "frame", "request",
            "holds", "source", "heads", "counts",
        }  # fmt: skip
