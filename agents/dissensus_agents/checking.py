"""What is looked at before anything is committed: verifiers, agreements that are hollow, and the audit's lot.

A hollow agreement is sent on, in the order that its step names: verifiers look at it, an agent of another
lineage is asked the same question. A proof is ruled on by a rule. An agent that agrees adds its vote; one
that does not makes a disagreement of it. What is hollow after all of them is the supervisors' to rule on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from dissensus_state.journal import Outcome
from dissensus_state.rights import holds

from .agent import Agent
from .comparing import compare_proposals
from .context.fitting import rooms_of
from .crossing import aside
from .fetching import consult
from .judgement.rules import VERIFIED
from .judgement.witnessing import AnyVerifier
from .prompts import prompts_of
from .proposing import asked_at_once
from .reasons import reasons
from .running import Run, Running
from .supervising import seen_of
from .verifying import witness
from .weighing import told_of, weigh


async def verify(run: Run, running: Running) -> None:
    """Run the step's verifiers on what each side proposes, and say whether a ruling is needed."""
    review = running.round.review if running.stored else None
    await _look(run, running, _seen_already(running, review or {}))
    if not running.stored:
        review = reasons(run, running)
        if review is not None and review.get("hollow"):
            review = await _sent_on(run, running, review)
    running.review = review
    kind = "disagreed" if running.comparison.disagreements else "agreed"
    run.tell(running, kind, votes=running.votes, weighed=told_of(running), review=review)
    running.ending = "commit" if review is None else "review"
    await _keep(run, running)


async def _keep(run: Run, running: Running) -> None:
    """Make proposals that a supervisor is about to see durable, with the reasons for it."""
    if not running.stored and running.review is not None:
        running.round = await aside(
            run.journal.propose, running.round, running.proposals, running.review, tuple(running.outcomes)
        )
        running.stored, running.outcomes = True, []


async def _look(run: Run, running: Running, more: Iterable[AnyVerifier] = ()) -> None:
    """Find the evidence on what is proposed; positions stay as they are, a failed check tells the cause."""
    further = tuple(more)
    if running.verifiers or further:
        await witness(run, running, further)
        compare_proposals(run, running)
        weigh(run, running)


def _seen_already(running: Running, review: dict[str, Any]) -> list[AnyVerifier]:
    """The verifiers of a hollow agreement that had looked at it before the run was stopped."""
    known = {item["to"] for item in review.get("sent_to", ())}
    return [one for one in running.step.hollow if not isinstance(one, Agent) and one.name in known]


async def _sent_on(run: Run, running: Running, review: dict[str, Any]) -> dict[str, Any] | None:
    """Send a hollow agreement on until it is none any more, or is proved; else it waits for a ruling."""
    found: dict[str, Any] | None = review
    sent: list[dict[str, Any]] = []
    for one in running.step.hollow:
        if found is None or not found.get("hollow") or _proved(run, running):
            break
        before = running.votes
        found, said = await _sent_to(run, running, one)
        sent.append({"to": one.name, "found": said, "votes": [round(before, 3), round(running.votes, 3)]})
        body = {"step": running.step.name, **sent[-1]}
        running.outcomes.append(Outcome("hollow", body))
        run.tell(running, "hollow", **body)
    if found is None:
        return None
    proved = bool(found.get("hollow")) and _proved(run, running)
    return {**found, **({"sent_to": sent} if sent else {}), **({"verified": True} if proved else {})}


async def _sent_to(run: Run, running: Running, one: AnyVerifier | Agent) -> tuple[dict[str, Any] | None, str]:
    """What is to be reviewed once a verifier or another agent has looked at it, and what that one found."""
    if not isinstance(one, Agent):
        await _look(run, running, [one])
        seen = [item for side in running.sides for item in seen_of(running, side).evidence]
        mine = [item for item in seen if item.verifier == one.name]
        refuted = any(item.refutes for item in mine)
        said = "refuted" if refuted else "proved" if any(item.proves for item in mine) else "nothing"
        return reasons(run, running), said if mine else "nothing"
    if not await _ask(run, running, one):
        return reasons(run, running), "not trusted with it"
    await consult(run, running)
    await consult(run, running)
    compare_proposals(run, running)
    weigh(run, running)
    await _look(run, running)
    if running.proposal(one.name).status == "abstained":
        return reasons(run, running), "abstained"
    return reasons(run, running), "disagrees" if running.comparison.disagreements else "agrees"


async def _ask(run: Run, running: Running, agent: Agent) -> bool:
    """Ask one more agent the question of the round, on the same snapshot; what it has answered stays.

    Returns:
        Whether it may be asked: it has to be trusted with what it would be shown.
    """
    known = await aside(run.journal.calls, running.round)
    alone = replace(running.step, agents=(agent,))
    session, base = run.journal.session, running.round.base
    note, rooms = running.round.note, rooms_of(known)
    asked = await aside(prompts_of, session, alone, running.state, base, note, rooms)
    if asked.barred:
        return False
    running.requests = {**running.requests, **asked.requests}
    running.reads = {**running.reads, **asked.reads}
    running.calls = tuple(known)
    ((proposal, calls),) = await asked_at_once(run, running, [agent])
    others = (one for one in running.calls if one.agent != agent.name)
    running.calls = (*others, *calls)
    running.proposals = tuple(sorted((*running.proposals, proposal), key=lambda item: item.agent))
    return True


def _proved(run: Run, running: Running) -> bool:
    """Whether a verifier has proved what all say, and the rule that says so may rule on it."""
    if not holds(run.shape.rights, VERIFIED.name, "rule", running.step.task.writes):
        return False
    seen = seen_of(running, running.sides[0])
    return seen.verified and any(item.proves for item in seen.evidence)
