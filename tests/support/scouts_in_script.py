"""Models in a script for research sessions: each answers only from what stands in its prompt.

A planted fact is a line `FACT <code>: <words>.`; a lead is a line `SEE ALSO: <words>.`
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from dissensus_agents.models.prices import FREE, Price
from dissensus_agents.models.scripted import ScriptedModel

PRICE = Price(Decimal("0.10"), Decimal("0.40"), source="a test")
SECTION = re.compile(r"^## P(\d+): ", re.MULTILINE)
FACT = re.compile(r"^FACT (\w+) (\d+): (.+)$", re.MULTILINE)
LEAD = re.compile(r"^SEE ALSO (\d+): (.+)$", re.MULTILINE)
FOUND = re.compile(r"^F(\d+): (.+)$", re.MULTILINE)

Plan = list[dict[str, Any]]

QUESTION = "What happened in the harbour?"

PLAN: Plan = [
    {"question": "Which valve stood open?", "queries": ["valve open noon"]},
    {"question": "How high was the pressure?", "queries": ["manometer"]},
]

FILLER = "The weather was fine and nothing was to be noted in the harbour on that day. " * 16


def harbour(folder: Path, files: int = 30) -> Path:
    """A folder of notes with two facts; the second is found only by following a lead of the first."""
    folder.mkdir(parents=True)
    facts = {
        7: "FACT A 1: The valve of the third boiler stood open at noon.\nSEE ALSO 2: gauge protocol",
        21: "FACT B 2: The gauge protocol says 12 bar.",
    }
    for n in range(files):
        text = f"{FILLER}\n\n{facts.get(n, 'Nothing else.')}\n\n{FILLER}\n"
        (folder / f"notes-{n:02}.txt").write_text(text, "utf-8")
    return folder


def panel(**options: Any) -> list[ScriptedModel]:
    """Three models of three lineages, of which the second is wrong."""
    wrong = {**options, "short": "the pump broke down"}
    return [
        thinker("script:ana", PLAN, lineage="quill/1", **options),
        thinker("script:ben", PLAN, lineage="heron/1", **wrong),
        thinker("script:caro", PLAN, lineage="lark/1", **options),
    ]


def thinker(
    name: str,
    plan: Plan,
    *,
    lineage: str = "",
    price: Price | None = FREE,
    short: str | Callable[[str], str] = "it was the valve",
    misquotes: bool = False,
    delay: float = 0.0,
) -> ScriptedModel:
    """A model that plans, scouts, concludes and rules, whatever it is asked for."""

    def answer(prompt: str) -> dict[str, Any]:
        if "## What is disputed" in prompt:
            return ruling(prompt)
        if "## The findings" in prompt:
            return conclusion(prompt, short(prompt) if callable(short) else short)
        if "## The sub-questions" in prompt:
            return found(prompt, misquotes=misquotes)
        return {"plan": plan}

    return ScriptedModel(name, answer, lineage=lineage or name, price=price, delay=delay)


def found(prompt: str, *, misquotes: bool = False) -> dict[str, Any]:
    """What stands in the passages that are shown: every planted fact, with the line as its quotation."""
    pieces = SECTION.split(prompt)
    findings, leads = [], []
    for number, text in zip(pieces[1::2], pieces[2::2], strict=True):
        for fact in FACT.finditer(text):
            line = fact[0].replace("a", "o") if misquotes and "valve" in fact[0] else fact[0]
            said = {"claim": fact[3], "quotation": line, "passage": int(number)}
            findings.append({"question": int(fact[2]), **said})
        leads += [{"question": int(lead[1]), "query": lead[2]} for lead in LEAD.finditer(text)]
    return {"reasoning": "I read line by line.", "findings": findings, "leads": leads, "confidence": 0.9}


def conclusion(prompt: str, short: str) -> dict[str, Any]:
    """A conclusion with a point for every finding."""
    told = FOUND.findall(prompt)
    points = [{"statement": claim, "findings": [int(number)]} for number, claim in told]
    said = {"short": short, "answer": f"It rests on {len(told)} findings.", "points": points, "unknown": []}
    return {"reasoning": "I add them up.", "conclusion": said, "confidence": 0.85}


def ruling(prompt: str) -> dict[str, Any]:
    """The chair upholds the position that says valve, or the first there is."""
    labels = re.split(r"^## Position (\w+)$", prompt, flags=re.MULTILINE)
    positions = dict(zip(labels[1::2], labels[2::2], strict=True))
    chosen = next(
        (label for label, text in positions.items() if '"it was the valve"' in text), next(iter(positions))
    )
    others = [label for label in positions if label != chosen]
    return {
        "wrong_steps": [{"position": label, "step": "It overlooks the log."} for label in others],
        "cause": "reasoning_error",
        "reason": f"Position {chosen} rests on what stands.",
        "decision": "uphold",
        "position": chosen,
    }
