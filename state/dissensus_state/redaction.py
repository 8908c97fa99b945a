"""Taking a value out of a history for good, so that the chain still verifies.

The commit that wrote it keeps the digest of what it wrote, which is what the chain covers; in its place
stands a replacement. That this was done, by whom and why, is a commit of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from . import commits, evolution, heads, indexing, lifting, rebuilding, rights, transitions
from .blackening import blacken
from .blobs import header, reference
from .branches import all_branches
from .chain import check_by_digests
from .engines import Statement, Work
from .errors import DissensusError, Refused, ValueRefused
from .lineages import holder, lineage, pruned
from .masking import keeps_keys, leaves, masked, put, texts_gone
from .records import REDACT, Change, Commit
from .shapes import Shape
from .showing import Shown
from .tables import commits as commits_table
from .traces import SHORTEST, Hunt, Remaining, Texts
from .values import JSON, Path, canonical, digest, normalise, parse_list, pointer
from .written import Written, find

MASK: Any = object()
"""The replacement where none is given: the same structure, with `"[redacted]"` for every text."""

_rewrite = Statement(
    sa.update(commits_table)
    .where(
        commits_table.c.session_id == sa.bindparam("session_id_"),
        commits_table.c.branch == sa.bindparam("branch_"),
        commits_table.c.version == sa.bindparam("version_"),
    )
    .values(patch=sa.bindparam("patch"))
)


class Wanted(NamedTuple):
    """What somebody wants taken away: the value that stood at a path in a version."""

    path: Path
    version: int
    author: str
    reason: str
    replacement: JSON
    recordings: bool


@dataclass(frozen=True, slots=True)
class Redaction(Shown):
    """What was taken away, and where an equal text still stands.

    Attributes:
        commit: The commit that says so.
        path, branch, version: The value, and the commit that had written it.
        erased: How many proposals, rulings, grades, recordings, prompts (`blobs`), snapshots, events,
            conflicts, pieces of evidence and passages of documents were changed or removed.
        remains: Where an equal text stands that was written otherwise: redact that as well.
        left: What this cannot take away: copies that the database keeps elsewhere, words too short.
    """

    commit: Commit
    path: str
    branch: str
    version: int
    erased: Mapping[str, int]
    remains: tuple[Remaining, ...]
    left: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The answer as plain data."""
        return {
            "redacted_by": self.commit.version,
            "path": self.path,
            "written": {"branch": self.branch, "version": self.version},
            "erased": dict(self.erased),
            "remains": [one.as_dict() for one in self.remains],
            "left": list(self.left),
        }


class _Done(NamedTuple):
    """The stored operation before and after, and the texts that are gone."""

    found: Written
    new: JSON
    was: list[JSON] | None = None
    now: list[JSON] | None = None


def redact(
    work: Work, session_id: int, branch: str, shape: Shape, asked: Wanted
) -> tuple[Redaction, heads.Head]:
    """Take a value away wherever this session keeps it, and commit that this was done.

    Raises:
        NotFound: nothing stands at the path in that version.
        Denied: the author may not rule on the path.
        Refused: several commits wrote parts of it, or the later history does not fit the replacement.
    """
    rights.check(shape.rights, asked.author, "rule", [asked.path])
    check_by_digests(work, session_id, branch)
    found = find(work, session_id, branch, shape, asked.path, asked.version)
    names = rebuilding.dependents(work, session_id, found.branch, found.version)
    rebuilding.lock(work, session_id, {branch, *names})
    broken = {name: _broken(work, session_id, name, shape) for name in names}
    done = _replaced(work, session_id, found, shape, asked)
    hunt = Hunt(
        work,
        session_id,
        Texts(texts_gone(found.old, done.new)),
        done.was,
        done.now,
        found.commit.round if found.commit else None,
        asked.recordings,
    )
    hunt.erased["operations"] = 1
    hunt.run()
    blackened = blacken(work, session_id, hunt.texts, takes=asked.recordings)
    hunt.erased["passages"] = len(blackened.passages)
    hunt.passages, hunt.remains = blackened.passages, [*hunt.remains, *blackened.remains]
    base = _rebased(work, session_id, branch, found, done, shape, asked)
    first = found.version + bool(base)
    if not found.place or len(asked.path) == 1:  # a list may be shorter now, and have other items there
        for name in names:
            indexing.forget(work, session_id, name, found.version)
    hunt.erased["snapshots"] = sum(rebuilding.forget(work, session_id, name, first) for name in names)
    _rebuilt(work, session_id, names, first, broken, shape)
    if hunt.erased["blobs"]:  # workers on any branch may believe that the texts are there
        everyone = {one.name for one in all_branches(work, session_id)}
        rebuilding.mark(work, session_id, sorted(everyone - set(names)))
    source = {REDACT: _said(found, done, hunt, asked, base)}
    change = Change(asked.author, (), heads.read(work, session_id, branch).version, source=source)
    commit, head = transitions.commit(work, session_id, branch, None, shape, change)
    remains = [*hunt.remains, *_in_state(head, branch, hunt.texts)]
    result = Redaction(
        commit,
        pointer(asked.path),
        found.branch,
        found.version,
        +hunt.erased,
        tuple(remains),
        (*_left(found, done), *blackened.left),
    )
    return result, head


