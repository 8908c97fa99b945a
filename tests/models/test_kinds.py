from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.models.kinds import asked_wait, kind_told, span

SAID = [
    # OpenAI, Azure
    (
        400,
        "context_length_exceeded",
        "This model's maximum context length is 8192 tokens.",
        "context_overflow",
    ),
    (400, "", "Your input exceeds the context window of this model.", "context_overflow"),
    (
        429,
        "rate_limit_exceeded",
        "Request too large for gpt-4o: Limit 30000, Requested 40000",
        "context_overflow",
    ),
    (429, "rate_limit_exceeded", "Rate limit reached for gpt-4o: Limit 3, Used 3", "rate_limit"),
    (429, "insufficient_quota", "You exceeded your current quota, please check your plan", "spent"),
    (400, "content_policy_violation", "Your request was rejected", "content_policy"),
    (400, "content_filter", "The response was filtered", "content_policy"),
    (400, "", "triggered Azure OpenAI's content management policy", "content_policy"),
    (400, "invalid_prompt", "Invalid prompt: your prompt was flagged", "content_policy"),
    (404, "model_not_found", "The model `x` does not exist", "unknown_model"),
    (401, "invalid_api_key", "Incorrect API key provided", "key"),
    (403, "", "Country not supported", "key"),
    (500, "server_error", "The server had an error", "outage"),
    (503, "", "Slow down", "outage"),
    # Anthropic
    (400, "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum", "context_overflow"),
    (413, "request_too_large", "Request exceeds the maximum size", "context_overflow"),
    (400, "invalid_request_error", "Your credit balance is too low to access the API", "spent"),
    (400, "invalid_request_error", "Output blocked by content filtering policy", "content_policy"),
    (529, "overloaded_error", "Overloaded", "outage"),
    (429, "rate_limit_error", "This request would exceed your organization's rate limit", "rate_limit"),
    # Gemini
    (
        400,
        "INVALID_ARGUMENT",
        "The input token count (1200000) exceeds the maximum number",
        "context_overflow",
    ),
    (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "key"),
    (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, check your plan and billing", "rate_limit"),
    (503, "UNAVAILABLE", "The model is overloaded", "outage"),
    (504, "DEADLINE_EXCEEDED", "Deadline expired", "timeout"),
    # llama.cpp, vLLM, Ollama
    (400, "exceed_context_size_error", "request (4390 tokens) exceeds the context", "context_overflow"),
    (500, "server_error", "Context size has been exceeded.", "context_overflow"),
    (
        400,
        "BadRequestError",
        "This model's maximum context length is 4096 tokens. However",
        "context_overflow",
    ),
    (
        400,
        "",
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096",
        "context_overflow",
    ),
    (404, "not_found_error", 'model "llama9" not found, try pulling it first', "unknown_model"),
    # Groq, Together, OpenRouter, DeepSeek, Mistral
    (413, "rate_limit_exceeded", "Request too large for model on tokens per minute", "context_overflow"),
    (422, "", "`inputs` tokens + `max_new_tokens` must be <= 4097", "context_overflow"),
    (402, "", "Insufficient Balance", "spent"),
    (403, "", "openai/gpt-4o requires moderation. Your input was flagged", "content_policy"),
    (400, "", "Content Exists Risk", "content_policy"),
    (400, "3051", "Prompt contains 50000 tokens, too large for model with 32768", "context_overflow"),
    # nobody in particular
    (200, "", "upstream died", "outage"),
    (200, "rate_limit_exceeded", "busy", "rate_limit"),
    (302, "", "elsewhere", "invalid"),
    (405, "", "Method not allowed", "invalid"),
    (422, "", "temperature: must be below 2", "invalid"),
    (408, "", "", "timeout"),
    (500, "", "invalid api key of our own upstream", "outage"),
]


@pytest.mark.parametrize(("status", "code", "message", "kind"), SAID)
def test_what_a_provider_says_is_told_by_its_kind(status: int, code: str, message: str, kind: str) -> None:
    assert kind_told(status, code, message) == kind


@given(st.integers(100, 999), st.text(max_size=30), st.text(max_size=200))
def test_whatever_a_provider_says_has_a_kind(status: int, code: str, message: str) -> None:
    assert kind_told(status, code, message)


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached: Limit 100000. Please try again in 7.2s. Visit …", 7.2),
        ("Please try again in 20s.", 20.0),
        ("Please try again in 350ms.", 0.35),
        ("try again in 1m7.5s", 67.5),
        ("Please try again in 2h3m4.5s.", 7384.5),
        ("Please retry after 12 seconds.", 12.0),
        ("wait 3 minutes", 180.0),
        ("Please try again later", None),
        ("", None),
        ("try again in 9999999999999h", None),
        ("try again in -5s", None),
    ],
)
def test_a_wait_is_read_out_of_a_message(message: str, seconds: float | None) -> None:
    assert asked_wait(message) == (None if seconds is None else pytest.approx(seconds))


@given(st.text(max_size=80))
def test_whatever_a_message_says_its_wait_is_none_or_seconds(text: str) -> None:
    for seconds in (asked_wait(f"try again in {text}"), span(text)):
        assert seconds is None or 0 <= seconds < 10**9
