"""G8: could this history have come about? The chain, the rule of admission, reviews, the money."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import sqlalchemy as sa

from . import blobs, commits, documents, doors, joining, ledger, rounds, takeovers, touches
from .chain import form_of
from .conflicts import check
from .engines import Statement, Work
from .erasures import Erasures
from .errors import Conflict, Denied, DissensusError, NotFound, Pruned, Tampered
from .evolution import check_migration, keeps_values
from .lineages import lineage, shared
from .patches import Patch, grow, patch_to_json
from .records import Change, Commit, Proposal, Round, Ruling, erases, is_migration
from .replay import Steps
from .shapes import Shape
from .showing import Shown
from .tables import branches
from .values import JSON, canonical, digest

_head = Statement(
    sa.select(branches.c.head, branches.c.head_hash).where(
        branches.c.session_id == sa.bindparam("session_id"),
        branches.c.branch == sa.bindparam("branch"),
    )
)
UNREADABLE = (DissensusError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading a row can raise into which anybody may have written anything."""


@dataclass(frozen=True, slots=True)
class Verified(Shown):
    """What was checked and holds: `versions` commits up to the hash of the head.

    `other_schema` of them were written under another version of the schema than the one given, so
    that its rules were not asked about them. `redacted` and `pruned` count the operations whose values
    were taken away, each by a commit that says so. `documents` of the session are what was added.
    """

    versions: int
    rounds: int
    head: str
    rules_checked: bool
    other_schema: int = 0
    redacted: int = 0
    pruned: int = 0
    documents: int = 0


def verify(work: Work, session_id: int, branch: str, shape: Shape | None = None) -> Verified:
    """Recompute the chain and admit every commit again.

    With the session's schema its machine is asked as well; without it, everything else is checked.

    Raises:
        Tampered: naming the first commit that could not have been admitted, and why.
    """
    kept = _steps(work, session_id, branch)
    erasures = _erasures(work, session_id, branch)
    known: list[Commit] = []
    state: JSON = {}
    previous = b""
    whole = True
    for commit in _read(commits.between(work, session_id, branch, -1)):
        _check_order(commit, len(known))
        _check_hash(work, session_id, commit, previous, erasures)
        of_its_time = _of_its_time(shape, commit)
        _check_review(work, session_id, commit, of_its_time)
        before, whole = state, whole and keeps_values(commit.patch)
        if not erasures.pruned(commit.version):
            _check_admission(commit, known, erasures)
            _check_rights(work, session_id, commit, of_its_time)
            _check_source(work, session_id, commit, of_its_time, erasures)
            state = _grown(work, session_id, branch, commit, state, erasures)
            _check_state(commit, state, kept)
        check_migration(
            commit, known[-1].schema_version if known else None, before, state, shape, whole=whole
        )
        previous = commit.hash
        known.append(commit)
    _check_elsewhere(work, session_id, branch, known, erasures)
    _check_head(work, session_id, branch, known, previous)
    _check_rest(work, session_id, len(kept.left), len(known))
    _check_index(work, session_id, branch)
    added = _check_documents(work, session_id, erasures)
    ended = sum(commit.round is not None for commit in known)
    others = sum(shape is not None and commit.schema_version != shape.version for commit in known)
    gone = [item.gone[0] for commit in known for item in commit.patch if item.gone]
    checked = shape is not None
    return Verified(
        len(known),
        ended,
        previous.hex(),
        checked,
        others,
        gone.count("redacted"),
        gone.count("pruned"),
        added,
    )


def _of_its_time(shape: Shape | None, commit: Commit) -> Shape | None:
    """The schema, where the commit was written under this version of it: older ones had other rules."""
    return shape if shape is not None and shape.version == commit.schema_version else None


def _steps(work: Work, session_id: int, branch: str) -> Steps:
    try:
        return Steps(work, session_id, branch)
    except NotFound as error:
        raise Tampered(error.message, branch=branch, version=0) from error


def _read(stored: Iterator[Commit]) -> Iterator[Commit]:
    """The commits, as long as they can be read at all."""
    for version in itertools.count():
        try:
            commit = next(stored, None)
        except UNREADABLE as error:
            raise Tampered(f"Version {version} cannot be read: {error}", version=version) from error
        if commit is None:
            return
        yield commit


def _tampered(commit: Commit, why: str) -> Tampered:
    return Tampered(f"Version {commit.version} could not have been admitted: {why}", version=commit.version)


def _check_order(commit: Commit, expected: int) -> None:
    if commit.version != expected:
        raise Tampered(f"Version {expected} is missing", version=expected)


def _erasures(work: Work, session_id: int, branch: str) -> Erasures:
    try:
        return Erasures(work, session_id, branch)
    except UNREADABLE as error:
        raise Tampered(f"What was taken away cannot be read: {error}", branch=branch) from error


