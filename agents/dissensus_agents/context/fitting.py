"""A request made to fit the windows of the models that may be asked it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dissensus_state.records import Call

from ..errors import ContextOverflow
from ..messages import Request
from .counting import room_of, surely_over, tokens_of
from .fits import BETWEEN, Ask, Fit, Refuse, Summarised, cut, too_much
from .summaries import SUFFIX, pending_of

if TYPE_CHECKING:
    from ..models.client import Model


@dataclass(frozen=True, slots=True)
class Room:
    """The tokens that there were for the parts of a recorded request; None: all of it was shown."""

    tokens: int | None


@dataclass(frozen=True, slots=True)
class Fitting:
    """Whose prompt is fitted, by which rule, to which models.

    Args:
        owner: The seat.
        role: What it is asked to do, for summaries.
        fit: The rule; None: only what surely does not fit is refused.
        models: All that may be asked.
    """

    owner: str
    role: str
    fit: Fit | None
    models: Sequence[Model]

    @property
    def window(self) -> int | None:
        """The smallest window that is known: a failover must find the prompt fitting."""
        known = [window for window in map(window_of, self.models) if window is not None]
        return min(known, default=None)

    def of(self, request: Request, ask: Ask, room: Room | None = None) -> Request:
        """The request with what fits of its parts, and with the summaries that it waits for.

        Args:
            request: The whole of it.
            ask: Reads a path to rank by.
            room: The room that a recorded request had; None: what the models have now.

        Raises:
            ContextOverflow: It does not fit, and the rule does not help.
        """
        if self.fit is None:
            if room is None:
                self._refuse_what_surely_does_not_fit(request)
            return request
        tokens = room_of(request, self.window, self.fit.tokens) if room is None else room.tokens
        if tokens is None:
            return request
        if isinstance(self.fit, Refuse):
            return self._refused(request, tokens)
        if isinstance(self.fit, Summarised):
            return self._summarised(request, tokens, self.fit)
        return replace(request, parts=cut(request.parts, tokens, self.fit, ask, self._named))

    @property
    def _named(self) -> str:
        return repr(self.owner)

    def _refuse_what_surely_does_not_fit(self, request: Request) -> None:
        windows = [window_of(model) for model in self.models]
        largest = max((window for window in windows if window is not None), default=0)
        if None in windows or not (over := surely_over(request, largest)):
            return
        error = too_much(request.parts, largest, self._named)
        raise ContextOverflow(error.message, next_step=error.next_step, over=over, room=largest)

    def _refused(self, request: Request, room: int) -> Request:
        if sum(tokens_of(part.render()) + BETWEEN for part in request.parts) > room:
            raise too_much(request.parts, room, self._named)
        return request

    def _summarised(self, request: Request, room: int, fit: Summarised) -> Request:
        pending = pending_of(request, room, fit, self.owner, self.role)
        return replace(request, pending=pending)


def window_of(model: Model) -> int | None:
    """The tokens that fit into a model's window, prompt and answer together; None: nobody knows."""
    window = getattr(model, "window", None)
    return window if isinstance(window, int) and window > 0 else None


def rooms_of(calls: Sequence[Call]) -> Mapping[str, Room]:
    """The room that the recorded request of each seat had; a summary's is that of its agent."""
    rooms: dict[str, Room] = {}
    for call in calls:
        agent = call.agent.partition(SUFFIX)[0]
        found = next(filter(None, map(_room_in, _parts(call))), None)
        if found is not None:
            rooms[agent] = Room(found)
        elif agent == call.agent:
            rooms.setdefault(agent, Room(None))
    return rooms


def _parts(call: Call) -> Sequence[object]:
    request = call.request
    parts = request[1] if isinstance(request, list) and len(request) > 1 else []
    return parts if isinstance(parts, list) else []


def _room_in(part: object) -> int | None:
    shown = part[2] if isinstance(part, list) and len(part) == 3 else None
    room = shown.get("room") if isinstance(shown, dict) else None
    return room if isinstance(room, int) else None
