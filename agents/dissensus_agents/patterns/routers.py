"""Ways to route that need no model: by what it costs, by how long it takes, by task, by a value."""

from __future__ import annotations

from collections.abc import Mapping

from dissensus_state.values import parse_path, pointer

from ..errors import GraphError
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