def _check_hash(work: Work, session_id: int, commit: Commit, previous: bytes, erasures: Erasures) -> None:
    """The hash follows from what is stored, and what is gone was taken away by a commit that says so."""
    try:
        form = form_of(work, session_id, commit, previous)
        unexplained = erasures.unexplained(commit)
        explained = erasures.explains_round(work, session_id, commit)
    except UNREADABLE as error:
        raise _tampered(commit, f"what it cites cannot be read ({error})") from error
    if form is None:
        raise _tampered(commit, "it, or the round it cites, was changed after it was committed")
    if form == "erased" and not erasures.explains_evidence(commit):
        unexplained = "evidence of it was redacted, and no commit says so"
    if not explained:
        unexplained = f"something of round {commit.round} was taken away, and no commit says so"
    if erases(commit.source) and commit.patch:
        unexplained = "it takes something away and writes something"
    if unexplained is not None:
        raise _tampered(commit, unexplained)


def _check_elsewhere(
    work: Work, session_id: int, branch: str, known: list[Commit], erasures: Erasures
) -> None:
    """What another branch says that was taken away counts if that branch is chained to this one."""
    mine = lineage(work, session_id, branch)
    for other, upto in erasures.elsewhere.items():
        common = min(shared(mine, lineage(work, session_id, other)), len(known) - 1)
        previous = known[common].hash if common >= 0 else b""
        for commit in _read(commits.between(work, session_id, other, common, upto)):
            if form_of(work, session_id, commit, previous) is None:
                raise Tampered(
                    f"Version {commit.version} of {other!r} was changed after it was committed",
                    branch=other,
                    version=commit.version,
                )
            previous = commit.hash


def _check_admission(commit: Commit, known: list[Commit], erasures: Erasures) -> None:
    if commit.version and not 0 <= commit.base < commit.version:
        raise _tampered(commit, f"its base version {commit.base} did not exist")
    if erasures.pruned(commit.base + 1):
        return  # nobody knows any more what it was rebased over
    change = Change(commit.author, _asked(commit), commit.base, commit.read_paths, isolation=commit.isolation)
    try:
        check(change, known[commit.base + 1 :], commit.version - 1)
    except Conflict as conflict:
        raise _tampered(commit, conflict.message) from conflict


def _asked(commit: Commit) -> Patch:
    """The patch as its author brought it: the phase is moved by the transition."""
    if commit.transition is None:
        return commit.patch
    return tuple(operation for operation in commit.patch if operation.path != ("phase",))


def _check_review(work: Work, session_id: int, commit: Commit, shape: Shape | None) -> None:
    commit = _first(work, session_id, commit)
    transition = shape.machine.transitions.get(commit.transition or "") if shape else None
    asked = transition is not None and transition.review
    if commit.round is None:
        if asked:
            raise _tampered(commit, f"{commit.transition!r} is committed under a ruling only")
        return
    ended = rounds.round_(work, session_id, commit.round)
    made = rounds.proposals_of(work, session_id, commit.round)
    given = rounds.rulings_of(work, session_id, commit.round)
    if (asked or ended.review is not None) and not _ruled(commit, ended, made, given):
        raise _tampered(commit, "no ruling is bound to its proposals and base version")
    _check_rulings(commit, ended, made, given)
    _check_settled(commit, ended, made, given)


def _first(work: Work, session_id: int, commit: Commit) -> Commit:
    """What a commit was carried over from, which was reviewed where it was made; else itself."""
    try:
        return takeovers.first(work, session_id, commit)
    except UNREADABLE as error:
        raise _tampered(commit, f"what it was carried over from cannot be read ({error})") from error


def _check_rulings(commit: Commit, ended: Round, made: list[Proposal], given: list[Ruling]) -> None:
    """Each ruling of a chain is on exactly these proposals, in turn; only the last one settles the round."""
    bound = {rounds.binding(ended.base, made, whole=whole) for whole in (False, True)} if given else set()
    for n, ruling in enumerate(given, start=1):
        if ruling.n != n:
            raise _tampered(commit, f"ruling {n} of its round is missing")
        if ruling.binding not in bound:
            raise _tampered(commit, f"ruling {n} of its round is bound to other proposals or another base")
        if n < len(given) and ruling.decision in {"retry", "reject"}:
            raise _tampered(commit, f"ruling {n} of its round had settled it as {ruling.decision}")


def _check_source(
    work: Work, session_id: int, commit: Commit, shape: Shape | None, erasures: Erasures
) -> None:
    """A patch that nobody wrote by hand must follow from what it says that it was taken from."""
    if commit.source is None:
        return
    try:
        takeovers.check(work, session_id, commit, erasures.fields)
        if shape is None:
            return
        expected = joining.expected(work, session_id, commit, shape, erasures.fields)
    except Pruned:
        return  # what it was taken from is pruned
    except Tampered as error:
        raise _tampered(commit, error.message) from error
    except UNREADABLE as error:
        raise _tampered(commit, f"what it was taken from cannot be read ({error})") from error
    if expected is None:
        return
    if _but_for(expected, erasures.fields) != _but_for(commit.patch, erasures.fields):
        raise _tampered(commit, "its patch does not follow from what it was taken from")


