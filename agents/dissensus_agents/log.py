"""What a run logs: one event for each thing that happens, through the application's own logging.

Where the application has configured structlog, events go there; else to the standard library's
logger `dissensus.run`, as `event field=value …`. Nothing is configured here, and nothing is printed
unless the application sets its logging up: structlog's own default writes to standard output. What
models write is never logged.
"""

from __future__ import annotations

import logging
from typing import Any

import structlog

from .running import Progress

QUIET = frozenset({"asked", "answered", "delta", "proposed", "agreed"})
"""Logged as debug; everything else as info, what went wrong as a warning."""

KINDS = QUIET | {"round", "disagreed", "reviewing", "ruled", "committed"}
"""What happens again and again; the rest is always offered."""

LOUD = frozenset(
    {"failover", "abstained", "conflict", "refused", "rejected", "parked", "warning", "ambiguous", "alarm"}
)

FIELDS = (
    *("agent", "model", "cost", "version", "author"),
    *("decision", "supervisor", "code", "path", "votes", "base", "why"),
    *("account", "limit", "soft", "spent"),
    *("task", "measure", "reference", "now", "answers"),
)
"""What of an event's body is logged: names, numbers and codes, no text of a model."""

_plain = logging.getLogger("dissensus.run")
_plain.addHandler(logging.NullHandler())
_unconfigured: Any = structlog.wrap_logger(
    _plain,
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.KeyValueRenderer(key_order=["event"]),
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
)


def unheard() -> frozenset[str]:
    """The kinds of events that nothing would come of now."""
    if structlog.is_configured():
        return frozenset()
    return frozenset(kind for kind in KINDS if not _plain.isEnabledFor(_level(kind)))


def _level(kind: str) -> int:
    level = logging.DEBUG if kind in QUIET else logging.INFO
    return logging.WARNING if kind in LOUD else level


def log(session: str, progress: Progress) -> None:
    """Log an event with its session, step and round."""
    level = _level(progress.kind)
    configured = structlog.is_configured()
    if not configured and not _plain.isEnabledFor(level):
        return
    logger = structlog.get_logger("dissensus.run") if configured else _unconfigured
    told = {name: progress.body[name] for name in FIELDS if progress.body.get(name) is not None}
    logger.log(level, progress.kind, session=session, step=progress.step, round=progress.round, **told)
