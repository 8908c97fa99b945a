"""What was checked where it comes from is so where it is merged to; what both sides made together is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import pytest

from dissensus_state.errors import InvariantViolated
from dissensus_state.sessions import Session
from dissensus_state.shapes import Append, SharedState, invariant
from dissensus_state.store import Store
from inquiries import nothing_changes

STANDS = {"passed": True, "detail": "the quotation stands"}


class Bound(SharedState):
    """A verdict, and quotations, for which each commit needs evidence."""

    verdict: str = ""
    quotations: Annotated[list[str], Append] = []
    remark: str = ""

    @invariant("verdict", "quotations")
    @staticmethod
    def was_checked(before: Bound, after: Bound, evidence: Sequence[Mapping[str, Any]]) -> bool | str:
        """Whoever writes it, it was checked."""
        changed = (before.verdict, before.quotations) != (after.verdict, after.quotations)
        return not changed or any(item["passed"] for item in evidence) or "nothing was checked"


def says(session: Session[Bound], path: str, value: str, *evidence: Mapping[str, Any]) -> None:
    """One commit, with its evidence."""
    with session.transaction("ana") as tx:
        (tx.append if path == "quotations" else tx.set)(path, value)
        for item in evidence:
            tx.evidence(dict(item))


def test_a_merge_has_the_evidence_of_what_it_brings(store: Store) -> None:
    main = store.create(Bound())
    idea = main.fork("idea")
    says(idea, "verdict", "first", {"passed": True, "detail": "an old check"})
    says(idea, "verdict", "second", STANDS)
    says(idea, "remark", "unchecked")
    says(main, "quotations", "q", STANDS)
    made = main.merge("idea", author="ana").commit
    assert made is not None
    assert made.evidence == (STANDS,)
    assert main.state.verdict == "second"
    main.verify()


def test_what_nobody_has_checked_is_refused_as_ever(store: Store) -> None:
    main = store.create(Bound())
    idea = main.fork("idea")
    says(idea, "quotations", "theirs", STANDS)
    says(main, "quotations", "ours", STANDS)
    with nothing_changes(main), pytest.raises(InvariantViolated, match="nothing was checked"):
        main.merge("idea", author="ana")


def test_a_revert_has_the_evidence_of_what_stands_again(store: Store) -> None:
    main = store.create(Bound())
    says(main, "verdict", "first", STANDS)
    says(main, "verdict", "second", {"passed": True, "detail": "another check"})
    made = main.revert(2, author="ana")
    assert (made.evidence, main.state.verdict) == ((STANDS,), "first")
    main.verify()
