"""Every example, run as its reader would run it: in a folder of one's own, without a key."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from provider import Provider, completion

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, folder: Path, *arguments: str, code: int = 0, **environment: str) -> str:
    """What an example prints; an error if it comes to that."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def says(**answer: object) -> str:
    return json.dumps(answer)


def test_every_example_has_its_test() -> None:
    tested = {"two_models", "inside_langgraph", "local_model", "cascade_of_panels"}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == tested


def test_the_first_example_fits_on_a_screen_and_needs_the_public_names_only() -> None:
    text = (EXAMPLES / "two_models.py").read_text("utf-8")
    assert len([line for line in text.splitlines() if line.strip()]) <= 25
    assert set(re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)) == {
        "__future__",
        "asyncio",
        "dissensus",
    }


def test_two_models_and_a_supervisor_leave_the_verdict_and_the_dissent(tmp_path: Path) -> None:
    assert run("two_models", tmp_path).splitlines() == [
        "the export, says ben: Only this one looks at the times.",
        "ana dissents: the release",
    ]


def test_a_cascade_asks_the_dear_panel_only_where_the_cheap_one_disagrees(tmp_path: Path) -> None:
    said = run("cascade_of_panels", tmp_path).splitlines()
    assert said[0] == "Where is my invoice? -> billing (asked: mini, small)"
    assert "-> engineering (asked: grand, large, mini, small)" in said[3]
    assert "  cascade: tier 2, because they disagree: mini against small" in said


def test_a_step_is_a_node_of_ones_own_langgraph_graph(tmp_path: Path) -> None:
    said = run("inside_langgraph", tmp_path)
    assert "'answer': 'payments will write to you.'" in said
    assert "('ana', 'ben')" in said


def test_models_of_a_local_server_disagree_and_a_third_one_rules(provider: Provider, tmp_path: Path) -> None:
    provider.says(
        completion(says(reasoning="It turns in 9.9 hours.", answer="Jupiter")),
        completion(says(reasoning="It is the smallest.", answer="Mercury")),
        completion(says(decision="uphold", position="A", reason="This one gives a figure.")),
    )
    said = run("local_model", tmp_path, OLLAMA_HOST=provider.url)
    assert {item.body["model"] for item in provider.received} == {"llama3.1", "qwen2.5", "mistral"}
    assert "asked ollama:mistral: 3 tokens" in said
    assert re.search(r"^(Jupiter|Mercury) \((ana|ben)\)$", said, re.MULTILINE)
    assert re.search(r"^(ana|ben) dissents: (Jupiter|Mercury)$", said, re.MULTILINE)


def test_a_model_that_is_none_is_one_line_and_not_a_traceback(tmp_path: Path) -> None:
    said = run("local_model", tmp_path, "Why?", "olama:a", "ollama:b", "ollama:c", code=1)
    assert said.startswith("model.unknown: ")
    assert "Did you mean ollama:a" in said
    assert "Traceback" not in said
