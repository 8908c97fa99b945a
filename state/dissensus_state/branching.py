"""Branches: forked in no time, closed, tagged, brought together again, and steps taken back.

A merge and a revert are commits like any other, made of what the histories say: the patch follows from
three states (`three_way`), and `verify` works it out again. What the two sides contest is kept as
conflicts; once somebody has settled them all, the same merge goes through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from . import branches as reading
from . import commits, heads, joining, rights, transitions
from .branches import MergeConflict
from .engines import Statement, Work, insert, insert_absent
from .errors import Conflict, NotFound, ValueRefused
from .lifting import lifted_at
from .notices import announced
from .patches import Patch
from .records import Change, Commit
from .rights import Grants
from .shapes import Shape
from .tables import branches, conflicts, tags
from .three_way import ABSENT, Clash
from .values import JSON, canonical, parse_path, store

_NAME = re.compile(r"[^\W\d_][\w./-]{0,99}")
_RESERVED = re.compile(r"HEAD|[vV]\d+")

_insert_conflict = insert(conflicts)
_insert_tag = insert_absent(tags)
_session = sa.bindparam("session_id_", type_=sa.BigInteger)
_remove_tag = Statement(
    sa.delete(tags).where(tags.c.session_id == _session, tags.c.tag == sa.bindparam("tag_"))
)
_close = Statement(
    announced(
        sa.update(branches)
        .where(branches.c.session_id == _session, branches.c.branch == sa.bindparam("branch_"))
        .values(closed_at=sa.bindparam("closed_at"))
    )
)
_settle = Statement(
    sa.update(conflicts)
    .where(conflicts.c.session_id == _session, conflicts.c.conflict == sa.bindparam("conflict_"))
    .values(
        status=sa.bindparam("status"),
        settlement=sa.bindparam("settlement"),
        settled_by=sa.bindparam("settled_by"),
    )
)


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What came of a merge: the commit, or the conflicts to be settled first; neither if nothing was new."""

    commit: Commit | None = None
    conflicts: tuple[MergeConflict, ...] = ()


def check_name(kind: str, name: str) -> str:
    """The name, or `ValueRefused` where it could be taken for something else."""
    odd = _RESERVED.fullmatch(name) or ".." in name or name.endswith((".", "/"))
    if odd or _NAME.fullmatch(name) is None:
        raise ValueRefused(
            f"{ascii(name)[:120]} is no name for a {kind}",
            next_step="Begin with a letter, and go on with at most 99 letters, digits, '_', '-', '.' or '/'",
        )
    return name


def fork(work: Work, session_id: int, branch: str, version: int, name: str) -> None:
    """Begin a branch at a version of another; nothing is copied.

    Raises:
        Conflict: there is a branch of that name.
        NotFound: there is no such version.
    """
    check_name("branch", name)
    _check_version(work, session_id, branch, version)
    if any(one.name == name for one in reading.all_branches(work, session_id)):
        raise Conflict(f"There is a branch {name!r} already", next_step="Choose another name", retry=False)
    commits.check_there(work, session_id, branch, version)
    hash_ = commits.commit(work, session_id, branch, version).hash
    transitions.open_branch(work, session_id, name, version, hash_, (branch, version))


def close(work: Work, session_id: int, branch: str) -> None:
    """Let nothing be committed to a branch any more."""
    heads.read(work, session_id, branch)
    work.run(_close, session_id_=session_id, branch_=branch, closed_at=work.clock())


def tag(work: Work, session_id: int, branch: str, version: int, name: str, author: str) -> None:
    """Give a version a name; `Conflict` where the name stands for another one."""
    check_name("tag", name)
    _check_version(work, session_id, branch, version)
    made = work.run(
        _insert_tag,
        session_id=session_id,
        tag=name,
        branch=branch,
        version=version,
        author=author,
        at=work.clock(),
    )
    there = reading.tag(work, session_id, name)
    if made != 1 and (there.branch, there.version) != (branch, version):
        raise Conflict(
            f"The tag {name!r} stands for version {there.version} of {there.branch!r}",
            next_step="Remove it first, or choose another name",
            retry=False,
        )


def remove_tag(work: Work, session_id: int, name: str) -> None:
    """Take a tag away; the version stays."""
    if work.run(_remove_tag, session_id_=session_id, tag_=name) != 1:
        raise NotFound(f"There is no tag {name!r}")


def merge(
    work: Work, session_id: int, branch: str, source: str, shape: Shape, author: str
) -> tuple[MergeResult, heads.Head | None]:
    """Bring what a branch has that this one has not, or write down what they contest.

    Raises:
        Refused: both together would break the schema or an invariant.
    """
    found = heads.read(work, session_id, branch)
    theirs = heads.read(work, session_id, source)
    base = joining.base_of(work, session_id, branch, found.version, source, theirs.version)
    if base == theirs.version:
        return MergeResult(), None
    merged = joining.of_branches(work, session_id, branch, found.version, source, theirs.version, base, shape)
    known = _known(work, session_id, branch, source)
    settled = {one.path: one for one in known if one.status != "open"}
    ours = lifted_at(work, session_id, branch, found.version, shape)
    patch, left = joining.settle_with(merged, settled, ours, shape.keys)
    if left:
        return MergeResult(None, _kept(work, session_id, branch, found, source, theirs, left, known)), None
    said = {"branch": source, "version": theirs.version, "hash": theirs.hash.hex(), "base": base}
    commit, head = _committed(work, session_id, branch, shape, author, patch, found.version, {"merge": said})
    for clash in merged.clashes:
        one = settled[clash.path]
        _move(work, session_id, one.conflict, "merged", one.settlement, one.settled_by)
    return MergeResult(commit), head


