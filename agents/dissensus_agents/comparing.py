"""What the proposals of a round say against each other."""

from __future__ import annotations

from dataclasses import replace

from dissensus_state.records import Proposal

from .judgement.causes import Stance, cited
from .judgement.disagreement import compare, with_causes
from .positions import all_values, sides_of, values_of
from .running import Run, Running


def compare_proposals(_: Run | None, running: Running) -> None:
    """Say where the proposals disagree, who stands together, and what the suspected cause is."""
    stances = stances_of(running)
    found = compare(stances, running.comparators, running.step.materiality)
    if found.disagreements:
        known = [_known(running, item, one) for item, one in zip(running.made, stances, strict=True)]
        found = with_causes(found, known)
    running.comparison = found
    running.sides = sides_of(running.made, found.disagreements)


def stances_of(running: Running) -> list[Stance]:
    """What each agent proposes, in the order of the proposals."""
    return [stance_of(running, item) for item in running.made]


def stance_of(running: Running, item: Proposal) -> Stance:
    """What a proposal says, by path."""
    return Stance(
        agent=item.agent,
        lineage=running.lineage(item.agent)[0],
        values=values_of(item.patch, running.step.review),
        base_version=running.round.base,
    )


def _known(running: Running, item: Proposal, stance: Stance) -> Stance:
    """The stance with all that the cause of a disagreement may lie in; only a disagreement is worth it."""
    found = running.evidence.get(item.agent, ())
    call = running.call(item.agent)
    return replace(
        stance,
        evidence=sum(check.passed and check.outside for check in found) + cited(all_values(item.patch)),
        broken=tuple(check.verifier for check in found if check.refutes),
        seen=_shown(running, item.agent),
        thinking=call.thinking if call else None,
        confidence=item.confidence,
    )


def _shown(running: Running, agent: str) -> frozenset[str]:
    """What of the state and of documents stood in an agent's prompt; a part that was cut is another one."""
    parts = running.requests[agent].parts
    return frozenset(
        f"{part.source} {part.shown.as_json() if part.shown else ''}" for part in parts if part.source
    ) | frozenset(running.reads[agent])
