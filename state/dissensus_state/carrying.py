"""What a session says of commits that are there: retracted, carried over from another line, superseded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import commits, heads
from .engines import Work
from .errors import CarryRefused, Conflict, NotFound, Pruned, Refused, ValueRefused
from .heads import Head
from .later import Later
from .lineages import lineage
from .readers import StateT
from .recorders import Recorder
from .records import CARRY, RETRACT, Change, Commit
from .values import JSON, normalise

if TYPE_CHECKING:
    from . import admission, branching, joining, takeovers, transitions
    from .branching import Asked
    from .takeovers import Retraction
else:
    admission = Later("admission")
    branching = Later("branching")
    joining = Later("joining")
    takeovers = Later("takeovers")
    transitions = Later("transitions")

MOST_REASON = 2_000
"""Characters of a reason."""


class Carrier(Recorder[StateT]):
    """A session as far as its commits can speak of others."""

    def retract(
        self, version: int, *, author: str, reason: str, undo: bool = False, key: str | None = None
    ) -> Commit:
        """Say that a commit was wrong; what rests on it is suspect from then on, and nothing is changed.

        It is a commit with an empty patch. `suspects()` lists what rests on it, `revert` takes its values
        back, a rerun repairs what rests on it.

        Args:
            version: The commit, by its version on this branch.
            author: Who says so; needs the right to rule on what it wrote.
            reason: Why, in up to 2,000 characters.
            undo: Take back what was said: the commit was right after all.
            key: An idempotency key: a second retraction under it is the first one again.

        Raises:
            Conflict: it is retracted already; `retracted_by` is the version that says so.
            NotFound: there is no such version, it wrote nothing, or (undoing) it is not retracted.
            Denied: the author may not rule on what it wrote.
        """
        given = _reason(reason)
        asked = branching.Asked(self.session_id, self.branch, self.shape, author, key)
        with self._refusing(author), self.writing(version=version) as work:
            commit, head = _retract(work, asked, version, given, self._line.head, undo=undo)
        if head is not None:
            self.remember(head)
        return commit

    def carry(self, commit: Commit, *, author: str | None = None, key: str | None = None) -> Commit:
        """Bring a commit of another line of this session again, as the next version of this branch.

        Its transition is taken anew, with its patch, what it had read, its evidence and its author. Where
        it ended a round, this one cites none: the round stands behind the commit that it names as its source.

        Args:
            commit: What to bring, of any branch of this session.
            author: Who the history names, where it is not the author of the commit; needs the right to
                commit what it writes.
            key: An idempotency key: brought a second time under it, it is the first one again.

        Raises:
            CarryRefused: it does not fit: a path is not there, the machine or a rule says no, it was
                written under another version of the schema.
            NotFound: there is no such commit, or it writes nothing.
        """
        who = commit.author if author is None else author
        asked = branching.Asked(self.session_id, self.branch, self.shape, who, key)
        with self._refusing(who), self.writing() as work:
            made, head = _carry(work, asked, commit, self._line.head)
        if head is not None:
            self.remember(head)
        return made

    def supersede(
        self, branch: str, version: int | None = None, *, author: str, key: str | None = None
    ) -> Commit:
        """Say that this branch stands for all that another one has by now, and bring nothing of it.

        It is a commit with an empty patch, and a merge (`git merge -s ours`): merging this branch into the
        other one afterwards brings exactly what differs between the two.

        Args:
            branch: The branch that this one stands for.
            version: Up to which of its versions (None: its head); what comes later is merged as ever.
            author: Who the history names.
            key: An idempotency key: said a second time under it, it is the first commit again.

        Raises:
            NotFound: there is no such branch or version, or all of it went into this one already.
            Denied: the author may commit nothing.
        """
        asked = branching.Asked(self.session_id, self.branch, self.shape, author, key)
        with self._refusing(author), self.writing() as work:
            commit, head = _supersede(work, asked, (branch, version), self._line.head)
        if head is not None:
            self.remember(head)
        return commit


def _reason(text: str) -> str:
    given = str(normalise(text)).strip()
    if not given or len(given) > MOST_REASON:
        raise ValueRefused(
            f"A retraction gives its reason in 1 to {MOST_REASON:,} characters, and not in {len(given):,}",
            next_step="Say in a sentence what is wrong with the commit",
        )
    return given


def _retract(
    work: Work, asked: Asked, version: int, reason: str, known: Head | None, *, undo: bool
) -> tuple[Commit, Head | None]:
    session_id, branch = asked.session_id, asked.branch
    found = heads.read(work, session_id, branch)
    if (done := asked.done(work)) is not None:
        return done, None
    heads.check_open(found, branch)
    if not 0 <= version <= found.version:
        raise NotFound(f"There is no version {version}; the head is {found.version}", branch=branch)
    of = takeovers.place(work, session_id, branch, version)
    made = commits.commit(work, session_id, *of)
    if not made.patch:
        raise NotFound(f"Version {version} wrote nothing that could be wrong", next_step=_way_back(made))
    reach = joining.reach(work, session_id, branch, found.version)
    there = takeovers.standing(work, session_id, reach).get(of, ())
    source: dict[str, JSON] = {"branch": of[0], "version": of[1], "reason": reason}
    if undo:
        if not there:
            raise NotFound(f"Version {version} is not retracted", next_step="See `dissensus suspects`")
        source["undo"] = [[one.branch, one.version] for one in there]
    elif there:
        raise _retracted(version, there[-1])
    return asked.commit(work, (), found.version, {RETRACT: source}, known)


def _way_back(made: Commit) -> str:
    if RETRACT in (made.source or {}):
        return "A retraction is taken back by naming the retracted commit: `dissensus retract V --undo`"
    return "Name the commit that wrote the value: `dissensus blame PATH` finds it"


def _retracted(version: int, there: Retraction) -> Conflict:
    return Conflict(
        f"Version {version} is retracted already, by {there.author} in version {there.version} of "
        f"{there.branch!r}: {there.reason[:200]}",
        next_step="See what rests on it with `dissensus suspects`; --undo takes the retraction back",
        retracted_by=there.version,
        retry=False,
    )


def _carry(work: Work, asked: Asked, commit: Commit, known: Head | None) -> tuple[Commit, Head | None]:
    session_id, branch = asked.session_id, asked.branch
    found = heads.read(work, session_id, branch)
    stored = commits.commit(work, session_id, commit.branch, commit.version)
    if stored.hash != commit.hash:
        raise NotFound(f"Version {commit.version} of {commit.branch!r} is another commit than the given one")
    change = _carried(asked, stored, found.version)
    if asked.key is not None and (done := commits.by_key(work, session_id, branch, asked.key)) is not None:
        return admission.check_repeated(done, change), None
    heads.check_open(found, branch)
    segments = lineage(work, session_id, branch)
    if any(one.branch == stored.branch and one.after < stored.version <= one.upto for one in segments):
        raise Conflict(
            f"Version {stored.version} is on this branch already",
            next_step="Carry commits over from another branch",
            retry=False,
        )
    try:
        return transitions.commit(work, session_id, branch, known, asked.shape, change)
    except (NotFound, Refused) as error:
        raise CarryRefused(
            f"Version {stored.version} of {stored.branch!r} does not fit onto version {found.version} of "
            f"{branch!r}: {error.message}",
            **{**error.context, "origin": f"{stored.branch}@{stored.version}", "because": error.code},
        ) from error


def _carried(asked: Asked, stored: Commit, head: int) -> Change:
    """What is asked for when a commit is brought again on a head."""
    where = f"Version {stored.version} of {stored.branch!r}"
    source = stored.source or {}
    if not stored.patch or stored.version == 0 or not source.keys().isdisjoint({*takeovers.SILENT, "upcast"}):
        raise NotFound(f"{where} brings nothing that could be carried over")
    if any(item.pruned for item in stored.patch):
        raise Pruned(f"What {where.lower()} wrote is pruned")
    if stored.schema_version != asked.shape.version:
        raise CarryRefused(
            f"{where} was written under version {stored.schema_version} of the schema, which is now at "
            f"{asked.shape.version}",
            origin=f"{stored.branch}@{stored.version}",
            because="schema",
        )
    return Change(
        author=asked.author,
        patch=takeovers.patch_to_carry(stored),
        base=head,
        reads=stored.read_paths,
        transition=stored.transition,
        isolation=stored.isolation,
        evidence=stored.evidence,
        key=asked.key,
        source={CARRY: takeovers.told(stored)},
    )


def _supersede(
    work: Work, asked: Asked, upto: tuple[str, int | None], known: Head | None
) -> tuple[Commit, Head | None]:
    other, wanted = upto
    session_id, branch = asked.session_id, asked.branch
    found = heads.read(work, session_id, branch)
    if (done := asked.done(work)) is not None:
        return done, None
    heads.check_open(found, branch)
    its = heads.peeked(work, session_id, other)
    version = its.version if wanted is None else wanted
    if not 0 <= version <= its.version:
        raise NotFound(f"There is no version {version}; the head is {its.version}", branch=other)
    mine = joining.reach(work, session_id, branch, found.version)
    theirs = joining.reach(work, session_id, other, version)
    if all(mine.get(name, -1) >= last for name, last in theirs.items()):
        raise NotFound(
            f"All that {other!r} has went into {branch!r} already",
            next_step="There is nothing to supersede",
        )
    place = takeovers.place(work, session_id, other, version)
    made = commits.commit(work, session_id, *place)
    return asked.commit(work, (), found.version, {"merge": takeovers.told(made, ours=True)}, known)
