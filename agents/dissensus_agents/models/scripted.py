"""Models that are Python: a function, and a script of answers. The whole outside world in a test.

A session may be killed and go on in another process, which asks again for whatever was not
recorded. So a model that is to be right then must answer from the request alone: a function of it,
or a mapping from what stands in the prompt. A plain sequence counts the calls of this process, and
begins anew in the next one.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import ModelFailed
from ..messages import Reply, Request
from .client import as_reply
from .prices import FREE, Price

if TYPE_CHECKING:
    from pydantic import BaseModel

Answer: TypeAlias = "str | dict[str, Any] | BaseModel | Reply | ModelFailed"
"""Text as it is; a dictionary or a pydantic model as JSON text; a whole reply; an error, raised."""

Marker: TypeAlias = "str | tuple[str, ...]"
"""What stands in a request; of several, all of them."""

Script: TypeAlias = "Sequence[Answer] | Mapping[Marker, Answer | Sequence[Answer]] | Callable[[str], Answer]"


class ScriptEnded(ModelFailed):
    """The script has no answer to this."""

    code = "model.script_ended"
    next_step = "Add an answer, or give a mapping or a function of the prompt"


class FunctionModel:
    """A Python function as a model.

    Args:
        name: How the record calls it.
        function: Takes the request; gives, or awaits, the answer.
        lineage: What it was made from; by default itself.
        price: What a call costs; by default nothing.
        thread: Run a plain function in a thread, because it waits or computes for long.
        trusted: Whether it may be shown what is sensitive.
    """

    def __init__(
        self,
        name: str,
        function: Callable[[Request], Answer | Awaitable[Answer]],
        *,
        lineage: str = "",
        price: Price | None = FREE,
        thread: bool = False,
        trusted: bool = False,
    ) -> None:
        self.name = name
        self.lineage = lineage or name
        self.price = price
        self._function = function
        self._thread = thread
        self.trusted = trusted

    async def answer(self, request: Request) -> Reply:
        """Call the function.

        Raises:
            ModelFailed: What it gave is no answer. What the function raises is not caught.
        """
        started = time.perf_counter()
        given = await self._call(request)
        return _timed(as_reply(_said(given, self.name), request, self.name), started)

    async def _call(self, request: Request) -> Answer:
        if self._thread:
            given = await asyncio.to_thread(self._function, request)
        else:
            given = self._function(request)
        return await given if inspect.isawaitable(given) else given


class ScriptedModel:
    """A model that says what it was told to say.

    Args:
        name: How the record calls it.
        answers: One of three. A function of the prompt. A mapping: the first key that stands in the
            system text, the prompt or an objection gives the answer (`""` always stands there, so
            put it last; of a tuple all must stand there); where that is a list, a request that was
            sent back n times gets its n-th.
            A sequence: one for each call of this process, which no resumed run can rely on.
        lineage: What it was made from; by default itself.
        price: What a call costs; by default nothing.
        delay: Seconds before each answer.
        trusted: Whether it may be shown what is sensitive.
    """

    def __init__(
        self,
        name: str,
        answers: Script,
        *,
        lineage: str = "",
        price: Price | None = FREE,
        delay: float = 0.0,
        trusted: bool = False,
    ) -> None:
        self.name = name
        self.lineage = lineage or name
        self.price = price
        self._answers = answers
        self._delay = delay
        self.trusted = trusted
        self._asked = 0

    async def answer(self, request: Request) -> Reply:
        """The script's answer.

        Raises:
            ScriptEnded: The script has none.
            ModelFailed: The script says that the call fails, or its answer is none.
        """
        started = time.perf_counter()
        given = self._choose(request)
        if self._delay:
            await asyncio.sleep(self._delay)
        return _timed(as_reply(_said(given, self.name), request, self.name), started)

    def _choose(self, request: Request) -> Answer:
        if isinstance(self._answers, Mapping):
            return self._by_marker(self._answers, request)
        if callable(self._answers):
            return self._answers(request.prompt)
        self._asked += 1
        return self._nth(self._answers, self._asked)

    def _by_marker(self, answers: Mapping[Marker, Answer | Sequence[Answer]], request: Request) -> Answer:
        heard = "\n".join((request.system, request.prompt, *(turn.objection for turn in request.turns)))
        for marker, given in answers.items():
            if all(text in heard for text in ((marker,) if isinstance(marker, str) else marker)):
                if isinstance(given, str) or not isinstance(given, Sequence):
                    return given
                return self._nth(given, len(request.turns) + 1)
        raise ScriptEnded(
            f"No marker in the script of {self.name} stands in the request",
            model=self.name,
        )

    def _nth(self, answers: Sequence[Answer], number: int) -> Answer:
        if number <= len(answers):
            return answers[number - 1]
        raise ScriptEnded(
            f"The script of {self.name} has {len(answers)} answers; number {number} was asked for",
            model=self.name,
        )


def _said(given: Any, model: str) -> str | Reply:
    if isinstance(given, str | Reply):
        return given
    if isinstance(given, ModelFailed):
        raise given
    if given is None:
        raise ModelFailed(
            f"The function of {model} returned nothing",
            next_step="Return text, a dictionary, a pydantic model or a Reply",
            model=model,
        )
    return _dumped(given, model)


def _dumped(given: Any, model: str) -> str:
    from pydantic_core import PydanticSerializationError, to_json

    try:
        return to_json(given).decode()
    except PydanticSerializationError as error:
        raise ModelFailed(
            f"What the function of {model} returned, a {type(given).__name__}, has no JSON form",
            next_step="Return text, a dictionary, a pydantic model or a Reply",
            model=model,
        ) from error


def _timed(reply: Reply, started: float) -> Reply:
    if reply.latency_ms:
        return reply
    return replace(reply, latency_ms=round((time.perf_counter() - started) * 1000))