def _but_for(patch: Patch, fields: AbstractSet[str]) -> list[JSON]:
    """A patch without the fields of which something was redacted: there it follows from what is gone."""
    return patch_to_json(tuple(item for item in patch if not item.path or item.path[0] not in fields))


def _check_rights(work: Work, session_id: int, commit: Commit, shape: Shape | None) -> None:
    """The rights of the schema; who creates a session needs none, nor does what lifts it."""
    if shape is None or commit.version == 0 or is_migration(commit):
        return
    change = Change(
        commit.author, commit.patch, commit.base, commit.read_paths, round=commit.round, source=commit.source
    )
    try:
        doors.check_commit(work, session_id, shape.rights, change)
    except Denied as error:
        raise _tampered(commit, f"{error.message}, and not {error.context['path']}") from error


def _ruled(commit: Commit, ended: Round, made: list[Proposal], given: list[Ruling]) -> bool:
    if not given or given[-1].decision not in {"uphold", "amend"}:
        return False
    bindings = [rounds.binding(ended.base, made, whole=whole) for whole in (False, True)]
    bound = commit.base == ended.base and given[-1].binding in bindings
    if any(operation.gone for operation in commit.patch):
        return bound
    return bound and rounds.keeps_to(commit.patch, given[-1], made)


def _check_settled(commit: Commit, ended: Round, made: list[Proposal], given: list[Ruling]) -> None:
    """What was settled with the commit stands outside of its hash: it follows from the ruling."""
    if ended.status != "committed":
        raise _tampered(commit, f"its round {ended.round} is {ended.status}")
    lost = given[-1].dissent if given else ()
    untold = {"accepted", "dissent"} if given and given[-1].gone else set[str]()
    for item in made:
        settled = "dissent" if item.agent in lost else "accepted"
        if item.status not in {settled, "abstained", *untold}:
            raise _tampered(commit, f"the proposal of {item.agent} is {item.status}, not {settled}")


def _grown(work: Work, session_id: int, branch: str, commit: Commit, state: JSON, erasures: Erasures) -> JSON:
    """The state after a commit; that which a pruned history stands on is read, and held to its digest."""
    try:
        if erasures.base is None or commit.version != erasures.base.version:
            return grow(state, commit.patch)
        found = commits.state_at(work, session_id, branch, commit.version)
    except UNREADABLE as error:
        said = error.message if isinstance(error, DissensusError) else error
        raise _tampered(commit, str(said)) from error
    if digest(canonical(found)).hex() != erasures.base.state:
        raise _tampered(commit, "its snapshot is not the state that the history was pruned to")
    return found


def _check_state(commit: Commit, state: JSON, kept: Steps) -> None:
    """The state after a commit must be the snapshot of that version, if there is one."""
    if _unless(commit, kept, state):
        raise _tampered(commit, "its snapshot is not what the commits before it add up to")


def _unless(commit: Commit, kept: Steps, state: JSON) -> bool:
    try:
        return kept.differs(commit, state) is not None
    except UNREADABLE as error:
        raise _tampered(commit, f"its snapshot cannot be read ({error})") from error


def _check_head(work: Work, session_id: int, branch: str, known: list[Commit], previous: bytes) -> None:
    row = work.one(_head, session_id=session_id, branch=branch)
    last = len(known) - 1
    if row is None or row[0] != last or bytes(row[1]) != previous:
        first = last if row is None else min(max(row[0], 0), last) + (row[0] != last)
        raise Tampered("The head is not the last commit of its branch", branch=branch, version=first)


def _check_rest(work: Work, session_id: int, kept: int, versions: int) -> None:
    """What hangs on no commit: texts kept aside, snapshots of no version, the money."""
    if kept:
        raise Tampered("There is a snapshot of a version that is not there", version=versions)
    blobs.check(work, session_id)
    _check_money(work, session_id)


def _check_index(work: Work, session_id: int, branch: str) -> None:
    try:
        touches.check(work, session_id, branch)
    except Tampered:
        raise
    except UNREADABLE as error:
        raise Tampered(f"The index of commits cannot be read: {error}", branch=branch) from error


def _check_documents(work: Work, session_id: int, erasures: Erasures) -> int:
    try:
        return documents.check(work, session_id, erasures.passages)
    except Tampered:
        raise
    except UNREADABLE as error:
        raise Tampered(f"A document cannot be read: {error}") from error


def _check_money(work: Work, session_id: int) -> None:
    try:
        ledger.check(work, session_id)
    except Tampered:
        raise
    except UNREADABLE as error:
        raise Tampered(f"The money of the calls cannot be read: {error}") from error
