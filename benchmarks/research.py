"""Research over 2,000 generated pages with planted facts: what is found, what is read, in how much memory.

python benchmarks/research.py --json

The models are scripted and answer only from the passages that they are shown. `research.found` is the
share of the planted facts whose sentence is cited in the conclusion, `research.sent` the share of the
passages that were sent to a model (by number or by characters, whichever is more), `research.mib` the
greatest resident memory of the process that read the files and ran the session, in MiB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import corpus

PAGES, FACTS = 2_000, 20
PARTS = 5
"""Sub-questions; each is about as many facts."""

QUESTION = "What do the documents say of the places that are asked about?"
_NAME = re.compile(r"\b[A-Z][a-z]{5,}\b")
_SENTENCE = re.compile(r"[A-Z][a-z]+(?:\s[\w']+)*\.")
_SECTION = re.compile(r"^## P(\d+): ", re.MULTILINE)


def research(pages: int = PAGES, facts: int = FACTS, seed: int = 1) -> dict[str, float]:
    """The figures, measured in a process of their own."""
    with tempfile.TemporaryDirectory() as folder:
        planted = corpus.write(Path(folder) / "corpus", pages, facts, seed)
        told = Path(folder) / "facts.json"
        told.write_text(json.dumps([[fact.question, fact.quote] for fact in planted]), "utf-8")
        command = [sys.executable, __file__, "--measure", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(folder: Path) -> dict[str, float]:
    """Run a session over a corpus that is there."""
    from dissensus.research import investigate
    from dissensus_agents.models.scripted import ScriptedModel
    from dissensus_state.store import Store

    facts = json.loads((folder / "facts.json").read_text("utf-8"))
    models = [
        ScriptedModel(f"scripted:{name}", lambda prompt: _answer(prompt, facts), lineage=f"{name}/1")
        for name in ("ana", "ben", "caro")
    ]
    with Store.open(str(folder / "research.db")) as store:
        done = asyncio.run(
            investigate(QUESTION, folder / "corpus", models=models, store=store, out=folder / "report")
        )
        state = done.session.state
        cited = {number for point in state.conclusion.points for number in point.findings}
        quoted = [state.findings[number - 1].quotation for number in cited]
        found = sum(any(quote in " ".join(said.split()) for said in quoted) for _, quote in facts)
        sent = [done.session.library.passage(item.document, item.n) for item in state.reading]
        by_number = len(sent) / sum(item.passages for item in state.sources)
        by_size = sum(len(one.text) for one in sent) / sum(item.characters for item in state.sources)
    return {
        "research.found": found / len(facts),
        "research.sent": round(max(by_number, by_size), 4),
        "research.mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def _answer(prompt: str, facts: list[list[str]]) -> dict[str, Any]:
    if "## What is disputed" in prompt:
        return {"reason": "They say the same.", "decision": "uphold", "position": "A"}
    if "## The findings" in prompt:
        told = re.findall(r"^F(\d+): (.+)$", prompt, re.MULTILINE)
        points = [{"statement": claim, "findings": [int(number)]} for number, claim in told]
        said = {"short": f"{len(told)} facts", "answer": "See the points.", "points": points, "unknown": []}
        return {"reasoning": "", "conclusion": said, "confidence": 0.9}
    if "## The sub-questions" in prompt:
        return {"reasoning": "", "findings": list(_found(prompt)), "leads": [], "confidence": 0.9}
    questions = [question for question, _ in facts]
    parts = [questions[n::PARTS] for n in range(PARTS)]
    return {"plan": [{"question": " ".join(part), "queries": part} for part in parts], "confidence": 0.9}


def _found(prompt: str) -> Iterator[dict[str, Any]]:
    """Every sentence of the passages that speaks of a name that the sub-questions ask about."""
    asked, *pieces = _SECTION.split(prompt)
    parts = re.findall(r"^(\d+)\. (.+)$", asked.partition("## The sub-questions")[2], re.MULTILINE)
    names = {name: int(part) for part, question in parts for name in _NAME.findall(question)}
    for number, text in zip(pieces[::2], pieces[1::2], strict=True):
        for sentence in _SENTENCE.findall(text):
            known = [names[name] for name in _NAME.findall(sentence) if name in names]
            if known:
                said = {"claim": " ".join(sentence.split()), "quotation": sentence}
                yield {"question": known[0], "passage": int(number), **said}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--pages", type=int, default=PAGES)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure)))
        return
    figures = research(given.pages)
    print(json.dumps({"figures": figures}) if given.json else figures)


if __name__ == "__main__":
    main()
