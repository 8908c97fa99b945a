"""Budgets: what a session, an agent or a task may spend, per day and in total. Pure.

A limit is kept as an account of the ledger, whose name says whose it is, of what, and whether it is per
day: `total` (the session's money), `total/tokens`, `agent:ana/calls@day`, `task:conclude/usd`. A task
is a step. Money is counted in nano-USD (10^-9), time in milliseconds; a day is a day of UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import ceil
from typing import Any, Literal, Protocol, TypeAlias

from .errors import ValueRefused
from .values import JSON, canonical

Usd: TypeAlias = float | Decimal | str
"""An amount of US dollars as users write it."""

InFlight = Literal["charge", "return"]
"""What becomes of the reservation of a call that was in flight when its worker went away."""

UNITS = ("usd", "tokens", "calls", "ms")
"""What is counted: money in nano-USD, tokens of all kinds, calls that were sent, milliseconds of models."""

TOTAL = "total"
"""The account of the session's money."""

_NANO = 1_000_000_000
_MOST = 2**63
_AMOUNT = "Give a finite number, zero or more, such as 2 or '0.50'"

_PRICE = "Say 'refuse', 'allow', or Price(input, output)"
_SHARE = "Give 0.8 for four fifths of every limit, or Limits of the session"
_LIMITS = "Write it as in Budget(usd=2, agents={'scout': Limits(calls=20)}, per_day=Limits(usd=1))"


class Priced(Protocol):
    """What a model costs, in USD per million tokens; `Price` is one."""

    @property
    def input(self) -> Decimal:
        """Tokens sent."""
        ...

    @property
    def output(self) -> Decimal:
        """Tokens answered, thinking included."""
        ...

    @property
    def cached(self) -> Decimal | None:
        """Tokens that the provider read from its cache."""
        ...

    @property
    def written(self) -> Decimal | None:
        """Tokens that the provider wrote into its cache."""
        ...

    @property
    def source(self) -> str:
        """Who says so."""
        ...

    @property
    def since(self) -> str:
        """From which day on."""
        ...

    @property
    def tiers(self) -> Iterable[Any]:
        """What it costs where more is sent than `above` tokens."""
        ...


Terms: TypeAlias = Mapping[str, JSON]
"""Unit prices as they are stored with a call."""

Unpriced: TypeAlias = Literal["refuse", "allow"] | Priced | Terms
"""What to do with a call whose price is unknown; a price is what is assumed of it."""


def terms_of(price: Priced) -> dict[str, JSON]:
    """Unit prices as they are stored with a call: what is not said is left out."""
    tiers: list[JSON] = [{"above": tier.above, **_unit(tier)} for tier in price.tiers]
    terms = {**_unit(price), "source": price.source, "since": price.since, "tiers": tiers}
    return {name: value for name, value in terms.items() if value}


def _unit(price: Any) -> dict[str, JSON]:
    named = {name: getattr(price, name) for name in ("input", "output", "cached", "written")}
    return {name: str(usd) for name, usd in named.items() if usd is not None}


