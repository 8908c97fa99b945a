"""What a page tells: a line for each commit, what each changed, and each round with what was said in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .. import branches, calls, commits, rounds
from ..branches import BranchInfo
from ..engines import Work
from ..errors import NotFound
from ..lineages import lineage, pruned
from ..patches import Operation, Patch, get, grow
from ..records import SETTLED, Call, Commit, Proposal, Round, Ruling
from ..values import JSON, canonical, pointer

_LONG = 20_000
"""Up to this length of its text what stood there before is told beside what came."""

_MOST_PATHS = 3

_OPEN = "It waits for a ruling. Who proposed what is told once it is settled; `dissensus disagreements` asks."

Row = list[JSON]


@dataclass
class Told:
    """The log, newest first, each line with its detail; and the rounds by their place in `details`."""

    branches: list[str]
    authors: dict[str, int] = field(default_factory=dict)
    lines: list[Row] = field(default_factory=list)
    details: list[JSON] = field(default_factory=list)
    rounds: dict[int, JSON] = field(default_factory=dict)
    left_out: int = 0

    def author(self, name: str) -> int:
        """The number of an author."""
        return self.authors.setdefault(name, len(self.authors))


def told(work: Work, session_id: int, limit: int | None) -> Told:
    """Gather the story of a session.

    Args:
        limit: The newest so many commits of each branch; None is all of them.
    """
    every = sorted(branches.all_branches(work, session_id), key=lambda one: (one.name != "main", one.name))
    story = Told([one.name for one in every])
    ended: set[int] = set()
    first_round = 0 if limit is None else None
    for number, branch in enumerate(every):
        found = _of_branch(work, session_id, number, branch, story, limit)
        ended |= {one for one in found if one is not None}
    if first_round is None:
        first_round = min(ended, default=0)
    unfinished = []
    for one in rounds.all_rounds(work, session_id):
        if one.round in ended or one.round >= first_round:
            story.rounds[one.round] = _round(work, session_id, one)
            if one.round not in ended:
                unfinished.append(one)
    _add(story, unfinished)
    return story


def _of_branch(
    work: Work, session_id: int, number: int, branch: BranchInfo, story: Told, limit: int | None
) -> list[int | None]:
    """Tell the commits that are stored under a branch; the rounds that they ended."""
    segments = lineage(work, session_id, branch.name)
    low = segments[-1].after
    if limit is not None and branch.head - low > limit:
        story.left_out += branch.head - limit - low
        low = branch.head - limit
    readable = pruned(work, session_id, segments) or 0
    state: JSON = None
    if low < 0 and not readable:
        state = {}
    elif low >= readable:
        state = commits.state_at(work, session_id, branch.name, low)
    lines, details, ended = [], [], []
    for commit in commits.between(work, session_id, branch.name, low, branch.head):
        lines.append(_line(number, commit, story))
        details.append(_detail(commit, state))
        ended.append(commit.round)
        state = _after(work, session_id, branch.name, commit, state, readable)
    story.lines += reversed(lines)
    story.details += reversed(details)
    return ended


def _after(work: Work, session_id: int, branch: str, commit: Commit, state: JSON, readable: int) -> JSON:
    """The state that a commit made; None where nobody can say any more."""
    if state is not None:
        return grow(state, commit.patch)
    if commit.version < readable:
        return None
    return commits.state_at(work, session_id, branch, commit.version)


def _line(branch: int, commit: Commit, story: Told) -> Row:
    paths = list(dict.fromkeys(pointer(operation.path) for operation in commit.patch))
    what = ", ".join(paths[:_MOST_PATHS])
    if len(paths) > _MOST_PATHS:
        what += f" and {len(paths) - _MOST_PATHS} more"
    step = commit.transition or ""
    return [
        branch,
        commit.version,
        story.author(commit.author),
        commit.at,
        commit.kind,
        step,
        commit.round,
        what,
    ]


def _add(story: Told, unfinished: list[Round]) -> None:
    """A round that ended in no commit stands above the version that it began on."""
    number = {name: place for place, name in enumerate(story.branches)}
    entries = [
        ((line[0], -line[1], 0), line, detail)
        for line, detail in zip(story.lines, story.details, strict=True)
    ]
    for one in unfinished:
        line = [
            number[one.branch],
            None,
            story.author(""),
            one.started_at,
            one.status,
            one.step,
            one.round,
            "",
        ]
        entries.append(((line[0], -one.base - 0.5, -one.round), line, None))
    entries.sort(key=lambda entry: entry[0])
    story.lines = [line for _, line, _ in entries]
    story.details = [detail for _, _, detail in entries]


def _detail(commit: Commit, state: JSON) -> JSON:
    return {
        "transition": commit.transition,
        "base": commit.base,
        "round": commit.round,
        "source": commit.source,
        "reads": list(commit.reads),
        "evidence": list(commit.evidence),
        "key": commit.key,
        "hash": commit.hash.hex(),
        "changes": list(_changes(commit.patch, state)),
        "before_unknown": state is None,
    }


def _changes(patch: Patch, state: JSON = None) -> Iterator[JSON]:
    for operation in patch:
        told: dict[str, JSON] = {"verb": operation.verb, "path": pointer(operation.path)}
        if operation.gone is not None:
            told["gone"] = operation.gone[0]
        if state is not None and operation.verb not in {"append", "union", "merge"}:
            told |= _before(state, operation)
        if operation.verb != "remove" and not operation.pruned:
            folded = operation.verb == "fold" and isinstance(operation.value, dict)
            told["value"] = operation.value.get("to") if folded else operation.value
        yield told


def _before(state: JSON, operation: Operation) -> dict[str, JSON]:
    try:
        value = get(state, operation.path)
    except NotFound:
        return {}
    return {"before": value} if len(canonical(value)) <= _LONG else {}


def _round(work: Work, session_id: int, one: Round) -> JSON:
    """A round with its proposals, calls and rulings; who said what is not told while somebody is to rule."""
    told = {
        "round": one.round,
        "step": one.step,
        "status": one.status,
        "base": one.base,
        "again_of": one.again_of,
        "note": one.note,
        "open": None if one.status in SETTLED else _OPEN,
        "disagreements": [],
        "proposals": [],
        "calls": [],
        "rulings": [],
    }
    if one.status not in SETTLED:
        return told
    proposals = rounds.proposals_of(work, session_id, one.round)
    rulings = rounds.rulings_of(work, session_id, one.round)
    return {
        **told,
        "disagreements": list(_disputes((one.review or {}).get("disagreements"))),
        "proposals": [_proposal(item) for item in proposals],
        "calls": [_call(item) for item in calls.of_round(work, session_id, one.round)],
        "rulings": [_ruling(item) for item in rulings],
    }


def _disputes(stored: Any) -> Iterator[JSON]:
    for item in stored if isinstance(stored, list) else ():
        match item:
            case {"path": str(path), "positions": list(positions), **more}:
                sides = [
                    {"value": side.get("value"), "holders": [str(name) for name in side.get("holders", ())]}
                    for side in positions
                    if isinstance(side, dict)
                ]
                told = {name: more.get(name) for name in ("cause", "distance")}
                yield {"path": path, "positions": sides, **told}


def _proposal(item: Proposal) -> JSON:
    return {
        "agent": item.agent,
        "status": item.status,
        "confidence": item.confidence,
        "reads": list(item.reads),
        "detail": item.detail,
        "changes": list(_changes(item.patch)),
    }


def _call(item: Call) -> JSON:
    tokens = item.input_tokens + item.output_tokens + item.cached_tokens + item.reasoning_tokens
    return {
        "agent": item.agent,
        "model": item.model,
        "status": item.status,
        "tokens": tokens + (item.written_tokens or 0),
        "usd": None if item.cost is None else f"{item.cost / 1e9:.6f}",
        "latency_ms": item.latency_ms,
        "reasoning": item.reasoning,
        "reasoning_kind": item.reasoning_kind,
        "answer": item.answer,
    }


def _ruling(item: Ruling) -> JSON:
    return {
        "author": item.author,
        "decision": item.decision,
        "reason": item.reason,
        "cause": item.cause,
        "upheld": list(item.upheld),
        "dissent": list(item.dissent),
        "clarification": item.clarification,
        "amendment": list(_changes(item.amendment)),
    }
