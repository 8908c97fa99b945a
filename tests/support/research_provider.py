"""A provider for research sessions, as a process of its own that writes down what it was asked.

`python -m dissensus.testing.provider --answers research_provider:decide` with `RESEARCH_LOG` (a file),
`RESEARCH_PLAN` (JSON) and `RESEARCH_DELAY` (seconds) in its environment.
"""

from __future__ import annotations

import json
import os
import random
import re
from typing import Any

from dissensus.testing import Answer, Received
from scouts_in_script import thinker

_PASSAGE = re.compile(r"^## P(\d+): ", re.MULTILINE)


def key_of(model: str, prompt: str) -> str:
    """What identifies a question within a session: who is asked, for what, over which passages."""
    passages = ",".join(_PASSAGE.findall(prompt))
    kinds = {
        "chair": "## What is disputed",
        "analyst": "## The findings",
        "scout": "## The sub-questions",
    }
    kind = next((kind for kind, mark in kinds.items() if mark in prompt), "planner")
    return key(model, kind, passages)


def key(model: str, kind: str, passages: str = "") -> str:
    """The same, put together from what a record says."""
    return f"{model.rpartition(':')[2]} {kind} {passages}".strip()


def decide(received: Received) -> Answer:
    """Answer from the request alone, after it was written down."""
    prompt = received.text
    _write(key_of(received.model, prompt))
    delay = random.uniform(0, float(os.environ.get("RESEARCH_DELAY", "0")))
    return Answer(json.dumps(_thought(received.model, prompt)), delay=delay)


def _thought(model: str, prompt: str) -> Any:
    plan = json.loads(os.environ["RESEARCH_PLAN"])
    short = "the pump broke down" if model == "b" else "it was the valve"
    return thinker(model, plan, short=short)._answers(prompt)  # type: ignore[operator]


def _write(line: str) -> None:
    if log := os.environ.get("RESEARCH_LOG"):
        file = os.open(log, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        os.write(file, f"{line}\n".encode())
        os.close(file)
