"""Branches: forked in no time, closed, tagged, brought together again, and steps taken back.

A merge and a revert are commits like any other, made of what the histories say: the patch follows from
three states (`three_way`), and `verify` works it out again. What the two sides contest is kept as
conflicts; once somebody has settled them all, the same merge goes through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from . import admission, commits, heads, joining, rights, transitions
from . import branches as reading
from .branches import MergeConflict, stowed_value
from .engines import Statement, Work, insert_absent
from .errors import Conflict, NotFound, SchemaRefused, ValueRefused
from .heads import Head
from .joining import Joined
from .lifting import lifted_at
from .notices import announced
from .patches import Patch, touched
from .records import Change, Commit
from .shapes import Shape
from .showing import Shown
from .tables import branches, conflicts, tags
from .three_way import Clash
from .values import JSON, parse_path, pointer

_NAME = re.compile(r"[^\W\d_][\w./-]{0,99}")
_RESERVED = re.compile(r"HEAD|[vVr]\d+|round\d+")

_SIDES = ("base", "ours", "theirs")

_insert_conflict = insert_absent(conflicts)
_insert_tag = insert_absent(tags)
_session = sa.bindparam("session_id_", type_=sa.BigInteger)
_newest_conflict = Statement(
    sa.select(sa.func.max(conflicts.c.conflict)).where(conflicts.c.session_id == sa.bindparam("session_id"))
)
_remove_tag = Statement(
    sa.delete(tags).where(tags.c.session_id == _session, tags.c.tag == sa.bindparam("tag_"))
)
_close = Statement(
    announced(
        sa.update(branches)
        .where(
            branches.c.session_id == _session,
            branches.c.branch == sa.bindparam("branch_"),
            branches.c.closed_at.is_(None),
        )
        .values(closed_at=sa.bindparam("closed_at"))
    )
)
_of_conflict = sa.update(conflicts).where(
    conflicts.c.session_id == _session, conflicts.c.conflict == sa.bindparam("conflict_")
)
_move = Statement(_of_conflict.values(status=sa.bindparam("status")))
_settle = Statement(
    _of_conflict.values(
        status="settled", settlement=sa.bindparam("settlement"), settled_by=sa.bindparam("settled_by")
    )
)
_reopen = Statement(
    _of_conflict.values(
        status="open",
        settlement=None,
        settled_by=None,
        **{name: sa.bindparam(name) for name in ("version", "source_version", *_SIDES)},
    )
)


@dataclass(frozen=True, slots=True)
class MergeResult(Shown):
    """What came of a merge: the commit, or the conflicts to be settled first; neither if nothing was new."""

    commit: Commit | None = None
    conflicts: tuple[MergeConflict, ...] = ()

    def cells(self) -> dict[str, object]:
        """What a line says of it."""
        contested = {f"conflict {one.conflict}": f"{one.path} is contested" for one in self.conflicts}
        return {"merged": str(self.commit) if self.commit else None, **contested}


@dataclass(frozen=True, slots=True)
class Asked:
    """Who wants a commit made from the histories, on which branch, and under which idempotency key."""

    session_id: int
    branch: str
    shape: Shape
    author: str
    key: str | None = None

    def done(self, work: Work) -> Commit | None:
        """The commit that was made under this key already."""
        if self.key is None:
            return None
        done = commits.by_key(work, self.session_id, self.branch, self.key)
        return None if done is None else admission.check_repeated(done, self._change((), 0, None))

    def commit(
        self,
        work: Work,
        patch: Patch,
        base: int,
        source: dict[str, Any],
        known: Head | None,
        evidence: tuple[JSON, ...] = (),
    ) -> tuple[Commit, Head]:
        """Commit a patch that follows from the histories, with the evidence for it that they hold."""
        change = replace(self._change(patch, base, source), evidence=evidence)
        return transitions.commit(work, self.session_id, self.branch, known, self.shape, change)

    def _change(self, patch: Patch, base: int, source: dict[str, Any] | None) -> Change:
        return Change(author=self.author, patch=patch, base=base, key=self.key, source=source)


def check_name(kind: str, name: str) -> str:
    """The name, or `ValueRefused` where it could be taken for something else."""
    odd = _RESERVED.fullmatch(name) or ".." in name or name.endswith((".", "/"))
    if odd or _NAME.fullmatch(name) is None:
        raise ValueRefused(
            f"{ascii(name)[:120]} is no name for a {kind}",
            next_step="Begin with a letter, and go on with at most 99 letters, digits, '_', '-', '.' or '/'; "
            "HEAD, v12 and r3 mean something else",
        )
    return name


def fork(work: Work, session_id: int, branch: str, version: int | None, name: str) -> int:
    """Begin a branch at a version of another (None: its head), which is returned; nothing is copied.

    Raises:
        Conflict: there is a branch of that name.
        NotFound: there is no such version.
    """
    check_name("branch", name)
    found, at = _at(work, session_id, branch, version)
    commits.check_there(work, session_id, branch, at)
    hash_ = found.hash if at == found.version else commits.hash_of(work, session_id, branch, at)
    transitions.open_branch(work, session_id, name, at, hash_, (branch, at))
    return at


def close(work: Work, session_id: int, branch: str) -> bool:
    """Let nothing be committed to a branch any more; whether it was open."""
    heads.read(work, session_id, branch)
    return work.run(_close, session_id_=session_id, branch_=branch, closed_at=work.clock()) == 1


def tag(work: Work, session_id: int, branch: str, version: int | None, name: str, author: str) -> int:
    """Give a version (None: the head), which is returned, a name.

    Raises:
        Conflict: the name stands for another version, or is a branch's.
    """
    check_name("tag", name)
    _, at = _at(work, session_id, branch, version)
    if any(one.name == name for one in reading.all_branches(work, session_id)):
        raise Conflict(f"There is a branch {name!r}", next_step="Choose another name", retry=False)
    row = {"session_id": session_id, "tag": name, "branch": branch, "version": at, "author": author}
    made = work.run(_insert_tag, **row, at=work.clock())
    there = reading.tag(work, session_id, name)
    if made != 1 and (there.branch, there.version) != (branch, at):
        raise Conflict(
            f"The tag {name!r} stands for version {there.version} of {there.branch!r}",
            next_step="Remove it first, or choose another name",
            retry=False,
        )
    return at


def remove_tag(work: Work, session_id: int, name: str) -> reading.Tag:
    """Take a tag away, which is returned; the version stays."""
    there = reading.tag(work, session_id, name)
    work.run(_remove_tag, session_id_=session_id, tag_=name)
    return there


def merge(work: Work, asked: Asked, source: str, known: Head | None) -> tuple[MergeResult, Head | None]:
    """Bring what a branch has that this one has not, or write down what they contest.

    Raises:
        BranchClosed: nothing is committed to this branch any more.
        Denied: the author may not commit what the merge brings.
        Refused: both together would break the schema or an invariant.
    """
    session_id, branch, shape = asked.session_id, asked.branch, asked.shape
    found = heads.read(work, session_id, branch)
    if (done := asked.done(work)) is not None:
        return MergeResult(done), None
    heads.check_open(found, branch)
    theirs = heads.peeked(work, session_id, source)
    ours, its = (branch, found.version), (source, theirs.version)
    joined = joining.of_branches(work, session_id, ours, its, shape)
    if joined is None:
        return MergeResult(), None
    _check_rights(asked, joined)
    kept = _kept(work, session_id, ours, its, joined.merged.clashes)
    settled = {one.path: one for one in kept if one.status == "settled"}
    patch, left = joining.settle_with(joined, settled, shape.keys)
    if left:
        return MergeResult(None, tuple(one for one in kept if one.status == "open")), None
    said = joining.told(its, theirs.hash, joined.bases, kept)
    evidence = joining.vouched(work, session_id, its, joined, patch)
    commit, head = asked.commit(work, patch, found.version, {"merge": said}, known, evidence)
    for one in kept:
        work.run(_move, session_id_=session_id, conflict_=one.conflict, status="merged")
    return MergeResult(commit), head


def settle(
    work: Work, session_id: int, number: int, settlement: JSON, author: str, shape: Shape
) -> MergeConflict:
    """Say what is to stand where two branches clash: `"ours"`, `"theirs"`, or `{"value": …}`.

    Raises:
        NotFound: there is no such conflict.
        Conflict: it is merged already, or nobody contests its path any more.
        Denied: its path is not one that the author may rule on.
        Refused: the schema does not allow the value there.
    """
    one = reading.conflict(work, session_id, number)
    heads.read(work, session_id, one.branch)
    one = reading.conflict(work, session_id, number)
    rights.check(shape.rights, author, "rule", [parse_path(one.path)])
    if one.status in {"merged", "lapsed"}:
        how = "merged already" if one.status == "merged" else "contested no more"
        raise Conflict(f"The conflict {number} is {how}", next_step="See `dissensus conflicts`", retry=False)
    stored = stowed_value(work, session_id, _settlement(settlement, one.path, shape))
    work.run(_settle, session_id_=session_id, conflict_=number, settlement=stored, settled_by=author)
    return reading.conflict(work, session_id, number)


def revert(work: Work, asked: Asked, first: int, last: int, known: Head | None) -> tuple[Commit, Head | None]:
    """Take the commits `first … last` back, as a new version.

    Raises:
        Conflict: later commits rest on what is to be taken back; its `paths` are named.
        NotFound: there are no such versions, or nothing to take back.
    """
    session_id, branch = asked.session_id, asked.branch
    found = heads.read(work, session_id, branch)
    if (done := asked.done(work)) is not None:
        return done, None
    heads.check_open(found, branch)
    if not 1 <= first <= last <= found.version:
        raise NotFound(f"There is no stretch {first} to {last} after version 0; the head is {found.version}")
    _check_left(work, session_id, branch, found.version, first, last)
    merged = joining.of_stretch(work, session_id, branch, found.version, first, last, asked.shape)
    if merged.clashes:
        paths = sorted(clash.path for clash in merged.clashes)
        raise Conflict(
            f"Later commits changed {', '.join(paths[:10])} too",
            next_step="Revert the later commits first, or write the value that you want",
            paths=paths,
            expected=last,
            actual=found.version,
            retry=False,
        )
    if not merged.operations:
        raise NotFound(f"Nothing of the commits {first} to {last} is left to take back")
    source = {"revert": {"first": first, "last": last}}
    now, before = (lifted_at(work, session_id, branch, at, asked.shape) for at in (found.version, first - 1))
    joined = Joined([], merged, now, before)
    evidence = joining.vouched(work, session_id, (branch, first - 1), joined, merged.patch)
    return asked.commit(work, merged.patch, found.version, source, known, evidence)


def _check_left(work: Work, session_id: int, branch: str, head: int, first: int, last: int) -> None:
    """Raise `NotFound` where one of these commits is taken back already: a sum would lose it twice."""
    done = joining.taken_back(work, session_id, branch, head, first, last)
    if done is not None:
        raise NotFound(
            f"Version {done} has taken back some of the commits {first} to {last} already",
            next_step=f"To have it again, revert version {done}",
        )


def _at(work: Work, session_id: int, branch: str, version: int | None) -> tuple[heads.Branch, int]:
    """A branch, and a version of it; None is its head."""
    found = heads.read(work, session_id, branch)
    at = found.version if version is None else version
    if not 0 <= at <= found.version:
        raise NotFound(f"There is no version {at}; the head is {found.version}", branch=branch)
    return found, at


def _check_rights(asked: Asked, joined: Joined) -> None:
    """Whoever merges may commit all that the merge brings, and what it contests."""
    contested = [parse_path(clash.path) for clash in joined.merged.clashes]
    wanted = [*touched(joined.merged.patch), *contested]
    rights.check(asked.shape.rights, asked.author, "commit", wanted)


def _settlement(settlement: JSON, path: str, shape: Shape) -> JSON:
    """How a conflict is settled, as it is stored; a value is held to the type of its place."""
    match settlement:
        case "ours" | "theirs":
            return settlement
        case {"value": value, **rest} if not rest:
            return {"value": _fitting(value, path, shape)}
    raise ValueRefused(
        "A conflict is settled with 'ours', 'theirs' or a value", next_step="""Give {"value": …}"""
    )


def _fitting(value: JSON, path: str, shape: Shape) -> JSON:
    """A value as it may stand at a path; `Refused` where it may not."""
    place = parse_path(path)
    key = shape.keys.get(place[0])
    if key is None or len(place) == 1:
        return shape.operation(place, value, "set").value
    (item,) = shape.operation(place[:1], [value], "merge").value
    if str(item[key]) != place[1]:
        raise SchemaRefused(f"The item at {path} has the {key} {place[1]!r}", path=pointer((*place, key)))
    return item


def _kept(
    work: Work, session_id: int, ours: joining.Tip, theirs: joining.Tip, clashes: Iterable[Clash]
) -> list[MergeConflict]:
    """The conflicts of these clashes: written down where they are new, opened again where they moved on."""
    (branch, version), (source, source_version) = ours, theirs
    known = {one.path: one for one in reading.conflicts_between(work, session_id, branch, source)}
    numbers = []
    for clash in clashes:
        old = known.pop(clash.path, None)
        if old is None:
            numbers.append(_write(work, session_id, ours, theirs, clash))
            continue
        numbers.append(old.conflict)
        if not joining.fits(old, clash):
            work.run(
                _reopen,
                session_id_=session_id,
                conflict_=old.conflict,
                version=version,
                source_version=source_version,
                **_sides(work, session_id, clash),
            )
    for old in known.values():
        work.run(_move, session_id_=session_id, conflict_=old.conflict, status="lapsed")
    return reading.conflicts_numbered(work, session_id, numbers)


def _write(work: Work, session_id: int, ours: joining.Tip, theirs: joining.Tip, clash: Clash) -> int:
    """Write a clash down as a conflict, under the next number of the session."""
    row = {
        "session_id": session_id,
        "branch": ours[0],
        "version": ours[1],
        "source_branch": theirs[0],
        "source_version": theirs[1],
        "path": clash.path,
        **_sides(work, session_id, clash),
        "status": "open",
        "settlement": None,
        "settled_by": None,
        "at": work.clock(),
    }
    while True:  # merges into two branches may take the same number at once
        newest = work.one(_newest_conflict, session_id=session_id)
        number = 1 + ((newest and newest[0]) or 0)
        if work.run(_insert_conflict, conflict=number, **row) == 1:
            return number


def _sides(work: Work, session_id: int, clash: Clash) -> dict[str, str | None]:
    return {name: stowed_value(work, session_id, getattr(clash, name)) for name in _SIDES}
