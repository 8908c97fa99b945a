"""Who wrote a value: the commit, its reads, the calls and reasoning, the ruling, the dissent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import calls, commits, rounds
from .engines import Work
from .errors import NotFound, Pruned
from .grounds import Chain, chain
from .lifting import Keys
from .lineages import lineage, pruned
from .patches import apply, get
from .peeking import NOTHING, Past
from .records import Call, Commit, Proposal, Ruling
from .showing import Shown, cell
from .values import JSON, Path, canonical, overlap, pointer

if TYPE_CHECKING:
    from .standins import Stands


@dataclass(frozen=True, slots=True)
class Blame(Shown):
    """Everything the history knows about the value at a path (G9).

    Attributes:
        value: The value at `version`.
        commit: The commit that gave it this value.
        proposals: What the agents of that round proposed, with their status.
        calls: Their calls, with reasoning and cost.
        rulings: What was decided over them.
        chain: On what the commit rests, back to the sources; None where that was not asked for.
    """

    path: str
    value: JSON
    version: int
    commit: Commit
    proposals: tuple[Proposal, ...] = ()
    calls: tuple[Call, ...] = ()
    rulings: tuple[Ruling, ...] = ()
    chain: Chain | None = None

    @property
    def authors(self) -> tuple[str, ...]:
        """The agents whose proposals were accepted, or whoever committed it."""
        accepted = tuple(item.agent for item in self.proposals if item.status == "accepted")
        return accepted or (self.commit.author,)

    @property
    def dissent(self) -> tuple[Proposal, ...]:
        """The proposals that lost."""
        return tuple(item for item in self.proposals if item.status == "dissent")

    def __str__(self) -> str:
        """Value, author, ruling and dissent in a few lines."""
        lines = [f"{self.path} = {canonical(self.value)}"]
        lines.append(f"  by {', '.join(self.authors)} in version {self.commit.version}")
        lines.append(f"  who had read {', '.join(self.commit.reads) or 'nothing'}")
        lines += [f"  {item.author} ruled {item.decision}: {item.reason}" for item in self.rulings]
        for item in self.dissent:
            said = canonical([operation.to_json() for operation in item.patch])
            lines.append(f"  against {item.agent}: {said}")
        if self.chain is not None:
            lines += ["  rests on", *(f"    {line}" for line in str(self.chain).splitlines())]
        return "\n".join(lines)

    def cells(self) -> dict[str, object]:
        """What a notebook shows of it."""
        thinking = {call.agent: call.thinking for call in self.calls}
        return {
            "path": self.path,
            "value": self.value,
            "by": f"{', '.join(self.authors)} in version {self.commit.version}",
            "who had read": ", ".join(self.commit.reads) or "nothing",
            "ruled": "\n".join(f"{one.author}: {one.decision}: {one.reason}" for one in self.rulings),
            "against": "\n".join(f"{one.agent}: {cell(one.patch)}" for one in self.dissent),
            **{f"reasoning of {name}": text for name, text in thinking.items()},
            "rests on": None if self.chain is None else str(self.chain),
        }

    def as_dict(self) -> dict[str, Any]:
        """The answer as plain data."""
        reasoning = {call.agent: call.thinking for call in self.calls}
        return {
            "path": self.path,
            "value": self.value,
            "version": self.version,
            "authors": list(self.authors),
            "commit": self.commit.as_dict(),
            "reads": list(self.commit.reads),
            "reasoning": {name: text for name, text in reasoning.items() if text},
            "rulings": [
                {"author": item.author, "decision": item.decision, **item.body()} for item in self.rulings
            ],
            "dissent": [
                {"agent": item.agent, "patch": [operation.to_json() for operation in item.patch]}
                for item in self.dissent
            ],
            "calls": [
                {
                    "agent": call.agent,
                    "model": call.model,
                    "cost_usd": None if call.cost is None else call.cost / 1e9,
                }
                for call in self.calls
            ],
            "chain": None if self.chain is None else self.chain.as_dict(),
        }


def blame(
    work: Work,
    session_id: int,
    branch: str,
    path: Path,
    version: int,
    *,
    deep: bool = False,
    stands: Stands | None = None,
) -> Blame:
    """Find the newest commit that changed the value at a path, at or before a version.

    A value that was merged has its writer on the branch that it came from. A migration that changed
    the value is its writer; what it was lifted from is found by asking for
    the version before.

    Args:
        deep: With the chain back to the sources.
        stands: Where a branch stands for what was retracted, its writer of the same value is told.

    Raises:
        NotFound: nothing stands at the path in that version.
    """
    past = Past(work, session_id, branch, version)
    value = past.value(path, version)
    if value is NOTHING:
        raise past.missing(path, version)
    text = canonical(value)
    commit = _traced(past, path, version, text, stands)
    told = Blame(
        pointer(path), value, version, commit, chain=chain(work, session_id, commit) if deep else None
    )
    if commit.round is None:
        return told
    return replace(
        told,
        proposals=tuple(rounds.proposals_of(work, session_id, commit.round)),
        calls=tuple(calls.of_round(work, session_id, commit.round)),
        rulings=tuple(rounds.rulings_of(work, session_id, commit.round)),
    )


def writer(
    work: Work,
    session_id: int,
    branch: str,
    path: Path,
    version: int,
    value: str,
) -> Commit:
    """The commit after which the path held this value for good, among those that touch the path.

    Raises:
        Pruned: it was written before the values that are still there.
    """
    return _writer(Past(work, session_id, branch, version), path, version, value)


def _writer(past: Past, path: Path, version: int, value: str) -> Commit:
    if past.has_one_key(path):
        return past.writer(path, version, value)
    keys = Keys(past.work, past.session_id)
    return folded_writer(past.work, past.session_id, past.branch, path, version, value, keys)


def folded_writer(
    work: Work,
    session_id: int,
    branch: str,
    path: Path,
    version: int,
    value: str,
    keys: Keys,
) -> Commit:
    """The same from all of the history: where the items of a list had other keys at other times.

    Raises:
        Pruned: it was written before the values that are still there.
    """
    base = pruned(work, session_id, lineage(work, session_id, branch))
    found: Commit | None = None
    before: str | None = None
    state: JSON = {}
    for commit in commits.between(work, session_id, branch, -1 if base is None else base - 1, version):
        if commit.version == base:
            state = commits.state_at(work, session_id, branch, base)
            before = _value(state, path, keys.of(commit.schema_version))
            continue
        state = apply(state, commit.patch)
        if not any(overlap(path, written) for written in commit.writes):
            continue
        now = _value(state, path, keys.of(commit.schema_version))
        if now != before:
            found, before = commit, now
    if before == value and found is None and base is not None:
        raise Pruned(f"What stands at {pointer(path)} was written up to version {base}, which is pruned")
    if found is None or before != value:
        raise NotFound(f"No commit up to version {version} wrote {pointer(path)}")
    return found


def _traced(past: Past, path: Path, version: int, value: str, stands: Stands | None) -> Commit:
    """Who wrote a value, be it on the branch that it was merged from, or that stands for its writer."""
    found = _writer(past, path, version, value)
    one = None if stands is None else stands(past.branch, version)
    match found.source:
        case _ if one is not None and found.version <= one.upto:
            other = one.branch, one.version
        case {"merge": {"branch": str(name), "version": int(number)}}:
            other = name, number
        case _:
            return found
    try:
        theirs = Past(past.work, past.session_id, *other)
        if theirs.text(path, other[1]) == value:
            return _traced(theirs, path, other[1], value, stands)
    except Pruned:
        pass
    return found


def _value(state: JSON, path: Path, keys: dict[str, str]) -> str | None:
    try:
        return canonical(get(state, path, keys))
    except NotFound:
        return None
