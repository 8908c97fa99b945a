"""Running verifiers: in what order, aside of the event loop, and what becomes of one that breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Final, Protocol, TypeAlias, TypeGuard, cast

from dissensus_state.errors import DissensusError

from ..crossing import aside
from ..errors import GraphError
from .evidence import Evidence, Named, Values, plain, unknown

MAX_CHECKS: Final = 1000
"""Pieces of evidence that are taken from one verifier on one proposal."""


class Verifier(Named, Protocol):
    """A named, versioned check; a new version says that old evidence was found in another way.

    One whose `verify` is quick or computes; it is called in a thread, and never two at a time.
    """

    def verify(self, patch_values: Values, state: Values, /) -> Iterable[Evidence]:
        """Check what is proposed against the state as it was read."""


class AsyncVerifier(Named, Protocol):
    """A check that waits for something: it is awaited, beside others of its kind."""

    async def averify(self, patch_values: Values, state: Values, /) -> Iterable[Evidence]:
        """Check what is proposed against the state as it was read."""


class ModelVerifier(Named, Protocol):
    """A check that is made by asking a model: only a step can, since its calls are recorded and paid for."""

    @property
    def seat(self) -> str:
        """Under which name its calls stand in the records."""


AnyVerifier: TypeAlias = Verifier | AsyncVerifier | ModelVerifier


def waits(one: AnyVerifier) -> TypeGuard[AsyncVerifier]:
    """Whether a verifier is to be awaited."""
    return hasattr(one, "averify")


def run_verifiers(
    verifiers: Iterable[AnyVerifier], patch_values: Values, state: Values
) -> tuple[Evidence, ...]:
    """All evidence of some verifiers on one proposal, in their order.

    A verifier that raises, or that gives more than `MAX_CHECKS` pieces, is a failed check that says
    so: what it would have found is unknown, which is no reason to let the proposal pass.

    Args:
        verifiers: Those that wait for something are run in an event loop of their own.
        patch_values: What is proposed, by JSON pointer.
        state: The state, by field.

    Raises:
        GraphError: One waits for something, and an event loop is running here: await `witnessed`.
    """
    checks = tuple(verifiers)
    for one in checks:
        _refuse_models(one)
    if not any(map(waits, checks)):
        return _each(checks, patch_values, state)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(witnessed(checks, patch_values, state))
    raise GraphError(
        "A verifier that waits for something cannot be run inside of an event loop without waiting",
        next_step="Write `await witnessed(verifiers, values, state)`",
    )


async def witnessed(
    verifiers: Iterable[AnyVerifier], patch_values: Values, state: Values
) -> tuple[Evidence, ...]:
    """The same, awaited: what computes does so in a thread, what waits does so side by side."""
    found = await apart(tuple(verifiers), patch_values, state)
    return tuple(item for given in found for item in given)


async def apart(
    verifiers: Sequence[AnyVerifier], patch_values: Values, state: Values
) -> list[list[Evidence]]:
    """The same, with what each has found by itself."""
    for one in verifiers:
        _refuse_models(one)
    computing = [(n, one) for n, one in enumerate(verifiers) if not waits(one)]
    waiting = [(n, one) for n, one in enumerate(verifiers) if waits(one)]
    computed, awaited = await asyncio.gather(
        aside(_of_each, [one for _, one in computing], patch_values, state),
        asyncio.gather(*(_awaited(one, patch_values, state) for _, one in waiting)),
    )
    found = {n: given for (n, _), given in zip(computing, computed, strict=True)}
    found |= {n: given for (n, _), given in zip(waiting, awaited, strict=True)}
    return [found[n] for n in range(len(verifiers))]


def _refuse_models(one: AnyVerifier) -> None:
    if not hasattr(one, "verify") and not waits(one):
        raise GraphError(
            f"The verifier {one.name!r} asks a model, which only a step of a graph can do",
            next_step="Give it to add_step(verifiers=…), or leave it out here",
        )


def _each(checks: Iterable[AnyVerifier], patch_values: Values, state: Values) -> tuple[Evidence, ...]:
    return tuple(item for found in _of_each(checks, patch_values, state) for item in found)


def _of_each(checks: Iterable[AnyVerifier], patch_values: Values, state: Values) -> list[list[Evidence]]:
    given = [cast(Verifier, one) for one in checks]
    return [taken(one, partial(one.verify, patch_values, state)) for one in given]


async def _awaited(one: AsyncVerifier, patch_values: Values, state: Values) -> list[Evidence]:
    return await ataken(one, partial(one.averify, patch_values, state))


def taken(one: Named, check: Callable[[], Iterable[object]]) -> list[Evidence]:
    """What a check gives, or that it broke down.

    The one border where any exception is caught: behind it is a user's code, and its failure is a
    finding about the proposal. An error of our own (a full budget, a lost database) goes on.
    """
    found: list[Evidence] = []
    try:
        for item in islice(check(), MAX_CHECKS + 1):
            found.append(item if isinstance(item, Evidence) else _odd(one, item))  # noqa: PERF401 - what was found before it broke is kept
    except DissensusError:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        found.append(broken(one, error))
    if len(found) > MAX_CHECKS:
        found[MAX_CHECKS:] = [unknown(one, f"more than {MAX_CHECKS:,} checks: the rest is unknown")]
    return found


async def ataken(one: Named, check: Callable[[], Awaitable[Iterable[object]]]) -> list[Evidence]:
    """The same of a check that is awaited."""
    try:
        given = await check()
    except DissensusError:
        raise
    except Exception as error:  # noqa: BLE001 - as in `taken`
        return [broken(one, error)]
    return taken(one, lambda: given)


def broken(one: Named, error: Exception) -> Evidence:
    """That a check raised: it has found nothing, for or against."""
    return unknown(one, f"the verifier broke: {type(error).__name__}: {plain(str(error))}")


def _odd(one: Named, answer: object) -> Evidence:
    kind = type(answer).__name__
    return unknown(one, f"the verifier gave {kind}, and not a bool, a str or Evidence")
