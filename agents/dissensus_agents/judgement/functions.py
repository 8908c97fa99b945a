"""A function of the user's as a verifier."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from inspect import iscoroutinefunction
from typing import Protocol, TypeAlias, cast, overload

from ..bounds import check_seconds
from .evidence import Evidence, Named, Values, failed, passed, unknown
from .witnessing import AsyncVerifier, Verifier, ataken, taken

SECONDS = 30.0
"""How long a function that waits for something is given, where nothing else is said."""

Answer: TypeAlias = "bool | str | Evidence | Iterable[Evidence]"
Check: TypeAlias = Callable[[Values, Values], Answer]
AsyncCheck: TypeAlias = Callable[[Values, Values], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class _Function:
    """A user's function as a verifier."""

    function: Check
    name: str
    version: str

    def verify(self, patch_values: Values, state: Values) -> list[Evidence]:
        return taken(self, lambda: read(self, self.function(patch_values, state)))


@dataclass(frozen=True, slots=True)
class _AsyncFunction:
    """A user's asynchronous function as a verifier."""

    function: AsyncCheck
    name: str
    version: str
    seconds: float

    async def averify(self, patch_values: Values, state: Values) -> list[Evidence]:
        async def check() -> Iterable[object]:
            try:
                return read(self, await asyncio.wait_for(self.function(patch_values, state), self.seconds))
            except TimeoutError:
                return [unknown(self, f"the verifier gave no answer in {self.seconds:g} seconds")]

        return await ataken(self, check)


class _Decorator(Protocol):
    """What `verifier` with arguments and without a function is."""

    @overload
    def __call__(self, function: AsyncCheck, /) -> AsyncVerifier: ...

    @overload
    def __call__(self, function: Check, /) -> Verifier: ...


def read(one: Named, answer: object) -> Iterable[object]:
    """What a function's answer says, as evidence."""
    if isinstance(answer, str):
        return [failed(one, answer) if answer else passed(one, "nothing to complain of")]
    if isinstance(answer, bool):
        return [passed(one, "holds") if answer else failed(one, "does not hold")]
    return answer if isinstance(answer, Iterable) else [answer]


@overload
def verifier(
    function: AsyncCheck, *, name: str = "", version: str = "1", seconds: float = SECONDS
) -> AsyncVerifier: ...


@overload
def verifier(
    function: Check, *, name: str = "", version: str = "1", seconds: float = SECONDS
) -> Verifier: ...


@overload
def verifier(*, name: str = "", version: str = "1", seconds: float = SECONDS) -> _Decorator: ...


def verifier(
    function: Check | AsyncCheck | None = None,
    *,
    name: str = "",
    version: str = "1",
    seconds: float = SECONDS,
) -> Verifier | AsyncVerifier | _Decorator:
    """Make a verifier of a function; also as a decorator, with or without arguments.

    A plain function is called in a thread, and never two at a time; an asynchronous one is awaited,
    beside others. What it raises, or that it takes too long, is a check that could not be made.

    Args:
        function: Takes the proposed values and the state. It gives True, False, a complaint (the
            empty one: all is well), or its own Evidence.
        name: What it is called; the function's name if there is none.
        version: Change it when the function changes.
        seconds: How long an asynchronous function is given.

    Raises:
        GraphError: `seconds` is no number of seconds.
    """
    check_seconds("a verifier", seconds=seconds)
    if function is None:
        return partial(verifier, name=name, version=version, seconds=seconds)  # type: ignore[return-value]
    name = name or getattr(function, "__name__", type(function).__name__)
    called = type(function).__call__  # of an object that can be called
    if iscoroutinefunction(function) or iscoroutinefunction(called):
        return _AsyncFunction(cast(AsyncCheck, function), name, version, seconds)
    return _Function(cast(Check, function), name, version)
