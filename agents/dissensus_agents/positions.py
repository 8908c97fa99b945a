"""From proposals to what can be committed: who stands together, and which patch each side makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dissensus_state.errors import NotFound
from dissensus_state.patches import Operation, Patch, apply, commutes
from dissensus_state.records import Proposal
from dissensus_state.values import JSON, Path, overlap, parse_path, pointer

from .judgement.disagreement import Disagreement


@dataclass(frozen=True, slots=True)
class Side:
    """The agents who say the same on everything that is disputed, and the patch they make."""

    label: str
    agents: tuple[str, ...]
    patch: Patch


def author_of(side: Side) -> str:
    """How the history names a side."""
    return "+".join(side.agents)


def label_of(index: int) -> str:
    """The label of a position: A to Z, then P27 and on."""
    return chr(ord("A") + index) if index < 26 else f"P{index + 1}"


def sides_of(made: Sequence[Proposal], disputed: Iterable[Disagreement]) -> tuple[Side, ...]:
    """Group the proposals of a round by where they stand on every disagreement.

    Without a disagreement all stand together. An agent that speaks to none of the disputed paths
    contradicts nobody: what it brings goes along with every side.
    """
    open_questions = tuple(disputed)
    grouped: dict[tuple[int, ...], list[Proposal]] = {}
    for item in made:
        stand = tuple(_stand(item.agent, question) for question in open_questions)
        grouped.setdefault(stand, []).append(item)
    silent = grouped.pop((-1,) * len(open_questions), []) if open_questions else []
    return tuple(_side(label_of(n), [*group, *silent]) for n, group in enumerate(grouped.values()))


def _side(label: str, group: Sequence[Proposal]) -> Side:
    return Side(label, tuple(item.agent for item in group), joined(item.patch for item in group))


def _stand(agent: str, question: Disagreement) -> int:
    for index, position in enumerate(question.positions):
        if agent in position.holders:
            return index
    return -1


def joined(patches: Iterable[Patch]) -> Patch:
    """Several patches as one: what commutes adds up, of everything else the first stands."""
    taken: set[Path] = set()
    result: list[Operation] = []
    for operation in (operation for patch in patches for operation in patch):
        if commutes(operation):
            result.append(operation)
            continue
        rest = _without(operation, taken)
        if rest is not None:
            taken.update(rest.touched())
            result.append(rest)
    return _merged(result)


def _without(operation: Operation, taken: set[Path]) -> Operation | None:
    """What of an operation is not taken yet."""
    fresh = [path for path in operation.touched() if path not in taken]
    if not fresh:
        return None
    if operation.verb != "merge" or len(fresh) == len(operation.touched()):
        return operation
    names = {path[-1] for path in fresh}
    return replace(operation, value=_only(operation, names), text=None)


def _only(operation: Operation, names: set[str]) -> JSON:
    if operation.key is None:
        return {name: item for name, item in operation.value.items() if name in names}
    return [item for item in operation.value if str(item[operation.key]) in names]


def _merged(operations: Sequence[Operation]) -> Patch:
    """Merges of one field as one operation, and equal unions once."""
    result: dict[tuple[str, Path], Operation] = {}
    for n, operation in enumerate(operations):
        if operation.verb not in {"merge", "union", "append"}:
            result[f"{n}", operation.path] = operation
            continue
        known = result.get((operation.verb, operation.path))
        result[operation.verb, operation.path] = operation if known is None else _two(known, operation)
    return tuple(result.values())


def _two(first: Operation, second: Operation) -> Operation:
    if isinstance(first.value, dict):
        return replace(first, value={**first.value, **second.value})
    new = second.value
    if first.verb == "union":
        new = [item for item in second.value if item not in first.value]
    return replace(first, value=[*first.value, *new])


def amended(patch: Patch, amendment: Patch) -> Patch:
    """A patch with an amendment on top; what the amendment writes wholly replaces what it was."""
    taken = {path for operation in amendment for path in operation.touched()}
    kept = (_without(operation, taken) for operation in patch if not commutes(operation))
    adding = (operation for operation in patch if commutes(operation))
    return (*adding, *(operation for operation in kept if operation is not None), *amendment)


def values_of(patch: Patch, compared: Iterable[Path] = ()) -> dict[str, JSON]:
    """What a patch says at each path, for comparing: what merely adds is left out unless asked for."""
    wanted = tuple(compared)
    said: dict[str, JSON] = {}
    for operation in patch:
        if commutes(operation) and not any(overlap(operation.path, path) for path in wanted):
            continue
        said.update(_said(operation))
    return said


def _said(operation: Operation) -> Mapping[str, JSON]:
    if operation.verb == "fold":
        return {pointer(operation.path): operation.value["by"]}
    if operation.verb != "merge":
        return {pointer(operation.path): operation.value}
    items = operation.value
    if operation.key is not None:
        items = {str(item[operation.key]): item for item in items}
    return {pointer((*operation.path, name)): item for name, item in items.items()}


def all_values(patch: Patch) -> dict[str, JSON]:
    """What a patch says at each path, additions included: what verifiers look at.

    What is put inside of a value that stands in the same patch is shown in its place there.
    """
    folded: dict[str, JSON] = {}
    for path, value in values_of(patch, compared=[()]).items():
        above = next((known for known in folded if path.startswith(f"{known}/")), None)
        if above is None or not _put(folded, above, path, value):
            folded[path] = value
    return folded


def _put(folded: dict[str, JSON], above: str, path: str, value: JSON) -> bool:
    """Put a value inside of the one above it; whether there is a place for it."""
    try:
        folded[above] = apply(folded[above], (Operation("set", parse_path(path[len(above) :]), value),))
    except NotFound:
        return False
    return True
