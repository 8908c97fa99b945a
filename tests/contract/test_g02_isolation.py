"""G2: what a transaction sees, which anomaly a step may ask for, and how one starts again."""

from __future__ import annotations

import pytest

from dissensus_state import transitions
from dissensus_state.errors import Conflict, InvariantViolated, NotFound, TransitionRefused
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.transactions import Transaction
from inquiries import Finding, Inquiry, Notes, Shift, does, overtaken


def _b_from_a(tx: Transaction) -> None:
    tx.set("b", tx.read("a") + 1)


def _a_from_b(tx: Transaction) -> None:
    tx.set("a", tx.read("b") + 1)


def test_g02_write_skew_is_refused(notes: Session[Notes]) -> None:
    with pytest.raises(Conflict, match="ana changed /a in version 1"):
        overtaken(notes, _b_from_a, _a_from_b)
    assert notes.state == Notes(a=1, b=0)


def test_g02_write_skew_is_admitted_where_the_step_asks_for_it_and_the_history_says_so(
    notes: Session[Notes],
) -> None:
    overtaken(notes, _b_from_a, _a_from_b, isolation="snapshot")
    newest = notes.log(1)[0]
    assert notes.state == Notes(a=1, b=1)
    assert (newest.isolation, newest.base, newest.version) == ("snapshot", 0, 2)
    assert newest.reads == ("/a",)
    assert notes.verify().versions == 3


def test_g02_isolation_relaxes_reads_alone(notes: Session[Notes]) -> None:
    with pytest.raises(Conflict, match="ana changed /a"):
        overtaken(notes, does("set", "a", 2), does("set", "a", 1), isolation="snapshot")


def test_g02_a_named_rule_holds_even_where_write_skew_is_admitted(store: Store) -> None:
    shift = store.create(Shift())

    def leave_if_the_other_stays(tx: Transaction, me: str, other: str) -> None:
        assert tx.read(other)
        tx.set(me, value=False)

    with pytest.raises(InvariantViolated, match="both have left"):
        overtaken(
            shift,
            lambda tx: leave_if_the_other_stays(tx, "ben", "ana"),
            lambda tx: leave_if_the_other_stays(tx, "ana", "ben"),
            isolation="snapshot",
        )
    assert shift.state == Shift(ana=False, ben=True)


def test_g02_a_transition_is_judged_by_the_phase_at_the_head(inquiry: Session[Inquiry]) -> None:
    late = inquiry.transaction("late", "gather")
    late.append("findings", Finding(text="too late"))
    with inquiry.transaction("scout", "open_judging"):
        pass
    with pytest.raises(TransitionRefused) as caught:
        late.__exit__(None)
    assert caught.value.message == "'gather' starts in ['gathering'], and the phase is 'judging'"
    assert inquiry.head == 2


def test_g02_a_transition_that_still_starts_here_is_rebased_over_a_move_of_the_phase(
    inquiry: Session[Inquiry],
) -> None:
    with inquiry.transaction("late", "doubt") as late:
        late.add("doubts", 1)
        with inquiry.transaction("scout", "open_judging"):
            pass
    assert (inquiry.head, inquiry.state.phase) == (3, "judging")
    assert inquiry.verify().versions == 4


def test_g02_a_function_is_run_again_on_a_new_snapshot_until_it_meets_no_conflict(
    notes: Session[Notes],
) -> None:
    seen: list[int] = []

    def raise_a(tx: Transaction) -> int:
        seen.append(tx.read("a"))
        tx.set("a", seen[-1] + 1)
        if len(seen) < 3:
            with notes.transaction("ben") as other:
                other.set("a", 10 * len(seen))
        return len(seen)

    assert notes.transact(raise_a, "ana") == 3
    assert seen == [0, 10, 20]
    assert notes.state.a == 21


def test_g02_the_last_conflict_is_raised_when_the_attempts_are_spent(notes: Session[Notes]) -> None:
    def always_late(tx: Transaction) -> None:
        tx.set("a", tx.base)
        with notes.transaction("ben") as other:
            other.set("a", -tx.base)

    with pytest.raises(Conflict) as caught:
        notes.transact(always_late, "ana", attempts=3)
    assert (caught.value.context["expected"], notes.head) == (2, 3)


def test_g02_a_transaction_sees_one_version_and_its_own_writes_on_top(notes: Session[Notes]) -> None:
    with notes.transaction("ana") as tx:
        tx.append("lines", "mine")
        tx.set("/answers", {"x": {"y": 1}})
        tx.set("/answers/x/y", 2)
        with notes.transaction("ben") as other:
            other.set("a", 5)
        assert (tx.read("lines"), tx.read("/answers/x/y"), tx.base) == (["mine"], 2, 0)
    assert notes.state == Notes(a=5, lines=["mine"], answers={"x": {"y": 2}})


def test_g02_a_write_that_has_no_place_takes_none_of_the_writes_before_it_away(notes: Session[Notes]) -> None:
    with notes.transaction("ana") as tx:
        tx.append("lines", "mine")
        with pytest.raises(NotFound, match="nothing at /answers/x"):
            tx.append("/answers/x", 1)
        assert tx.read("lines") == ["mine"]
        tx.set("lines", [*tx.read("lines"), "and mine"])
    assert notes.state == Notes(lines=["mine", "and mine"])


def test_g02_what_was_read_can_be_changed_by_its_reader_and_the_state_is_not(
    notes: Session[Notes],
) -> None:
    with notes.transaction("ana") as tx:
        tx.set("anything", {"deep": ["x"]})
    with notes.transaction("ana") as tx:
        tx.read("anything")["deep"].append("y")
        tx.read("lines").append("z")
        notes.state.lines.append("w")
        tx.set("a", 1)
    assert notes.raw() == {**notes.raw(1), "a": 1}
    assert notes.state == Notes(a=1, anything={"deep": ["x"]})
    assert notes.replay().versions == 3


def test_g02_a_head_that_moved_is_not_moved_again_whatever_locks_there_are(notes: Session[Notes]) -> None:
    made = notes.commit_at(0)
    with pytest.raises(Conflict, match="Another writer moved the head first"), notes.writing() as work:
        transitions._set_head(work, notes.session_id, notes.branch, 7, made)
