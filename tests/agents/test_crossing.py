"""Crossing to the state in a thread: what a caller who is cancelled meanwhile leaves behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from dissensus_agents.crossing import aside


async def test_an_error_after_its_caller_was_cancelled_is_no_traceback_of_asyncio() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: told.append(what))
    began, goes_on = threading.Event(), threading.Event()

    def fails() -> None:
        began.set()
        goes_on.wait(10)
        raise RuntimeError("Somebody else has it")

    caller = asyncio.ensure_future(aside(fails))
    await asyncio.to_thread(began.wait, 10)
    caller.cancel()
    await asyncio.sleep(0)
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    del caller
    gc.collect()
    await asyncio.sleep(0)
    assert told == []
