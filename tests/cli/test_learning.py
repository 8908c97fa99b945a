"""`dissensus learn`: from known answers to a file that judges what comes next."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dissensus.judgement import load_vote
from dissensus_agents.errors import GraphError

MODELS = """
import json, re
from dissensus import ScriptedModel

def model(name, misses):
    def say(prompt):
        n = int(re.search(r"number (\\d+)", prompt)[1])
        letter = "ABCD"[(n + (n % misses == 0)) % 4]
        return json.dumps({"reasoning": f"It is {letter}. The answer is ({letter}).", "answer": letter})
    return ScriptedModel(name, say, lineage=f"maker-{name}/1")

good, bad = model("good", 10), model("bad", 2)
"""


def bench(folder: Path, dissensus: Callable[..., Any], items: int) -> None:
    (folder / "mymodels.py").write_text(MODELS)
    lines = (
        json.dumps(
            {
                "id": str(n),
                "question": f"What is number {n} modulo four?",
                "options": ["zero", "one", "two", "three"],
                "expected": "ABCD"[n % 4],
            }
        )
        for n in range(items)
    )
    (folder / "tasks.jsonl").write_text("\n".join(lines))
    dissensus("bench", "tasks.jsonl", "--models", "good=@mymodels:good,bad=@mymodels:bad")


def test_a_bench_teaches_a_vote(folder: Path, dissensus: Callable[..., Any]) -> None:
    bench(folder, dissensus, 40)
    said = dissensus("learn", "vote", "--options", "4", "--out", "vote.json", "--json").data
    assert (said["kind"], said["on"], said["file"]) == ("vote", 40, "vote.json")
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    assert f"| `learn` | {' '.join(said)} |" in page
    assert said["held_out"]["accuracy.low"] <= said["held_out"]["accuracy"] > 0.8
    vote = load_vote(folder / "vote.json")
    assert vote.provenance.rounds == 40
    assert vote.weights["model:good"] > vote.weights["model:bad"]
    page = dissensus("learn", "vote", "--out", "vote.json").out
    assert "fitted on 40 graded questions; 5 folds by sha256(key)" in page
    too_few = dissensus("learn", "router", "--out", "router.json", code=2)
    assert "There are 40 graded questions, and a router needs 200" in too_few.err
    assert not (folder / "router.json").exists()


def test_what_makes_no_sense_is_said_first(folder: Path, dissensus: Callable[..., Any]) -> None:
    assert "--usd is for a cascade" in dissensus("learn", "vote", "--usd", "1", "--out", "v.json", code=2).err
    assert "needs tiers" in dissensus("learn", "cascade", "--usd", "1", "--out", "v.json", code=2).err
    assert "ends in none of" in dissensus("learn", "vote", "--out", "v.txt", code=23).err


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kind": "dissensus/vote", "version": 2}', "\udcff"])
def test_a_file_that_is_no_vote_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "vote.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(GraphError, match="cannot be used"):
        load_vote(tmp_path / "vote.json")
