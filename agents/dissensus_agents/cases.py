"""A recorded step as a case for tests: all that is needed to repeat it, without the database it is from.

A case holds one commit, or one round, whether it ended in a commit or not: the state it was begun on, what
was asked, answered, proposed and ruled, and what was committed. `Case.replay` holds today's graph to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from dissensus_state import commits
from dissensus_state.errors import DissensusError, NotFound
from dissensus_state.patches import Patch, apply
from dissensus_state.readmission import Behind, Readmission
from dissensus_state.records import Call, Commit, Proposal, Round, Ruling
from dissensus_state.shapes import Shape, SharedState, shape_of
from dissensus_state.values import JSON

from . import case_files
from .again import Recorded, again
from .case_files import Told
from .divergences import EFFECTS, MOST, Differences, Divergences, refused
from .errors import CaseFailed, CaseRefused
from .replaying import recorded_round
from .requested import whole
from .steps import Step

if TYPE_CHECKING:
    from dissensus_state.sessions import Session


class Graph(Protocol):
    """What a case asks of a graph: the schema and the steps, as an `AgentGraph` has them."""

    @property
    def shape(self) -> Shape:
        """The schema."""

    @property
    def steps(self) -> Mapping[str, Step]:
        """The steps by name."""


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded step: a round with its commit, a round that ended without one, or a commit by hand.

    `state` is the one that it was begun on, `since` are the patches that were committed between that and
    its own commit. `untold` says what of it was taken away for good, and is not replayed.
    """

    session: str
    branch: str
    schema: str
    schema_version: int
    state: JSON
    commit: Commit | None = None
    since: tuple[Patch, ...] = ()
    round: Round | None = None
    proposals: tuple[Proposal, ...] = ()
    calls: tuple[Call, ...] = ()
    rulings: tuple[Ruling, ...] = ()
    decisions: tuple[Mapping[str, Any], ...] = ()
    untold: tuple[str, ...] = ()

    @classmethod
    def of(cls, session: Session[Any], version: int | None = None, *, round_: int | None = None) -> Self:
        """The case of a version of a session's branch, or of one of its rounds.

        Args:
            session: The session, on the branch that is meant.
            version: The version; None: the head, or that in which the round ended.
            round_: The round; it need not have ended in a commit.

        Raises:
            NotFound: there is no such version or round.
            Pruned: what it was begun on is pruned.
            CaseRefused: the round is not over.
        """
        commit = _commit(session, version, round_)
        number = round_ if round_ is not None else None if commit is None else commit.round
        if number is None:
            return cls._by_hand(session, commit)
        held = session.round(number)[0]
        here = session if held.branch == session.branch or commit is not None else session.on(held.branch)
        if held.status == "open":
            raise CaseRefused(
                f"Round {number} is not over: it has nothing to be held to yet",
                next_step="Resume the run, or settle the round with `dissensus rule`",
                round=number,
            )
        told = recorded_round(here, number, here.raw(held.base), commit)
        return cls(
            session.name,
            here.branch,
            session.info.schema,
            here.schema_version(held.base),
            told.base,
            commit,
            _between(here, held.base, commit),
            held,
            tuple(told.proposals),
            tuple(_whole(call, told.text_of) for call in told.calls),
            tuple(told.rulings),
            tuple(told.decisions),
            tuple(case_files.gone_in(told)),
        )

    @classmethod
    def _by_hand(cls, session: Session[Any], commit: Commit | None) -> Self:
        if commit is None:
            raise NotFound("There is neither a commit nor a round")
        before = {} if commit.version == 0 else session.raw(commit.version - 1)
        gone = ["patch: a value of it was taken away"] if any(item.gone for item in commit.patch) else []
        return cls(
            session.name,
            session.branch,
            session.info.schema,
            commit.schema_version,
            before,
            commit,
            untold=tuple(gone),
        )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a case from its file.

        Raises:
            CaseRefused: there is no such file, or it holds no case.
        """
        return cls(**case_files.read(Path(path)))

    def text(self) -> str:
        """The case as it stands in its file: JSON with sorted keys, the same for the same step."""
        return case_files.written(self._told)

    @property
    def name(self) -> str:
        """What it is of, in words."""
        version = "" if self.commit is None else f"version {self.commit.version}"
        if self.round is None:
            return f"{version} of {self.session}"
        said = f"round {self.round.round} ({self.round.step}) of {self.session}"
        return f"{said}, {version}" if version else f"{said}, {self.round.status}"

    def check(self, graph: Graph, most: int = MOST) -> Differences:
        """What would be otherwise with this graph: its steps, its prompts, its schema."""
        return self._differences(graph.shape, graph.steps, most)

    def replay(self, graph: Graph) -> None:
        """Hold today's graph to the recorded step; no model is called.

        Raises:
            CaseFailed: something of it would not come out as it was recorded; the message says what.
        """
        __tracebackhide__ = True
        self._hold(self.check(graph))

    def admit(self, schema: type[SharedState]) -> None:
        """Hold today's schema to the recorded commit: it would be admitted, and as it was.

        Raises:
            CaseFailed: it would not.
        """
        __tracebackhide__ = True
        self._hold(self._differences(shape_of(schema), None, MOST))

    def _hold(self, found: Differences) -> None:
        __tracebackhide__ = True
        if not found:
            return
        lines = [f"{EFFECTS[one.effect]}: {one.what}" for one in found]
        told = "\n".join(f"  - {line}" for line in [*lines, *([found.rest] if found.rest else [])])
        what = f"{self.name[0].upper()}{self.name[1:]}"
        raise CaseFailed(f"{what} does not come out as it was recorded:\n{told}")

    def _differences(self, shape: Shape, steps: Mapping[str, Step] | None, most: int) -> Differences:
        found = Divergences(most)
        before = self._before()
        behind, writes = None, None
        if self.round is not None:
            behind = Behind(self.round, self.proposals, self.rulings)
            if steps is not None:
                step = again(shape, steps, self._recorded(before), found)
                writes = None if step is None else step.task.writes
        if self.commit is not None:
            refusal = Readmission(shape).refusal(self.commit, before, behind, writes)
            if refusal is not None:
                step_name = self.commit.transition if self.round is None else self.round.step
                found.add(refused(refusal, self.commit, step_name))
        return Differences(found.found, found.more)

    def _before(self) -> JSON:
        """The state that the commit found."""
        state = self.state
        try:
            for patch in self.since:
                state = apply(state, patch)
        except DissensusError as error:
            raise CaseRefused(f"The case of {self.name} does not add up: {error.message}") from error
        return state

    def _recorded(self, before: JSON) -> Recorded:
        assert self.round is not None  # noqa: S101 - it is a case of a round
        return Recorded(
            self.round,
            self.proposals,
            self.calls,
            self.rulings,
            self.decisions,
            self.state,
            self.commit,
            before,
            checks=True,
        )

    @property
    def _told(self) -> Told:
        return {one.name: getattr(self, one.name) for one in fields(self)}


def _commit(session: Session[Any], version: int | None, round_: int | None) -> Commit | None:
    """The commit that is meant; None for a round that ended without one."""
    if version is not None or round_ is None:
        found = session.commit_at(session.head if version is None else version)
        if round_ is not None and found.round != round_:
            raise NotFound(f"Version {found.version} did not end round {round_}", round=round_)
        return found
    held = session.round(round_)[0]
    with session.reading() as work:
        found_in = commits.by_round(work, session.session_id, session.branch, round_)
        return found_in or commits.by_round(work, session.session_id, held.branch, round_)


def _between(session: Session[Any], base: int, commit: Commit | None) -> tuple[Patch, ...]:
    """What was committed between the base of a round and its own commit."""
    if commit is None or commit.version == base + 1:
        return ()
    with session.reading() as work:
        passed = commits.between(work, session.session_id, session.branch, base, commit.version - 1)
        return tuple(one.patch for one in passed)


def _whole(call: Call, text_of: Callable[[str], str | None]) -> Call:
    """A call with what only its replay needs, and with the texts of its request in place."""
    return Call(
        agent=call.agent,
        attempt=call.attempt,
        model=call.model,
        lineage=call.lineage,
        price=None,
        request=whole(call.request, text_of),
        reserved=0,
        sent_at=0,
        round=call.round,
        status=call.status,
        answer=call.answer,
        reasoning=call.reasoning,
        reasoning_kind=call.reasoning_kind,
        finish_reason=call.finish_reason,
        detail=call.detail,
        echo=call.echo,
    )
