"""States kept in steps, so that any version can be read without folding all history.

A step holds what changed since the one before: the items that were added to lists, and the whole
values of the other fields that were touched. A chain of steps begins with one that holds everything.
Steps are taken when the patches since the last one outweigh it, and a new chain begins when what the
old one repeats outweighs the state: reading any version costs at most about twice its size, and all
steps together stay a fraction of the history.

A step that is missing makes reading slower and nothing else: each says which one it follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from .blobs import pack, unpack_text
from .engines import Row, Statement, Work, insert_absent
from .errors import Tampered, located
from .growing import Grown
from .lineages import Segment
from .lineages import lineage as lineage_of
from .tables import snapshots
from .values import JSON, canonical, parse_object

MIN_BYTES = 16 * 1024
"""Below this, folding is cheaper than keeping."""

MAX_BYTES = 128 * 1024
"""From here on, larger steps would make reading slower and save nothing."""

_LOOKED_AT = 8
"""In how many steps a field is looked for that was not touched since."""

_here = (
    snapshots.c.session_id == sa.bindparam("session_id"),
    snapshots.c.branch == sa.bindparam("branch"),
    snapshots.c.version >= sa.bindparam("first"),
    snapshots.c.version <= sa.bindparam("last"),
)
_insert = insert_absent(snapshots)
_columns = (snapshots.c.version, snapshots.c.since, snapshots.c.size, snapshots.c.state)
_newest = Statement(
    sa.select(snapshots.c.version, snapshots.c.since)
    .where(*_here)
    .order_by(snapshots.c.version.desc())
    .limit(1)
)
_range = Statement(sa.select(*_columns).where(*_here).order_by(snapshots.c.version))
_versions = Statement(sa.select(snapshots.c.version).where(*_here))


class Kept(NamedTuple):
    """What is known of the chain of steps that a version stands on.

    `version` is the last step (0 with `since` 0: the initial state, which commit 0 holds), `since` the
    first; `lengths` are those of the lists at the last step. A next step is due when the patches have
    grown by `due` characters; `whole` estimates the state's, `waste` counts what the chain repeats.
    """

    version: int
    since: int
    lengths: dict[str, int]
    due: int
    whole: int
    waste: int


class Step(NamedTuple):
    """A stored step."""

    version: int
    since: int | None
    size: int
    text: str


def lengths_of(state: JSON) -> dict[str, int]:
    """The lengths of the fields that are lists."""
    return {name: len(value) for name, value in state.items() if isinstance(value, list | Grown)}


def initial(state: JSON, size: int) -> Kept:
    """The chain that begins with the initial state, which commit 0 holds."""
    return Kept(0, 0, lengths_of(state), _due(size), size, 0)


def first(version: int, state: JSON, size: int) -> Kept:
    """The chain that begins with a step of this size, which holds everything."""
    return Kept(version, version, lengths_of(state), _due(size), size, 0)


def step(state: JSON, kept: Kept | None, touched: Iterable[str]) -> dict[str, JSON]:
    """What changed since the last step, or everything.

    Args:
        touched: The fields that were changed otherwise than by adding items.
    """
    if kept is None:
        return {"after": None, "=": {name: _plain(value) for name, value in state.items()}, "+": {}}
    again = {name: _plain(state[name]) for name in touched}
    added = {
        name: state[name][length:]
        for name, length in kept.lengths.items()
        if name not in again and len(state[name]) > length
    }
    return {"after": kept.version, "=": again, "+": added}


def _plain(value: JSON) -> JSON:
    return value[:] if isinstance(value, Grown) else value


def take(
    work: Work, session_id: int, branch: str, version: int, state: JSON, kept: Kept, touched: Iterable[str]
) -> Kept:
    """Keep a version as the next step of its chain, or as the first of a new one."""
    goes_on = kept.waste <= kept.whole and all(name in state for name in touched)
    there = newest(work, session_id, branch, version)  # somebody may have redacted what the last one held
    if not goes_on or there != kept.version:
        return take_whole(work, session_id, branch, version, state)
    made = step(state, kept, touched)
    text = canonical(made)
    _keep(work, session_id, branch, version, text, kept.since)
    return _following(kept, made, text, version, lengths_of(state))


def take_whole(work: Work, session_id: int, branch: str, version: int, state: JSON) -> Kept:
    """Keep a version as the first step of a chain of its own."""
    text = canonical(step(state, None, ()))
    _keep(work, session_id, branch, version, text, version)
    return first(version, state, len(text))


def _keep(work: Work, session_id: int, branch: str, version: int, text: str, since: int) -> None:
    work.run(
        _insert,
        session_id=session_id,
        branch=branch,
        version=version,
        size=len(text),
        state=pack(text.encode()),
        since=since,
    )


def caught_up(work: Work, session_id: int, branch: str, kept: Kept, version: int) -> Kept | None:
    """What is known of a chain, with the steps up to a version that other processes have added to it.

    None where these do not go on from what is known.
    """
    for item in _steps(work, session_id, lineage_of(work, session_id, branch), kept.version + 1, version):
        with located(version=item.version):
            body = _body(item)
        if item.since in {None, item.version}:
            kept = first(item.version, body["="], item.size)
        elif body["after"] == kept.version:
            kept = _following(kept, body, item.text, item.version, _lengths_after(kept.lengths, body))
        else:
            return None
    return kept


def _lengths_after(lengths: dict[str, int], body: JSON) -> dict[str, int]:
    unchanged = {name: length for name, length in lengths.items() if name not in body["="]}
    added = {name: unchanged.get(name, 0) + len(items) for name, items in body["+"].items()}
    return {**unchanged, **added, **lengths_of(body["="])}


def _following(last: Kept, made: JSON, text: str, version: int, lengths: dict[str, int]) -> Kept:
    repeated = len(canonical(made["="]))
    whole = last.whole + len(text) - repeated
    due = max(_due(whole), repeated)
    return Kept(version, last.since, lengths, due, whole, last.waste + repeated)


def _due(whole: int) -> int:
    """How much a state of this size may grow until the next step."""
    return max(MIN_BYTES, min(whole // 4, MAX_BYTES))


def chain(work: Work, session_id: int, lineage: Sequence[Segment], version: int) -> list[Step]:
    """The steps that the newest one at or before a version stands on, in order."""
    found = _last(work, session_id, lineage, version)
    if found is None:
        return []
    since = found[0] if found[1] is None else found[1]
    return list(_steps(work, session_id, lineage, since, found[0]))


def newest(work: Work, session_id: int, branch: str, version: int) -> int:
    """The newest step at or before a version, whoever took it; 0 where there is none."""
    found = _last(work, session_id, lineage_of(work, session_id, branch), version)
    return 0 if found is None else int(found[0])


def _last(work: Work, session_id: int, lineage: Sequence[Segment], version: int) -> Row | None:
    for segment in reversed(lineage):
        last = min(version, segment.upto)
        if last <= segment.after:
            continue
        found = work.one(
            _newest, session_id=session_id, branch=segment.branch, first=segment.after + 1, last=last
        )
        if found is not None:
            return found
    return None


def stored(work: Work, session_id: int, lineage: Sequence[Segment]) -> set[int]:
    """The versions of which there is a step."""
    return {
        row[0]
        for segment in lineage
        for row in work.all(
            _versions,
            session_id=session_id,
            branch=segment.branch,
            first=max(0, segment.after + 1),
            last=segment.upto,
        )
    }


def step_of(work: Work, session_id: int, lineage: Sequence[Segment], version: int) -> Step | None:
    """The step of a version; None where there is none."""
    return next(_steps(work, session_id, lineage, version, version), None)


def field_at(
    work: Work, session_id: int, lineage: Sequence[Segment], version: int, name: str
) -> tuple[int, JSON] | None:
    """The newest value of a field that is kept whole, at or before a version, and of which version it is.

    None where its parts stand in several steps, or none of the last ones has it.
    """
    found = _last(work, session_id, lineage, version)
    upto = 0 if found is None else int(found[0])
    for _ in range(_LOOKED_AT):
        item = step_of(work, session_id, lineage, upto) if upto else None
        body = None if item is None else _body(item)
        if body is None or name in body["+"]:
            return None
        if name in body["="]:
            return upto, body["="][name]
        upto = body["after"] or 0
    return None


def _steps(work: Work, session_id: int, lineage: Sequence[Segment], first: int, last: int) -> Iterator[Step]:
    for segment in lineage:
        if last <= segment.after or first > segment.upto:
            continue
        rows = work.all(
            _range,
            session_id=session_id,
            branch=segment.branch,
            first=max(first, segment.after + 1),
            last=min(last, segment.upto),
        )
        for version, since, size, packed in rows:
            with located(version=version):
                yield Step(version, since, size, unpack_text(packed))


def restored(steps: Sequence[Step], initial_state: JSON) -> tuple[JSON, Kept] | None:
    """The state that a chain of steps adds up to, and what is known of the chain.

    Where a step is missing, those before it. None where the first one is.

    Args:
        initial_state: The state of version 0, for a chain that begins there; it is changed.
    """
    state: JSON = None
    kept: Kept | None = None
    for item in steps:
        with located(version=item.version):
            body = _body(item)
            if item.since in {None, item.version}:
                state = body["="]
                kept = first(item.version, state, item.size)
                continue
            if kept is None and item.since == 0:
                state, kept = initial_state, initial(initial_state, 0)
            if kept is None or body["after"] != kept.version:
                break
            state = _folded(state, body)
            kept = _following(kept, body, item.text, item.version, lengths_of(state))
    return None if kept is None else (state, kept)


def _body(item: Step) -> dict[str, JSON]:
    """What a step says; those of the first tables hold a whole state and nothing else."""
    body = parse_object(item.text)
    if item.since is None:
        return {"after": None, "=": body, "+": {}}
    if body.keys() != {"after", "=", "+"} or not all(isinstance(body[part], dict) for part in "=+"):
        raise Tampered("A snapshot is not one")
    return body


def _folded(state: JSON, body: JSON) -> JSON:
    state.update(body["="])
    for name, items in body["+"].items():
        if not isinstance(state.get(name), list) or not isinstance(items, list):
            raise Tampered(f"A snapshot adds to /{name}, which is no list")
        state[name].extend(items)
    return state