def settle(
    work: Work, session_id: int, number: int, settlement: JSON, author: str, grants: Grants | None
) -> MergeConflict:
    """Say what is to stand where two branches clash: `"ours"`, `"theirs"`, or `{"value": …}`.

    Raises:
        NotFound: there is no such conflict.
        Conflict: it is merged already.
        Denied: its path is not one that the author may rule on.
    """
    chosen = settlement in {"ours", "theirs"} if isinstance(settlement, str) else False
    if not chosen and not (isinstance(settlement, dict) and settlement.keys() == {"value"}):
        raise ValueRefused("A conflict is settled with 'ours', 'theirs' or a value")
    one = _numbered(work, session_id, number)
    rights.check(grants, author, "rule", [parse_path(one.path)])
    if one.status == "merged":
        raise Conflict(f"The conflict {number} is merged already", retry=False)
    _move(work, session_id, number, "settled", settlement, author)
    return _numbered(work, session_id, number)


def revert(
    work: Work, session_id: int, branch: str, first: int, last: int, shape: Shape, author: str
) -> tuple[Commit, heads.Head]:
    """Take the commits `first … last` back, as a new version.

    Raises:
        Conflict: later commits rest on what is to be taken back; its `paths` are named.
        NotFound: there are no such versions, or nothing to take back.
    """
    found = heads.read(work, session_id, branch)
    if not 1 <= first <= last <= found.version:
        raise NotFound(f"There is no stretch {first} to {last} after version 0; the head is {found.version}")
    merged = joining.of_stretch(work, session_id, branch, found.version, first, last, shape)
    if merged.clashes:
        paths = sorted(clash.path for clash in merged.clashes)
        raise Conflict(
            f"Later commits changed {', '.join(paths)} too",
            next_step="Revert the later commits first, or write the value that you want",
            paths=paths,
            expected=last,
            actual=found.version,
            retry=False,
        )
    if not merged.operations:
        raise NotFound(f"Nothing of the commits {first} to {last} is left to take back")
    source = {"revert": {"first": first, "last": last}}
    return _committed(work, session_id, branch, shape, author, merged.patch, found.version, source)


def _committed(
    work: Work,
    session_id: int,
    branch: str,
    shape: Shape,
    author: str,
    patch: Patch,
    base: int,
    source: dict[str, Any],
) -> tuple[Commit, heads.Head]:
    change = Change(author=author, patch=patch, base=base, source=source)
    return transitions.commit(work, session_id, branch, None, shape, change)


def _check_version(work: Work, session_id: int, branch: str, version: int) -> None:
    head = heads.read(work, session_id, branch).version
    if not 0 <= version <= head:
        raise NotFound(f"There is no version {version}; the head is {head}", branch=branch)


def _known(work: Work, session_id: int, branch: str, source: str) -> list[MergeConflict]:
    """The conflicts of these two branches that are not merged yet."""
    return [
        one
        for one in reading.all_conflicts(work, session_id)
        if (one.branch, one.source_branch) == (branch, source) and one.status != "merged"
    ]


def _kept(
    work: Work,
    session_id: int,
    branch: str,
    found: heads.Branch,
    source: str,
    theirs: heads.Branch,
    clashes: list[Clash],
    known: list[MergeConflict],
) -> tuple[MergeConflict, ...]:
    """The conflicts of these clashes, written down where they are new."""
    next_ = 1 + max((one.conflict for one in reading.all_conflicts(work, session_id)), default=0)
    there = {one.path: one for one in known}
    numbers = []
    for clash in clashes:
        old = there.get(clash.path)
        if old is not None and old.status == "open" and joining.fits(old, clash):
            numbers.append(old.conflict)
            continue
        work.run(
            _insert_conflict,
            session_id=session_id,
            conflict=next_,
            branch=branch,
            version=found.version,
            source_branch=source,
            source_version=theirs.version,
            path=clash.path,
            **{name: _text(getattr(clash, name)) for name in ("base", "ours", "theirs")},
            status="open",
            settlement=None,
            settled_by=None,
            at=work.clock(),
        )
        numbers.append(next_)
        next_ += 1
    return tuple(one for one in reading.all_conflicts(work, session_id) if one.conflict in numbers)


def _text(value: JSON) -> str | None:
    return None if value is ABSENT else canonical(value)


def _numbered(work: Work, session_id: int, number: int) -> MergeConflict:
    for one in reading.all_conflicts(work, session_id):
        if one.conflict == number:
            return one
    raise NotFound(f"There is no conflict {number}")


def _move(
    work: Work, session_id: int, number: int, status: str, settlement: JSON, author: str | None
) -> None:
    work.run(
        _settle,
        session_id_=session_id,
        conflict_=number,
        status=status,
        settlement=store(settlement),
        settled_by=author,
    )
