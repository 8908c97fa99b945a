"""Laws that a merge must keep, tried on values: `check_merge` is for your own tests.

It needs Hypothesis: `pip install 'dissensus[testing]'`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dissensus_state.errors import DissensusError, Refused, ValueRefused
from dissensus_state.folding import APPLY, merge_items
from dissensus_state.intake import plain
from dissensus_state.merging import Merge, MergeByKey, merged
from dissensus_state.values import JSON, canonical, copied, normalise

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["LawBroken", "check_merge"]

Same = Callable[[JSON, JSON], bool]
_PLACE = "/field"
_ROUNDING = Fraction(1, 2**50)


class LawBroken(DissensusError, AssertionError):
    """A merge breaks a law that it must keep.

    `context` holds the `law` (`"works"`, `"is pure"`, `"can be stored"`, `"commutes"`), the `merge`, and the
    smallest `example` that was found: the values that were brought together, in this order.
    """

    code = "merge.law_broken"
    next_step = "Mend the merge; one whose order matters declares `commutes = False`"


def check_merge(
    merge: Merge | type[Merge],
    values: SearchStrategy[JSON] | Iterable[JSON],
    *,
    examples: int = 200,
    same: Same | None = None,
) -> None:
    """Try the laws of a merge on values, as the state will hold it to them.

    It must be pure: leave its arguments as they are, and make the same of the same. What it makes must be
    a value that the state can hold. If it declares `commutes`, `a` then `b` must come to the same as `b`
    then `a`, whatever stood there. A pair that the merge refuses (by ValueError, or an error of
    dissensus that says so) is left out.

    Args:
        merge: A class or an instance, built-in or your own.
        values: What a field may hold and be given: a Hypothesis strategy, or some values.
        examples: How many triples of values are tried.
        same: When two outcomes of both orders are equally valid. By default when they are the same JSON;
            for `Append` when they hold the same items, for `Add` when they differ by rounding alone.

    Raises:
        LawBroken: with the law and the smallest example.
    """
    subject = merge() if isinstance(merge, type) else merge
    drawn = _strategy(values)
    hypothesis = _hypothesis()
    alike = same or _alike(subject)

    def tried(old: JSON, one: JSON, other: JSON) -> None:
        _try(subject, old, one, other, alike)

    quiet = hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
    )
    quiet(hypothesis.given(drawn, drawn, drawn)(tried))()


def _hypothesis(name: str = "hypothesis") -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise DissensusError(
            "Hypothesis is not installed", next_step="pip install 'dissensus[testing]'"
        ) from None


def _strategy(values: Any) -> Any:
    """The values as a strategy; each is held to what the state can hold."""
    strategies = _hypothesis("hypothesis.strategies")
    if isinstance(values, strategies.SearchStrategy):
        return values.filter(_accepted).map(normalise)
    return strategies.sampled_from([normalise(value) for value in values])


def _accepted(value: Any) -> bool:
    try:
        normalise(value)
    except ValueRefused:
        return False
    return True


def _try(merge: Merge, old: JSON, one: JSON, other: JSON, alike: Same) -> None:
    """All laws on three values, the simplest first."""
    first = _made(merge, old, one)
    if first is not None and merge.commutes:
        _check_order(merge, [old, one, other], alike)
    if first is not None and isinstance(merge, MergeByKey) and not merge.own and _apart(merge, one, other):
        _check_order(merge, [old, one, other], _same_items(merge.key))


def _check_order(merge: Merge, example: list[JSON], alike: Same) -> None:
    old, one, other = example
    there, back = _both(merge, old, one, other), _both(merge, old, other, one)
    if there is None or back is None or alike(copied(there[0]), copied(back[0])):
        return
    if merge.verb == "add" and _rounded(example, there[0], back[0]):
        return
    outcomes = f"{canonical(there[0])[:200]} and {canonical(back[0])[:200]}"
    raise _broken(merge, "commutes", f"the two orders come to {outcomes}", example)


def _both(merge: Merge, old: JSON, one: JSON, other: JSON) -> tuple[JSON] | None:
    """What one after the other comes to; None where either is refused."""
    first = _made(merge, old, one)
    return None if first is None else _made(merge, first[0], other)


def _made(merge: Merge, old: JSON, given: JSON) -> tuple[JSON] | None:
    """What a merge makes of two values, as it is stored; None where it refuses them."""
    made = _once(merge, old, given)
    if made is None:
        return None
    stored = _stored(merge, made[0], [old, given])
    again = _once(merge, old, given)
    if again is None or not _same(stored, _stored(merge, again[0], [old, given])):
        raise _broken(
            merge, "is pure", "the same values come to something else the second time", [old, given]
        )
    return (stored,)


def _once(merge: Merge, old: JSON, given: JSON) -> tuple[Any] | None:
    try:
        if merge.own:
            return (merged(merge, old, given, _PLACE),)
        mine = copied(old), copied(given)
        made = APPLY[merge.verb](*mine, getattr(merge, "key", None), _PLACE)
    except Refused as error:
        defect = error.context.get("defect")
        if defect is None:
            return None
        law = "is pure" if "changes what it is given" in defect else "works"
        raise _broken(merge, law, defect, [old, given]) from error
    if mine != (old, given):
        raise _broken(merge, "is pure", "it changes what it is given", [old, given])
    return (made,)


def _stored(merge: Merge, made: Any, example: list[JSON]) -> JSON:
    try:
        return normalise(plain(made, _PLACE, 0), _PLACE)
    except ValueRefused as error:
        raise _broken(
            merge, "can be stored", f"{error.message} at {error.context.get('path')}", example
        ) from error


def _broken(merge: Merge, law: str, why: str, example: list[JSON]) -> LawBroken:
    shown = ", then ".join(canonical(value)[:200] for value in example)
    return LawBroken(
        f"{type(merge).__qualname__} does not keep the law {law!r}: {why}, for {shown}",
        law=law,
        merge=merge.name,
        example=copied(example),
    )


def _same(a: JSON, b: JSON) -> bool:
    return canonical(a) == canonical(b)


def _same_bag(a: JSON, b: JSON) -> bool:
    return Counter(map(canonical, a)) == Counter(map(canonical, b))


def _rounded(example: list[JSON], a: JSON, b: JSON) -> bool:
    """Whether two sums differ by rounding alone: floats are rounded in the order in which they are added."""
    largest = max(abs(Fraction(number)) for number in example)
    return float in map(type, example) and abs(Fraction(a) - Fraction(b)) <= largest * _ROUNDING


def _same_items(key: str | None) -> Same:
    return lambda a, b: _same(merge_items(a, key, _PLACE), merge_items(b, key, _PLACE))


def _apart(merge: MergeByKey, one: JSON, other: JSON) -> bool:
    """Whether two writes of a field that merges by key share no key."""
    try:
        names = [set(merge_items(value, merge.key, _PLACE)) for value in (one, other)]
    except ValueRefused:
        return False
    return not names[0] & names[1]


def _alike(merge: Merge) -> Same:
    """When two outcomes of a merge are equally valid."""
    return _same_bag if merge.verb == "append" else _same
