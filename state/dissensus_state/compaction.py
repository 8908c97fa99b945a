"""Making a session small again without losing a version: few whole snapshots, nothing that nobody needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from . import branches as reading
from . import commits, heads, indexing, rebuilding, unneeded
from .blobs import gone, is_gone, pack
from .engines import Statement, Work
from .lineages import BEYOND, holder, lineage, pruned
from .records import SETTLED
from .showing import Shown
from .snapshots import MIN_BYTES, step
from .tables import calls, rounds, snapshots
from .values import JSON, canonical

_session = sa.bindparam("session_id", type_=sa.BigInteger)
_taken = Statement(
    sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(sa.func.length(snapshots.c.state)), 0)).where(
        snapshots.c.session_id == _session
    )
)
_bodies = Statement(
    sa.select(calls.c.round, calls.c.agent, calls.c.attempt, calls.c.raw)
    .join(rounds, sa.and_(rounds.c.session_id == calls.c.session_id, rounds.c.round == calls.c.round))
    .where(
        calls.c.session_id == _session,
        calls.c.raw.is_not(None),
        sa.or_(*(rounds.c.status == status for status in sorted(SETTLED))),
    )
)
_drop_body = Statement(
    sa.update(calls)
    .where(
        calls.c.session_id == sa.bindparam("session_id_"),
        calls.c.round == sa.bindparam("round_"),
        calls.c.agent == sa.bindparam("agent_"),
        calls.c.attempt == sa.bindparam("attempt_"),
    )
    .values(raw=sa.bindparam("raw"))
)


@dataclass(frozen=True, slots=True)
class CompactPlan(Shown):
    """What compacting would do; nothing is done yet.

    Attributes:
        snapshots, kept: How many snapshots there are, and how many whole ones there would be.
        blobs: Texts kept aside that nothing names any more.
        raw: Whether the raw bodies of providers' answers go, of which there are `bodies`.
        bytes: About how many bytes become free, before the database gives them back.
        losses: What becomes slower or impossible, in sentences.
    """

    snapshots: int
    kept: int
    blobs: int
    raw: bool
    bodies: int
    bytes: int
    losses: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain data."""
        return {
            "snapshots": self.snapshots,
            "kept": self.kept,
            "blobs": self.blobs,
            "raw": self.raw,
            "bodies": self.bodies,
            "bytes": self.bytes,
            "losses": list(self.losses),
        }


@dataclass(frozen=True, slots=True)
class Compaction(Shown):
    """What was done: how many snapshots, texts and raw bodies went, and what is left to others."""

    snapshots: int
    kept: int
    blobs: int
    bodies: int
    left: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The answer as plain data."""
        return {
            "snapshots": self.snapshots,
            "kept": self.kept,
            "blobs": self.blobs,
            "bodies": self.bodies,
            "left": list(self.left),
        }


class _Place(NamedTuple):
    branch: str
    version: int


def plan(work: Work, session_id: int, *, raw: bool) -> CompactPlan:
    """Look at what compacting would do."""
    places = _places(work, session_id)
    unnamed = unneeded.find(work, session_id)
    bodies = [len(row[3]) - len(gone(bytes(row[3]))) for row in _raw(work, session_id)] if raw else []
    count, size = work.one(_taken, session_id=session_id) or (0, 0)
    after = sum(len(pack(canonical(step(state, None, ())).encode())) for state in places.values())
    freed = max(int(size) - after, 0) + sum(unnamed.values()) + sum(bodies)
    losses = [
        f"{len(places)} version(s) are kept whole, the heads and tags; any other is slower to read",
        "While the database is written anew it needs as much free space again, and nobody else can write",
    ]
    if bodies:
        losses.append(
            f"The raw bodies of {len(bodies)} answer(s) can no longer be read; "
            "the answers, the reasoning and the digests of the bodies stay"
        )
    return CompactPlan(int(count), len(places), len(unnamed), raw, len(bodies), freed, tuple(losses))


def compact(work: Work, session_id: int, planned: CompactPlan) -> Compaction:
    """Carry a plan out; what it says is found anew, since nothing of it can be lost by going on."""
    names = [one.name for one in reading.all_branches(work, session_id)]
    rebuilding.lock(work, session_id, names)
    places = _places(work, session_id)
    bodies = _raw(work, session_id) if planned.raw else []
    for number, agent, attempt, body in bodies:
        work.run(
            _drop_body,
            session_id_=session_id,
            round_=number,
            agent_=agent,
            attempt_=attempt,
            raw=gone(bytes(body)),
        )
    removed = sum(rebuilding.forget(work, session_id, name, 0) for name in names)
    for place, state in places.items():
        rebuilding.whole(work, session_id, place.branch, place.version, state)
    for name in names:
        indexing.anew(work, session_id, name)
    rebuilding.mark(work, session_id, names)
    return Compaction(removed, len(places), unneeded.drop(work, session_id), len(bodies))


def _raw(work: Work, session_id: int) -> list[Any]:
    return [row for row in work.all(_bodies, session_id=session_id) if not is_gone(bytes(row[3]))]


def _places(work: Work, session_id: int) -> dict[_Place, JSON]:
    """The versions that are kept whole, with their states: heads, tags, what pruned histories stand on."""
    found: dict[_Place, JSON] = {}
    tags = reading.all_tags(work, session_id)
    for one in reading.all_branches(work, session_id):
        segments = lineage(work, session_id, one.name)
        base = pruned(work, session_id, segments)
        wanted = {heads.read(work, session_id, one.name).version, base or 0}
        wanted |= {tag.version for tag in tags if tag.branch == one.name}
        for version in sorted(wanted):
            if base == BEYOND or version < (base or 1):
                continue
            place = _Place(holder(segments, version), version)
            state = commits.state_at(work, session_id, one.name, version)
            if version == base or len(canonical(state)) >= MIN_BYTES:
                found[place] = state
    return found
