"""Models that sit an exam: what each says to which question follows from the question alone."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dissensus_agents.messages import Request
from dissensus_agents.models.prices import Price
from dissensus_agents.models.scripted import FunctionModel

LETTERS = "ABCD"
SKILL = {"flash": 0.6, "llama": 0.6, "pro": 0.8}
LINEAGES = {"flash": "google/gemini-1.5", "llama": "meta/llama-3", "pro": "openai/gpt-4"}
PRICES = {"flash": Price("0.1", "0.4"), "llama": Price("0.2", "0.2"), "pro": Price("1", "4")}  # type: ignore[arg-type]


def right_of(number: int) -> str:
    """The right letter of a question."""
    return LETTERS[number * 7 % 4]


def said_of(model: str, number: int) -> str:
    """The letter that a model names."""
    drawn = int(hashlib.sha256(f"{model} {number}".encode()).hexdigest(), 16) % 1000 / 1000
    if drawn < SKILL[model]:
        return right_of(number)
    return LETTERS[(number * 7 + 1 + int(drawn * 1000) % 3) % 4]


def number_of(prompt: str) -> int:
    """Which question is asked."""
    return int(prompt.partition("Question ")[2].partition(":")[0])


def examinee(name: str, log: Path | None = None, seconds: float = 0.0) -> FunctionModel:
    """A model that answers as `said_of` says.

    Args:
        name: One of `SKILL`.
        log: A file to which each ask adds a line, `PID MODEL NUMBER`, before it is answered.
        seconds: How long it takes.
    """

    def answer(request: Request) -> str:
        number = number_of(request.prompt)
        if log is not None:
            with log.open("a") as file:
                file.write(f"{os.getpid()} {name} {number}\n")
        time.sleep(seconds)
        return json.dumps({"reasoning": "so it is", "answer": said_of(name, number), "confidence": 0.9})

    return FunctionModel(name, answer, lineage=LINEAGES[name], price=PRICES[name], thread=seconds > 0)


def item(number: int, **more: Any) -> dict[str, Any]:
    """One line of a task file."""
    question = f"Question {number}: which one?"
    task = "odd" if number % 2 else "even"
    return {
        "id": f"q{number}",
        "task": task,
        "question": question,
        "options": ["one", "two", "three", "four"],
        "expected": right_of(number),
        **more,
    }


def lines(count: int) -> str:
    """A task file."""
    return "".join(json.dumps(item(number)) + "\n" for number in range(count))


def items() -> Iterator[dict[str, Any]]:
    """The same as a function gives it."""
    yield from (item(number) for number in range(12))


flash, llama, pro = (examinee(name) for name in SKILL)
