"""`dissensus recordings` and `run --recordings`, as a user starts them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GRAPH = """
from dissensus import Agent, AgentGraph, FunctionModel, SharedState


class Inquiry(SharedState):
    question: str
    answer: int | None = None


def said(request):
    if SILENT:
        raise AssertionError("asked")
    return '{"answer": 42, "reasoning": "Six times seven."}'


SILENT = False
ana = Agent("ana", FunctionModel("oracle", said))
graph = AgentGraph(Inquiry).add_step("answer", [ana], writes={"answer"})
"""


def test_a_graph_runs_again_from_its_exported_recordings_without_its_models(
    dissensus: Any, folder: Path
) -> None:
    (folder / "inquiry.py").write_text(GRAPH, "utf-8")
    state = ("--state", '{"question": "What is six times seven?"}')
    dissensus("run", "inquiry:graph", "-d", "first.db", *state)
    made = dissensus("recordings", "export", "-d", "first.db", "-o", "first.jsonl", "--json").data
    assert made["calls"] == 1
    (folder / "silent.py").write_text(GRAPH.replace("SILENT = False", "SILENT = True"), "utf-8")
    options = ("silent:graph", "-d", "again.db", "--recordings", "first.jsonl", "--json")
    assert dissensus("run", *options, *state).data["state"]["answer"] == 42
    other = ("--state", '{"question": "What is six times eight?"}', "-s", "other")
    refused = dissensus("run", *options, *other, code=7)
    assert json.loads(refused.err.splitlines()[-1])["code"] == "model.not_recorded"
    assert "part 1 (/question) differs" in refused.err


def test_a_file_is_shown_and_each_call_with_its_prompt(ask: Any, told: Path) -> None:
    ask("recordings", "export", "-o", "told.jsonl")
    page = ask("recordings", "show", "told.jsonl").out
    assert page.startswith("recordings of ")
    one = ask("recordings", "show", "told.jsonl", "--call", "1").out
    assert "answer\n" in one
    assert "There is no call 999" in ask("recordings", "show", "told.jsonl", "--call", "999", code=2).err


def test_a_file_that_is_none_is_refused(ask: Any, folder: Path) -> None:
    (folder / "none.jsonl").write_text("{}\n", "utf-8")
    assert "error[recordings.refused]" in ask("recordings", "show", "none.jsonl", code=2).err


def test_the_schema_is_printed_as_json(ask: Any) -> None:
    assert "$schema" in ask("recordings", "schema").data


def test_a_folder_that_is_not_there_is_told(ask: Any, told: Path) -> None:
    assert "cannot be written" in ask("recordings", "export", "-o", "nowhere/a.jsonl", code=2).err