@dataclass(frozen=True, slots=True)
class Limits:
    """What somebody may spend; None sets no limit.

    Args:
        usd: US dollars.
        tokens: Tokens sent, read from and written to a provider's cache, thought and answered, together.
        calls: Calls that are sent, whatever comes of them. Answers that are used again are none.
        seconds: Time of models: the sum of how long each call takes. A call holds its timeout.
        per_day: The same for each day of UTC.
    """

    usd: Usd | None = None
    tokens: int | None = None
    calls: int | None = None
    seconds: Usd | None = None
    per_day: Limits | None = None

    def __post_init__(self) -> None:
        _check_usd(self.usd)
        for name in ("tokens", "calls"):
            _check_whole(name, getattr(self, name))
        if not 0 <= (_scaled(self.seconds, 1000) or 0) < _MOST:
            raise ValueRefused(f"{self.seconds!r} is no number of seconds", next_step=_AMOUNT)
        if not isinstance(self.per_day, Limits | None):
            raise ValueRefused(f"`per_day` holds Limits, not {self.per_day!r}", next_step=_LIMITS)
        if self.per_day is not None and self.per_day.per_day is not None:
            raise ValueRefused(
                "`per_day` holds limits for a day, and no `per_day` of its own", next_step=_LIMITS
            )

    def amounts(self) -> dict[str, int]:
        """The limits as whole numbers, by unit: nano-USD, tokens, calls, milliseconds; `@day` per day."""
        given = {
            "usd": _scaled(self.usd, _NANO),
            "tokens": self.tokens,
            "calls": self.calls,
            "ms": _scaled(self.seconds, 1000),
        }
        total = {unit: amount for unit, amount in given.items() if amount is not None}
        daily = self.per_day.amounts() if self.per_day is not None else {}
        return {**total, **{f"{unit}@day": amount for unit, amount in daily.items()}}

    @classmethod
    def of(cls, amounts: Mapping[str, int]) -> Limits:
        """The limits that amounts by unit stand for."""
        daily = {unit.removesuffix("@day"): n for unit, n in amounts.items() if unit.endswith("@day")}
        usd, ms = amounts.get("usd"), amounts.get("ms")
        return Limits(
            usd=None if usd is None else Decimal(usd) / _NANO,
            tokens=amounts.get("tokens"),
            calls=amounts.get("calls"),
            seconds=None if ms is None else Decimal(ms) / 1000,
            per_day=Limits.of(daily) if daily else None,
        )


@dataclass(frozen=True, slots=True)
class Budget(Limits):
    """What a session may spend, and its agents and tasks.

    The worst case of a call is held in every account that it falls under before it is sent: in all of
    them, or the call is not made. A hard limit stops the call, never the session.

    Args:
        unpriced: What to do with a call whose price is unknown: `"refuse"` it, `"allow"` it and record
            its cost as unknown, or assume this `Price` of it, which the record says.
        agents: The limits of single agents, by name; a supervising model is the agent `supervisor`.
        tasks: The limits of single steps, by name.
        soft: Where to warn, once: a share of every hard limit, such as 0.8, or limits of the session.
        in_flight: What becomes of a call that was in flight when its worker went away: it is charged in
            full (`"charge"`), since it may have been billed, or what it held is given back (`"return"`).
    """

    unpriced: Unpriced = "refuse"
    agents: Mapping[str, Limits] = field(default_factory=dict)
    tasks: Mapping[str, Limits] = field(default_factory=dict)
    soft: Usd | Limits | None = None
    in_flight: InFlight = "charge"

    def __post_init__(self) -> None:
        Limits.__post_init__(self)
        if isinstance(self.unpriced, str):
            if self.unpriced not in {"refuse", "allow"}:
                raise ValueRefused(
                    f"`unpriced` is 'refuse' or 'allow' or a Price, not {self.unpriced!r}", next_step=_PRICE
                )
        else:
            check_terms(self.terms)
        if self.in_flight not in {"charge", "return"}:
            raise ValueRefused(
                f"`in_flight` is 'charge' or 'return', not {self.in_flight!r}",
                next_step="Say 'charge' for calls that may have been billed, or 'return'",
            )
        if self.share is not None and not 0 < self.share <= 1:
            raise ValueRefused(_no_share(self.soft), next_step=_SHARE)
        for what, given in (("agents", self.agents), ("tasks", self.tasks)):
            _check_named(what, given)

    @property
    def nano(self) -> int | None:
        """The limit in nano-USD."""
        return _scaled(self.usd, _NANO)

    @property
    def terms(self) -> dict[str, JSON] | None:
        """The price that is assumed where none is known."""
        if isinstance(self.unpriced, str):
            return None
        return dict(self.unpriced) if isinstance(self.unpriced, Mapping) else terms_of(self.unpriced)

    @property
    def share(self) -> Decimal | None:
        """The share of the hard limits at which to warn."""
        if self.soft is None or isinstance(self.soft, Limits):
            return None
        try:
            return Decimal(str(self.soft)).normalize()
        except ArithmeticError:
            raise ValueRefused(_no_share(self.soft), next_step=_SHARE) from None

    def accounts(self) -> dict[str, tuple[int | None, int | None]]:
        """The hard and the soft limit of every account; `total` is always there."""
        hard = {name_of(TOTAL, unit): amount for unit, amount in self.amounts().items()}
        for kind, given in (("agent", self.agents), ("task", self.tasks)):
            for name, limits in given.items():
                hard |= {name_of(f"{kind}:{name}", unit): n for unit, n in limits.amounts().items()}
        soft: dict[str, int] = {}
        if isinstance(self.soft, Limits):
            soft = {name_of(TOTAL, unit): amount for unit, amount in self.soft.amounts().items()}
        elif self.share is not None:
            soft = {name: ceil(amount * self.share) for name, amount in hard.items()}
        names = dict.fromkeys([TOTAL, *hard, *soft])
        return {name: (hard.get(name), soft.get(name)) for name in names}

    def policy(self) -> str:
        """The policies as the account `total` keeps them: a word where all but one are the usual."""
        plain = {} if isinstance(self.soft, Limits) or self.share is None else {"soft": str(self.share)}
        if self.in_flight != "charge":
            plain["in_flight"] = self.in_flight
        tree = len(self.accounts()) > 1
        if isinstance(self.unpriced, str) and not plain and not tree:
            return self.unpriced
        unpriced: JSON = self.unpriced if isinstance(self.unpriced, str) else self.terms
        return canonical({**plain, "unpriced": unpriced, **({"tree": True} if tree else {})})


