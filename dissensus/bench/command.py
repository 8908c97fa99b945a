"""What `dissensus bench` does, from what a user wishes to a table, or to the command that goes on."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from dissensus.cli.border import situation
from dissensus.cli.errors import Misuse
from dissensus.cli.output import note, show
from dissensus.cli.schemas import load
from dissensus.cli.texts import count
from dissensus_agents.errors import ModelFailed
from dissensus_agents.messages import Part, Request
from dissensus_agents.models.prices import bound, most_input_tokens
from dissensus_agents.patterns.configured import Routing, written
from dissensus_state.errors import BudgetExceeded, LeaseLost, NotFound, ValueRefused
from dissensus_state.records import Budget
from dissensus_state.sessions import Session
from dissensus_state.shapes import shape_of
from dissensus_state.store import Store

from . import writing
from .errors import TooFew
from .measured import Measured, measured
from .pages import Data, page
from .plan import Plan, make_plan, maker
from .running import Ended, carry_out
from .schema import Benchmark
from .seats import SYSTEM, Form
from .suggesting import suggest
from .table import table
from .tasks import read_tasks


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user asks for on the command line."""

    tasks: str
    models: Sequence[str] = ()
    pattern: Sequence[str] = ()
    repeats: int = 1
    limit: int | None = None
    tag: Sequence[str] = ()
    grader: str | None = None
    form: Form = "json"
    budget: str | None = None
    unpriced: Literal["refuse", "allow"] | None = None
    concurrency: int = 8
    max_tokens: int = 4096
    temperature: float | None = None
    out: str | None = None
    routing: str | None = None
    tolerance: float = 0.02
    least: int = 50
    recordings: str | None = None
    session: str | None = None
    only_table: bool = False


def bench(store: Store, wish: Wish, *, as_json: bool) -> int:
    """Run a benchmark as far as it goes, and show what was measured.

    Returns:
        0, when everything was asked and answered.

    Raises:
        BudgetExceeded, ModelFailed: Something was not; the table shows what was.
        DissensusError: what was acknowledged is kept; the same command goes on.
    """
    writing.check(wish.out, writing.FORMS)
    writing.check(wish.routing, writing.ROUTINGS)
    plan = _plan(wish)
    session = _session(store, wish, plan)
    situation().kept = store.database.name
    try:
        ended = Ended() if wish.only_table else _run(session, plan, wish.concurrency)
    except LeaseLost as error:
        error.message = f"Another process has taken the benchmark {session.name} over, and goes on with it"
        error.next_step = "Wait for that one; or start this one again to take it back"
        raise
    except KeyboardInterrupt:
        _shown(session, plan, wish, Ended(), as_json=as_json)
        raise
    _shown(session, plan, wish, ended, as_json=as_json)
    _refuse_gaps(ended, session)
    return 0


def _plan(wish: Wish) -> Plan:
    tasks = read_tasks(wish.tasks, load, grader=wish.grader, limit=wish.limit, tags=wish.tag)
    return make_plan(
        tasks,
        wish.models,
        wish.pattern,
        maker(load, wish.recordings),
        repeats=wish.repeats,
        form=wish.form,
        max_output_tokens=wish.max_tokens,
        temperature=wish.temperature,
    )


# The session


def _session(store: Store, wish: Wish, plan: Plan) -> Session[Benchmark]:
    """The session of this benchmark: the one that was begun, or a new one."""
    name = wish.session or name_of(wish.tasks)
    known = {info.name: info for info in store.sessions()}
    if name not in known:
        if wish.only_table:
            raise NotFound(
                f"There is no session {name} in {store.database.name}, so there is no table yet",
                next_step="Leave --table out to begin it, or name another --session",
            )
        budget = _budget(wish, plan)
        return store.create(Benchmark(tasks=wish.tasks), name=name, budget=budget, author="bench")
    if not shape_of(Benchmark).is_named(known[name].schema):
        raise Misuse(
            f"The session {name} is no benchmark", next_step="Give --session with another name", session=name
        )
    found = store.session(name, Benchmark)
    if not wish.only_table:
        _take_up(found, wish, plan)
    return found


def _take_up(session: Session[Benchmark], wish: Wish, plan: Plan) -> None:
    """Heed what is said anew of the money of a benchmark that goes on."""
    _check_prices(plan, wish.unpriced or session.budget.unpriced)
    if wish.budget is not None:
        session.set_budget(_dollars(wish.budget))
    elif session.budget.limit is None:
        _check_free(wish, plan)
    if wish.unpriced is not None:
        session.change_budget(lambda now: replace(now, unpriced=wish.unpriced or now.unpriced))


def name_of(tasks: str) -> str:
    """The name of a benchmark's session, from its task file."""
    stem = Path(tasks).stem if ":" not in tasks else tasks
    words = re.findall(r"[a-z0-9]+", stem.lower())
    return "-".join(["bench", *words])[:60]


# The money


def _budget(wish: Wish, plan: Plan) -> Budget:
    _check_prices(plan, wish.unpriced)
    policy = wish.unpriced or "refuse"
    if wish.budget is not None:
        return Budget(usd=_dollars(wish.budget), unpriced=policy)
    _check_free(wish, plan)
    return Budget(unpriced=policy)


