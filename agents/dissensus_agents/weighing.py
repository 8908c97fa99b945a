"""What the voices of a round are worth together: ballots for whoever weighs them, and what it says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, get_args

from .agent import Task
from .errors import GraphError
from .judgement.ballots import Ballot, Basis, Voter, Weighed, Weigher
from .judgement.disagreement import Disagreement
from .judgement.lineage import effective_votes
from .judgement.options import options_at
from .judgement.prior import PRIOR
from .knowing import Knowing
from .positions import values_of
from .running import Run, Running
from .steps import Step

_ROUNDING = 1e-6


def weigher_for(run: Run, step: Step) -> Weigher:
    """Who weighs a step's proposals: its own weigher, or one on what this store has graded so far.

    What is graded is read once in a run, and again after a round that may have added to it.
    """
    if step.weigh is not None:
        return step.weigh
    if len(step.agents) == 1:
        return PRIOR
    last = run.current
    if last is not None and (last.evidence or last.ruling is not None):
        run.weigher = None
    if run.weigher is None:
        run.knowing = run.knowing or Knowing(run.journal.session.database)
        run.weigher = run.knowing.weigher()
    return run.weigher


def weigh(_: Run | None, running: Running) -> None:
    """Say what the positions of the round are worth, as wholes and at each disputed path."""
    disputed = running.comparison.disagreements
    if running.weigher is PRIOR and not disputed:  # the plain round: nothing but lineages is asked for
        models = [running.lineage(item.agent) for item in running.made]
        votes = effective_votes([lineage for lineage, _ in models], [name for _, name in models])
        running.weighed, running.votes, running.weights = Weighed(votes), votes, {}
        return
    held = [side.agents for side in running.sides]
    running.weighed = _weighed(running, held, _options(running, disputed))
    running.votes = running.weighed.votes
    running.weights = {}
    if len(disputed) > 1:
        for one in disputed:
            at_path = [position.holders for position in one.positions]
            running.weights[one.path] = _weighed(running, at_path, _options(running, (one,)))


def _options(running: Running, disputed: Sequence[Disagreement]) -> int | None:
    """Among how many answers the agents could choose, where all is about one path."""
    if len(disputed) > 1 or running.weigher is PRIOR:
        return None
    paths = [one.path for one in disputed]
    if not paths:
        paths = sorted({path for item in running.made for path in values_of(item.patch)})
    return _options_of(running.step.task, paths[0]) if len(paths) == 1 else None


@lru_cache(maxsize=1024)
def _options_of(task: Task, path: str) -> int | None:
    return options_at(task.schema, path)


def _weighed(running: Running, held: Sequence[Sequence[str]], options: int | None) -> Weighed:
    ballots = ballots_of(running, held)
    if options is not None:
        options = max(options, len(held))  # null is a position, and not among them
    given: object = running.weigher.weigh(ballots, running.step.name, options)
    return _sound(running.weigher, given, len(held))


def weighed_of(running: Running, held: Sequence[Sequence[str]], disputed: Sequence[Disagreement]) -> Weighed:
    """What some positions are worth, of those who hold them and nobody else."""
    return _weighed(running, held, _options(running, disputed))


def ballots_of(running: Running, held: Sequence[Sequence[str]], *, whole: bool = False) -> list[Ballot]:
    """One ballot for each agent that stands behind exactly one position.

    Whoever goes along with all of them, since it speaks to nothing that is disputed, has no voice here.

    Args:
        running: The round.
        held: Who stands behind each position.
        whole: With all that a ballot can say, though the round's own weigher asks for less.
    """
    whole = whole or running.weigher is not PRIOR
    places: dict[str, list[int]] = {}
    for number, agents in enumerate(held):
        for agent in agents:
            places.setdefault(agent, []).append(number)
    return [_ballot(running, agent, at[0], whole=whole) for agent, at in places.items() if len(at) == 1]


def _ballot(running: Running, agent: str, position: int, *, whole: bool) -> Ballot:
    lineage, model = running.lineage(agent)
    if not whole:
        return Ballot(agent, Voter(model, lineage), position)
    call = running.call(agent)
    return Ballot(
        agent,
        Voter(model, lineage),
        position,
        running.proposal(agent).confidence,
        call.thinking if call else None,
        sum(not item.passed and not item.broke for item in running.evidence.get(agent, ())),
    )


def _sound(weigher: Weigher, given: object, positions: int) -> Weighed:
    """What a weigher says, if it can be so."""
    name = type(weigher).__name__
    if not isinstance(given, Weighed):
        raise GraphError(
            f"The weigher {name} gave a {type(given).__name__}, and no Weighed",
            next_step="Return dissensus.judgement.Weighed(votes, shares) from its `weigh`",
        )
    if given.basis not in get_args(Basis):
        raise GraphError(
            f"The weigher {name} has the basis {given.basis!r}",
            next_step=f"There are {', '.join(get_args(Basis))}",
        )
    if not _is_amount(given.votes, math.inf):
        raise GraphError(f"The weigher {name} gives {given.votes!r} effective votes")
    shares = given.shares
    if shares is None:
        return given
    if len(shares) != positions or not all(_is_amount(one, 1.0) for one in shares):
        raise GraphError(
            f"The weigher {name} gives the shares {shares!r} for {positions} positions",
            next_step="Give each position, in their order, how likely it is right, from 0 to 1",
        )
    if sum(shares) > 1 + _ROUNDING:
        raise GraphError(f"The weigher {name} gives shares that are more than one together: {shares!r}")
    return given


def _is_amount(value: object, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most + _ROUNDING


def weighed_body(weighed: Weighed, labels: Iterable[str]) -> dict[str, Any]:
    """What the records say of a weighing: `shares` by the positions' labels."""
    body: dict[str, Any] = {"votes": round(weighed.votes, 3), "basis": weighed.basis}
    if weighed.shares is not None:
        body["shares"] = {label: round(share, 4) for label, share in zip(labels, weighed.shares, strict=True)}
    if weighed.on:
        body["on"] = weighed.on
    if weighed.note:
        body["note"] = weighed.note
    return body


def told_of(running: Running) -> dict[str, Any]:
    """What of the weighing belongs into the history; nothing where lineages alone say it.

    Where several paths are disputed, each one's own weighing stands under `paths`, by the numbers of
    its positions.
    """
    body = weighed_body(running.weighed, [side.label for side in running.sides])
    if running.weights:
        body["paths"] = {
            path: weighed_body(one, map(str, range(1, len(one.shares or ()) + 1)))
            for path, one in running.weights.items()
        }
    return body
