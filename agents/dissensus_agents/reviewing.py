"""The review of a round: a chain of supervisors rules on it, each ruling bound to what it is on.

Who rules next follows from how many rulings are recorded, so that a run that was stopped asks nobody twice.
"""

from __future__ import annotations

from functools import partial

from dissensus_state.journal import Outcome
from dissensus_state.records import RoundStatus, Ruling

from .crossing import aside
from .errors import RoundVoid
from .judgement.grading import of_evidence
from .judgement.rules import VERIFIED
from .judgement.supervisor import Person, Supervisor
from .rulings import LETS_PASS
from .running import Ending, Run, Running
from .supervising import Level, ruled_by
from .upholding import upheld_by_pattern

NOBODY = Supervisor(Person("nobody"))
"""Where a step has no supervisor, a person has to rule."""


async def review(run: Run, running: Running) -> None:
    """Get a ruling, or take the one that is recorded; say what becomes of the round."""
    given = await aside(run.journal.rulings, running.round) if running.round.status != "open" else []
    if given and given[-1].decision != "escalate":
        await _carry_out(run, running, given[-1], recorded=True)
        return
    levels = levels_of(running)[len(given) :]
    if given and (running.round.status == "parked" or not levels):
        await _park(run, running, given[-1])
        return
    decided = None if given else upheld_by_pattern(run.shape, running)
    if decided is not None:
        await _carry_out(run, running, decided, recorded=False)
        return
    for level in levels:
        name, count = level.supervisor.name, len(running.sides)
        run.tell(running, "reviewing", supervisor=name, positions=count)
        ruling = await ruled_by(run, running, level)
        if ruling.decision != "escalate" or level.last:
            await _carry_out(run, running, ruling, recorded=False)
            return
        await _pass_on(run, running, ruling)


def levels_of(running: Running) -> list[Level]:
    """The supervisors of a round in order; what a verifier has decided is ruled on by a rule, first."""
    chain = running.step.supervisors or (NOBODY,)
    if (running.review or {}).get("verified"):
        chain = (Supervisor(VERIFIED), *chain)
    return [Level(judge, last=n == len(chain)) for n, judge in enumerate(chain, start=1)]


async def _pass_on(run: Run, running: Running, ruling: Ruling) -> None:
    """Record a ruling that the next supervisor's is to follow."""
    _tell(run, running, ruling, recorded=False)
    running.round = await aside(run.journal.rule, running.round, ruling, tuple(running.outcomes))
    running.outcomes = []


def _tell(run: Run, running: Running, ruling: Ruling, *, recorded: bool) -> None:
    """Tell of a ruling; that a question is ambiguous is for whoever asked it, and stands in the history."""
    run.tell(running, "ruled", supervisor=ruling.author, decision=ruling.decision, **ruling.body())
    if ruling.cause != "ambiguous_question":
        return
    body = {"step": running.step.name, "supervisor": ruling.author, "readings": list(ruling.readings)}
    if ruling.clarification:
        body["clarification"] = ruling.clarification
    if not recorded:
        running.outcomes.append(Outcome("ambiguous", body))
    run.tell(running, "ambiguous", **body)


async def _carry_out(run: Run, running: Running, ruling: Ruling, *, recorded: bool) -> None:
    """What a ruling makes of the round; one that is not recorded yet is, with its effect."""
    _tell(run, running, ruling, recorded=recorded)
    if ruling.decision in LETS_PASS:
        running.ruling, running.recorded, running.ending = ruling, recorded, "commit"
        return
    new = None if recorded else ruling
    status, ending = _ENDINGS[ruling.decision]
    graded = of_evidence({} if ending == "parked" else running.evidence)
    outcomes = (*running.outcomes, *graded.told)
    close = partial(run.journal.close, outcomes=outcomes, graded=graded.grades)
    running.round = await aside(close, running.round, status, new)
    running.ending = ending
    if ending == "parked":
        _parked(run, running, ruling)
    elif ending == "rejected":
        run.tell(running, "rejected", reason=ruling.reason)
    elif running.tries > running.step.again:
        raise RoundVoid(
            f"The supervisor has sent the step {running.step.name!r} back {running.tries} times",
            next_step="Put the question more clearly, or let a person rule; then resume",
            round=running.round.round,
        )


_ENDINGS: dict[str, tuple[RoundStatus, Ending]] = {
    "retry": ("retried", "again"),
    "reject": ("rejected", "rejected"),
    "escalate": ("parked", "parked"),
}


async def _park(run: Run, running: Running, last: Ruling) -> None:
    """Leave a round to a person: all who could rule have escalated."""
    if running.round.status != "parked":
        running.round = await aside(run.journal.close, running.round, "parked")
    _parked(run, running, last)


def _parked(run: Run, running: Running, ruling: Ruling) -> None:
    running.ending = "parked"
    run.tell(running, "parked", reason=ruling.reason, session=run.journal.session.name)
