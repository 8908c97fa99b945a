"""What a running round writes: each step in one transaction, fenced by the lease of its worker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import calls, charges, decisions, doors, grades, heads, ledger, proposals, reuse, rounds, timings
from .accounts import Account
from .calls import Stored
from .errors import Denied
from .intake import sound_change
from .records import SETTLED, Call, Change, Commit, Grade, Proposal, Round, RoundStatus, Ruling
from .setbacks import Trace, recent

if TYPE_CHECKING:
    from .engines import Work
    from .sessions import Session


_MOST_TEXTS = 256
"""How many stored texts a worker remembers, so that it need not look for them again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an agent brought that is no proposal, but belongs into the history."""

    kind: str
    body: dict[str, Any]


def unknown(call: Call) -> Outcome:
    """What the history says of a call that was in flight when its worker went away."""
    body = {"agent": call.agent, "attempt": call.attempt, "charged_nano_usd": call.cost}
    if rule := (call.detail or {}).get("in_flight"):
        body["in_flight"] = rule
    return Outcome("unknown", body)


class Journal:
    """The durable side of one run of a graph over a session.

    What an author may not do is refused with `Denied`, and is in the history.
    Taking it takes the branch over: a worker with an older journal gets `LeaseLost` on whatever it
    writes next, so that a round is never run twice at once.

    Attributes:
        sent: `(round, agent, attempt)` of the calls of the newest round that this worker has sent.
            Any other call without an answer was sent by a worker that is gone.
    """

    def __init__(self, session: Session[Any]) -> None:
        self.session = session
        self.epoch = session.take_lease()
        session.migrate()  # a round and all its proposals are in one shape of the state
        self.sent: set[tuple[int, str, int]] = set()
        self._stored = Stored()
        self._rewritten = 0

    def last_round(self) -> Round | None:
        """The newest round of the branch: what to go on from."""
        with self.session.reading() as work:
            return rounds.last_round(work, self.session.session_id, self.session.branch)

    def send(self, round_: Round, intents: Sequence[Call], outcomes: Iterable[Outcome] = ()) -> list[Call]:
        """Write down calls before they are made, hold their worst case, and keep what led to them."""
        stamped = [replace(call, round=round_.round, sent_at=self._now()) for call in intents]
        with self._writing(round=round_.round) as work:
            stored = self._stored.copy()
            stamped = calls.send(work, self.session.session_id, stamped, stored)
            self._happened(work, round_, outcomes)
        self._remember(stamped, stored)
        return stamped

    def begin(
        self,
        step: str,
        base: int,
        intents: Sequence[Call],
        again_of: Round | None = None,
        note: str | None = None,
        outcomes: Iterable[Outcome] = (),
    ) -> tuple[Round, list[Call]] | None:
        """Open a round on the newest version and write down its first calls, in one transaction.

        What was decided before them is written with them.

        None if `base` is the newest version no more; nothing is written then.
        """
        session = self.session
        with session.writing() as work:
            if self._fenced(work, to_begin=True).version != base:
                return None
            stored = self._stored.copy()
            again = again_of.round if again_of else None
            new = Round(0, session.branch, step, base, "open", work.clock(), again, note)
            opened = proposals.open_round(work, session.session_id, new)
            stamped = [replace(call, round=opened.round, sent_at=work.clock()) for call in intents]
            stamped = calls.send(work, session.session_id, stamped, stored)
            self._happened(work, opened, outcomes)
        self.sent.clear()
        self._remember(stamped, stored)
        return opened, stamped

    def settle(self, outcomes: Sequence[Call]) -> list[Account]:
        """Write down what came of calls and what they cost; one that is `sent` was held, and leaves now.

        Returns:
            The accounts whose soft limit is reached by it, for the first time; the history says so.
        """
        leaving = [call for call in outcomes if call.status == "sent"]
        settled = [call for call in outcomes if call.status != "sent"]
        with self._writing() as work:
            calls.leave(work, self.session.session_id, leaving, self._now())
            crossed = calls.settle(work, self.session.session_id, settled)
            for account in crossed:
                number = max(call.round for call in settled)
                self.session.record_in(work, "budget.warning", account.as_dict(), round_=number)
        return crossed

    def calls(self, round_: Round) -> list[Call]:
        """The calls of a round so far."""
        with self.session.reading(round=round_.round) as work:
            return calls.of_round(work, self.session.session_id, round_.round)

    def decisions(self, round_: Round) -> list[dict[str, Any]]:
        """What patterns have decided in a round so far, in order."""
        with self.session.reading(round=round_.round) as work:
            return decisions.of_round(work, self.session.session_id, round_.round)

    def between(self) -> list[dict[str, Any]]:
        """The newest decisions that were made between rounds, the newest first."""
        with self.session.reading() as work:
            return decisions.between(work, self.session.session_id, self.session.branch, 16)

    def decide(self, body: dict[str, Any]) -> None:
        """Write down what was decided between two rounds."""
        with self._writing() as work:
            self.session.record_in(work, decisions.KIND, body)

    def latencies(self, models: Iterable[str]) -> dict[str, float]:
        """How many seconds the newest answers of each model took, on average; without those never asked."""
        with self.session.reading() as work:
            return timings.latencies(work, tuple(models))

    def answered_since(self, sent: Call) -> Call | None:
        """The answer that was recorded for the same question after a call was written down; at no cost."""
        with self.session.reading() as work:
            known = reuse.found(work, sent)
        return None if known is None else replace(known, reserved=sent.reserved, holds=sent.holds)

    def setbacks(self, seconds: float) -> list[Trace]:
        """How the calls of the last seconds went, in the order in which that was known."""
        with self.session.reading() as work:
            return recent(work, self.session.session_id, self._now() - round(seconds * 1000))

    def propose(
        self,
        round_: Round,
        made: Sequence[Proposal],
        review: dict[str, Any] | None = None,
        outcomes: Iterable[Outcome] = (),
    ) -> Round:
        """Keep the proposals of a round, and why they need a ruling if they do."""
        status: RoundStatus = "open" if review is None else "review"
        with self._writing(round=round_.round) as work:
            self._keep(work, round_, made, outcomes)
            if review is not None:
                proposals.move_round(work, self.session.session_id, round_.round, status, review)
        return replace(round_, status=status, review=review)

    def proposals(self, round_: Round) -> list[Proposal]:
        """The proposals of a round."""
        with self.session.reading(round=round_.round) as work:
            return rounds.proposals_of(work, self.session.session_id, round_.round)

    def rulings(self, round_: Round) -> list[Ruling]:
        """The rulings of a round."""
        with self.session.reading(round=round_.round) as work:
            return rounds.rulings_of(work, self.session.session_id, round_.round)

    def commit(
        self,
        round_: Round,
        change: Change,
        ruling: Ruling | None = None,
        made: Sequence[Proposal] = (),
        outcomes: Iterable[Outcome] = (),
        *,
        recorded: bool = False,
        graded: Iterable[Grade] = (),
    ) -> Commit:
        """Settle a round as a commit: patch, proposals, ruling and head move together (G1).

        Args:
            made: Proposals that are not stored yet, because nobody had to see them before.
            recorded: The ruling stands in the records already.
            graded: What is known of the proposals from outside of the models.
        """
        dissent = ruling.dissent if ruling else ()
        with self._writing(round=round_.round) as work:
            self._keep(work, round_, made, outcomes)
            commit, head = self.session.commit_in(
                work, replace(sound_change(change), round=round_.round), None if recorded else ruling
            )
            proposals.settle_proposals(work, self.session.session_id, round_.round, dissent, "accepted")
            proposals.move_round(work, self.session.session_id, round_.round, "committed")
            grades.settle(work, self.session.session_id, round_.round, graded)
        self.session.remember(head)
        return commit

    def rule(self, round_: Round, ruling: Ruling, outcomes: Iterable[Outcome] = ()) -> Round:
        """Keep a ruling after which the next supervisor has to rule: the round stays in review."""
        return self.close(round_, "review", ruling, outcomes=outcomes)

    def close(
        self,
        round_: Round,
        status: RoundStatus,
        ruling: Ruling | None = None,
        *,
        made: Sequence[Proposal] = (),
        why: dict[str, Any] | None = None,
        outcomes: Iterable[Outcome] = (),
        graded: Iterable[Grade] = (),
    ) -> Round:
        """Settle or park a round without a commit, with the ruling or the reason for it.

        Args:
            made: Proposals that are not stored yet.
            why: What is added to the round's `review`, where there is no ruling to tell.
            graded: What is known of the proposals from outside of the models; told once it is settled.
        """
        review = {**(round_.review or {}), **why} if why else None
        with self._writing(round=round_.round) as work:
            self._keep(work, round_, made, outcomes)
            if ruling is not None:
                stored = rounds.proposals_of(work, self.session.session_id, round_.round)
                doors.check_ruling(self.session.shape.rights, ruling, stored)
                proposals.rule(work, self.session.session_id, round_.round, ruling)
            if status in SETTLED:
                proposals.settle_proposals(work, self.session.session_id, round_.round, (), "void")
                grades.settle(work, self.session.session_id, round_.round, graded)
            proposals.move_round(work, self.session.session_id, round_.round, status, review)
        return replace(round_, status=status, review=review or round_.review)

    def close_outdated(self, left: Round) -> Round | None:
        """Settle as void a round that was begun under an older schema; None if it was not.

        Its proposals speak of another shape of the state. What was in flight is charged or given back by
        the budget's rule, as after any stop.
        """
        if self.session.schema_version(left.base) == self.session.shape.version:
            return None
        with self.session.reading() as work:
            rule = ledger.policy_of(work, self.session.session_id).in_flight
        flying = [call for call in self.calls(left) if call.status in {"held", "sent"}]
        lost = [charges.given_up(call, rule) for call in flying]
        self.settle(lost)
        why = {"void": [{"code": "schema.outdated", "message": "It was begun under an older schema version"}]}
        return self.close(
            left, "void", why=why, outcomes=[unknown(call) for call in lost if call.status == "unknown"]
        )

    def _keep(self, work: Work, round_: Round, made: Sequence[Proposal], outcomes: Iterable[Outcome]) -> None:
        """Proposals of agents who may make them, and what else the agents brought."""
        doors.check_proposals(self.session.shape.rights, made)
        proposals.propose(work, self.session.session_id, round_.round, made)
        self._happened(work, round_, outcomes)

    def _happened(self, work: Work, round_: Round, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self.session.record_in(work, outcome.kind, outcome.body, round_=round_.round)

    def _remember(self, calls_sent: Sequence[Call], stored: Stored) -> None:
        """Which calls of the running round this worker has sent, and what is stored."""
        self._stored = stored if len(stored.texts) <= _MOST_TEXTS else Stored(models=stored.models)
        self.sent.update((call.round, call.agent, call.attempt) for call in calls_sent)

    def _fenced(self, work: Work, *, to_begin: bool = False) -> heads.Branch:
        """The branch, still this worker's; what was taken out of its history is not stored any more."""
        there = self.session.session_id, self.session.branch, self.epoch
        found = heads.fence(work, *there, to_begin=to_begin)
        if found.rewritten != self._rewritten:
            self._stored, self._rewritten = Stored(models=self._stored.models), found.rewritten
        return found

    def _now(self) -> int:
        return self.session.database.clock()

    @contextmanager
    def _writing(self, **context: Any) -> Iterator[Work]:
        """A transaction that only the worker with the newest lease can commit; a denial is put down (G6)."""
        session = self.session
        try:
            with session.writing(**context) as work:
                self._fenced(work)
                yield work
        except Denied as error:
            session.record("denied", error.as_dict(), round_=context.get("round"))
            raise
