"""Letting the values of old versions go: what that ends is said beforehand, and the chain still verifies.

The commits stay, with who made them, when, and the digests of what they wrote; the values go. The history
stands on a snapshot from then on, whose digest is in the commit that says what was pruned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from . import branches as reading
from . import commits, heads, indexing, rebuilding, rights, transitions, unneeded
from .blobs import gone, gone_text, header, is_gone, reference
from .chain import check_by_digests
from .engines import Statement, Work
from .errors import Conflict, NotFound, Refused
from .lineages import Lineage, Segment, holder, lineage, pruned, shared
from .records import PRUNE, SETTLED, Change, Commit
from .shapes import Shape
from .showing import Shown
from .tables import branches, calls, proposals, rounds, snapshots
from .tables import commits as commits_table
from .values import JSON, canonical, digest, parse_list

_session = sa.bindparam("session_id", type_=sa.BigInteger)
_range = (
    commits_table.c.session_id == _session,
    commits_table.c.branch == sa.bindparam("branch"),
    commits_table.c.version > sa.bindparam("after"),
    commits_table.c.version <= sa.bindparam("upto"),
)
_count = Statement(
    sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(sa.func.length(commits_table.c.patch)), 0)).where(
        *_range
    )
)
_patches = Statement(
    sa.select(commits_table.c.version, commits_table.c.patch, commits_table.c.round)
    .where(*_range)
    .order_by(commits_table.c.version)
)
_write_patch = Statement(
    sa.update(commits_table)
    .where(
        commits_table.c.session_id == sa.bindparam("session_id_"),
        commits_table.c.branch == sa.bindparam("branch_"),
        commits_table.c.version == sa.bindparam("version_"),
    )
    .values(patch=sa.bindparam("patch"))
)
_steps = Statement(
    sa.select(sa.func.count()).where(
        snapshots.c.session_id == _session,
        snapshots.c.branch == sa.bindparam("branch"),
        snapshots.c.version > sa.bindparam("after"),
        snapshots.c.version <= sa.bindparam("upto"),
    )
)
_settled_rounds = Statement(
    sa.select(rounds.c.round, rounds.c.branch, rounds.c.base, rounds.c.status).where(
        rounds.c.session_id == _session
    )
)
_ended = Statement(
    sa.select(commits_table.c.branch, commits_table.c.version, commits_table.c.round).where(
        commits_table.c.session_id == _session, commits_table.c.round.is_not(None)
    )
)
_this_round = (proposals.c.session_id == _session, proposals.c.round == sa.bindparam("round"))
_proposed = Statement(sa.select(proposals.c.agent, proposals.c.patch).where(*_this_round))
_write_proposal = Statement(
    sa.update(proposals)
    .where(
        proposals.c.session_id == sa.bindparam("session_id_"),
        proposals.c.round == sa.bindparam("round_"),
        proposals.c.agent == sa.bindparam("agent_"),
    )
    .values(patch=sa.bindparam("patch"))
)
_answers = Statement(
    sa.select(*calls.c["agent", "attempt", "request", "answer", "reasoning", "raw", "echo"]).where(
        calls.c.session_id == _session, calls.c.round == sa.bindparam("round")
    )
)
_write_answer = Statement(
    sa.update(calls)
    .where(
        calls.c.session_id == sa.bindparam("session_id_"),
        calls.c.round == sa.bindparam("round_"),
        calls.c.agent == sa.bindparam("agent_"),
        calls.c.attempt == sa.bindparam("attempt_"),
    )
    .values({name: sa.bindparam(name) for name in ("request", "answer", "reasoning", "raw", "echo")})
)
_set_pruned = Statement(
    sa.update(branches)
    .where(branches.c.session_id == sa.bindparam("session_id_"), branches.c.branch == sa.bindparam("branch_"))
    .values(pruned=sa.bindparam("pruned"))
)


@dataclass(frozen=True, slots=True)
class PrunePlan(Shown):
    """What pruning would take away, and what it would end; nothing is done yet.

    Attributes:
        before: Versions before this one lose their values.
        commits, characters, snapshots, rounds: How much goes.
        recordings: Whether proposals, answers and reasoning of the rounds that ended before go too.
        losses: What will no longer be possible, in sentences.
        forbidden_by: Open branches that need what would go; nothing is pruned while there is one.
        closed: Closed branches that can no longer be read afterwards.
    """

    branch: str
    before: int
    recordings: bool
    commits: int
    characters: int
    snapshots: int
    rounds: int
    losses: tuple[str, ...]
    forbidden_by: tuple[str, ...]
    closed: tuple[str, ...]
    base: str = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain data."""
        return {
            "branch": self.branch,
            "before": self.before,
            "recordings": self.recordings,
            "commits": self.commits,
            "characters": self.characters,
            "snapshots": self.snapshots,
            "rounds": self.rounds,
            "losses": list(self.losses),
            "forbidden_by": list(self.forbidden_by),
            "closed": list(self.closed),
        }


