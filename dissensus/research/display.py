"""What a user sees while it runs: one live line on a terminal, plain lines elsewhere, on standard error."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dissensus.cli.output import note
from dissensus.cli.texts import clipped, visible

from .progress import told

if TYPE_CHECKING:
    from dissensus_agents.running import Progress

    from .progress import Meter

LONGEST = 400
"""Characters of one message."""

_TELLING = {"search", "check", "enough"}
"""Steps after which a plain log says how far it is."""


class Display:
    """Shows a run as it goes.

    Args:
        meter: What follows the run.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._live: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._live = _live(self._meter)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def heard(self, event: Progress) -> None:
        """Show an event, if there is something to show."""
        self._meter.heard(event)
        if text := told(event, self._meter.state):
            self._say(clipped(text, LONGEST))
        if self._live is None and event.kind == "committed" and event.step in _TELLING:
            self._say(self._meter.line())

    def _say(self, text: str) -> None:
        if self._live is None:
            note(text)
        else:
            from rich.text import Text

            self._live.console.print(Text(visible(text)), soft_wrap=True)


def _live(meter: Meter) -> Any:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    return Live(
        console=console,
        get_renderable=lambda: Text(visible(meter.line()), style="dim", overflow="ellipsis", no_wrap=True),
        refresh_per_second=4,
        transient=True,
    )
