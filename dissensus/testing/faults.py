"""Everything that goes wrong at a provider, each by its name: statuses, wires, streams, forms.

`FAULTS` holds them all, with what a client should make of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from dissensus_agents.models.formats import FailureKind

from . import broken
from .answers import Answer, Raw, Received
from .broken import Breaking
from .speaking import trouble
from .troubles import TROUBLES

ABSURD_SECONDS = 10**12

_STATUSES = {trouble.status: name for name, trouble in reversed(TROUBLES.items())}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        name: How the list calls it.
        kind: What a client that streams should call it; None: an answer comes all the same.
        billed: Whether the provider may have charged for it.
        make: What is sent, for a request.
        also: What a client may call it as well, where the format or the moment leaves that open.
        connection: `refused` and `tls` never come to a request: see `FakeProvider.url(scheme="https")`.
    """

    name: str
    kind: FailureKind | None
    billed: bool
    make: Breaking
    also: tuple[FailureKind | None, ...] = ()
    connection: Literal["taken", "refused", "tls"] = "taken"

    def raw(self, asked: Received) -> Raw:
        """What is sent."""
        return self.make(asked)

    @property
    def kinds(self) -> frozenset[FailureKind | None]:
        """Everything that a client may rightly call it."""
        return frozenset({self.kind, *self.also})

    @staticmethod
    def named(name: str) -> Fault:
        """The one of that name.

        Raises:
            KeyError: There is none.
        """
        return _BY_NAME[name]

    @staticmethod
    def status(status: int, message: str = "", *, retry_after: float | str | None = None) -> Fault:
        """An error with a status, in the words of the format."""
        name = _STATUSES.get(status, "server" if status >= 500 else "invalid")
        kind = _KINDS.get(name, "invalid")

        def make(asked: Received) -> Raw:
            return trouble(name, asked, status=status, retry_after=retry_after, message=message)

        return Fault(f"status_{status}", kind, billed=False, make=make)

    @staticmethod
    def rate_limit(retry_after: float | str | None = None) -> Fault:
        """Status 429; the wait in seconds stands where the format has it, a text in the header as it is."""
        return _trouble("rate_limit", "rate_limit", retry_after=retry_after)


_KINDS: dict[str, FailureKind] = {
    "invalid": "invalid",
    "key": "key",
    "payment": "spent",
    "forbidden": "key",
    "unknown_model": "unknown_model",
    "timeout": "timeout",
    "conflict": "outage",
    "too_large": "context_overflow",
    "unprocessable": "invalid",
    "rate_limit": "rate_limit",
    "server": "outage",
    "bad_gateway": "outage",
    "unavailable": "outage",
    "gateway_timeout": "outage",
    "overloaded": "outage",
}


def _trouble(
    fault: str,
    name: str,
    kind: FailureKind | None = None,
    *,
    retry_after: float | str | None = None,
    also: tuple[FailureKind | None, ...] = (),
) -> Fault:
    def make(asked: Received) -> Raw:
        return trouble(name, asked, retry_after=retry_after)

    return Fault(fault, kind or _KINDS[name], billed=False, make=make, also=also)


def _broken(
    name: str,
    kind: FailureKind | None,
    make: Callable[[Received], Raw],
    *also: FailureKind | None,
    billed: bool = True,
) -> Fault:
    return Fault(name, kind, billed, make, also)


def _answer(name: str, kind: FailureKind | None, answer: Answer, *also: FailureKind | None) -> Fault:
    return Fault(name, kind, billed=True, make=broken.answered(answer), also=also)


def _nothing(_asked: Received) -> Raw:
    return Raw(head=b"", ending="close")


_LATER = "Wed, 21 Oct 2015 07:28:00 GMT"
_TOOL = Answer(None, tool=("delete_everything", {"path": "/"}))
_SURROGATES = Answer("half \ud83d of a pair", reasoning="and \udc00 the other")

