"""Why a call brought nothing that can be used, told from its error or from its reply."""

from __future__ import annotations

from types import MappingProxyType

from dissensus_state.errors import DissensusError

from ..errors import MissingKey, ProviderFailed, UnknownModel
from ..messages import Reply
from .formats import FailureKind

BY_STATUS: MappingProxyType[int, FailureKind] = MappingProxyType(
    {
        401: "key",
        402: "spent",
        403: "key",
        404: "unknown_model",
        408: "timeout",
        413: "context_overflow",
        429: "rate_limit",
        504: "timeout",
    }
)
"""What a status means where the provider does not say more."""

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


def kind_of(error: DissensusError) -> FailureKind:
    """Why a call failed."""
    told = error.context.get("kind")
    if told is not None:
        kind: FailureKind = told
        return kind
    if isinstance(error, MissingKey):
        return "key"
    if isinstance(error, UnknownModel):
        return "unknown_model"
    if not isinstance(error, ProviderFailed):
        return "malformed"
    status = error.context.get("status")
    if isinstance(status, int) and status in BY_STATUS:
        return BY_STATUS[status]
    if isinstance(status, int) and 400 <= status < 500:
        return "invalid"
    return "broken_off" if error.context.get("billed") else "outage"


def refusal_of(reply: Reply) -> FailureKind | None:
    """Why an answer is none, where the model refused or the provider stopped it; None if it is one."""
    return BY_FINISH.get(reply.finish_reason.lower())
