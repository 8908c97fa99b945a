"""The counterfactual: the rounds after a version again, on branches, with something changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from dissensus_state.budgets import Budget, Usd
from dissensus_state.errors import Conflict
from dissensus_state.records import Call
from dissensus_state.reuse import REUSED
from dissensus_state.values import JSON

from ..bounds import check_whole
from ..crossing import aside
from ..errors import GraphError
from ..running import Progress
from .answers import Rerun, Way
from .changes import Changes, Graph, changed, changes_of
from .counting import Gone, decisions, gone_through, uncompared
from .lines import OUTCOMES, Line, Plan, plan_of, read_line
from .purse import RerunPurse, spent_by
from .tape import Place, RecordedTape, Records
from .walking import DONE, LEFT_OUT, Heard, Walk, carried_from

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

BEGUN = "rerun"
"""The kind of event that says on a branch what was changed for it."""

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
    times = wanted.get("times", 1)
    check_whole("a rerun", times=times, max_rounds=wanted.get("max_rounds"))
    if times > MOST_TIMES:
        raise GraphError(f"A rerun has at most {MOST_TIMES} branches, and not {times}")
    changes = changes_of(graph, wanted.get("swap", {}), wanted.get("prompts", {}), wanted.get("supervisor"))
    other = changed(graph, changes)
    label = changes.label(session.branch, since, wanted.get("until"))
    names = [f"rerun-v{since}-{label}-{n}" for n in range(1, times + 1)]
    until = await aside(_begun_until, session, names, wanted.get("until"))
    line = await aside(read_line, session, since, until)
    plan = plan_of(line, graph.steps)
    records = await aside(Records, session, plan.rounds)
    purse = await aside(_purse, session, names, plan, wanted.get("budget"))
    most = wanted.get("max_rounds") or max(32, 4 * len(plan.rounds))
    for name in names:
        branch = await aside(_on, session, name, plan, changes, wanted.get("author", "user"))
        used = await aside(_used, branch, since)
        tape = RecordedTape(records, changes.is_fresh, used)
        await Walk(other, branch, plan, tape, purse, wanted.get("heard", _unheard), most).go()
    return await aside(told, session, plan, names, changes.as_dict(), graph)


def _unheard(_: str, __: Progress) -> None:
    """Nobody listens."""


def _begun_until(session: Session[Any], names: Sequence[str], until: int | None) -> int | None:
    """Up to which version it goes: as it was when the rerun was begun."""
    if until is not None:
        return until
    for event in session.events(BEGUN):
        if event.branch in names and isinstance(found := event.body.get("until"), int):
            return found
    return None


def _on(session: Session[Any], name: str, plan: Plan, changes: Changes, author: str) -> Session[Any]:
    """The session on a branch of the rerun, which is forked where it is not there yet.

    Raises:
        Conflict: there is a branch of that name that is none of this rerun's.
    """
    there = next((one for one in session.branches() if one.name == name), None)
    if there is None:
        branch = session.fork(name, plan.line.since, author=author)
    else:
        branch = session.on(name)
        base = branch.commit_at(plan.line.since)
        if base.hash != session.commit_at(plan.line.since).hash:
            raise Conflict(
                f"The branch {name} does not begin at version {plan.line.since} of {session.branch}",
                next_step="Close that branch, and give this rerun another `until`",
                retry=False,
            )
    if not any(event.branch == name for event in branch.events(BEGUN)):
        where: dict[str, JSON] = {
            "origin": session.branch,
            "since": plan.line.since,
            "until": plan.line.until,
        }
        branch.record(BEGUN, {**where, **changes.as_dict()})
    return branch


def _used(branch: Session[Any], since: int) -> list[Place]:
    """The recorded calls that a branch has made again already."""
    return [
        Place(int(source["round"]), str(source["agent"]), int(source["attempt"]))
        for call in _calls(branch, since)
        if (source := (call.detail or {}).get(REUSED)) is not None and source.get("session") == branch.name
    ]


def _calls(branch: Session[Any], since: int) -> Iterable[Call]:
    own = [one.round for one in read_line(branch, since).rounds if one.branch == branch.branch]
    return [call for number in own for call in branch.round(number)[2]]


def _purse(session: Session[Any], names: Sequence[str], plan: Plan, budget: Usd | None) -> RerunPurse | None:
    """The rerun's own limit, with what its branches have spent of it already."""
    limit = None if budget is None else Budget(usd=budget).nano
    if limit is None:
        return None
    there = {one.name for one in session.branches()} & set(names)
    spent = sum(spent_by(_calls(session.on(name), plan.line.since)) for name in there)
    return RerunPurse(limit, spent)


# What came of it


def told(
    session: Session[Any], plan: Plan, names: Sequence[str], said: Mapping[str, JSON], graph: Graph
) -> Rerun:
    """What the records say of a rerun."""
    line = plan.line
    then = gone_through(line, plan.rounds, session)
    lines = [read_line(session.on(name), line.since) for name in names]
    now = [gone_through(one, one.rounds, session) for one in lines]
    ways = [_way(one, gone, plan, list(then.occurred)) for one, gone in zip(lines, now, strict=True)]
    steps = {step for step, _ in then.occurred} | {step for gone in now for step, _ in gone.occurred}
    return Rerun(
        session=session.name,
        origin=session.branch,
        since=line.since,
        until=line.until,
        changed=said,
        decisions=tuple(decisions(then, now, graph.steps)),
        branches=tuple(ways),
        then=then.spent,
        uncompared=uncompared(graph.steps[step] for step in sorted(steps)),
    )


def _way(own: Line, gone: Gone, plan: Plan, before: Sequence[tuple[str, int]]) -> Way:
    branch, origin = own.session, plan.line.session
    status, why = status_of(branch)
    left = [event.body for event in branch.events(LEFT_OUT) if event.branch == branch.branch]
    brought = [place[1] for commit in own.commits if (place := carried_from(commit)) is not None]
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
        left_out=tuple(left),
        differences=tuple(branch.diff(plan.line.until, of=origin.branch)),
        parked=parked if status == "parked" else None,
        why=why,
        abstained=gone.abstained,
    )


def status_of(branch: Session[Any]) -> tuple[str, dict[str, Any] | None]:
    """How the last walk on a branch ended, and the error that it ended by."""
    ended = [event.body for event in branch.events(DONE) if event.branch == branch.branch]
    if not ended:
        return "open", None
    status = str(ended[-1].get("status", "open"))
    return status, None if status in {"finished", "parked"} else ended[-1]


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
