"""The errors that providers send in their own words: a status, a type, a code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .answers import Spoken


@dataclass(frozen=True, slots=True)
class Trouble:
    """One error, as each provider calls it.

    `code` is OpenAI's, `kind` its type; `anthropic` and `google` are the others' words. `statuses`
    and `messages` are for a provider that says it otherwise than OpenAI.
    """

    status: int
    message: str
    kind: str
    code: str | None
    anthropic: str
    google: str
    statuses: tuple[tuple[Spoken, int], ...] = ()
    messages: tuple[tuple[Spoken, str], ...] = ()


_INVALID = ("invalid_request_error", None, "invalid_request_error", "INVALID_ARGUMENT")
_SERVER = ("server_error", None, "api_error", "INTERNAL")

TROUBLES = {
    "invalid": Trouble(400, "A parameter is not valid", *_INVALID),
    "key": Trouble(
        401,
        "Incorrect API key provided",
        "invalid_request_error",
        "invalid_api_key",
        "authentication_error",
        "UNAUTHENTICATED",
    ),
    "payment": Trouble(
        402, "Payment required", "billing_error", "payment_required", "billing_error", "FAILED_PRECONDITION"
    ),
    "forbidden": Trouble(
        403,
        "Your key may not use this",
        "invalid_request_error",
        "forbidden",
        "permission_error",
        "PERMISSION_DENIED",
    ),
    "unknown_model": Trouble(
        404,
        "The model does not exist",
        "invalid_request_error",
        "model_not_found",
        "not_found_error",
        "NOT_FOUND",
    ),
    "timeout": Trouble(408, "Request timed out", "timeout", None, "timeout_error", "DEADLINE_EXCEEDED"),
    "conflict": Trouble(409, "Locked, try again", "conflict", None, "conflict_error", "ABORTED"),
    "too_large": Trouble(
        413,
        "Request exceeds the maximum size",
        "invalid_request_error",
        "request_too_large",
        "request_too_large",
        "INVALID_ARGUMENT",
    ),
    "unprocessable": Trouble(422, "Input should be a valid list", *_INVALID),
    "rate_limit": Trouble(
        429,
        "Rate limit reached",
        "requests",
        "rate_limit_exceeded",
        "rate_limit_error",
        "RESOURCE_EXHAUSTED",
    ),
    "spent": Trouble(
        429,
        "You exceeded your current quota, please check your plan and billing details",
        "insufficient_quota",
        "insufficient_quota",
        "billing_error",
        "FAILED_PRECONDITION",
        statuses=(("anthropic", 402), ("gemini", 402)),
    ),
    "server": Trouble(500, "The server had an error", *_SERVER),
    "bad_gateway": Trouble(502, "Bad gateway", *_SERVER),
    "unavailable": Trouble(503, "The engine is overloaded", *_SERVER[:3], "UNAVAILABLE"),
    "gateway_timeout": Trouble(504, "Gateway timeout", *_SERVER[:2], "timeout_error", "DEADLINE_EXCEEDED"),
    "overloaded": Trouble(
        529, "Overloaded", "server_error", "overloaded_error", "overloaded_error", "UNAVAILABLE"
    ),
    "context_overflow": Trouble(
        400,
        "This model's maximum context length is 128000 tokens. However, you requested 130000 tokens.",
        "invalid_request_error",
        "context_length_exceeded",
        "invalid_request_error",
        "INVALID_ARGUMENT",
        messages=(
            ("anthropic", "prompt is too long: 210000 tokens > 200000 maximum"),
            (
                "gemini",
                "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            ),
        ),
    ),
    "content_policy": Trouble(
        400,
        "Your request was rejected as a result of our safety system",
        "invalid_request_error",
        "content_policy_violation",
        "invalid_request_error",
        "INVALID_ARGUMENT",
        messages=(("anthropic", "Output blocked by content filtering policy"),),
    ),
}
"""Every error by its name."""


def status_of(name: str, spoken: Spoken) -> int:
    """The status that a provider sends with it."""
    trouble = TROUBLES[name]
    return dict(trouble.statuses).get(spoken, trouble.status)


def error_body(
    name: str, spoken: Spoken, *, message: str = "", retry_after: float | None = None
) -> dict[str, Any]:
    """The body of an error, in a format; Google says the time to wait inside of it."""
    trouble = TROUBLES[name]
    said = message or dict(trouble.messages).get(spoken, trouble.message)
    if spoken == "anthropic":
        return {
            "type": "error",
            "error": {"type": trouble.anthropic, "message": said},
            "request_id": "req_0",
        }
    if spoken == "gemini":
        error: dict[str, Any] = {
            "code": status_of(name, spoken),
            "message": said,
            "status": trouble.google,
        }
        if retry_after is not None:
            wait = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{retry_after:g}s"}
            error["details"] = [wait]
        return {"error": error}
    return {"error": {"message": said, "type": trouble.kind, "param": None, "code": trouble.code}}
