"""Why a call brought no usable answer, read from the status, the provider's code and its words.

Providers say the same thing in different words, and different things with one status: a 429 may
pass in a second, tomorrow, or never. The words are those of OpenAI, Azure, Anthropic, Gemini, Groq,
Together, OpenRouter, DeepSeek, Mistral, xAI, vLLM, llama.cpp and Ollama.
"""

from __future__ import annotations

import re
from types import MappingProxyType

from dissensus_state.errors import DissensusError

from ..errors import MissingKey, ProviderFailed, UnknownModel
from ..messages import Reply
from .formats import FailureKind

PASSING: frozenset[FailureKind] = frozenset({"timeout", "rate_limit", "outage"})
"""Kinds that another attempt at the same model may not meet."""

_CODES_OF: dict[FailureKind, str] = {
    "context_overflow": "context_length_exceeded string_above_max_length exceed_context_size_error "
    "request_too_large",
    "spent": "insufficient_quota billing_hard_limit_reached billing_not_active billing_error "
    "insufficient_user_quota credits_exhausted spend_limit_reached",
    "content_policy": "content_policy_violation content_filter responsibleaipolicyviolation "
    "invalid_prompt data_inspection_failed moderation_blocked",
    "key": "invalid_api_key authentication_error api_key_invalid permission_error permission_denied "
    "unauthenticated",
    "unknown_model": "model_not_found not_found_error deploymentnotfound",
    "rate_limit": "rate_limit_exceeded rate_limit_error too_many_requests resource_exhausted slow_down",
    "outage": "server_error api_error internal_server_error internal overloaded_error unavailable "
    "server_is_overloaded",
    "timeout": "timeout_error deadline_exceeded",
}
"""Providers' own codes, in lower case."""

_CODES = {code: kind for kind, codes in _CODES_OF.items() for code in codes.split()}

_WORDS_OF: dict[FailureKind, str] = {
    "context_overflow": r"context (?:length|window|size|limit)|maximum (?:model|prompt|context) length|"
    r"prompt is too long|input is too long|input length .{0,60}exceed|request too large|"
    r"token count .{0,40}exceeds|too many tokens|input tokens exceed|"
    r"reduce the length of the (?:messages|prompt|input)|tokens.{0,40} must be <=|too large for model with",
    "spent": r"credit balance is too low|insufficient (?:balance|credit|funds)|spend(?:ing)? limit|"
    r"requires more credits|no credits|out of credits|billing hard limit|payment required",
    "content_policy": r"content filter|content[ _]policy|usage polic(?:y|ies)|content exists risk|"
    r"flagged as potentially|input was flagged|content management policy|safety (?:system|policy)",
    "key": r"api key not valid|incorrect api key|invalid api key|api[_ ]key.{0,20}expired",
}
"""Words of messages, the most telling kind first."""

_WORDS = {kind: re.compile(words, re.IGNORECASE) for kind, words in _WORDS_OF.items()}

_STATUSES: dict[int, FailureKind] = {
    401: "key",
    402: "spent",
    403: "key",
    404: "unknown_model",
    408: "timeout",
    409: "outage",
    413: "context_overflow",
    425: "outage",
    429: "rate_limit",
    504: "timeout",
    524: "timeout",
}

BY_FINISH: MappingProxyType[str, FailureKind] = MappingProxyType(
    {
        "refusal": "refusal",
        "content_filter": "content_policy",
        "content_policy": "content_policy",
        "safety": "content_policy",
        "prohibited_content": "content_policy",
        "blocklist": "content_policy",
        "spii": "content_policy",
        "recitation": "content_policy",
        "guardrail_intervened": "content_policy",
        "model_context_window_exceeded": "context_overflow",
    }
)
"""Finish reasons, in lower case, of answers that are none: they are billed all the same."""


def kind_told(status: int, code: str = "", message: str = "") -> FailureKind:
    """What an error of a provider is.

    Args:
        status: The status, the one in the body before that of the header; 200 where neither says.
        code: The provider's own code.
        message: The provider's words.
    """
    known = _CODES.get(code.lower())
    said = _said(message[:2000])
    if status == 429 or known == "rate_limit":
        if known == "spent" or (said == "spent" and known is None):
            return "spent"
        # A request over a whole minute's limit never fits, however long one waits.
        return "context_overflow" if said == "context_overflow" else "rate_limit"
    if said == "context_overflow" and known in (None, "outage"):  # llama.cpp calls it a server's error
        return said
    if known is not None:
        return known
    return said if said is not None and status < 500 else _of_status(status)


def _said(message: str) -> FailureKind | None:
    return next((kind for kind, words in _WORDS.items() if words.search(message)), None)


def _of_status(status: int) -> FailureKind:
    if status in _STATUSES:
        return _STATUSES[status]
    return "invalid" if 300 <= status < 500 else "outage"


def kind_of_error(error: DissensusError) -> FailureKind:
    """Why a call failed."""
    told: FailureKind | None = error.context.get("kind")
    if told is not None:
        return told
    if isinstance(error, MissingKey):
        return "key"
    if isinstance(error, UnknownModel):
        return "unknown_model"
    if not isinstance(error, ProviderFailed):
        return "malformed"
    status = error.context.get("status")
    if isinstance(status, int):
        return _of_status(status)
    return "broken_off" if error.context.get("billed") else "outage"


def refusal_of(reply: Reply) -> FailureKind | None:
    """Why an answer is none, where the model refused or the provider stopped it; None if it is one."""
    return BY_FINISH.get(reply.finish_reason.lower())


_WAIT = re.compile(
    r"(?:try again|retry|wait)(?: again)?(?: in| after| for)? "
    r"((?:\d+(?:\.\d+)?\s?(?:milliseconds?|ms|seconds?|secs?|minutes?|mins?|hours?|hrs?|s|m|h)\s?)+)",
    re.IGNORECASE,
)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s?(ms|milli|s|m|h)", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def asked_wait(message: str) -> float | None:
    """The seconds that a message asks to wait (Groq, OpenAI: `try again in 1m7.2s`)."""
    found = _WAIT.search(message[:2000])
    return span(found.group(1)) if found else None


def span(text: str) -> float | None:
    """Seconds of a span such as `6m0s`, `850ms` or `7.66s`."""
    parts = _SPAN.findall(text[:100])
    if not parts:
        return None
    seconds = sum(float(number) * _SECONDS[unit.lower()] for number, unit in parts)
    return seconds if seconds < 10**9 else None
