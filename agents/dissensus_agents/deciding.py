"""What patterns decide, as it is written into the history and read back from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dissensus_state.decisions import KIND
from dissensus_state.journal import Outcome

from .errors import GraphError
from .patterns.plan import Ask, Consult, Decision, Move, Passed, Stop


def kept_of(move: Move, number: int | None) -> tuple[Outcome, ...]:
    """What is written of a move; nothing where nothing was decided.

    Each decision says what it led to as well: in which wave, who was asked and how, or whose proposals
    stand, so that the same can be done again without deciding again. Without a number it is part of a wave
    that is written already.
    """
    if isinstance(move, Consult) or not move.decisions:
        return ()
    if number is None:
        return tuple(Outcome(KIND, one.as_dict()) for one in move.decisions)
    if isinstance(move, Ask):
        led: dict[str, Any] = {"wave": number, "asks": list(move.agents)}
        led |= {"first": True} if move.first else {}
        led |= {"hedge": move.hedge} if move.hedge is not None else {}
        led |= {"least": move.least} if move.least is not None else {}
    else:
        led = {"wave": number, "stops": move.why, "deciding": list(move.deciding)}
        led |= {"unsettled": move.unsettled} if move.unsettled else {}
    return tuple(Outcome(KIND, {**one.as_dict(), **led}) for one in move.decisions)


def moves_in(bodies: Sequence[Mapping[str, Any]], agents: Collection[str]) -> tuple[list[Ask], Stop | None]:
    """The waves that were asked, in order, and how it ended, if it did.

    Raises:
        GraphError: It was decided about agents that are not in the step.
    """
    waves: dict[int, list[Mapping[str, Any]]] = {}
    for body in bodies:
        if "wave" in body:
            waves.setdefault(int(body["wave"]), []).append(body)
    asks, stop = list[Ask](), None
    for _, said in sorted(waves.items()):
        decisions, last = tuple(map(decision_in, said)), said[-1]
        named = [*last.get("asks", ()), *last.get("deciding", ())]
        if strange := [name for name in named if name not in agents]:
            raise GraphError(
                f"The round was decided for {strange[0]!r}, which is no agent of the step",
                next_step="Run the graph that the round belongs to, or settle it with `dissensus rule`",
            )
        if "asks" in last:
            first, hedge, least = bool(last.get("first")), last.get("hedge"), last.get("least")
            asks.append(Ask(tuple(last["asks"]), decisions, first, hedge, least))
        else:
            unsettled = str(last.get("unsettled", ""))
            stop = Stop(str(last["stops"]), tuple(last["deciding"]), decisions, unsettled)
    return asks, stop


def decision_in(body: Mapping[str, Any]) -> Decision:
    """A decision as it was, from what stands in the history."""
    return Decision(
        pattern=str(body.get("pattern", "")),
        at=str(body.get("at", "")),
        chosen=tuple(map(str, body.get("chosen", ()))),
        reason=str(body.get("reason", "")),
        confidence=body.get("confidence"),
        passed_over=tuple(
            Passed(str(one.get("what", "")), str(one.get("why", ""))) for one in body.get("passed_over", ())
        ),
    )
