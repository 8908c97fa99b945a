"""Ways to route that need no model: by what it costs, by how long it takes, by task, by a value."""

from __future__ import annotations

from collections.abc import Mapping

from dissensus_state.values import parse_path, pointer

from ..errors import GraphError
from ..judgement.ballots import Rate
from .asked import Asked, Choice, Option, Router


def cheapest() -> Router:
    """The option that can cost least: the worst case of asking all of its agents once, at known prices.

    An option with a model whose price is unknown is passed over: unknown is not nothing. Where no price
    is known, the router says nothing, and the route's default is taken.
    """

    def by_cost(asked: Asked) -> Choice:
        known = {name: one.cost for name, one in asked.options.items() if one.cost is not None}
        if not known:
            return Choice("", "no price is known")
        best = min(known, key=lambda name: known[name])
        over = {name: _dearer(one) for name, one in asked.options.items() if name != best}
        return Choice(best, f"it costs ${known[best] / 1e9:.6f} at most", passed_over=over)

    return by_cost


def _dearer(option: Option) -> str:
    return "its price is unknown" if option.cost is None else f"it can cost ${option.cost / 1e9:.6f}"


def fastest() -> Router:
    """The option whose slowest model took least time lately, as the database has it recorded.

    An option with a model that was never asked is passed over. Where none was, the route's default is
    taken.
    """

    def by_latency(asked: Asked) -> Choice:
        known = {name: one.seconds for name, one in asked.options.items() if one.seconds is not None}
        if not known:
            return Choice("", "no latency is recorded")
        best = min(known, key=lambda name: known[name])
        over = {name: _slower(one) for name, one in asked.options.items() if name != best}
        return Choice(best, f"its models took {known[best]:.2f} s lately", passed_over=over)

    return by_latency


def _slower(option: Option) -> str:
    return "it was never asked" if option.seconds is None else f"it took {option.seconds:.2f} s lately"


def reliable(*, least: int = 30, within: float = 0.02) -> Router:
    """The cheapest option that is nearly as often right at this task as the best one, by graded rounds.

    What counts is what this database has graded from outside the models, at a task of the step's name. An
    option of which less is graded is passed over. Where no option has enough, the router says nothing, and
    the route's default is taken; where a price is unknown, the one most often right is taken.

    Args:
        least: In how many graded rounds an option's best model must have been, 1 or more.
        within: How much less often right (0 to 1) an option may be for being cheaper.
    """
    if least < 1 or not 0 <= within <= 1:
        raise GraphError(f"A reliable way needs least=1 or more and a share within=, not {least}, {within}")

    def by_grades(asked: Asked) -> Choice:
        rates = {name: one.right for name, one in asked.options.items()}
        known = {name: one.hits / one.of for name, one in rates.items() if one and one.of >= least}
        over = {name: _graded(rates[name], least) for name in asked.options if name not in known}
        if not known:
            return Choice("", f"no way has {least} graded rounds", passed_over=over)
        near = [name for name, rate in known.items() if rate >= max(known.values()) - within]
        costs = {name: asked.options[name].cost for name in near}
        priced = {name: cost for name, cost in costs.items() if cost is not None}
        unpriced = len(priced) < len(costs)
        best = (
            max(near, key=lambda name: known[name]) if unpriced else min(near, key=lambda name: priced[name])
        )
        over |= {name: f"it was right {known[name]:.2f} of the time" for name in known if name != best}
        rate = rates[best]
        reason = f"it was right in {rate.hits:.0f} of {rate.of:.0f} graded rounds" if rate else ""
        return Choice(best, reason, known[best], over)

    return by_grades


def _graded(rate: Rate | None, least: int) -> str:
    return f"it has {rate.of if rate else 0:.0f} graded rounds, and {least} are asked for"


def by_task(ways: Mapping[str, str]) -> Router:
    """The option that is named for the step: `by_task({"extract": "cheap", "judge": "panel"})`."""
    named = dict(ways)

    def by_step(asked: Asked) -> Choice:
        return Choice(named.get(asked.task, ""), f"the task is {asked.task}")

    return by_step


def by_value(path: str, ways: Mapping[str, str] | None = None) -> Router:
    """The option that is named for the value at a path of the state, such as a tag.

    Args:
        path: Where the value stands; the step's first agent must be allowed to read it.
        ways: The option for each value; by default the value is the option's name.
    """
    named = None if ways is None else dict(ways)
    where = pointer(parse_path(path))
    if not where:
        raise GraphError("A route by a value needs the path at which it stands")

    def by_tag(asked: Asked) -> Choice:
        value = str(asked.read(where))
        return Choice(value if named is None else named.get(value, ""), f"{where} is {value[:80]!r}")

    return by_tag
