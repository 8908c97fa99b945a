"""OpenAI's SDK reads Chat Completions and Responses: `python read_openai.py URL < cases.json`."""

from __future__ import annotations

import sys
from typing import Any

from openai import OpenAI
from seen import Number, run, seen

CLIENT = OpenAI(api_key="sk-theirs", base_url=sys.argv[1] + "/v1", max_retries=1, timeout=5)
ASKED: list[Any] = [
    {"role": "system", "content": "You are ana."},
    {"role": "user", "content": "What is it?"},
]


def chat(case: str) -> dict[str, Any]:
    if case == "structured":
        return of_completion(
            CLIENT.chat.completions.parse(model=case, messages=ASKED, response_format=Number)
        )
    return of_completion(CLIENT.chat.completions.create(model=case, messages=ASKED))


def chat_streamed(case: str) -> dict[str, Any]:
    counted: Any = {"include_usage": True}
    if case == "structured":
        with CLIENT.chat.completions.stream(
            model=case, messages=ASKED, stream_options=counted, response_format=Number
        ) as stream:
            return of_completion(stream.get_final_completion())
    # Its own putting together raises where an answer is cut or filtered, so the chunks are added up here.
    chunks = list(
        CLIENT.chat.completions.create(model=case, messages=ASKED, stream=True, stream_options=counted)
    )
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    return seen(
        "".join(delta.content or delta.refusal or "" for delta in deltas),
        "".join(thinking(delta, "") for delta in deltas),
        usage_of(chunks[-1].usage),
        "refusal"
        if any(delta.refusal for delta in deltas)
        else [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1],
        chunks[0].model,
    )


def of_completion(completion: Any) -> dict[str, Any]:
    choice = completion.choices[0]
    message = choice.message
    return seen(
        message.content or message.refusal,
        thinking(message, None),
        usage_of(completion.usage),
        "refusal" if message.refusal else choice.finish_reason,
        completion.model,
        parsed=parsed(getattr(message, "parsed", None)),
    )


def usage_of(counts: Any) -> dict[str, int]:
    cached = counts.prompt_tokens_details.cached_tokens or 0
    written = counts.prompt_tokens_details.cache_write_tokens or 0
    thought = counts.completion_tokens_details.reasoning_tokens or 0
    return {
        "input": counts.prompt_tokens - cached - written,
        "output": counts.completion_tokens - thought,
        "cached": cached,
        "written": written,
        "reasoning": thought,
    }


def thinking(message: Any, nothing: Any) -> Any:
    """A field of another server than OpenAI's, which its SDK keeps aside."""
    extra = message.model_extra or {}
    return extra.get("reasoning_content") or extra.get("reasoning") or nothing


def parsed(value: Any) -> Any:
    return value.model_dump() if isinstance(value, Number) else None


def responses(case: str) -> dict[str, Any]:
    if case == "structured":
        return of_response(CLIENT.responses.parse(model=case, input=ASKED, text_format=Number))
    return of_response(CLIENT.responses.create(model=case, input=ASKED))


def responses_streamed(case: str) -> dict[str, Any]:
    more: dict[str, Any] = {"text_format": Number} if case == "structured" else {}
    with CLIENT.responses.stream(model=case, input=ASKED, **more) as stream:
        last = None
        for event in stream:
            if event.type in ("response.completed", "response.incomplete"):
                last = event.response
            elif event.type == "error":
                raise RuntimeError(event.message)
        assert last is not None, "the stream had no end"
        return of_response(last)


def of_response(response: Any) -> dict[str, Any]:
    counts = response.usage
    cached = counts.input_tokens_details.cached_tokens
    written = counts.input_tokens_details.cache_write_tokens
    thought = counts.output_tokens_details.reasoning_tokens
    usage = {
        "input": counts.input_tokens - cached - written,
        "output": counts.output_tokens - thought,
        "cached": cached,
        "written": written,
        "reasoning": thought,
    }
    summaries = [part.text for item in response.output if item.type == "reasoning" for part in item.summary]
    parts = [part for item in response.output if item.type == "message" for part in item.content]
    refusal = "".join(part.refusal for part in parts if part.type == "refusal")
    finish = {"max_output_tokens": "length"}
    reason = response.incomplete_details.reason if response.incomplete_details else "stop"
    return seen(
        response.output_text or refusal,
        "".join(summaries),
        usage,
        "refusal" if refusal else finish.get(reason, reason),
        response.model,
        parsed=parsed(getattr(response, "output_parsed", None)),
        encrypted=[item.encrypted_content for item in response.output if item.type == "reasoning"],
    )


run({"openai": (chat, chat_streamed), "responses": (responses, responses_streamed)})
