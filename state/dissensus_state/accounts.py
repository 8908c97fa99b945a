"""The accounts of a budget: each limit as it stands, what is held and what is spent of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from .budgets import TOTAL, UNITS, Budget, InFlight, Limits, check_terms
from .errors import BudgetExceeded, Tampered, ValueRefused
from .showing import Shown
from .values import JSON, parse

DAY_MS = 86_400_000
"""How long a day is."""

_SAID = {"usd": "money", "tokens": "tokens", "calls": "calls", "ms": "time"}
_WORDS = {"usd": "USD", "tokens": "tokens", "calls": "calls", "ms": "s"}


@dataclass(frozen=True, slots=True)
class Policy:
    """What a session does where a price or an outcome is unknown, and whether it has further accounts."""

    unpriced: str | dict[str, JSON] = "refuse"
    in_flight: InFlight = "charge"
    soft: str | None = None
    tree: bool = False

    @classmethod
    def of(cls, total: Account) -> Policy:
        """The policies that stand with a session's account `total`."""
        unpriced = total.unpriced if isinstance(total.unpriced, str) else dict(total.unpriced)
        return cls(unpriced, total.in_flight)

    @classmethod
    def read(cls, stored: str) -> Policy:
        """The policies that an account `total` keeps.

        Raises:
            Tampered: it keeps none.
        """
        if stored in {"refuse", "allow"}:
            return cls(stored)
        try:
            said: Any = parse(stored)
            policy = cls(said["unpriced"], said.get("in_flight", "charge"), said.get("soft"), "tree" in said)
            if policy.unpriced not in ("refuse", "allow"):
                check_terms(policy.unpriced)
        except (AttributeError, KeyError, TypeError, ValueError, ValueRefused):
            raise Tampered(f"The ledger's policy says {stored[:80]!r}, which is none") from None
        return policy


@dataclass(frozen=True, slots=True)
class Account(Shown):
    """One limit of a budget as it stands: what is held and what is spent of it.

    Amounts are nano-USD, tokens, calls or milliseconds, as `unit` says. `limit` and `soft` None: there
    is none. `spent` of an account per day is that of the `day` (counted from 1970). The policies are
    the session's, and stand with its `total`. `warned` is the day on which the soft limit was reached.
    """

    limit: int | None
    held: int
    spent: int
    unpriced: str | Mapping[str, JSON] = "refuse"
    name: str = TOTAL
    soft: int | None = None
    warned: int | None = None
    day: int | None = None
    in_flight: InFlight = "charge"

    @property
    def left(self) -> int | None:
        """What can still be reserved."""
        return None if self.limit is None else self.limit - self.held - self.spent

    @property
    def scope(self) -> tuple[str, str]:
        """Whose it is: `("session", "")`, `("agent", NAME)` or `("task", NAME)`."""
        kind, _, name = split_name(self.name)[0].partition(":")
        return ("session", "") if kind == TOTAL else (kind, name)

    @property
    def unit(self) -> str:
        """What it counts: `usd`, `tokens`, `calls` or `ms`."""
        return split_name(self.name)[1]

    @property
    def daily(self) -> bool:
        """Whether it begins anew each day."""
        return self.name.endswith("@day")

    @property
    def label(self) -> str:
        """What people call it: `agent ana: calls per day`."""
        who = " ".join(part for part in self.scope if part)
        return f"{who}: {_SAID[self.unit]}{' per day' if self.daily else ''}"

    def covers(self, agent: str, task: str) -> bool:
        """Whether a call of this agent, or of a seat of its own (`ana~summary`), in this task is its."""
        kind, name = self.scope
        if kind == "agent":
            return agent == name or agent.startswith(f"{name}~")
        return kind == "session" or name == task

    def on(self, day: int) -> Self:
        """The account on a day: what a day before has spent no longer counts.

        A clock that goes back never gives a day back that has begun.
        """
        if not self.daily or (self.day is not None and self.day >= day):
            return self
        return replace(self, spent=0, day=day)

    @property
    def crossed(self) -> bool:
        """Whether the soft limit is reached, and nobody was warned yet (of this day)."""
        if self.soft is None or self.spent < self.soft:
            return False
        return self.warned is None or (self.day is not None and self.warned < self.day)

    @property
    def warning(self) -> str:
        """What is said when the soft limit is reached."""
        of = "" if self.limit is None else f" of {_shown(self.limit, self.unit)}"
        soft = _shown(self.soft or 0, self.unit)
        return f"{self.label}: {_shown(self.spent, self.unit)}{of} spent, past the soft limit of {soft}"

    def as_dict(self) -> dict[str, Any]:
        """The account as plain data, in its own unit."""
        return {
            "account": self.name,
            "label": self.label,
            "message": self.warning,
            "unit": self.unit,
            "limit": self.limit,
            "soft": self.soft,
            "spent": self.spent,
            "held": self.held,
            "left": self.left,
        }


