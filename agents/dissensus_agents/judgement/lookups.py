"""A look into a source of the user's: a web service, a database, a file, whatever a function can ask."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from dissensus_state.errors import DissensusError, Refused
from dissensus_state.values import JSON, Path, canonical, normalise, parse_path

from ..bounds import check_seconds, check_whole
from ..errors import GraphError
from .evidence import Evidence, Values, failed, passed, plain, short, unknown
from .fields import reach
from .sameness import alike
from .witnessing import MAX_CHECKS, AsyncVerifier

SECONDS: Final = 20.0

Look: TypeAlias = "Callable[[Any], Any | Awaitable[Any]]"
"""What looks something up: it is given what is asked, and gives what stands there; None: nothing."""


@dataclass(frozen=True, slots=True)
class _Lookup:
    function: Look
    path: Path
    asks: Path | None
    seconds: float
    at_once: int
    tolerance: float
    name: str
    version: str

    async def averify(self, patch_values: Values, state: Values) -> Iterable[Evidence]:
        """Look everything up, each thing once, a few at a time."""
        claims = list(reach(patch_values, self.path))[: MAX_CHECKS + 1]
        if self.asks is None:
            asked = [value for _, value in claims]
        else:
            known = [*reach(patch_values, self.asks)] or [*reach(state, self.asks)]
            if claims and len(known) not in (1, len(claims)):
                return [unknown(self, f"{len(claims)} values are claimed of {len(known)} things", self.path)]
            asked = [value for _, value in known] * (1 if len(known) == len(claims) else len(claims))
        turn = asyncio.Semaphore(self.at_once)
        texts = [canonical(item) for item in asked]
        wanted = dict(zip(texts, asked, strict=True))
        found = await asyncio.gather(*(self._looked(turn, item) for item in wanted.values()))
        answers = dict(zip(wanted, found, strict=True))
        return [
            self._judged(path, claim, text, answers[text])
            for (path, claim), text in zip(claims, texts, strict=True)
        ]

    async def _looked(self, turn: asyncio.Semaphore, item: JSON) -> Any:
        """What the function finds, or the exception by which it did not reach its source."""
        async with turn:
            try:
                return await asyncio.wait_for(self._called(item), self.seconds)
            except TimeoutError:
                return TimeoutError(f"no answer in {self.seconds:g} seconds")
            except DissensusError:
                raise
            except Exception as error:  # noqa: BLE001 - a user's function: whatever it raises, nothing was found
                return error

    async def _called(self, item: JSON) -> Any:
        if inspect.iscoroutinefunction(self.function):
            return await self.function(item)
        given = await _in_a_thread(partial(self.function, item))
        return await given if inspect.isawaitable(given) else given

    def _judged(self, path: Path, claim: JSON, asked: str, found: Any) -> Evidence:
        shown = short(asked, 120)
        if isinstance(found, Exception):
            why = plain(str(found), 200)
            return unknown(
                self, f"asked for {shown}, the source was not reached: {type(found).__name__}: {why}", path
            )
        if found is None:
            return unknown(self, f"asked for {shown}, the source knows nothing", path)
        if self.asks is None and isinstance(found, bool | str):
            if found is True or found == "":
                return passed(self, f"asked for {shown}: it stands there", path)
            return failed(self, f"asked for {shown}: {found or 'it does not stand there'}", path)
        try:
            told = normalise(found)
        except Refused as error:
            return unknown(self, f"asked for {shown}, the source gave no JSON value: {error.message}", path)
        came = f"asked for {shown}, the source says {short(canonical(told))}"
        if alike(told, claim, self.tolerance):
            return passed(self, came, path, decides=True)
        return failed(self, f"{came}, and not {short(canonical(claim))}", path)


def _in_a_thread(call: Callable[[], Any]) -> asyncio.Future[Any]:
    """Call a function in a thread that nobody waits for at the end: it may never come back."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()

    def tell(say: Callable[[Any], None], found: Any) -> None:
        if not answer.done():
            say(found)

    def work() -> None:
        try:
            found: Any = call()
            say = answer.set_result
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            found, say = error, answer.set_exception
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, say, found)

    run = partial(contextvars.copy_context().run, work)
    threading.Thread(target=run, name="dissensus-lookup", daemon=True).start()
    return answer


def lookup(
    function: Look,
    path: str,
    *,
    asks: str | None = None,
    tolerance: float = 0.0,
    seconds: float = SECONDS,
    at_once: int = 4,
    name: str = "",
    version: str = "1",
) -> AsyncVerifier:
    """Check values by looking them up where you say: on the web, in a database, in a file.

        lookup(population_of, "verdict/population", asks="verdict/city")   # says what it is: compared
        lookup(is_a_known_cve, "findings/cve")                            # True, False, or a complaint

    What the source says is compared with what is proposed, and a match *decides*; a bare True only does not
    refute. A source that is not reached, or that knows nothing, is a check that could not be made: it neither
    passes nor speaks against anybody. Nothing is tried twice, and one thing is asked for once.

    Args:
        function: Takes what is asked for; plain (it is called in a thread) or asynchronous. It gives the
            value that stands there, or None; without `asks` also True, False, or a complaint.
        path: Where the value is proposed.
        asks: Where it says what to look up, in the proposal or else in the state: as many places as `path`
            has, or one. The value itself where None.
        tolerance: Share of a number that it may be off.
        seconds: How long the function is given. A plain one that goes on after that is left behind in its
            thread: give it a timeout of its own.
        at_once: How many are looked up at the same time.
        name: What the check is called; the function's name if there is none.
        version: Change it when the function, or what it asks, changes.

    Raises:
        GraphError: `function` is none; `seconds` or `at_once` is no such number.
    """
    if not callable(function):
        raise GraphError(f"{function!r} looks nothing up", next_step="Give a function, plain or async")
    check_seconds("a lookup", seconds=seconds)
    check_whole("a lookup", at_once=at_once)
    return _Lookup(
        function,
        parse_path(path),
        None if asks is None else parse_path(asks),
        seconds,
        at_once,
        tolerance,
        name or getattr(function, "__name__", type(function).__name__),
        version,
    )