def _check_free(wish: Wish, plan: Plan) -> None:
    """Whoever asks paid models says how much they may cost."""
    if most := at_worst(plan):
        raise Misuse(
            "These models cost money, and no budget was given",
            next_step=f"Add --budget USD. Every answer to {len(plan.tasks.items):,} items at its full "
            f"{wish.max_tokens:,} tokens would come to ${most / 1e9:.2f}; most answers are far shorter",
        )


def at_worst(plan: Plan) -> int:
    """What all models can cost at most on all items, supervisors and graders aside, in nano-USD."""
    total = 0
    for item in plan.tasks.items:
        request = Request(SYSTEM[plan.form], (Part(item.prompt),), max_output_tokens=plan.max_output_tokens)
        sent = most_input_tokens(request)
        prices = [plan.models[label].price for label in plan.asked(item)]
        total += sum(bound(price, sent, plan.max_output_tokens) for price in prices if price is not None)
    others = [model.price for model in plan.others.values() if model.price is not None]
    return plan.repeats * (total + sum(bound(price, 1, 1) for price in others))


def _check_prices(plan: Plan, policy: object) -> None:
    """Refuse models of unknown price where nobody said that they may be asked all the same."""
    unknown = [model.name for model in plan.everybody.values() if model.price is None]
    if unknown and policy in {None, "refuse"}:
        raise Misuse(
            f"The price of {', '.join(unknown)} is unknown, so no budget can hold it",
            next_step="Add --unpriced allow to go on without knowing, or give its price in dissensus.toml",
        )


def _dollars(said: str) -> str:
    """An amount of money as people write it: `2`, `0.50`, `$2`."""
    amount = said.strip().lstrip("$")
    try:
        Budget(usd=amount)
    except ValueRefused as error:
        raise Misuse(error.message, next_step="Give --budget an amount like 2 or 0.50") from error
    return amount


# The run


def _run(session: Session[Benchmark], plan: Plan, at_once: int) -> Ended:
    """Run it, telling how far it is."""
    kinds = [count(len(plan.models), "model")]
    kinds += [count(len(plan.patterns), "pattern")] if plan.patterns else []
    what = ", ".join([count(len(plan.tasks.items), "item"), *kinds])
    note(f"session {session.name}: {what}, {at_once} at a time")
    return asyncio.run(carry_out(session, plan, at_once=at_once, heard=_teller()))


def _teller() -> Callable[[int, int], None]:
    """Tells how far it is, about ten times in all, or as it goes on a terminal."""
    told = -1
    live = sys.stderr.isatty()

    def tell(done: int, of: int) -> None:
        nonlocal told
        tenth = done * 10 // max(1, of)
        if live:
            end = "\n" if done == of else ""
            sys.stderr.write(f"\r{done:,} of {of:,} items{end}")
            sys.stderr.flush()
        elif tenth != told:
            told = tenth
            note(f"{done:,} of {of:,} items")

    return tell


def _refuse_gaps(ended: Ended, session: Session[Any]) -> None:
    """Say in the exit code that something is missing."""
    if ended.short is not None:
        account = session.budget
        limit, more = ((account.limit or 0) / 1e9 * times for times in (1, 2))
        raise BudgetExceeded(
            f"The budget of ${limit:.4g} is used up, and not everything was asked. {ended.short.message}",
            next_step=f"The table shows what is done; raise it with --budget {more:.4g} "
            "and the same command goes on",
        )
    if ended.failed:
        what = "; ".join(
            f"{label} {number} times, at last: {ended.last_failure[label]}"
            for label, number in ended.failed.most_common(5)
        )
        raise ModelFailed(
            f"Some answers are missing, since models failed: {what}",
            next_step="The table shows what is done; the same command asks for what is missing",
        )


# What is shown


def _shown(session: Session[Benchmark], plan: Plan, wish: Wish, ended: Ended, *, as_json: bool) -> None:
    """Show the table, and write the files."""
    found = measured(session, plan)
    data: Data = {"session": session.name, **table(found), "routing": None, "files": {}}
    data["notes"] += [f"{label}: {text}" for label, text in ended.last_failure.items()]
    routing, few = _routing(found, wish)
    if routing is not None:
        data["routing"] = routing.model_dump(mode="json", exclude_none=True)
    elif few is not None:
        data["notes"].append(few.message)
    _write(wish, data, routing)
    show(data, page(data), as_json=as_json)
    if few is not None and wish.routing is not None and ended.short is None:
        raise few


def _routing(found: Measured, wish: Wish) -> tuple[Routing | None, TooFew | None]:
    try:
        return suggest(found, tolerance=wish.tolerance, least=wish.least), None
    except TooFew as error:
        return None, error


def _write(wish: Wish, data: Data, routing: Routing | None) -> None:
    if wish.routing is not None and routing is not None:
        writing.write(wish.routing, written(routing, as_json=wish.routing.endswith(".json")))
        data["files"]["routing"] = wish.routing
    if wish.out is not None:
        data["files"]["table"] = wish.out
        writing.write(wish.out, writing.table_text(data, wish.out))
