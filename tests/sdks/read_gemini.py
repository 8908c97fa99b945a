"""Google's SDK reads generateContent: `python read_gemini.py URL < cases.json`."""

from __future__ import annotations

import sys
from typing import Any

from google import genai
from google.genai import types
from seen import Number, run, seen

CLIENT = genai.Client(
    api_key="sk-theirs",
    http_options=types.HttpOptions(
        base_url=sys.argv[1],
        timeout=5000,
        retry_options=types.HttpRetryOptions(attempts=2, initial_delay=0.01, max_delay=0.02),
    ),
)
ENDS = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter"}


def config(case: str) -> types.GenerateContentConfig:
    config = types.GenerateContentConfig(system_instruction="You are ana.", max_output_tokens=1000)
    if case == "structured":
        config.response_mime_type = "application/json"
        config.response_json_schema = Number.model_json_schema()
    return config


def whole(case: str) -> dict[str, Any]:
    response = CLIENT.models.generate_content(model=case, contents="What is it?", config=config(case))
    return of_chunks([response])


def streamed(case: str) -> dict[str, Any]:
    chunks = CLIENT.models.generate_content_stream(model=case, contents="What is it?", config=config(case))
    return of_chunks(list(chunks))


def of_chunks(chunks: list[Any]) -> dict[str, Any]:
    last = chunks[-1]
    counts = last.usage_metadata
    cached = counts.cached_content_token_count or 0
    usage = {
        "input": counts.prompt_token_count - cached,
        "output": counts.candidates_token_count or 0,
        "cached": cached,
        "written": 0,
        "reasoning": counts.thoughts_token_count or 0,
    }
    candidates = [candidate for chunk in chunks for candidate in (chunk.candidates or [])[:1]]
    parts = [
        part
        for candidate in candidates
        for part in (candidate.content.parts if candidate.content else None) or []
    ]
    finish = candidates[-1].finish_reason.name if candidates else None
    return seen(
        "".join(part.text or "" for part in parts if not part.thought),
        "".join(part.text or "" for part in parts if part.thought),
        usage,
        ENDS.get(finish, finish) if finish else f"blocked: {last.prompt_feedback.block_reason.name}",
        last.model_version,
        parsed=last.parsed if len(chunks) == 1 and isinstance(last.parsed, dict) else None,
        signatures=[part.thought_signature.decode() for part in parts if part.thought_signature],
    )


run({"gemini": (whole, streamed)})
