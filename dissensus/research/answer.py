"""The result of an analysis, read from the history alone: the verdict, the dissent, the cost."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from dissensus.cli.blocks import Block, Grid, Line
from dissensus.cli.texts import count, money, usd
from dissensus_state.errors import NotFound
from dissensus_state.patches import get

from .telling import failed_check, together, votes, wrapped

if TYPE_CHECKING:
    from dissensus_state.blame import Blame
    from dissensus_state.records import Call, Proposal
    from dissensus_state.sessions import Session

    from .incident import Incident, Verdict

CAUSE = "/verdict/cause"


def page(session: Session[Incident]) -> list[Block]:
    """Everything about a finished session that a reader asks for first.

    Raises:
        NotFound: there is no verdict.
    """
    verdict = session.state.verdict
    if verdict is None:
        raise NotFound("There is no verdict yet", next_step="See what is open with `dissensus disagreements`")
    return [*_verdict(verdict), *_dissent(session, session.blame(CAUSE)), *_cost(session)]


def _verdict(verdict: Verdict) -> list[Block]:
    facts = (("cause", verdict.cause), ("severity", verdict.severity))
    shown: list[Block] = [Line(), Line("The answer", "bold"), Grid((), facts, ("", "bold green"), 2)]
    shown += [Line(f"because of {count(len(verdict.evidence), 'quotation')}, checked:", "", 2)]
    for item in verdict.evidence:
        shown += [Line(item.shows, "", 4), wrapped(f"{item.source}: “{item.quote}”", 6)]
    return shown


def _dissent(session: Session[Incident], why: Blame) -> list[Block]:
    """Who lost, with what, what it was worth, and where it went wrong; nothing where nobody did."""
    if not why.dissent:
        return []
    number = why.commit.round or 0
    failed = (session.round(number)[0].review or {}).get("failed", ())
    shown: list[Block] = [Line(), Line("The dissent, kept beside it", "bold")]
    for cause, held in groupby(why.dissent, _proposed_cause):
        agents = [item.agent for item in held]
        shown += [Line(f"{together(agents)}: {cause}", "yellow", 2), Line(votes(agents, why.calls), "", 4)]
        shown += [block for check in failed if check["agents"] == agents for block in failed_check(check, 4)]
    for step in why.rulings[-1].steps.values():
        shown += [Line("first wrong step, as the supervisor read it:", "", 4), wrapped(step, 6)]
    return shown


def _proposed_cause(proposal: Proposal) -> Any:
    return get({"verdict": proposal.patch[0].value}, ("verdict", "cause"))


def _cost(session: Session[Incident]) -> list[Block]:
    budget = session.budget
    calls = [call for item in session.rounds() for call in session.round(item.round)[2]]
    spent, limit = money(usd(budget.spent)), money(usd(budget.limit))
    said = f"{spent} of {limit} for {count(len(calls), 'call')}, at invented prices"
    return [Line(), Line("The cost", "bold"), Line(said, "", 2), *_unknown(calls)]


def _unknown(calls: list[Call]) -> list[Block]:
    lost = [call for call in calls if call.status == "unknown"]
    charged = money(usd(sum(call.cost or 0 for call in lost)))
    said = f"{count(len(lost), 'call')} without an answer when a run was stopped, charged in full: {charged}"
    return [Line(said, "yellow", 2)] if lost else []