def _left(found: Written, done: _Done) -> tuple[str, ...]:
    short = [text for text in texts_gone(found.old, done.new) if len(text) < SHORTEST]
    if not short:
        return ()
    return (f"Texts of fewer than {SHORTEST} characters were not looked for anywhere else",)


def _replaced(work: Work, session_id: int, found: Written, shape: Shape, asked: Wanted) -> _Done:
    """Write the replacement into the commit, if there is one to write it into."""
    key = shape.keys.get(asked.path[0])
    new = masked(found.old, asked.path, key) if asked.replacement is MASK else normalise(asked.replacement)
    if canonical(new) == canonical(found.old):
        raise ValueRefused("The replacement is what stands there", path=pointer(asked.path))
    if not keeps_keys(found.old, new, asked.path, key):
        raise ValueRefused(
            f"The {key!r} of an item stays: by it other writes find the item", path=pointer(asked.path)
        )
    if found.commit is None:
        return _Done(found, new)
    operation = found.commit.patch[found.number]
    value = put(operation.value, found.place, new)
    if operation.verb == "fold":
        value = {**value, "by": None}
    elif found.commit.schema_version == shape.version:
        shape.operation(operation.path, value, operation.verb)
    items = parse_list(commits.stored_patch(work, session_id, found.branch, found.version))
    was = items[found.number]
    name = reference(bytes.fromhex(str(header(was)[2])))
    now = replace(operation, value=value, gone=("redacted", name)).to_json()
    items[found.number] = now
    work.run(
        _rewrite, session_id_=session_id, branch_=found.branch, version_=found.version, patch=canonical(items)
    )
    return _Done(found, new, was, now)


def _rebased(
    work: Work, session_id: int, branch: str, found: Written, done: _Done, shape: Shape, asked: Wanted
) -> dict[str, JSON]:
    """What a pruned history stands on, with the replacement in it; empty where it does not hold the value."""
    segments = lineage(work, session_id, branch)
    base = pruned(work, session_id, segments)
    if base is None or found.version > base:
        return {}
    state, number = lifting.stored_at(work, session_id, branch, base)
    keys = lifting.keys_of(work, session_id, number)
    place = _plain(state, asked.path, keys.get(asked.path[0]), found.old)
    state = put(state, place, done.new)
    if asked.path[0] in shape.sets:
        items = {canonical(item): item for item in state[asked.path[0]]}
        state[asked.path[0]] = [items[text] for text in sorted(items)]
    rebuilding.whole(work, session_id, holder(segments, base), base, state)
    return {"base": base, "state": digest(canonical(state)).hex()}


def _plain(state: JSON, path: Path, key: str | None, old: JSON) -> Path:
    """A path by position where the list has keys, or is a set."""
    if len(path) < 2 or not isinstance(state[path[0]], list):
        return path
    items = state[path[0]]
    if key is not None:
        return (path[0], str([str(item[key]) for item in items].index(path[1])), *path[2:])
    if len(path) == 2 and old in items:
        return (path[0], str(items.index(old)))
    return path


def _broken(work: Work, session_id: int, branch: str, shape: Shape) -> set[str]:
    """The rules that the head of a branch breaks as it is: they may rest on evidence."""
    head = heads.read(work, session_id, branch).version
    state = lifting.lifted_at(work, session_id, branch, head, shape)
    return {error.message for error in evolution.broken_rules(shape, shape.typed(state))}


def _rebuilt(
    work: Work, session_id: int, names: list[str], version: int, broken: Mapping[str, set[str]], shape: Shape
) -> None:
    """Fold what came after over the replacement, and hold it to the schema.

    Raises:
        Refused: it does not fit.
    """
    rebuilding.mark(work, session_id, names)
    for name in names:
        try:
            rebuilding.rebuild(work, session_id, name, version)
            lifting.lifted_at(work, session_id, name, heads.read(work, session_id, name).version, shape)
            new = _broken(work, session_id, name, shape) - broken[name]
        except DissensusError as error:
            raise Refused(
                f"The later history does not fit the replacement: {error.message}",
                next_step="Give a `replacement` of the type and shape of the value",
                branch=name,
            ) from error
        if new:
            raise Refused(
                f"The replacement breaks a rule: {min(new)}",
                next_step="Give a `replacement` that keeps it",
                branch=name,
            )


def _said(found: Written, done: _Done, hunt: Hunt, asked: Wanted, base: dict[str, JSON]) -> dict[str, JSON]:
    """What the history says of a redaction."""
    operations: list[JSON] = []
    if done.was is not None and done.now is not None:
        value = digest(canonical(done.now[2])).hex()
        operations.append([found.branch, found.version, header(done.was)[2], value])
    name = header(done.was)[2] if done.was is not None else digest(canonical(found.old)).hex()
    return {
        "version": found.version,
        "branch": found.branch,
        "path": pointer(asked.path),
        "digest": name,
        "reason": asked.reason,
        "operations": operations,
        "rounds": sorted(hunt.rounds),
        "evidence": [list(place) for place in hunt.evidence],
        "fields": sorted(hunt.fields | {asked.path[0]}),
        **({"passages": [list(place) for place in hunt.passages]} if hunt.passages else {}),
        **base,
    }


def _in_state(head: heads.Head, branch: str, texts: Texts) -> list[Remaining]:
    """Where the head still holds one of the texts."""
    return [
        Remaining(branch, head.version, pointer(path))
        for path, text in leaves(head.plain)
        if texts.stand_in(text)
    ]
