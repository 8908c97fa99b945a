"""Where the proposals of one round say different things, who holds what, and a suspected cause.

Pure functions on frozen records: no model is asked. Values are compared field by field, so that a
disagreement names `/verdict/cause` and not `/verdict`; what is a difference of wording or rounding
only is kept apart, never lost. What to do about it is the supervisor's affair.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, TypeAlias

from dissensus_state.errors import ValueRefused
from dissensus_state.values import JSON, parse_path, pointer

from ..errors import GraphError
from .causes import CAUSES, Cause, Stance, suspected
from .comparators import default_for, is_prose, of_fields
from .fields import SILENT, children, inherited, said
from .identity import Comparator, Exact, Identity, identity, is_number

__all__ = [
    "Cause",
    "Comparison",
    "Disagreement",
    "Position",
    "Stance",
    "compare",
    "thresholds",
    "with_causes",
]


@dataclass(frozen=True, slots=True)
class Position:
    """What some agents say at one path.

    Where they do not say quite the same (within a comparator's tolerance), `value` is what most of
    them say.
    """

    value: JSON
    holders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The positions at one path, in the order of their first holders.

    `path` is a JSON pointer; `distance` (0 to 1) the largest between values of two positions.
    `entropy` tells how split the agents are.
    """

    path: str
    positions: tuple[Position, ...]
    distance: float
    cause: Cause

    @property
    def entropy(self) -> float:
        """How split the agents are, in nats: 0 where all hold one position, ln n where n hold n.

        The discrete semantic entropy of Farquhar et al. (Nature 630:625, 2024), the positions being the
        clusters of meaning. It finds what models make up, each differently; not what all get wrong alike.
        """
        counts = [len(position.holders) for position in self.positions]
        voters = sum(counts)
        return -sum(n / voters * math.log(n / voters) for n in counts if n) if len(counts) > 1 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The disagreement as plain data, for storing."""
        return {
            "path": self.path,
            "positions": [
                {"value": position.value, "holders": list(position.holders)} for position in self.positions
            ],
            "distance": self.distance,
            "cause": self.cause,
        }

    @classmethod
    def from_dict(cls, stored: JSON) -> Disagreement:
        """Read a stored disagreement back.

        Raises:
            ValueRefused: it is not one.
        """
        match stored:
            case {
                "path": str(path),
                "positions": list(positions),
                "distance": int() | float() as distance,
                "cause": str(cause),
            } if cause in CAUSES and 0 <= distance <= 1:
                read = tuple(map(_position, positions))
                return cls(path, read, float(distance), cause)  # type: ignore[arg-type]
        raise _unreadable("disagreement", stored)


def _position(stored: JSON) -> Position:
    match stored:
        case {"value": value, "holders": list(holders)}:
            if all(isinstance(holder, str) for holder in holders):
                return Position(value, tuple(holders))
    raise _unreadable("position", stored)


def _unreadable(what: str, stored: JSON) -> ValueRefused:
    return ValueRefused(
        f"{str(stored)[:200]} is not a stored {what}",
        next_step="The record was changed outside of dissensus: run `dissensus verify`",
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `compare` found; as a sequence, it is its disagreements.

    `immaterial` are the differences within a comparator's tolerance or the threshold: a wording, a
    rounding, an order. A path can stand in both, if one of its positions is worded in several ways.
    """

    disagreements: tuple[Disagreement, ...] = ()
    immaterial: tuple[Disagreement, ...] = ()

    def __iter__(self) -> Iterator[Disagreement]:
        return iter(self.disagreements)

    def __len__(self) -> int:
        return len(self.disagreements)


_Side: TypeAlias = tuple[JSON, list[Stance]]
"""A value, and who proposes exactly that, in the order of the stances."""

_Apart: TypeAlias = dict[tuple[int, int], float]
"""How far apart any two sides are, by their numbers, the smaller first."""

_BY_TYPE: Mapping[str, Comparator] = {}


def thresholds(materiality: float | Mapping[str, float]) -> dict[str, float]:
    """Thresholds by JSON pointer; one number is for all paths.

    Raises:
        GraphError: one is not from 0 to 1.
    """
    by_path = materiality if isinstance(materiality, Mapping) else {"": materiality}
    for path, one in by_path.items():
        if not (is_number(one) and 0 <= one <= 1):
            where = f" of {path}" if path else ""
            raise GraphError(
                f"The materiality{where} is a distance from 0 to 1, and not {one!r}",
                next_step="Give for instance 0.1, or {'/verdict/summary': 0.4}",
            )
    return {pointer(parse_path(path)): float(one) for path, one in by_path.items()}


def compare(
    stances: Sequence[Stance],
    comparators: Mapping[str, Comparator] = _BY_TYPE,
    threshold: float | Mapping[str, float] = 0.0,
) -> Comparison:
    """Find where at least two stances speak to the same path and say different things.

    Two objects are compared key by key, and a key that one of them lacks counts as null there; a
    proposal for `/verdict/cause` is compared with what others say of it inside their `/verdict`.
    Values that a comparator finds the same are one position: each is within the tolerance, or the
    threshold, of every other one there, and the order of the stances does not matter.

    Prose beside other values is taken for their rationale: two models never word it alike, so that a
    difference there is immaterial, unless a comparator was given for its path. Where all that is
    said is prose, it is compared by its words.

    Args:
        stances: The proposals of one round, at most one of each agent.
        comparators: The comparator for each path (JSON pointer, or a field's name) and all below
            it; the longest path wins. Without one, it follows from the values' types: strings of
            more than 40 characters with a space are prose, lists are compared in order. `By`, and a
            comparator of your own, see a whole object at the path they are given for.
        threshold: Values at most this far apart (0 to 1) differ immaterially. One for all paths, or
            for each path and all below it; the longest path wins.

    Returns:
        The disagreements, and the differences that do not matter.
    """
    chosen = {pointer(parse_path(path)): one for path, one in comparators.items()}
    material: list[Disagreement] = []
    immaterial: list[Disagreement] = []
    wordings: list[Disagreement] = []
    least: dict[str, float] | None = None
    for path, sides in _differences(stances, chosen):
        least = thresholds(threshold) if least is None else least
        values = [value for value, _ in sides]
        given = inherited(chosen, path)
        bound = inherited(least, path) or 0.0
        whole, within = _weighed(path, sides, given or default_for(values), bound, stances)
        if whole is not None:
            worded = given is None and all(map(is_prose, values))
            kind = wordings if worded else material
            (kind if whole.distance > bound else immaterial).append(whole)
        immaterial += within
    if wordings and any(_states(value) for stance in stances for value in stance.values.values()):
        return Comparison(tuple(material), tuple(wordings + immaterial))
    return Comparison(tuple(wordings + material), tuple(immaterial))


def differing(
    stances: Sequence[Stance], comparators: Mapping[str, Comparator]
) -> Iterator[tuple[str, Comparator, list[JSON]]]:
    """Each path with a comparator of its own (or of a path above it) where values differ, and the values."""
    chosen = {pointer(parse_path(path)): one for path, one in comparators.items()}
    for path, sides in _differences(stances, chosen):
        given = inherited(chosen, path)
        if given is not None:
            yield path, given, [value for value, _ in sides]


def _states(value: JSON) -> bool:
    """Whether something is said here that is not prose: a name, a number, a truth value."""
    if isinstance(value, dict):
        return any(map(_states, value.values()))
    if isinstance(value, list):
        return any(map(_states, value))
    return value is not None and not is_prose(value)


def _differences(
    stances: Sequence[Stance], chosen: Mapping[str, Comparator]
) -> Iterator[tuple[str, list[_Side]]]:
    """Each path where different values are proposed, as deep as objects reach on all sides."""
    waiting = deque(dict.fromkeys(path for stance in stances for path in stance.values))
    seen = set(waiting)
    while waiting:
        path = waiting.popleft()
        sides = _sides(stances, path)
        if len(sides) > 1 and _fieldwise(path, sides, chosen):
            names = dict.fromkeys(children(path, (value for value, _ in sides)))
            waiting.extendleft(reversed([name for name in names if name not in seen]))
            seen.update(names)
        elif len(sides) > 1:
            yield path, sides


def _sides(stances: Sequence[Stance], path: str) -> list[_Side]:
    sides: dict[Identity, _Side] = {}
    for stance in stances:
        value = said(stance.values, path)
        if value is not SILENT:
            sides.setdefault(identity(value), (value, []))[1].append(stance)
    return list(sides.values())


def _fieldwise(path: str, sides: list[_Side], chosen: Mapping[str, Comparator]) -> bool:
    own = chosen.get(path)
    return (own is None or of_fields(own)) and all(isinstance(value, dict) for value, _ in sides)


def _weighed(
    path: str, sides: list[_Side], comparator: Comparator, threshold: float, stances: Sequence[Stance]
) -> tuple[Disagreement | None, list[Disagreement]]:
    """The disagreement at a path, if there is one, and the differences within its positions."""
    if isinstance(comparator, Exact):
        return _disagreement(path, sides, 1.0), []
    apart = {
        (one, other): comparator.distance(sides[one][0], sides[other][0])
        for one, other in combinations(range(len(sides)), 2)
    }
    groups = _groups(sides, apart, max(comparator.tolerance, threshold))
    members = [[sides[n] for n in group] for group in groups]
    within = [
        _disagreement(path, same, max(apart[pair] for pair in combinations(group, 2)))
        for group, same in zip(groups, members, strict=True)
        if len(group) > 1
    ]
    if len(groups) == 1:
        return None, within
    merged = [_merged(same, stances) for same in members]
    return _disagreement(path, merged, max(apart.values())), within


def _groups(sides: list[_Side], apart: _Apart, tolerance: float) -> list[list[int]]:
    """The numbers of the sides that say the same, in the order of their first holders.

    Each joins the first group whose every member is near. They come in the order of their values,
    not of the agents, so that who spoke first changes nothing.
    """
    groups: list[list[int]] = []
    for one in sorted(range(len(sides)), key=lambda n: identity(sides[n][0])):
        near = (g for g in groups if all(apart[min(one, n), max(one, n)] <= tolerance for n in g))
        home = next(near, None)
        if home is None:
            groups.append([one])
        else:
            home.append(one)
    return sorted(sorted(group) for group in groups)


def _merged(same: list[_Side], stances: Sequence[Stance]) -> _Side:
    """One side of several: what most of them say, held by all of them."""
    value, _ = min(same, key=lambda side: (-len(side[1]), identity(side[0])))
    holders = {id(stance) for _, held in same for stance in held}
    return value, [stance for stance in stances if id(stance) in holders]


def _disagreement(path: str, sides: list[_Side], distance: float) -> Disagreement:
    positions = tuple(Position(value, tuple([stance.agent for stance in held])) for value, held in sides)
    return Disagreement(path, positions, distance, suspected(sides))


def with_causes(found: Comparison, stances: Sequence[Stance]) -> Comparison:
    """The same comparison, its causes suspected from stances that know more: reasoning, reads, checks."""
    by_agent = {stance.agent: stance for stance in stances}

    def again(one: Disagreement) -> Disagreement:
        sides = [(item.value, [by_agent[agent] for agent in item.holders]) for item in one.positions]
        return replace(one, cause=suspected(sides))

    return replace(found, disagreements=tuple(map(again, found.disagreements)))
