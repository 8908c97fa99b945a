"""What a session's records tell of its providers, so that a resumed run does not run into the same wall."""

from __future__ import annotations

import time
from collections.abc import Iterable

from dissensus_state.journal import Journal

from .models.client import Model
from .models.formats import FailureKind
from .models.health import HEALTH, LONGEST_ASKED, Health, key_of
from .patterns.failover import KINDS, heeds


def remember(journal: Journal, models: Iterable[Model], health: Health = HEALTH) -> None:
    """Put what the newest calls of a session came to into the memory of a process that knows nothing yet.

    What the process has seen for itself is not told again.
    """
    unmet = {model.name: key_of(model) for model in models if heeds(model) and not health.met(key_of(model))}
    if not unmet:
        return
    now = time.time()
    for trace in journal.setbacks(LONGEST_ASKED):
        key, kind = unmet.get(trace.model), trace.detail.get("kind")
        if key is None:
            continue
        if trace.answered:
            health.succeeded(key)
        elif kind in KINDS:
            told: FailureKind = kind
            health.failed(key, told, _seconds(trace.detail.get("retry_after")), ago=now - trace.at / 1000)


def _seconds(told: object) -> float | None:
    return float(told) if isinstance(told, int | float) else None
