"""What every call of a session came to, without its texts: for whoever counts over thousands of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from .blobs import is_gone, unpack_text
from .engines import Statement, Work
from .tables import calls, models

_of_model = sa.and_(models.c.session_id == calls.c.session_id, models.c.model == calls.c.model)
_figures = Statement(
    sa.select(
        calls.c.round,
        calls.c.agent,
        calls.c.attempt,
        models.c.name,
        models.c.lineage,
        calls.c.status,
        calls.c.input_tokens,
        calls.c.output_tokens,
        calls.c.cached_tokens,
        calls.c.reasoning_tokens,
        calls.c.cost,
        calls.c.latency_ms,
        calls.c.ttft_ms,
    )
    .join(models, _of_model)
    .where(calls.c.session_id == sa.bindparam("session_id"))
)


_answers = Statement(
    sa.select(*calls.c["round", "agent", "answer"]).where(
        calls.c.session_id == sa.bindparam("session_id"), calls.c.status == "answered"
    )
)


@dataclass(frozen=True, slots=True)
class Figures:
    """One call in numbers: tokens, nano-USD (None: unknown), milliseconds (`ttft_ms` None: not seen)."""

    round: int
    agent: str
    attempt: int
    model: str
    lineage: str
    status: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost: int | None
    latency_ms: int
    ttft_ms: int | None

    @property
    def tokens(self) -> int:
        """All tokens of the call, sent and answered."""
        return self.input_tokens + self.output_tokens + self.cached_tokens + self.reasoning_tokens


def figures(work: Work, session_id: int) -> list[Figures]:
    """All calls of a session in numbers, by round, agent and attempt."""
    found = [Figures(*row) for row in work.all(_figures, session_id=session_id)]
    return sorted(found, key=lambda one: (one.round, one.agent, one.attempt))


def answers(work: Work, session_id: int) -> Iterator[tuple[int, str, str]]:
    """The texts that were answered in a session, with round and agent; what was taken away is left out."""
    for number, agent, answer in work.all(_answers, session_id=session_id):
        if answer is not None and not is_gone(answer):
            yield number, agent, unpack_text(answer)