@dataclass(frozen=True, slots=True)
class Pruning(Shown):
    """What was pruned: the commit that says so, how much went, and what is left to others."""

    commit: Commit
    commits: int
    snapshots: int
    rounds: int
    blobs: int
    left: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The answer as plain data."""
        return {
            "pruned_by": self.commit.version,
            "commits": self.commits,
            "snapshots": self.snapshots,
            "rounds": self.rounds,
            "blobs": self.blobs,
            "left": list(self.left),
        }


class _Sharing(NamedTuple):
    """The other branches that have a version in them which would lose its value."""

    open: tuple[str, ...]
    closed: tuple[str, ...]


def plan(work: Work, session_id: int, branch: str, before: int, *, recordings: bool) -> PrunePlan:
    """Look at what pruning would do.

    Raises:
        NotFound: there is no such version after the first, or it is pruned already.
    """
    head = heads.read(work, session_id, branch)
    segments = lineage(work, session_id, branch)
    done = pruned(work, session_id, segments)
    if not (done or 0) < before <= head.version:
        raise NotFound(
            f"There is no version {before} to prune to: there are {done or 0} to {head.version}",
            branch=branch,
        )
    sharing = _sharing(work, session_id, branch, segments, before)
    parts = list(_parts(segments, (done or 0) - 1, before - 1))
    counts = [work.one(_count, **_of(session_id, part)) or (0, 0) for part in parts]
    steps = [work.one(_steps, **_of(session_id, part)) or (0,) for part in parts]
    gone_rounds = _rounds(work, session_id, segments, before) if recordings else []
    return PrunePlan(
        branch,
        before,
        recordings,
        sum(int(row[0]) for row in counts),
        sum(int(row[1]) for row in counts),
        sum(int(row[0]) for row in steps),
        len(gone_rounds),
        tuple(_losses(work, session_id, segments, before, sharing, len(gone_rounds))),
        sharing.open,
        sharing.closed,
        commits.commit(work, session_id, branch, before).hash.hex(),
    )


def _of(session_id: int, part: Segment) -> dict[str, Any]:
    return {"session_id": session_id, **part._asdict()}


def _parts(segments: Lineage, after: int, upto: int) -> Iterator[Segment]:
    for name, low, high in segments:
        part = Segment(name, max(low, after), min(high, upto))
        if part.after < part.upto:
            yield part


def _sharing(work: Work, session_id: int, branch: str, segments: Lineage, before: int) -> _Sharing:
    found: dict[bool, list[str]] = {True: [], False: []}
    for other in reading.all_branches(work, session_id):
        if other.name != branch and 0 <= shared(segments, lineage(work, session_id, other.name)) < before:
            found[other.closed_at is None].append(other.name)
    return _Sharing(tuple(found[True]), tuple(found[False]))


def _losses(
    work: Work, session_id: int, segments: Lineage, before: int, sharing: _Sharing, gone_rounds: int
) -> Iterator[str]:
    yield f"No version before {before} can be read any more: not by at, diff, blame, bisect or replay"
    yield f"No version before {before} can be forked, reverted or merged, nor be the base of a merge"
    yield f"Who wrote a value that was last written before version {before} can no longer be told by blame"
    yield f"verify checks the chain of all commits, but the rule of admission only from version {before} on"
    for tag in reading.all_tags(work, session_id):
        if tag.version < before and any(item.branch == tag.branch for item in segments):
            yield f"The tag {tag.name!r} stands for version {tag.version}, which can no longer be read"
    for name in sharing.closed:
        yield f"The closed branch {name!r} can no longer be read at all: it rests on versions before {before}"
    if gone_rounds:
        yield f"What models were asked, proposed, answered and thought in {gone_rounds} round(s) is gone"


def _rounds(work: Work, session_id: int, segments: Lineage, before: int) -> list[int]:
    """The settled rounds that ended in a commit before a version, or in none and were begun before it."""
    ended = {row[2]: (row[0], row[1]) for row in work.all(_ended, session_id=session_id)}
    found = []
    for number, name, base, status in work.all(_settled_rounds, session_id=session_id):
        where, version = ended.get(number, (name, base))
        inside = any(item.branch == where and item.after < version <= item.upto for item in segments)
        if status in SETTLED and inside and version < before:
            found.append(number)
    return sorted(found)


def prune(
    work: Work, session_id: int, branch: str, shape: Shape, planned: PrunePlan, author: str
) -> tuple[Pruning, heads.Head]:
    """Carry a plan out.

    Raises:
        Conflict: it no longer says what would happen.
        Refused: an open branch needs what would go.
        Denied: the author may not rule on everything.
    """
    rights.check(shape.rights, author, "rule", [()])
    check_by_digests(work, session_id, branch)
    names = [one.name for one in reading.all_branches(work, session_id)]
    rebuilding.lock(work, session_id, names)
    now = plan(work, session_id, branch, planned.before, recordings=planned.recordings)
    if now != planned:
        raise Conflict(
            "The history has moved on since this was planned", next_step="Plan it again", retry=False
        )
    if now.forbidden_by:
        raise Refused(
            f"Open branches rest on versions before {now.before}: {', '.join(now.forbidden_by)}",
            next_step="Close them, or prune to a version that they were not forked below",
        )
    return _carried_out(work, session_id, branch, shape, now, author, names)


def _carried_out(
    work: Work, session_id: int, branch: str, shape: Shape, now: PrunePlan, author: str, names: list[str]
) -> tuple[Pruning, heads.Head]:
    segments, before = lineage(work, session_id, branch), now.before
    state = commits.state_at(work, session_id, branch, before)
    closed_heads = {name: heads.read(work, session_id, name).version for name in now.closed}
    gone_rounds = _rounds(work, session_id, segments, before) if now.recordings else []
    _drop(work, session_id, segments, before, closed_heads)
    for number in gone_rounds:
        _drop_recordings(work, session_id, number)
    blobs = unneeded.drop(work, session_id)
    _stand_on(work, session_id, segments, before, state)
    for name in {part.branch for part in segments} | set(now.closed):
        indexing.forget(work, session_id, name)
    rebuilding.mark(work, session_id, names)
    said: dict[str, JSON] = {
        "before": before,
        "state": digest(canonical(state)).hex(),
        "recordings": now.recordings,
        "closed": list(now.closed),
    }
    change = Change(author, (), heads.read(work, session_id, branch).version, source={PRUNE: said})
    commit, head = transitions.commit(work, session_id, branch, None, shape, change)
    return Pruning(commit, now.commits, now.snapshots, len(gone_rounds), blobs), head


def _drop(work: Work, session_id: int, segments: Lineage, before: int, closed_heads: dict[str, int]) -> None:
    """Take the values of all versions before one away, and of closed branches that rest on them."""
    for part in _parts(segments, -1, before - 1):
        _drop_values(work, session_id, part)
    for name, head in closed_heads.items():
        own = lineage(work, session_id, name)[-1]
        _drop_values(work, session_id, Segment(name, own.after, head))
        rebuilding.forget(work, session_id, name, own.after + 1)
        work.run(_set_pruned, session_id_=session_id, branch_=name, pruned=head + 1)


def _drop_values(work: Work, session_id: int, part: Segment) -> None:
    for version, patch, _ in work.all(_patches, **_of(session_id, part)):
        text = _emptied(patch)
        if text != patch:
            work.run(_write_patch, session_id_=session_id, branch_=part.branch, version_=version, patch=text)


def _emptied(patch: str) -> str:
    """A stored patch without its values."""
    return canonical([_pruned(item) for item in parse_list(patch)])


def _pruned(item: JSON) -> JSON:
    verb, place, name, key = header(item)
    if name is None:
        return item
    return [verb, place, None, key, "pruned", reference(bytes.fromhex(str(name)))]


def _drop_recordings(work: Work, session_id: int, number: int) -> None:
    """What was proposed, asked, answered and thought in a round; who ruled what stays."""
    for agent, patch in work.all(_proposed, session_id=session_id, round=number):
        if patch is not None:
            work.run(
                _write_proposal, session_id_=session_id, round_=number, agent_=agent, patch=_emptied(patch)
            )
    for agent, attempt, request, *packed in work.all(_answers, session_id=session_id, round=number):
        left = [gone(data) if data is not None and not is_gone(data) else data for data in packed]
        row = dict(zip(("answer", "reasoning", "raw", "echo"), left, strict=True))
        row["request"] = request if is_gone(request) else gone_text(request)
        work.run(_write_answer, session_id_=session_id, round_=number, agent_=agent, attempt_=attempt, **row)


def _stand_on(work: Work, session_id: int, segments: Lineage, before: int, state: JSON) -> None:
    """Keep the version that the history stands on whole, and take every snapshot after it anew."""
    name = holder(segments, before)
    after = rebuilding.dependents(work, session_id, name, before)
    for part in _parts(segments, -1, before - 1):
        rebuilding.forget(work, session_id, part.branch, part.after + 1, part.upto)
    for one in after:
        rebuilding.forget(work, session_id, one, before)
    work.run(_set_pruned, session_id_=session_id, branch_=name, pruned=before)
    rebuilding.whole(work, session_id, name, before, state)
    for one in after:
        rebuilding.rebuild(work, session_id, one, before + 1)
