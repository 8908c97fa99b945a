"""How far a research session is: what it has cost, what is to come, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

from dissensus.cli.texts import count, usd
from dissensus_agents.messages import Usage
from dissensus_agents.models.prices import cost

from .librarian import FEWEST, MOST, SHARE
from .rooms import BATCH, CONCLUDED, SCOUTED, TOLD
from .schema import Research, batches, side_by_side
from .study import GATHER, SCOUT

if TYPE_CHECKING:
    from dissensus_agents.models.client import Model
    from dissensus_agents.running import Progress
    from dissensus_state.sessions import Session

    from .crew import Staff

_USUAL = 0.2
"""Of the tokens that an answer may have, about how many it has."""

_BYTES_PER_TOKEN = 4
_PASSAGE = 2_000
"""Bytes of a passage, as long as none was chosen."""

_THINKS_LONGER = 2.0
"""How much longer the panel and its supervisor take than a scout."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is still to come: calls, nano-USD, and rounds of calls that are made side by side."""

    calls: int
    cost: int
    rounds: float


@dataclass(slots=True)
class Meter:
    """Follows a run by its events.

    Args:
        session: What is run.
        staff: Who works on it.
        clock: Seconds that only go forward.
    """

    session: Session[Research]
    staff: Staff
    clock: Callable[[], float] = time.monotonic
    spent: int = 0
    state: Research = field(init=False)
    _asked: dict[tuple[int | None, str], float] = field(default_factory=dict)
    _took: list[float] = field(default_factory=list)
    _guessed: int = 0
    _paid: int = 0

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Look at what stands in the database."""
        self.state, self.spent = self.session.state, self.session.budget.spent

    def heard(self, event: Progress) -> None:
        """Take an event of the run in."""
        seat = event.round, str(event.body.get("agent", ""))
        if event.kind == "asked":
            self._asked[seat] = self.clock()
        elif event.kind == "answered":
            self._answered(seat, event.body.get("cost") or 0)
        elif event.kind in {"round", "committed", "ruled"}:
            self.refresh()

    def _answered(self, seat: tuple[int | None, str], cost: int) -> None:
        began = self._asked.pop(seat, None)
        if began is None:
            return
        self.spent += cost
        if seat[1].startswith(SCOUT):
            self._took.append(self.clock() - began)
            self._paid += cost
            self._guessed += guessed(self.staff.scouts[int(seat[1].removeprefix(SCOUT)) - 1], BATCH, SCOUTED)

    def ahead(self) -> Ahead:
        """What is still to come, as far as it is planned; costs follow what the scouts have cost so far."""
        reading, side = _to_read(self.state, self.staff)
        factor = self._paid / self._guessed if self._guessed else 1.0
        scouts = [
            guessed(self.staff.scouts[n % len(self.staff.scouts)], BATCH, SCOUTED) for n in range(reading)
        ]
        judges = (
            [] if self.state.phase in {"reporting", "closed"} else [*self.staff.panel, self.staff.supervisor]
        )
        judging = sum(guessed(model, TOLD // 2, CONCLUDED) for model in judges)
        rounds = ceil(reading / side) if reading else 0
        later = 2 * _THINKS_LONGER if judges else 0
        return Ahead(reading + len(judges), int(sum(scouts) * factor) + judging, rounds + later)

    def seconds_left(self) -> float | None:
        """About how long it takes; None until a scout has answered."""
        if not self._took:
            return None
        return self.ahead().rounds * sum(self._took) / len(self._took)

    def line(self) -> str:
        """All of it on one line."""
        return " · ".join(self._pieces())

    def _pieces(self) -> Iterator[str]:
        state = self.state
        yield _doing(state)
        if state.findings:
            dropped = f", {len(state.dropped)} dropped" if state.dropped else ""
            yield f"{count(len(state.standing), 'checked finding')}{dropped}"
        ahead = self.ahead()
        beside = " beside what nobody knows" if any(m.price is None for m in self.staff.models) else ""
        yield f"{dollars(self.spent)} spent, about {dollars(ahead.cost)} to come{beside}"
        left = self.seconds_left()
        if left is not None and ahead.calls:
            yield f"about {duration(left)} left"


def _doing(state: Research) -> str:
    match state.phase:
        case "plan":
            return "planning" if state.sources else "reading the files"
        case "gathering":
            return (
                f"batch {min(state.read + 1, batches(state))} of {batches(state)}"
                if state.reading
                else "searching"
            )
        case "judging":
            return "judging"
        case _:
            return "reporting"


def _to_read(state: Research, staff: Staff) -> tuple[int, int]:
    """How many batches are still to be read, and how many at once; before the first search, about."""
    if state.phase not in {"plan", "gathering"}:
        return 0, 1
    if state.searched:
        return batches(state) - state.read, max(1, side_by_side(state))
    total = sum(item.passages for item in state.sources)
    chosen = min(total, MOST, max(FEWEST, int(total * SHARE)))
    return max(1, ceil(chosen * _PASSAGE / BATCH)), len(staff.scouts)


def guessed(model: Model, size: int, answer: int) -> int:
    """About what a call costs, in nano-USD; nothing where the price is not known."""
    if model.price is None:
        return 0
    return cost(model.price, Usage(size // _BYTES_PER_TOKEN, int(answer * _USUAL)))


def dollars(nano: int) -> str:
    """Money as it is shown while it runs: to the cent, small sums to three digits."""
    amount = usd(nano) or 0.0
    return f"${amount:.2f}" if amount >= 1 or not amount else f"${amount:.4f}"


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def told(event: Progress, state: Research) -> str:
    """An event in a line; of some, nothing."""
    body, step = event.body, event.step
    match event.kind:
        case "round":
            return _round(step, len(body["agents"]))
        case "abstained" | "conflict" | "refused" | "spared" | "warning":
            return f"{body.get('agent', event.kind)}: {body.get('message', '')}"
        case "failover":
            return f"{body['agent']}: {body['model']} is passed over ({body['why']}), another one is asked"
        case "disagreed":
            return f"they disagree: {'; '.join(_positions(body['review']))}"
        case "ruled":
            return f"{body['supervisor']} rules {body['decision']}: {body.get('reason', '')}"
        case "committed":
            return _committed(step, state)
        case "parked":
            return f"round {event.round} waits for a person's ruling"
        case "rejected":
            return "no position stands; nothing is concluded"
        case _:
            return ""


def _round(step: str, agents: int) -> str:
    if step == "plan":
        return "the question is divided"
    if step.startswith(GATHER):
        return f"{count(agents, 'scout')} read"
    return f"{count(agents, 'analyst')} judge" if step == "conclude" else ""


def _committed(step: str, state: Research) -> str:
    if step == "plan":
        return f"{count(len(state.plan), 'sub-question')}: {'; '.join(part.question for part in state.plan)}"
    if step == "search":
        found, total = state.searched[-1].chosen, sum(item.passages for item in state.sources)
        return f"search {len(state.searched)}: {found:,} of {count(total, 'passage')} to be read"
    if step == "check":
        return (
            f"{count(len(state.standing), 'finding')} with a checked quotation, {len(state.dropped)} dropped"
        )
    return f"reading ends: {state.stopped}" if step == "enough" else ""


def _positions(review: dict[str, object]) -> Iterator[str]:
    for dispute in review.get("disagreements", ()):  # type: ignore[attr-defined]
        for side in dispute["positions"]:
            said = side["value"] if isinstance(side["value"], str) else "otherwise"
            yield f"{', '.join(side['holders'])} say “{said}”"
