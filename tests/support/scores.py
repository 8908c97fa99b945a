"""A schema whose fields merge in ways of the user's own: good ones, and ones that break."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from dissensus_state.merging import Max, Merge, Min
from dissensus_state.shapes import SharedState


class Best(Merge):
    """The highest so many, in falling order: in which order they come does not matter."""

    commutes = True

    def __init__(self, most: int = 3) -> None:
        self.most = most

    def merge(self, old: Any, new: Any) -> Any:
        return sorted([*old, *new], reverse=True)[: self.most]


class Latest(Merge):
    """The last so many: the order matters, and nothing is declared."""

    def merge(self, old: Any, new: Any) -> Any:
        return [*old, *new][-3:]


class Odd(Merge):
    """It does what it is told: breaks, changes its arguments, returns what the schema refuses."""

    commutes = True

    def merge(self, old: Any, new: Any) -> Any:
        if new == ["break"]:
            raise KeyError("no such thing")
        if new == ["refuse"]:
            raise ValueError("not while it rains")
        if new == ["change"]:
            old.append("changed")
        return {"mistyped": [1], "nothing": None, "large": ["x" * 70_000]}.get(new[0], [*old, *new])


class Scores(SharedState):
    """What several players and judges keep together."""

    best: Annotated[list[int], Best] = []
    latest: Annotated[list[str], Latest] = []
    odd: Annotated[list[str], Odd] = []
    capped: Annotated[list[int], Field(max_length=1), Best(2)] = []
    high: Annotated[float | None, Max] = None
    low: Annotated[float | None, Min] = None
    first: Annotated[str | None, Min] = None
    last: Annotated[str, Max] = ""
