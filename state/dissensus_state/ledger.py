"""The accounts of a session: what calls hold before they are sent, and what they came to.

Whatever holds or settles first takes the row of the account `total`, so that all workers of a session
take turns there and never wait for each other in a circle. A session that limits nothing but its money
has no other row, and pays for one statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from .accounts import DAY_MS, Account, Policy, budget_of, exceeded
from .budgets import TOTAL, Budget
from .charges import counted, held_by, spent_by
from .engines import Row, Statement, Work, insert
from .errors import Tampered
from .records import Call
from .tables import ledger, rounds
from .values import JSON

_this = (ledger.c.session_id == sa.bindparam("session_id_"), ledger.c.account == sa.bindparam("account_"))
_total = (ledger.c.session_id == sa.bindparam("session_id_"), ledger.c.account == TOTAL)
_amount: sa.BindParameter[int] = sa.bindparam("amount")
_borne = ledger.c.spent + ledger.c.held
_columns = tuple(
    ledger.c[name] for name in ["account", "hard_limit", "held", "spent", "soft_limit", "warned", "day"]
)

_hold = Statement(
    sa.update(ledger)
    .where(*_total, sa.or_(ledger.c.hard_limit.is_(None), _borne + _amount <= ledger.c.hard_limit))
    .values(held=ledger.c.held + _amount)
    .returning(ledger.c.unpriced)
)
_settle = Statement(
    sa.update(ledger)
    .where(*_total)
    .values(held=ledger.c.held - sa.bindparam("held"), spent=ledger.c.spent + sa.bindparam("spent"))
    .returning(ledger.c.unpriced, *_columns)
)
_take = Statement(sa.select(ledger.c.unpriced).where(*_total).with_for_update())
_all = Statement(
    sa.select(ledger.c.unpriced, *_columns).where(ledger.c.session_id == sa.bindparam("session_id"))
)
_put = Statement(
    sa.update(ledger)
    .where(*_this)
    .values({name: sa.bindparam(name) for name in ("held", "spent", "warned", "day")})
)
_change = Statement(
    sa.update(ledger)
    .where(*_this)
    .values({name: sa.bindparam(name) for name in ("hard_limit", "soft_limit", "unpriced", "warned")})
)
_open = insert(ledger)
_close = Statement(sa.delete(ledger).where(*_this))
_task = Statement(
    sa.select(rounds.c.step).where(
        rounds.c.session_id == sa.bindparam("session_id"), rounds.c.round == sa.bindparam("round")
    )
)


def open_accounts(work: Work, session_id: int, budget: Budget) -> None:
    """Give a session its budget."""
    for name, (hard, soft) in budget.accounts().items():
        _enter(work, session_id, Account(hard, 0, 0, name=name, soft=soft), budget.policy())


def _enter(work: Work, session_id: int, account: Account, policy: str) -> None:
    work.run(
        _open,
        session_id=session_id,
        account=account.name,
        hard_limit=account.limit,
        held=account.held,
        spent=account.spent,
        unpriced=policy if account.name == TOTAL else "",
        soft_limit=account.soft,
        warned=None,
        day=account.day,
    )


def accounts(work: Work, session_id: int) -> dict[str, Account]:
    """All accounts of a session as they stand now, by name: `total` first, then in the order of names."""
    return _read(work, session_id)[1]


def _read(work: Work, session_id: int) -> tuple[Policy, dict[str, Account]]:
    rows = work.all(_all, session_id=session_id)
    policy = next((Policy.read(row[0]) for row in rows if row[1] == TOTAL), Policy())
    today = work.clock() // DAY_MS
    found = {row[1]: _account(row, policy).on(today) for row in rows}
    return policy, dict(sorted(found.items(), key=lambda item: (item[0] != TOTAL, item[0])))


def policy_of(work: Work, session_id: int) -> Policy:
    """What a session does where a price or an outcome is unknown."""
    return _read(work, session_id)[0]


def _account(row: Row, policy: Policy) -> Account:
    _, name, hard, held, spent, soft, warned, day = row
    account = Account(hard, held, spent, policy.unpriced, name, soft, warned, day, policy.in_flight)
    account.scope  # noqa: B018 - a name that says nothing is found here
    return account


def hold(work: Work, session_id: int, intents: Sequence[Call]) -> list[Call]:
    """Hold the worst case of calls in every account that they fall under: in all of them, or in none.

    Returns:
        The calls, each with what it holds beside money: only what is limited.

    Raises:
        BudgetExceeded: together they do not fit; it names the account.
    """
    amount = sum(call.reserved for call in intents)
    if amount:
        taken = work.all(_hold, session_id_=session_id, amount=amount)
        if not taken:
            raise exceeded(accounts(work, session_id)[TOTAL], amount, [call.agent for call in intents])
    else:
        taken = work.all(_take, session_id_=session_id)
    if not taken or not Policy.read(taken[0][0]).tree:
        return [call if not call.holds else replace(call, holds=None) for call in intents]
    return _hold_further(work, session_id, intents)


def _hold_further(work: Work, session_id: int, intents: Sequence[Call]) -> list[Call]:
    tree = accounts(work, session_id)
    tree.pop(TOTAL, None)
    tasks = _tasks(work, session_id, intents)
    changed = []
    for account in tree.values():
        mine = [call for call in intents if account.covers(call.agent, tasks[call.round])]
        amount = sum(held_by(call).get(account.unit, 0) for call in mine)
        if amount and account.left is not None and account.left < amount:
            raise exceeded(account, amount, [call.agent for call in mine])
        if amount:
            changed.append(replace(account, held=account.held + amount))
    _write(work, session_id, changed)
    limited = {account.unit for account in tree.values()}
    return [_trimmed(call, limited) for call in intents]


def _trimmed(call: Call, limited: set[str]) -> Call:
    if not call.holds:
        return call
    holds = {unit: amount for unit, amount in call.holds.items() if unit in limited}
    return replace(call, holds=holds or None)


def _tasks(work: Work, session_id: int, of: Iterable[Call]) -> dict[int, str]:
    """The steps of the rounds in which calls are made."""
    numbers = {call.round for call in of}
    rows = {number: work.one(_task, session_id=session_id, round=number) for number in numbers}
    return {number: str(row[0]) if row else "" for number, row in rows.items()}


def _write(work: Work, session_id: int, changed: Sequence[Account]) -> None:
    rows = [
        {
            "session_id_": session_id,
            "account_": account.name,
            "held": account.held,
            "spent": account.spent,
            "warned": account.warned,
            "day": account.day,
        }
        for account in changed
    ]
    work.run_all(_put, rows)


def settle(work: Work, session_id: int, outcomes: Sequence[Call]) -> list[Account]:
    """Move what was held for calls to what they came to.

    Returns:
        The accounts whose soft limit is reached by it, of which nobody was warned yet.
    """
    held = sum(held_by(call).get("usd", 0) for call in outcomes)
    spent = sum(spent_by(call)["usd"] for call in outcomes)
    if held or spent:
        taken = work.all(_settle, session_id_=session_id, held=held, spent=spent)
    else:
        taken = work.all(_take, session_id_=session_id)
    if not taken:
        return []
    policy = Policy.read(taken[0][0])
    today = work.clock() // DAY_MS
    changed = [_account(taken[0], policy)] if held or spent else []
    crossed = [account for account in changed if account.crossed]
    if policy.tree:
        further = _settled_further(work, session_id, outcomes)
        crossed += [account for account in further if account.crossed]
        _write(work, session_id, further)
    _write(work, session_id, [replace(account, warned=today) for account in crossed])
    return crossed


def _settled_further(work: Work, session_id: int, outcomes: Sequence[Call]) -> list[Account]:
    tree = accounts(work, session_id)
    tree.pop(TOTAL, None)
    tasks = _tasks(work, session_id, outcomes)
    return [_moved(account, outcomes, tasks) for account in tree.values()]


def _moved(account: Account, outcomes: Sequence[Call], tasks: Mapping[int, str]) -> Account:
    mine = [call for call in outcomes if account.covers(call.agent, tasks[call.round])]
    held = sum(held_by(call).get(account.unit, 0) for call in mine)
    spent = sum(spent_by(call).get(account.unit, 0) for call in mine)
    return replace(account, held=account.held - held, spent=account.spent + spent)


def budget(work: Work, session_id: int) -> Budget:
    """What a session may spend."""
    policy, found = _read(work, session_id)
    return budget_of(found, policy)


def change(work: Work, session_id: int, made: Callable[[Budget], Budget]) -> dict[str, JSON]:
    """Give a session another budget; what is held and spent stays.

    An account that was not there counts the calls that were made before, one per day those of today.

    Args:
        made: Makes it of the one there is.

    Returns:
        What the history says of it.
    """
    work.all(_take, session_id_=session_id)
    policy, before = _read(work, session_id)
    budget = made(budget_of(before, policy))
    wanted = budget.accounts()
    for name in before.keys() - wanted.keys():
        work.run(_close, session_id_=session_id, account_=name)
    for name, (hard, soft) in wanted.items():
        account = before.get(name)
        if account is None:
            _enter(
                work, session_id, _counted(work, session_id, Account(hard, 0, 0, name=name, soft=soft)), ""
            )
            continue
        warned = account.warned if (hard, soft) == (account.limit, account.soft) else None
        stored = budget.policy() if name == TOTAL else ""
        given = {"hard_limit": hard, "soft_limit": soft, "warned": warned, "unpriced": stored}
        work.run(_change, session_id_=session_id, account_=name, **given)
    return _told(before, policy, budget)


def _told(before: Mapping[str, Account], policy: Policy, budget: Budget) -> dict[str, JSON]:
    """What changed: every limit that is another one, as hard and soft before and now; policies."""
    wanted = budget.accounts()
    told: dict[str, JSON] = {
        "before_nano_usd": before[TOTAL].limit if TOTAL in before else None,
        "limit_nano_usd": budget.nano,
    }
    limits: dict[str, JSON] = {}
    for name in sorted({*before, *wanted}):
        old = (before[name].limit, before[name].soft) if name in before else (None, None)
        new = wanted.get(name, (None, None))
        if old != new:
            limits[name] = {"before": list(old), "now": list(new)}
    now = Policy.read(budget.policy())
    if limits.keys() - {TOTAL} or any(one["now"][1] or one["before"][1] for one in limits.values()):
        told["limits"] = limits
    if (policy.unpriced, policy.in_flight) != (now.unpriced, now.in_flight):
        told["policy"] = {"unpriced": now.unpriced, "in_flight": now.in_flight}
    return told


def _counted(work: Work, session_id: int, account: Account) -> Account:
    """A new account with what the calls so far have come to."""
    today = work.clock() // DAY_MS
    held, spent = counted(work, session_id, account)
    if not account.daily:
        return replace(account, held=held, spent=spent)
    of_today = counted(work, session_id, account, since=today * DAY_MS)[1]
    return replace(account, held=held, spent=of_today, day=today)


def check(work: Work, session_id: int) -> None:
    """See that the accounts say what the calls add up to.

    What an account per day has spent on its day cannot be told from the calls, which say when they were
    sent and not when they were settled: it is at most what they add up to in all.

    Raises:
        Tampered: naming the account.
    """
    for account in accounts(work, session_id).values() or [Account(None, 0, 0)]:
        held, spent = counted(work, session_id, account)
        within = 0 <= account.spent <= spent if account.daily else account.spent == spent
        if account.held == held and within:
            continue
        unit = "nano-USD" if account.unit == "usd" else account.unit
        where = "" if account.name == TOTAL else f" for {account.label}"
        raise Tampered(
            f"The ledger says {account.held} {unit} held and {account.spent} spent{where}; "
            f"the calls add up to {held} and {spent}"
        )
