"""What a run knows of its models: read from the store's graded rounds, and again when that is worth it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dissensus_state.standing import known

from .judgement.ballots import Weigher
from .judgement.discounted import Discounted
from .judgement.measured import MOST, Measured
from .judgement.prior import PRIOR

if TYPE_CHECKING:
    from dissensus_state.engines import Database

SHARE = 0.02
"""Which part of its time a run spends at most on reading what is known."""


class Knowing:
    """The weigher on what a store (or a tenant) knows of models, up to date as far as that is cheap.

    What is known is a snapshot: whoever holds a weigher goes on with what was known when it was made.

    Args:
        database: The store, as the run sees it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._measured = Measured()
        self._weigher: Weigher = PRIOR
        self._next = 0.0

    def weigher(self) -> Weigher:
        """The newest weigher; that of lineages alone where nothing is graded."""
        self.measured()
        return self._weigher

    def measured(self) -> Measured:
        """How often models were right, and how their errors go together."""
        began = time.monotonic()
        if began >= self._next:
            with self._database.reading() as work:
                self._measured = Measured.of(known(work, MOST))
            self._weigher = Discounted(self._measured) if self._measured.on else PRIOR
            ended = time.monotonic()
            self._next = ended + (ended - began) / SHARE
        return self._measured
