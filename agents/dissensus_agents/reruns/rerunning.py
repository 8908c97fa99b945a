"""The counterfactual: the rounds after a version again, on branches, with something changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from dissensus_state.budgets import Usd
from dissensus_state.takeovers import carried_from

from ..bounds import check_known, check_whole
from ..crossing import aside
from ..errors import GraphError
from .answers import Rerun, Way
from .branches import begun_until, left_out_on, on_branch, purse_of, status_of, used_on
from .changes import Changes, Graph, changed, changes_of, seated
from .counting import Gone, decisions, gone_through, uncompared
from .going import Heard, Means, unheard
from .lines import OUTCOMES, Line, Plan, plan_of, read_line
from .tape import RecordedTape, Records
from .walking import Walk

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

MOST_TIMES = 1000


class Wanted(TypedDict, total=False):
    """How a session is run again; each may be left out.

    Attributes:
        swap: Models by seat, each as `Agent(model=…)` takes it: by an agent's name, `STEP/AGENT` for one step
            alone, a supervisor's name or `supervisor`.
        prompts: Roles by agent (a supervisor's instructions by `supervisor`), by the same names.
        supervisor: The model that rules; the same as `swap={"supervisor": …}`.
        times: On how many branches.
        until: Up to which version of the original; by default its head when the rerun was begun.
        budget: What all branches together may cost, in US dollars, beside the session's own budget.
        max_rounds: The most rounds of one branch; by default four times as many as there were, at least 32.
        author: Whom the history names for the branches.
        heard: Called with the branch and what happens there.
    """

    swap: Mapping[str, Any]
    prompts: Mapping[str, str]
    supervisor: Any
    times: int
    until: int | None
    budget: Usd | None
    max_rounds: int | None
    author: str
    heard: Heard


async def rerun(graph: Graph, session: Session[Any], since: int, wanted: Wanted) -> Rerun:
    """Run the rounds after a version again; see `AgentGraph.rerun`."""
    check_known("a rerun", wanted, Wanted.__annotations__)
    if type(since) is not int:
        raise GraphError(f"A rerun begins at a version, such as 12, and not at {since!r}")
    times = wanted.get("times", 1)
    check_whole("a rerun", times=times, max_rounds=wanted.get("max_rounds"))
    if times > MOST_TIMES:
        raise GraphError(f"A rerun has at most {MOST_TIMES} branches, and not {times}")
    changes = changes_of(graph, wanted.get("swap", {}), wanted.get("prompts", {}), wanted.get("supervisor"))
    other = changed(graph, changes)
    label = changes.label(session.branch, since, wanted.get("until"), seated(graph))
    names = [f"rerun-v{since}-{label}-{n}" for n in range(1, times + 1)]
    until = await aside(begun_until, session, names, wanted.get("until"))
    line = await aside(read_line, session, since, until)
    plan = plan_of(line, graph.steps)
    records = await aside(Records, session, plan.rounds)
    purse = await aside(purse_of, session, names, since, wanted.get("budget"))
    most = wanted.get("max_rounds") or max(32, 4 * len(plan.rounds))
    for name in names:
        body = {"until": line.until, **changes.as_dict()}
        branch = await aside(on_branch, session, name, since, body, wanted.get("author", "user"))
        tape = RecordedTape(records, changes.is_fresh, await aside(used_on, branch, since))
        means = Means(other, tape, purse, wanted.get("heard", unheard), most)
        await Walk(branch, plan, means).go()
    return await aside(told, session, plan, names, changes, graph)


# What came of it


def told(session: Session[Any], plan: Plan, names: Sequence[str], changes: Changes, graph: Graph) -> Rerun:
    """What the records say of a rerun."""
    line = plan.line
    then = gone_through(line, plan.rounds, session)
    lines = [read_line(session.on(name), line.since) for name in names]
    now = [gone_through(one, one.rounds, session) for one in lines]
    ways = [_way(one, gone, plan, list(then.occurred)) for one, gone in zip(lines, now, strict=True)]
    steps = {step for step, _ in then.occurred} | {step for gone in now for step, _ in gone.occurred}
    ended = all(way.status == "finished" for way in ways)
    return Rerun(
        session=session.name,
        origin=session.branch,
        since=line.since,
        until=line.until,
        changed=changes.as_dict(),
        decisions=tuple(decisions(then, now, graph.steps)),
        branches=tuple(ways),
        then=then.spent,
        uncompared=uncompared(graph.steps[step] for step in sorted(steps)),
        unasked=changes.unasked(seat for gone in now for seat in gone.asked) if ended else (),
    )


def _way(own: Line, gone: Gone, plan: Plan, before: Sequence[tuple[str, int]]) -> Way:
    branch, origin = own.session, plan.line.session
    status, why = status_of(branch)
    brought = [place[1] for one in own.commits if (place := carried_from(one.source)) is not None]
    parked = next((one.round for one in reversed(own.rounds) if one.status == "parked"), None)
    steps = tuple(one.step for one in own.rounds if one.status in OUTCOMES)
    return Way(
        branch=branch.branch,
        status=status,
        version=own.until,
        steps=steps,
        elsewhere=_elsewhere([step for step, _ in before], steps, whole=status == "finished"),
        spent=gone.spent,
        carried=tuple(brought),
        left_out=tuple(left_out_on(branch)),
        differences=tuple(branch.diff(plan.line.until, of=origin.branch)),
        parked=parked if status == "parked" else None,
        why=why,
        abstained=gone.abstained,
    )


def _elsewhere(before: Sequence[str], now: Sequence[str], *, whole: bool) -> str:
    """Where a way leaves the original's."""
    for place, (then, step) in enumerate(zip(before, now, strict=False)):
        if then != step:
            after = f"after {now[place - 1]} " if place else ""
            return f"{after}it went to {step} instead of {then}"
    if len(now) > len(before):
        return f"after {now[len(before) - 1]} it went on to {now[len(before)]}"
    if whole and len(now) < len(before):
        return f"it ended before {before[len(now)]}"
    return ""
