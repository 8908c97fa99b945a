"""What each agent of a step is asked on a snapshot, and what it read of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dissensus_state.errors import Denied
from dissensus_state.shapes import Shape

from .context.fitting import Room
from .messages import Request
from .steps import Step, view_of

if TYPE_CHECKING:
    from dissensus_state.sessions import Session
    from dissensus_state.values import JSON


@dataclass(frozen=True, slots=True)
class Prompts:
    """The request and the read set of each agent; and who has none, because of what it would be shown.

    An agent none of whose models is trusted with what its prompt shows is barred: what its pattern does
    without it is the pattern's, and the denial is what the run fails with where that is nothing.
    """

    requests: dict[str, Request] = field(default_factory=dict)
    reads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    barred: dict[str, Denied] = field(default_factory=dict)

    @property
    def why(self) -> dict[str, str]:
        """Why each of those that are barred is."""
        return {name: error.message for name, error in self.barred.items()}


def prompts_of(
    session: Session[Any],
    step: Step,
    state: JSON,
    version: int,
    note: str | None,
    rooms: Mapping[str, Room] | None = None,
) -> Prompts:
    """The same as `requests_of`, with a denied attempt put into the history."""
    try:
        return requests_of(session.shape, step, state, version, note, rooms or {})
    except Denied as error:
        session.record("denied", {"step": step.name, **error.as_dict()})
        raise


def requests_of(
    shape: Shape,
    step: Step,
    state: JSON,
    version: int,
    note: str | None,
    rooms: Mapping[str, Room],
) -> Prompts:
    """What each agent is asked on this snapshot, and what it read of it.

    Args:
        shape: The schema of the snapshot.
        step: The step with its agents.
        state: The state at that version.
        version: The version.
        note: What the panel is told where the step is repeated.
        rooms: What the recorded requests had room for; who is not named has what its models have now.

    Raises:
        Denied: An agent reads what it may not.
    """
    made = Prompts()
    for agent in step.agents:
        view = view_of(shape, agent, state, version)
        try:
            request = agent.request(view, step.task_of(agent.name), note, rooms.get(agent.name))
        except Denied as error:
            if not error.context.get("sensitive"):
                raise
            made.barred[agent.name] = error
            continue
        made.requests[agent.name] = request
        made.reads[agent.name] = view.reads
    return made
