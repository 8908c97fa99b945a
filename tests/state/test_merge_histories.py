"""Whatever is forked, written and merged in whatever order: each branch has what went into it, once."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Notes

BRANCHES = 4

steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, BRANCHES - 1), st.just(0)),
        st.tuples(st.just("merge"), st.integers(0, BRANCHES - 1), st.integers(0, BRANCHES - 1)),
        st.tuples(st.just("fork"), st.integers(0, BRANCHES - 1), st.integers(0, BRANCHES - 1)),
    ),
    min_size=4,
    max_size=25,
)


@settings(max_examples=40)
@given(steps=steps)
def test_each_addition_counts_once_on_every_branch_that_it_went_into(
    steps: list[tuple[str, int, int]],
) -> None:
    with Store.open("sqlite://") as store:
        main = store.create(Notes())
        branches: list[Session[Any]] = [main, *(main.fork(f"branch-{n}") for n in range(1, BRANCHES))]
        known: list[set[int]] = [set() for _ in branches]
        for number, (kind, one, other) in enumerate(steps):
            if kind == "write":
                _write(branches[one], number)
                known[one] = known[one] | {number}
            elif kind == "merge":
                assert branches[one].merge(branches[other].branch, author="ana").conflicts == ()
                known[one] = known[one] | known[other]
            else:
                branches[one] = branches[other].fork(f"fork-{number}")
                known[one] = known[other]
            _check(branches[one], known[one])
        for branch, there in zip(branches, known, strict=True):
            _check(branch, there)
            branch.verify()


def _write(branch: Session[Any], number: int) -> None:
    with branch.transaction("ana") as tx:
        tx.append("lines", str(number))
        tx.add("total", 2**number)
        tx.union("tags", [str(number)])
        tx.merge("answers", {str(number): number})


def _check(branch: Session[Any], there: set[int]) -> None:
    state = branch.state
    assert state.total == sum(2**number for number in there)
    assert Counter(state.lines) == Counter(map(str, there))
    assert state.tags == set(map(str, there))
    assert state.answers == {str(number): number for number in there}
