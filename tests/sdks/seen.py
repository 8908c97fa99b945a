"""What an SDK made of an answer, told in one vocabulary; run by the SDKs' own Python."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel


class Number(BaseModel):
    """The type that a structured answer is held to."""

    answer: int


def seen(
    text: str | None,
    reasoning: str | None,
    usage: dict[str, int],
    finish: str | None,
    model: str | None,
    **more: Any,
) -> dict[str, Any]:
    """One answer."""
    return {
        "text": text or "",
        "reasoning": reasoning or None,
        "usage": usage,
        "finish": finish,
        "model": model,
        **more,
    }


def tried(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was seen, or the error that was raised."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - whatever an SDK raises is what is asked for
        status = getattr(error, "status_code", None) or getattr(error, "code", None)
        return {"error": type(error).__name__, "status": status if isinstance(status, int) else None}


def run(asks: dict[str, tuple[Callable[[str], Any], Callable[[str], Any]]]) -> None:
    """Ask each case in each format, in one piece and as a stream, and print what was seen.

    The cases are read from standard input.
    """
    cases = json.load(sys.stdin)
    told = {
        spoken: {
            case: {"whole": tried(lambda: whole(case)), "streamed": tried(lambda: streamed(case))}  # noqa: B023
            for case in cases
        }
        for spoken, (whole, streamed) in asks.items()
    }
    json.dump(told, sys.stdout)
