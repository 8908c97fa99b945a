"""The repair: what rests on retracted commits is made anew on a branch, to be merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from dissensus_state import impact, joining, takeovers
from dissensus_state.budgets import Usd
from dissensus_state.errors import NotFound
from dissensus_state.lineages import lineage
from dissensus_state.records import Commit
from dissensus_state.showing import Shown, table
from dissensus_state.tainting import Seed
from dissensus_state.takeovers import Retraction
from dissensus_state.values import JSON, pointer

from ..bounds import check_known, check_whole
from ..crossing import aside
from .answers import WIDEST, Decision, Spent, grid, no_effect
from .branches import begun_until, left_out_on, on_branch, purse_of, status_of, used_on
from .changes import Changes, Graph, changed, changes_of, seated
from .counting import decisions, gone_through
from .going import Heard, Means, unheard
from .lines import Line, read_line
from .mending import Mending, Repairs, repairs_of
from .tape import RecordedTape, Records

if TYPE_CHECKING:
    from dissensus_state.sessions import Session


class RepairWanted(TypedDict, total=False):
    """How a session is repaired; each may be left out.

    Attributes:
        swap, prompts, supervisor: What is changed for the rounds that are asked again, as for a rerun.
        again: Ask the rounds of retracted commits again, all seats anew, instead of leaving them out.
        budget: What the repair may cost, in US dollars, beside the session's own budget.
        max_rounds: The most tries of one round; 32 by default.
        author: Whom the history names for what the repair itself commits.
        heard: Called with the branch and what happens there.
    """

    swap: Mapping[str, Any]
    prompts: Mapping[str, str]
    supervisor: Any
    again: bool
    budget: Usd | None
    max_rounds: int | None
    author: str
    heard: Heard


@dataclass(frozen=True, slots=True)
class Kept(Shown):
    """A commit of the original line, and what became of it on the branch of a repair.

    `what` is `dropped`, `carried`, `again` (its round was asked again), `suspect` (made by hand, rests on
    what was retracted, carried all the same) or `left out` (it did not fit), `waiting` where the repair has
    not come to it yet.
    """

    version: int
    author: str
    writes: tuple[str, ...]
    what: str
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "version": self.version,
            "author": self.author,
            "writes": list(self.writes),
            "what": self.what,
            "why": self.why,
        }

    def cells(self) -> dict[str, object]:
        """What is shown of it."""
        return {
            "version": f"v{self.version}",
            "what": self.what,
            "author": self.author,
            "writes": ", ".join(self.writes),
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Repair(Shown):
    """What a repair came to.

    Attributes:
        session, origin: The session, and the branch that is repaired.
        branch: The branch of the repair; `version` its head.
        since, until: The versions between which it was gone along.
        status: As of a rerun's `Way`; `parked` is the round that waits for a person, `why` the error.
        retracted: The retracted versions, with the reasons.
        commits: Each commit of the line, and what became of it.
        decisions: What the rounds that were asked again had written, and what they wrote now.
        spent: What it cost.
        unasked: Seats that were given something else, and that no round asked: that had no effect.
    """

    session: str
    origin: str
    branch: str
    version: int
    since: int
    until: int
    status: str
    retracted: Mapping[int, str]
    commits: tuple[Kept, ...]
    decisions: tuple[Decision, ...]
    spent: Spent
    parked: int | None = None
    why: Mapping[str, JSON] | None = None
    unasked: tuple[str, ...] = ()

    def of(self, what: str) -> tuple[Kept, ...]:
        """The commits of which that became: `dropped`, `carried`, `again`, `suspect`, `left out`."""
        return tuple(one for one in self.commits if one.what == what)

    @property
    def is_finished(self) -> bool:
        """Whether it can be merged."""
        return self.status == "finished"

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "session": self.session,
            "origin": self.origin,
            "branch": self.branch,
            "version": self.version,
            "since": self.since,
            "until": self.until,
            "status": self.status,
            "retracted": [
                {"version": version, "reason": reason} for version, reason in sorted(self.retracted.items())
            ],
            "commits": [one.as_dict() for one in self.commits],
            "decisions": [one.as_dict() for one in self.decisions],
            "spent": self.spent.as_dict(),
            "parked": self.parked,
            "why": None if self.why is None else dict(self.why),
            "unasked": list(self.unasked),
        }

    def __str__(self) -> str:
        said = ", ".join(f"v{version} ({reason})" for version, reason in sorted(self.retracted.items()))
        parts = [f"{self.session}: {self.origin} without {said}, on {self.branch}: {self.status}"]
        told = [one.cells() for one in self.commits if one.what != "carried"]
        parts += [grid(told), f"carried as they were: {len(self.of('carried'))}"]
        parts += [grid([_changed_cells(one) for one in self.decisions], WIDEST), f"cost: {self.spent}"]
        parts += [f"round {self.parked} waits for a person"] if self.parked is not None else []
        parts += [str(self.why.get("message", ""))] if self.why else []
        parts.append(no_effect(self.unasked))
        return "\n\n".join(part for part in parts if part)

    def _repr_html_(self) -> str:
        told = [one.cells() for one in self.commits]
        decided = [_changed_cells(one) for one in self.decisions]
        title = f"{self.session}: {self.origin} repaired on {self.branch}: {self.status}"
        html = table(list(told[0]) if told else (), [list(one.values()) for one in told], title)
        if decided:
            html += table(list(decided[0]), [list(one.values()) for one in decided], "asked again")
        rest = [["cost", str(self.spent)], *([["", no_effect(self.unasked)]] if self.unasked else [])]
        return html + table((), rest)


def _changed_cells(one: Decision) -> dict[str, object]:
    """What is shown of a decision that was made once more."""
    said = one.cells()
    return {name: said[name] for name in ("step", "path", "then", "now")} | {
        "": "changed" if one.flipped.hits else ""
    }


async def repair(
    graph: Graph, session: Session[Any], retracted: int | Iterable[int] | None, wanted: RepairWanted
) -> Repair:
    """Repair what rests on retracted commits; see `AgentGraph.repair`."""
    check_known("a repair", wanted, RepairWanted.__annotations__)
    check_whole("a repair", max_rounds=wanted.get("max_rounds"))
    changes = changes_of(graph, wanted.get("swap", {}), wanted.get("prompts", {}), wanted.get("supervisor"))
    other = changed(graph, changes)
    reasons = await aside(_retracted, session, retracted)
    since, again = min(reasons) - 1, wanted.get("again", False)
    label = changes.label("repair", session.branch, sorted(reasons), again, seated(graph))
    name, author = f"repair-v{since}-{label}", wanted.get("author", "user")
    until = await aside(begun_until, session, [name], None)
    line = await aside(read_line, session, since, until)

    given = frozenset(reasons)
    hit = await aside(_rests_on, session, given)
    repairs = await aside(repairs_of, line, given, hit, graph.steps, again=again)
    body = {"until": line.until, "retracted": sorted(reasons), "again": again, **changes.as_dict()}
    branch = await aside(on_branch, session, name, since, body, author)
    records = await aside(Records, session, repairs.again.values())
    purse = await aside(purse_of, session, [name], since, wanted.get("budget"))
    tape = RecordedTape(records, changes.is_fresh, await aside(used_on, branch, since))
    means = Means(other, tape, purse, wanted.get("heard", unheard), wanted.get("max_rounds") or 32)
    await Mending(branch, repairs, means, author).go()
    return await aside(_told, session, branch, repairs, reasons, graph, changes)


def _rests_on(session: Session[Any], retracted: Iterable[int]) -> frozenset[int]:
    """The versions of the branch that rest on retracted ones; a revert of these does not."""
    with session.reading() as work:
        tips = [takeovers.place(work, session.session_id, session.branch, one) for one in sorted(retracted)]
        walk = impact.walked(work, session.session_id, lambda _: [Seed(*tip) for tip in tips], cures=True)
        segments = lineage(work, session.session_id, session.branch)
    return frozenset(
        version
        for one in segments
        if one.branch in walk.lines
        for version in walk.lines[one.branch].ties
        if one.after < version <= one.upto
    )


def _retracted(session: Session[Any], given: int | Iterable[int] | None) -> dict[int, str]:
    """The retracted versions of the branch, or those of them that are meant, with the reasons.

    Raises:
        NotFound: nothing is retracted, or not what is meant.
    """
    standing = _standing(session)
    named = [given] if isinstance(given, int) else given
    wanted = list(standing if named is None else named)
    missing = [version for version in wanted if version not in standing]
    if missing or not wanted:
        what = f"Version {missing[0]} is not retracted" if missing else "Nothing is retracted"
        raise NotFound(
            f"{what} on {session.branch}",
            next_step="Say what was wrong first: `dissensus retract REVISION --reason …`",
            session=session.name,
        )
    return {version: "; ".join(one.reason for one in standing[version]) for version in sorted(wanted)}


def _standing(session: Session[Any]) -> dict[int, tuple[Retraction, ...]]:
    """The retractions that count on the branch, by the version that each retracts."""
    head = session.head
    with session.reading() as work:
        reach = joining.reach(work, session.session_id, session.branch, head)
        found = takeovers.standing(work, session.session_id, reach)
        return {
            version: told
            for (branch, version), told in found.items()
            if version <= head
            and takeovers.place(work, session.session_id, session.branch, version) == (branch, version)
        }


def _told(
    session: Session[Any],
    branch: Session[Any],
    repairs: Repairs,
    reasons: Mapping[int, str],
    graph: Graph,
    changes: Changes,
) -> Repair:
    """What the records say of a repair."""
    line, own = repairs.line, read_line(branch, repairs.line.since)
    status, why = status_of(branch)
    asked = [one for one in own.rounds if one.branch == branch.branch]
    then = gone_through(line, list(repairs.again.values()), session)
    now = gone_through(own, asked, session)
    parked = next((one.round for one in reversed(asked) if one.status == "parked"), None)
    return Repair(
        session=session.name,
        origin=session.branch,
        branch=branch.branch,
        version=own.until,
        since=line.since,
        until=line.until,
        status=status,
        retracted=dict(reasons),
        commits=tuple(_kept(branch, own, repairs, reasons)),
        decisions=tuple(decisions(then, [now], graph.steps)),
        spent=now.spent,
        parked=parked if status == "parked" else None,
        why=why,
        unasked=changes.unasked(now.asked) if status == "finished" else (),
    )


def _kept(branch: Session[Any], own: Line, repairs: Repairs, reasons: Mapping[int, str]) -> Iterable[Kept]:
    """Each commit of the line, and what became of it."""
    left = {int(body["version"]): str(body.get("message", "")) for body in left_out_on(branch)}
    brought = {place[1] for one in own.commits if (place := takeovers.carried_from(one.source)) is not None}
    settled = iter([one for one in own.rounds if one.status in {"committed", "rejected", "parked"}])
    for commit in repairs.commits():
        what, why = "waiting", ""
        if commit.version in repairs.again:
            held = next(settled, None)
            what = "waiting" if held is None else "again"
            why = "" if held is None else f"round {repairs.again[commit.version].round} → {held.round}"
            why += "" if held is None or held.status == "committed" else f", {held.status}"
        elif commit.version in repairs.dropped:
            what, why = "dropped", reasons.get(commit.version, "it took back what is left out")
        elif commit.version in left:
            what, why = "left out", left[commit.version]
        elif commit.version in brought:
            what = "suspect" if commit.version in repairs.suspect else "carried"
        yield _told_of(commit, what, why)


def _told_of(commit: Commit, what: str, why: str) -> Kept:
    return Kept(commit.version, commit.author, tuple(pointer(path) for path in commit.writes), what, why)
