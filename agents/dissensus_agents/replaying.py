"""A history again, from its recordings and with today's code: what would be refused now, or would differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dissensus_state import blobs
from dissensus_state import replay as replays
from dissensus_state.errors import Diverged, NotFound, Pruned, Tampered
from dissensus_state.readmission import Behind, Readmission
from dissensus_state.records import Commit
from dissensus_state.shapes import Shape
from dissensus_state.showing import Shown
from dissensus_state.values import JSON

from .again import Recorded, again
from .divergences import Differences, Divergences, divergence, refused
from .steps import Step

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

WINDOW = 64
"""How many of the newest states are kept while folding; a round on an older base reads its own."""


@dataclass(frozen=True, slots=True)
class Replayed(Shown):
    """What was rebuilt: versions, rounds and answers read again; `calls` made is always 0.

    `by_hand` commits ended no round, and were admitted again. Of the `differences`, those beyond a bound are
    counted only: `refused` commits would be refused now, `anew` is how many calls would ask something else,
    `differing` how much else would come out otherwise. `untold` says what could not be replayed, since it
    was taken away for good; `other_schema` counts commits of another version of the schema, whose rules
    were others.
    """

    versions: int
    rounds: int
    answers: int
    digest: str
    calls: int = 0
    by_hand: int = 0
    refused: int = 0
    anew: int = 0
    differing: int = 0
    differences: Differences = field(default_factory=Differences)
    untold: tuple[str, ...] = ()
    lost: int = 0
    other_schema: int = 0

    @property
    def more(self) -> int:
        """How many differences there are beyond those that are listed."""
        return self.differences.more

    @property
    def same(self) -> bool:
        """Whether everything comes out as it was recorded."""
        return not (self.refused or self.anew or self.differing)

    def as_dict(self) -> dict[str, Any]:
        """The answer as plain JSON data."""
        return {
            "versions": self.versions,
            "rounds": self.rounds,
            "answers": self.answers,
            "digest": self.digest,
            "calls": self.calls,
            "by_hand": self.by_hand,
            "refused": self.refused,
            "anew": self.anew,
            "differing": self.differing,
            "differences": self.differences.as_dict(),
            "more": self.more,
            "untold": list(self.untold),
            "lost": self.lost,
            "other_schema": self.other_schema,
        }

    def cells(self) -> dict[str, object]:
        """What is shown: all but the list."""
        shown = self.as_dict()
        return {name: value for name, value in shown.items() if name not in {"differences", "more", "untold"}}

    def __str__(self) -> str:
        """What was rebuilt in a line, and a line for each difference."""
        counted = (
            f"{self.versions:,} versions rebuilt, {self.rounds:,} rounds, {self.answers:,} answers, "
            f"{self.calls:,} calls made"
        )
        if self.same:
            return f"{counted}: nothing differs"
        what = f"{self.refused:,} would be refused, {self.anew:,} asked anew, {self.differing:,} differ"
        return f"{counted}: {what}\n{self.differences}"


def replay(
    session: Session[Any], shape: Shape, steps: Mapping[str, Step] | None, most: int | None = None
) -> Replayed:
    """Rebuild every version, admit every commit again, and repeat every round that ended in one.

    Args:
        session: Whose history it is.
        shape: The schema as it is now.
        steps: The steps of today's graph; None: no round is repeated.
        most: How many differences are listed; None: the first one is raised.

    Raises:
        Diverged: naming the version, the round, the call, the field, and the expected and actual value.
    """
    found = Divergences(most)
    one = _Replaying(session, shape, steps, found)
    one.walk()
    digest = _rebuilt(session, found)
    counts = found.counts
    return Replayed(
        one.versions,
        one.rounds,
        one.answers,
        digest,
        by_hand=one.by_hand,
        refused=counts["refused"],
        anew=counts["asked"],
        differing=counts["differs"],
        differences=Differences(found.found, found.more),
        untold=tuple(found.untold),
        lost=found.lost,
        other_schema=one.readmission.others,
    )


def _rebuilt(session: Session[Any], found: Divergences) -> str:
    """The digest of what the history adds up to, without any code of the user's; empty where it does not."""
    try:
        return session.replay().digest
    except Diverged as error:
        if found.most is None:
            raise
        told = error.context
        found.add(
            divergence(
                "differs", str(told.get("field")), told.get("expected"), told.get("actual"),
                version=told.get("version"), round=told.get("round"), call=told.get("call"),
            )
        )  # fmt: skip
        return ""


class _Replaying:
    """A replay on its way over the versions of a branch."""

    def __init__(
        self, session: Session[Any], shape: Shape, steps: Mapping[str, Step] | None, found: Divergences
    ) -> None:
        self.session, self.shape, self.steps, self.found = session, shape, steps, found
        self.readmission = Readmission(shape)
        self.versions = self.rounds = self.answers = self.by_hand = 0
        self._states: dict[int, JSON] = {}

    def walk(self) -> None:
        """Every commit in order, with the state before it."""
        for commit, state in self._grown():
            self.versions += 1
            before = self._states.get(commit.version - 1, {} if commit.version == 0 else None)
            if before is None:
                self.found.lose(f"v{commit.version}: what was before it is pruned")
            else:
                self._commit(commit, before)
            self._states[commit.version] = state
            self._states.pop(commit.version - WINDOW, None)

    def _grown(self) -> Iterator[tuple[Commit, JSON]]:
        session = self.session
        with session.reading() as work:
            yield from replays.versions(work, session.session_id, session.branch, plain=False)

    def _commit(self, commit: Commit, before: JSON) -> None:
        behind, writes = None, None
        if commit.round is None:
            self.by_hand += commit.version > 0
        else:
            told = self._recorded(commit, before)
            if told is None:
                return
            behind = Behind(told.round, told.proposals, told.rulings)
            self.rounds += 1
            self.answers += told.answers
            if self.steps is not None:
                step = again(self.shape, self.steps, told, self.found)
                writes = None if step is None else step.task.writes
        refusal = self.readmission.refusal(commit, before, behind, writes)
        if refusal is not None:
            step_of = behind.round.step if behind is not None else commit.transition
            self.found.add(refused(refusal, commit, step_of))

    def _recorded(self, commit: Commit, before: JSON) -> Recorded | None:
        session, number = self.session, commit.round or 0
        try:
            base = self._states.get(commit.base)
            base = session.raw(commit.base) if base is None else base
            return recorded_round(session, number, base, commit, before)
        except Pruned:
            self.found.lose(f"round {number}: the version that it was begun on is pruned")
            return None


def recorded_round(
    session: Session[Any], number: int, base: JSON, commit: Commit | None = None, before: JSON = None
) -> Recorded:
    """A round of a session with all that its records say.

    Raises:
        NotFound: there is no such round.
    """
    held, proposals, calls, rulings = session.round(number)
    decisions = session.decisions(number)
    return Recorded(
        held, proposals, calls, rulings, decisions, base, commit, before, text_of=text_of(session)
    )


def text_of(session: Session[Any]) -> Callable[[str], str | None]:
    """Finds the texts that a session keeps aside, by their references."""

    def found(reference: str) -> str | None:
        try:
            with session.reading() as work:
                return blobs.get(work, session.session_id, blobs.dereference(reference))
        except (NotFound, Tampered):
            return None

    return found