FAULTS: tuple[Fault, ...] = (
    _trouble("bad_request", "invalid"),
    _trouble("wrong_key", "key"),
    _trouble("payment_required", "payment"),
    _trouble("forbidden", "forbidden"),
    _trouble("unknown_model", "unknown_model"),
    _trouble("request_timeout", "timeout", also=("outage",)),
    _trouble("conflict", "conflict", also=("invalid", "rate_limit")),
    _trouble("too_large", "too_large", also=("invalid",)),
    _trouble("unprocessable", "unprocessable"),
    _trouble("rate_limit", "rate_limit"),
    _trouble("rate_limit_seconds", "rate_limit", retry_after=1),
    _trouble("rate_limit_date", "rate_limit", retry_after=_LATER),
    _trouble("rate_limit_absurd", "rate_limit", retry_after=ABSURD_SECONDS),
    _trouble("rate_limit_negative", "rate_limit", retry_after="-5"),
    _trouble("rate_limit_garbage", "rate_limit", retry_after="soon"),
    _trouble("insufficient_quota", "spent", "spent"),
    _trouble("server_error", "server"),
    _broken("bad_gateway", "outage", broken.html(502), billed=False),
    _trouble("unavailable", "unavailable"),
    _trouble("gateway_timeout", "gateway_timeout", also=("timeout",)),
    _trouble("overloaded", "overloaded", also=("rate_limit",)),
    Fault("refused", "outage", billed=False, make=_nothing, connection="refused"),
    Fault("tls_garbage", "outage", billed=False, make=_nothing, connection="tls"),
    _broken("reset_before", "broken_off", lambda _: Raw(head=b"", ending="reset"), "outage"),
    _broken("closed_before", "broken_off", _nothing, "outage"),
    _broken("reset_midway", "broken_off", broken.reset_midway),
    _broken("silent", "timeout", lambda _: Raw(head=b"", ending="hang")),
    _broken("stalled_midway", "timeout", broken.stalled, "broken_off"),
    _broken("slow_loris", "timeout", broken.slow_loris, "broken_off"),
    _broken("cut_in_event", "broken_off", broken.cut_in_event),
    _broken("cut_in_character", "broken_off", broken.cut_in_character),
    _broken("no_end", "broken_off", broken.no_end, "malformed"),
    _broken("duplicated_events", "malformed", broken.duplicated, "broken_off", None),
    _broken("events_out_of_order", "malformed", broken.out_of_order, "broken_off", None),
    _broken("malformed_json", "malformed", broken.malformed_json),
    _broken("json_array", "malformed", broken.json_array),
    _broken("json_null", "malformed", broken.json_null),
    _broken("wrong_types", "malformed", broken.wrong_types, "broken_off"),
    _broken("deep_json", "malformed", broken.deep_json),
    _broken("empty_body", "malformed", broken.empty, "broken_off"),
    _broken("html_page", "malformed", broken.html(200), "broken_off"),
    _broken("error_with_200", "outage", broken.error_with_200, billed=False),
    _broken("error_midway", "outage", broken.error_midway("overloaded"), "broken_off"),
    _broken("rate_limit_midway", "rate_limit", broken.error_midway("rate_limit"), "broken_off"),
    _broken("endless", "malformed", broken.endless),
    _broken("gzip_bomb", "malformed", broken.gzip_bomb),
    _broken("bad_gzip", "malformed", broken.bad_gzip),
    _broken("redirect_loop", "invalid", broken.redirect_loop, "outage", "malformed", billed=False),
    _broken("length_too_long", "broken_off", broken.wrong_length(100), None),
    # What is cut off may be the count and the end alone.
    _broken("length_too_short", "broken_off", broken.wrong_length(-60), "malformed", None),
    _broken("wrong_content_type", None, broken.wrong_content_type, "malformed"),
    _broken("bad_utf8", None, broken.bad_utf8, "malformed"),
    _broken("unknown_events", None, broken.unknown_events),
    _broken("absurd_usage", None, broken.absurd_usage),
    _answer("unknown_tool", "malformed", _TOOL, None),
    _answer("refusal", "refusal", Answer(None, refusal="I cannot help with that"), "content_policy"),
    _broken("content_policy", "content_policy", broken.content_policy, "refusal", billed=False),
    _trouble("context_overflow", "context_overflow", "context_overflow"),
    _answer("null_content", "malformed", Answer(None), None),
    _answer("lone_surrogates", None, _SURROGATES),
)
"""All of them, each with what a client should make of it."""

_BY_NAME = {fault.name: fault for fault in FAULTS}