def name_of(scope: str, unit: str) -> str:
    """What an account is called; the session's money in total is just `total`."""
    return TOTAL if (scope, unit) == (TOTAL, "usd") else f"{scope}/{unit}"


def _scaled(amount: Usd | None, scale: int) -> int | None:
    try:
        return None if amount is None else int(Decimal(str(amount)) * scale)
    except (ArithmeticError, ValueError):
        what = "amount of US dollars" if scale == _NANO else "number of seconds"
        raise ValueRefused(f"{amount!r} is no {what}", next_step=_AMOUNT) from None


def _no_share(soft: object) -> str:
    return f"`soft` is a share above 0 and up to 1, or Limits, not {soft!r}"


def _check_usd(amount: Usd | None) -> None:
    if not 0 <= (_scaled(amount, _NANO) or 0) < _MOST:
        raise ValueRefused(f"{amount!r} is no amount of US dollars", next_step=_AMOUNT)


def _check_named(what: str, given: Any) -> None:
    if not isinstance(given, Mapping) or not all(isinstance(limits, Limits) for limits in given.values()):
        raise ValueRefused(f"`{what}` holds Limits by name, not {given!r}", next_step=_LIMITS)
    if not all(isinstance(name, str) and name for name in given):
        raise ValueRefused("An agent and a task have names", next_step=_LIMITS)


def _check_whole(name: str, amount: int | None) -> None:
    if amount is not None and not (type(amount) is int and 0 <= amount < _MOST):
        raise ValueRefused(
            f"{amount!r} is no number of {name}", next_step="Give a whole number, zero or more"
        )


def check_terms(terms: Any) -> None:
    """See that unit prices are some."""
    try:
        usd = [Decimal(str(terms[name])) for name in ("input", "output")]
        usd += [Decimal(str(terms[name])) for name in ("cached", "written") if terms.get(name) is not None]
        if all(amount.is_finite() and amount >= 0 for amount in usd):
            return
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        pass
    raise ValueRefused("`unpriced` is 'refuse' or 'allow' or a Price", next_step=_PRICE)