def split_name(name: str) -> tuple[str, str, bool]:
    """Scope, unit and whether it is per day.

    Raises:
        Tampered: it is no name of an account.
    """
    scope, _, unit = name.rpartition("/") if name != TOTAL else (TOTAL, "/", "usd")
    plain = unit.removesuffix("@day")
    if plain not in UNITS or not (scope == TOTAL or scope.startswith(("agent:", "task:"))):
        raise Tampered(f"The ledger has an account {name[:80]!r}, which says nothing")
    return scope, plain, plain != unit


def budget_of(accounts: Mapping[str, Account], policy: Policy) -> Budget:
    """The budget that a session's accounts stand for."""
    hard: dict[str, dict[str, int]] = {TOTAL: {}}
    soft: dict[str, int] = {}
    for name, account in accounts.items():
        scope, unit, daily = split_name(name)
        key = f"{unit}@day" if daily else unit
        if account.limit is not None:
            hard.setdefault(scope, {})[key] = account.limit
        if account.soft is not None and scope == TOTAL:
            soft[key] = account.soft
    own = Limits.of(hard.pop(TOTAL))
    return Budget(
        usd=own.usd,
        tokens=own.tokens,
        calls=own.calls,
        seconds=own.seconds,
        per_day=own.per_day,
        unpriced=policy.unpriced,  # type: ignore[arg-type]
        agents=dict(_named(hard, "agent:")),
        tasks=dict(_named(hard, "task:")),
        soft=policy.soft or (Limits.of(soft) if soft else None),
        in_flight=policy.in_flight,
    )


def _named(limits: Mapping[str, Mapping[str, int]], kind: str) -> Iterator[tuple[str, Limits]]:
    for scope, amounts in limits.items():
        if scope.startswith(kind):
            yield scope.removeprefix(kind), Limits.of(amounts)


def exceeded(account: Account, amount: int, agents: Sequence[str]) -> BudgetExceeded:
    """Why calls are not made: which account they do not fit into, what is left of it, what can be done."""
    who = "" if account.name == TOTAL else f"{account.label}: t"
    said = (
        f"{who or 'T'}he worst case of {len(agents)} call(s) is {_shown(amount, account.unit)}, and "
        f"{_shown(account.left or 0, account.unit)} is left of {_shown(account.limit or 0, account.unit)} "
        f"({_bare(account.spent, account.unit)} spent, {_bare(account.held, account.unit)} held)"
    )
    context: dict[str, Any] = {"agents": list(agents), "account": account.name, "left": account.left}
    if account.unit == "usd":
        context["left_usd"] = round((account.left or 0) * 1e-9, 9)
    return BudgetExceeded(said, next_step=_way_out(account), **context)


def _bare(amount: int, unit: str) -> str:
    if unit == "usd":
        return f"{amount * 1e-9:.6f}"
    return f"{amount / 1000:g}" if unit == "ms" else str(amount)


def _shown(amount: int, unit: str) -> str:
    word = _WORDS[unit]
    return f"{_bare(amount, unit)} {word[:-1] if amount == 1 and len(word) > 3 else word}"


def _way_out(account: Account) -> str:
    kind, name = account.scope
    option = {"usd": "USD", "tokens": "--tokens N", "calls": "--calls N", "ms": "--seconds S"}[account.unit]
    whose = f" --{kind} {name}" if name else ""
    daily = " --per-day" if account.daily else ""
    lower = {"usd": ", or lower max_output_tokens", "tokens": ", or lower max_output_tokens"}
    wait = "Wait until the day ends (UTC), or raise" if account.daily else "Raise"
    more = lower.get(account.unit, "")
    return f"{wait} the limit with `dissensus budget {option}{whose}{daily}`{more}, and resume"
