"""What a panel is told of a refused commit: the failure as data, bounded, without what it may not read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dissensus_state.errors import Conflict, DissensusError
from dissensus_state.objections import excerpt
from dissensus_state.rights import granted, meet
from dissensus_state.shapes import Shape
from dissensus_state.values import parse_path, within

from .steps import Step

MAX_TOLD = 3000
"""How many characters of a refusal reach a prompt."""

_TOLD = ("code", "rule", "says", "transition", "right", "allowed", "path", "value", "before")


def tell(shape: Shape, step: Step, error: DissensusError) -> str:
    """The clarification with which a step begins again after its commit was refused."""
    reason = f"Your last proposal was refused. {error.message} ({error.context.get('path', '')})"
    told = {name: value for name, value in error.as_dict().items() if name in _TOLD}
    for name in ("value", "before"):
        if name in told:
            told[name] = _readable(shape, step, told[name])
    facts = {name: excerpt(value) for name, value in told.items() if value not in (None, {})}
    return f"{reason}\n{json.dumps(facts, ensure_ascii=False)}"[:MAX_TOLD]


def _readable(shape: Shape, step: Step, values: Any) -> Any:
    """The values that every agent of the step may read: all of them are told the same."""
    if not isinstance(values, Mapping):
        return None
    rights = [meet(agent.reads, granted(shape.rights, agent.name, "read")) for agent in step.agents]
    limits = [may for may in rights if may is not None]
    return {
        path: value for path, value in values.items() if all(within(parse_path(path), may) for may in limits)
    }


def helpless(error: DissensusError) -> bool:
    """Whether asking again would only cost money: the failure says that no other patch could pass."""
    return not isinstance(error, Conflict) and error.context.get("retry") is False
