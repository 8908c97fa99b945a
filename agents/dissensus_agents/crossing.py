"""The one place where the asynchronous agents cross to the synchronous state: a thread."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def aside(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a function that touches the database in a thread, and wait for it.

    A cancelled caller still waits for the end: what was being written is either written or not,
    and whoever asked learns which before it stops.
    """
    call = functools.partial(_contained, contextvars.copy_context(), function, *args, **kwargs)
    future = asyncio.get_running_loop().run_in_executor(None, call)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # looked at: who was cancelled ends by that, and asyncio prints no traceback
        raise


def _contained(
    context: contextvars.Context, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Call a function; a StopIteration, for which a future would wait for ever, becomes an error."""
    try:
        return context.run(function, *args, **kwargs)
    except StopIteration as error:
        raise RuntimeError("A function raised StopIteration") from error
