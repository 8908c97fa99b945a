"""The laws of merges: the built-in ones keep theirs, and `check_merge` finds whoever does not."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import strategies as st

from dissensus.testing import LawBroken, check_merge
from dissensus_state.merging import Add, Append, Max, Merge, MergeByKey, Min, Replace, Union
from json_values import nested, scalars, values

INTEGERS = st.integers()
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ORDERED = INTEGERS | FLOATS | st.none() | st.sampled_from([1e21, 10**21, 1e22, 10**22, -1e22, -(10**22)])
LISTS = st.lists(scalars, max_size=4)
SETS = st.lists(scalars, max_size=4).map(lambda items: list({repr(item): item for item in items}.values()))
DICTIONARIES = st.dictionaries(st.text(max_size=2), nested(scalars), max_size=3)
KEYED = st.dictionaries(st.sampled_from("abcd"), scalars, max_size=3).map(
    lambda items: [{"id": key, "n": item} for key, item in items.items()]
)


@pytest.mark.parametrize(
    ("merge", "given"),
    [
        (Replace, values),
        (Append, LISTS),
        (Add, INTEGERS),
        (Add, INTEGERS | FLOATS),
        (Union(), SETS),
        (MergeByKey, DICTIONARIES),
        (MergeByKey("id"), KEYED),
        (Max, ORDERED),
        (Min, ORDERED),
        (Max, st.text() | st.none()),
        (Min, st.text() | st.none()),
        (Max, values),
    ],
    ids=lambda part: part.__name__ if isinstance(part, type) else type(part).__name__,
)
def test_every_merge_keeps_its_laws(merge: Any, given: st.SearchStrategy[Any]) -> None:
    check_merge(merge, given)


class Highest(Merge):
    """The best three, in falling order."""

    commutes = True

    def merge(self, old: Any, new: Any) -> Any:
        return sorted([*old, *new], reverse=True)[:3]


class Latest(Merge):
    """The last three; which they are depends on the order, and it says so."""

    def merge(self, old: Any, new: Any) -> Any:
        return [*old, *new][-3:]


class Rash(Latest):
    """The same, which claims that the order does not matter."""

    commutes = True


class Mutating(Merge):
    """It changes what it is given."""

    def merge(self, old: Any, new: Any) -> Any:
        old += new
        return old


class Forgetful(Merge):
    """It makes of the same what it likes."""

    def __init__(self) -> None:
        self.dice = random.Random(1)

    def merge(self, old: Any, new: Any) -> Any:
        return [self.dice.random()]


class Strange(Merge):
    """What it makes is no JSON."""

    def merge(self, old: Any, new: Any) -> Any:
        return float("nan") if new else 0


class Broken(Merge):
    """It does not work for all that it says it takes."""

    def merge(self, old: Any, new: Any) -> Any:
        return new[0]


class Refusing(Merge):
    """It refuses what it does not like, in order."""

    commutes = True

    def merge(self, old: Any, new: Any) -> Any:
        if not new:
            raise ValueError("nothing was given")
        return sorted([*old, *new])


class Logged(Merge):
    """Both are kept, in either order: that is for the user to say."""

    commutes = True

    def merge(self, old: Any, new: Any) -> Any:
        return [*old, *new]


SMALL = st.lists(st.integers(0, 9), max_size=4)


@pytest.mark.parametrize("merge", [Highest, Latest, Refusing, Highest(), Latest()])
def test_a_merge_of_your_own_that_keeps_the_laws_passes(merge: Any) -> None:
    check_merge(merge, SMALL)
    check_merge(merge, [[1], [2, 3], []], examples=30)


@pytest.mark.parametrize(
    ("merge", "law", "example"),
    [
        (Rash, "commutes", [[], [0], [1]]),
        (Logged, "commutes", [[], [0], [1]]),
        (Mutating, "is pure", [[], [0]]),
        (Forgetful, "is pure", [[], []]),
        (Strange, "can be stored", [[], [0]]),
        (Broken, "works", [[], []]),
    ],
)
def test_a_broken_law_is_named_with_the_smallest_example(
    merge: type[Merge], law: str, example: list[Any]
) -> None:
    with pytest.raises(LawBroken, match=merge.__name__) as caught:
        check_merge(merge, SMALL)
    context = caught.value.context
    assert (context["law"], len(context["example"])) == (law, len(example))
    assert sum(map(len, context["example"])) == sum(map(len, example))
    assert isinstance(caught.value, AssertionError)
    assert caught.value.code == "merge.law_broken"


def test_what_counts_as_the_same_is_the_users_to_say() -> None:
    check_merge(Logged, SMALL, same=lambda one, other: sorted(one) == sorted(other))
    with pytest.raises(LawBroken):
        check_merge(Highest, SMALL, same=lambda one, other: False)


def test_a_few_values_of_your_own_are_tried_in_every_order() -> None:
    with pytest.raises(LawBroken) as caught:
        check_merge(Rash, ([n] for n in range(3)))
    assert caught.value.context["law"] == "commutes"


def test_a_merge_that_is_derived_from_another_declares_anew_whether_it_commutes() -> None:
    class First(Append):
        def merge(self, old: Any, new: Any) -> Any:
            return old or new

    class Both(Highest):
        pass

    assert not First.commutes
    assert First().own
    assert Both.commutes
    assert not Append().own
