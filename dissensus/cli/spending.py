"""`budget, cost`: what a session may spend, and what it has spent."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from . import spending_pages as pages
from .errors import Misuse
from .opening import opened_session
from .options import examples, on_session
from .output import show

if TYPE_CHECKING:
    from dissensus_state.budgets import Budget


@click.command(
    epilog=examples(
        "dissensus budget",
        "dissensus budget 5 --soft 0.8",
        "dissensus budget --agent ana --calls 20 --per-day",
        "dissensus budget --task conclude 0.50",
        "dissensus budget --unpriced 3,15 --in-flight return",
    )
)
@click.argument("usd", required=False)
@click.option("--tokens", metavar="N", help="Tokens of all kinds.")
@click.option("--calls", metavar="N", help="Calls that are sent.")
@click.option("--seconds", metavar="S", help="Time of models: the sum of how long calls take.")
@click.option("--per-day", is_flag=True, help="The limits are for each day (UTC).")
@click.option("--agent", metavar="NAME", help="The limits are for this agent.")
@click.option("--task", metavar="STEP", help="The limits are for this step.")
@click.option("--soft", metavar="SHARE", help="Warn at this share of every hard limit.")
@click.option("--unpriced", metavar="POLICY", help="refuse, allow, or IN,OUT: USD per million tokens.")
@click.option("--in-flight", type=click.Choice(["charge", "return"]), help="What a crash leaves.")
@on_session
def budget(*, database: str | None, session: str | None, as_json: bool, **given: Any) -> None:
    """Show what a session may spend, or change it.

    USD is a limit in US dollars; "none" takes a limit away. Without --agent and --task the limits are
    the session's. What is spent stays spent, and the change stands in the history.
    """
    from .data import place
    from .spending_data import account_data, budget_data

    with opened_session(database, session) as found:
        if any(value for value in given.values()):
            found.change_budget(lambda now: _changed(now, **given))
        accounts = found.accounts
        data = {
            **place(found),
            "budget": budget_data(accounts[0]),
            "accounts": [account_data(item) for item in accounts],
        }
        show(data, pages.budget(data), as_json=as_json)


def _changed(
    now: Budget,
    *,
    agent: str | None,
    task: str | None,
    per_day: bool,
    soft: str | None,
    unpriced: str | None,
    in_flight: Any,
    **limits: str | None,
) -> Budget:
    """The budget with what was given in the place of what was there."""
    if agent and task:
        raise Misuse("A limit is an agent's or a task's", next_step="Give first one, then the other")
    given = {name: _amount(name, text) for name, text in limits.items() if text is not None}
    if (agent or task or per_day) and not given:
        raise Misuse("No limit was given", next_step="Add USD, --tokens N, --calls N or --seconds S")
    name = agent or task
    if given and name:
        from dissensus_state.budgets import Limits

        named = dict(now.agents if agent else now.tasks)
        named[name] = _limited(named.get(name, Limits()), given, per_day=per_day)
        now = replace(now, agents=named) if agent else replace(now, tasks=named)
    elif given:
        now = _limited(now, given, per_day=per_day)
    if soft is not None:
        now = replace(now, soft=None if soft == "none" else soft)
    if unpriced is not None:
        now = replace(now, unpriced=_policy(unpriced))
    return replace(now, in_flight=in_flight) if in_flight else now


def _limited(limits: Any, given: dict[str, Any], *, per_day: bool) -> Any:
    """Limits with others in their place, in total or per day."""
    if not per_day:
        return replace(limits, **given)
    from dissensus_state.budgets import Limits

    daily = replace(limits.per_day or Limits(), **given)
    said = any(getattr(daily, field.name) is not None for field in fields(daily))
    return replace(limits, per_day=daily if said else None)


def _amount(name: str, text: str) -> str | int | None:
    if text == "none":
        return None
    if name in {"usd", "seconds"}:
        return text
    try:
        return int(text)
    except ValueError:
        raise Misuse(f"{text!r} is no number of {name}", next_step="Give a whole number, or none") from None


def _policy(text: str) -> Any:
    """`refuse`, `allow`, or the prices to assume."""
    if text in {"refuse", "allow"}:
        return text
    try:
        sent, answered = (str(Decimal(part.strip())) for part in text.split(","))
    except (InvalidOperation, ValueError):
        raise Misuse(
            f"{text!r} is no policy for calls of unknown price",
            next_step="Give refuse, allow, or USD per million tokens in and out, as in 3,15",
        ) from None
    return {"input": sent, "output": answered, "source": "assumed by the budget"}


@click.command(epilog=examples("dissensus cost", "dissensus cost --json"))
@on_session
def cost(*, database: str | None, session: str | None, as_json: bool) -> None:
    """Add up calls, tokens and dollars; show the budget.

    There is a line for each agent and model, then for each model, task and day. What disagreement
    cost is the calls whose proposals lost, those of rulings and audits, and rounds asked again.

    "unknown" counts the calls whose cost is not known; the budget bears their worst case.
    """
    from .data import place
    from .spending_data import account_data, budget_data, contest_data, cost_data, sum_data

    with opened_session(database, session) as found:
        spent, accounts = found.cost(), found.accounts
        data = {
            **place(found),
            "costs": [cost_data(item) for item in spent.agents],
            "models": [sum_data(item, "model") for item in spent.models],
            "tasks": [sum_data(item, "task") for item in spent.steps],
            "days": [sum_data(item, "day") for item in spent.days],
            "disagreement": contest_data(spent.disagreement),
            "budget": budget_data(accounts[0]),
            "accounts": [account_data(item) for item in accounts],
        }
    show(data, pages.cost(data), as_json=as_json)
