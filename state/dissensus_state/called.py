"""A model call, as it is read from the database: one of the nouns of `records`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from .showing import Shown, usd
from .values import JSON

CallStatus = Literal["held", "sent", "answered", "partial", "failed", "unknown"]
"""`held`: written down and not sent yet; `partial`: it broke off, or was stopped, and what came is kept."""


@dataclass(frozen=True, slots=True)
class Call(Shown):
    """A model call: what was sent and reserved, and, once it is known, what came of it.

    Money is in nano-USD (10^-9); `cost` is None where the price is unknown. Times are
    milliseconds. `request` holds the parts of the prompt by reference. `holds` is what was reserved
    beside the money, by unit. `echo` is what the provider wants back if it is asked again. `key` is not
    stored: the digest of the question, where an answer that is recorded under it is to be used again.
    """

    agent: str
    attempt: int
    model: str
    lineage: str
    price: JSON
    request: JSON
    reserved: int
    sent_at: int
    round: int = 0
    status: CallStatus = "sent"
    answer: str | None = None
    reasoning: str | None = None
    reasoning_kind: str = "rationale"
    raw: bytes | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    cost: int | None = 0
    latency_ms: int = 0
    ttft_ms: int | None = None
    finish_reason: str = "stop"
    detail: dict[str, Any] | None = None
    written_tokens: int | None = None
    holds: dict[str, int] | None = None
    echo: JSON = None
    key: bytes | None = field(default=None, compare=False, repr=False)

    @property
    def thinking(self) -> str | None:
        """What can be read of the reasoning behind the answer; None where nothing can.

        The chain of thought that came beside the answer; else the `reasoning` that a JSON answer
        gives; else the answer itself.
        """
        return thinking(self.answer, self.reasoning, self.reasoning_kind)

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        return {
            "agent": self.agent,
            "model": self.model,
            "status": self.status,
            "cost": usd(self.cost),
            "answer": self.answer,
            "reasoning": self.reasoning,
        }


def thinking(answer: str | None, reasoning: str | None, kind: str) -> str | None:
    """What can be read of the reasoning behind an answer; see `Call.thinking`."""
    if kind == "withheld" or reasoning is not None:
        return reasoning
    return _rationale(answer) if answer else None


def _rationale(answer: str) -> str:
    if not answer.lstrip().startswith("{"):
        return answer
    try:
        stated = json.loads(answer).get("reasoning")
    except (ValueError, RecursionError):
        return answer
    return stated if isinstance(stated, str) and stated else answer
