"""Models that stream what they are told to: pieces, pauses, failures, and the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from itertools import count
from typing import Any, TypeAlias

from dissensus_agents.messages import Delta, Reply, Request
from dissensus_agents.models import calling
from dissensus_agents.models.client import as_reply
from dissensus_agents.models.prices import FREE, Price
from dissensus_agents.models.retries import Patience
from dissensus_state.errors import DissensusError

Piece: TypeAlias = "str | Delta | Reply | DissensusError | float | asyncio.Event"
"""Text, a piece, the end, a failure, seconds to wait, or what to wait for."""

_numbers = count()

QUICK = Patience(attempts=4, seconds=20, pause=0.001)


class Streamed:
    """A model that streams; each further call takes the next script, the last of them for ever.

    A script that does not end in a reply or a failure ends with all of its text as the reply.
    """

    def __init__(
        self,
        name: str,
        *scripts: list[Piece],
        price: Price | None = FREE,
        patience: Patience = QUICK,
        rpm: int | None = None,
        tpm: int | None = None,
        window: int | None = None,
    ) -> None:
        self.name = name
        self.lineage = name
        self.price = price
        self.patience = patience
        self.rpm = rpm
        self.tpm = tpm
        self.window = window
        self.address = f"test-{next(_numbers)}"
        self.asked: list[Request] = []
        self.closed = 0
        self.pieces = 0
        self._scripts = scripts

    async def answer(self, request: Request) -> Reply:
        return await calling.call(self, request)

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Reply]:
        self.asked.append(request)
        script = self._scripts[min(len(self.asked), len(self._scripts)) - 1]
        said = ""
        try:
            for piece in script:
                if isinstance(piece, DissensusError):
                    raise type(piece)(piece.message, next_step=piece.next_step, **piece.context)
                if isinstance(piece, str):
                    said += piece
                if isinstance(piece, float):
                    await asyncio.sleep(piece)
                elif isinstance(piece, asyncio.Event):
                    await piece.wait()
                else:
                    yield Delta(piece) if isinstance(piece, str) else piece
                    self.pieces += 1
            yield as_reply(said, request, self.name)
        finally:
            self.closed += 1


def saying(name: str, answer: Any, **options: Any) -> Streamed:
    """A model that streams one JSON answer, in two pieces, whenever it is asked."""
    text = json.dumps(answer)
    return Streamed(name, [text[:7], text[7:]], **options)


async def stopped(run: Coroutine[Any, Any, Any], until: Callable[[], bool]) -> None:
    """Run until something is so, and stop it then."""
    task = asyncio.create_task(run)
    while not until() and not task.done():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0.005)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
