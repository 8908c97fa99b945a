"""What a research session may cost at worst, so that enough is kept for its conclusion."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from dissensus_agents.messages import Part, Request
from dissensus_agents.models.prices import Price, worst_case
from dissensus_state.errors import BudgetExceeded

from .rooms import BATCH, CONCLUDED, PLANNED, SCOUTED, TOLD
from .schema import Research, side_by_side

if TYPE_CHECKING:
    from dissensus_agents.models.client import Model
    from dissensus_state.accounts import Account

    from .crew import Staff

AROUND = 8_000
"""Bytes of what stands in a request around its passages or findings, the schema twice included."""

_PER_FINDING = 300
_PER_BATCH = 2_500
_BYTES_PER_TOKEN = 4


def at_worst(model: Model, size: int, answer: int) -> int:
    """What a call can cost, in nano-USD: a token is at least a byte; nothing where the price is unknown."""
    return 0 if model.price is None else _at_worst(model.price, size, answer)


@lru_cache(maxsize=1024)
def _at_worst(price: Price, size: int, answer: int) -> int:
    return worst_case(price, Request("", (Part("x" * (size + AROUND)),), max_output_tokens=answer))


def plan_at_worst(staff: Staff) -> int:
    """What planning can cost."""
    return at_worst(staff.planner, 0, PLANNED)


def gathering_at_worst(staff: Staff, state: Research) -> int:
    """What the next round of scouts can cost."""
    return sum(at_worst(staff.scouts[seat], size, SCOUTED) for seat, size in enumerate(next_sizes(state)))


def next_sizes(state: Research) -> list[int]:
    """The bytes of the batches that are read next, seat by seat."""
    first = state.read + 1
    sizes = dict.fromkeys(range(first, first + side_by_side(state)), 0)
    for item in state.reading:
        if item.batch in sizes:
            sizes[item.batch] += item.size
    return list(sizes.values())


def conclusion_at_worst(staff: Staff, state: Research | None = None) -> int:
    """What must be kept for the panel and its supervisor, once the next round of scouts has reported."""
    size = _PER_BATCH if state is None else _told(state) + _PER_BATCH * side_by_side(state)
    size = min(size, TOLD)
    positions = len(staff.panel) * CONCLUDED * _BYTES_PER_TOKEN
    panel = sum(at_worst(model, size, CONCLUDED) for model in staff.panel)
    return panel + at_worst(staff.supervisor, size + positions, CONCLUDED)


def _told(state: Research) -> int:
    """About how many bytes the findings that stand take in a prompt."""
    quoted = (state.findings[item.finding - 1] for item in state.standing)
    return sum(_PER_FINDING + len(item.quotation.encode()) for item in quoted)


def is_left_for_reading(left: int | None, staff: Staff, state: Research) -> bool:
    """Whether the next round of scouts leaves enough for the conclusion.

    Args:
        left: What is left of the budget, in nano-USD; None: there is no limit.
    """
    return left is None or left >= _next_at_worst(staff, state)


def _next_at_worst(staff: Staff, state: Research) -> int:
    return gathering_at_worst(staff, state) + conclusion_at_worst(staff, state)


def used_up(budget: Account, staff: Staff, state: Research) -> BudgetExceeded:
    """What is said where the reading has to end, and nothing stands that could be concluded from."""
    needed, left = _next_at_worst(staff, state), budget.left or 0
    limit = (budget.limit or 0) - left + needed
    unread = sum(item.batch > state.read for item in state.reading)
    return BudgetExceeded(
        f"Nothing was found so far, {unread} chosen passages are not read, and {_usd(left)} is too little "
        f"to go on: to read the next of them and to conclude can cost {_usd(needed)} at worst",
        next_step=f"Raise its limit with --budget {limit / 1e9 * 1.25:.2f}",
    )


def least(staff: Staff) -> int:
    """What a session needs at least, in nano-USD: a plan, one scout with a whole batch, a conclusion."""
    return plan_at_worst(staff) + at_worst(staff.scouts[0], BATCH, SCOUTED) + conclusion_at_worst(staff)


def check_budget(limit: int | None, staff: Staff) -> None:
    """Refuse a budget that no answer can come of, before anything is paid.

    Raises:
        BudgetExceeded: it says how much is needed.
    """
    needed = least(staff)
    if limit is not None and limit < needed:
        raise BudgetExceeded(
            f"{_usd(limit)} is too little: a plan, one scout and the conclusion of {len(staff.panel)} models "
            f"can cost {_usd(needed)} at worst, which has to be reserved",
            next_step=f"Give --budget {needed / 1e9 * 1.5:.2f} or more, or cheaper or fewer models",
        )


def _usd(nano: int) -> str:
    return f"${nano / 1e9:.2f}" if nano >= 10_000_000 else f"${nano / 1e9:.4f}"
