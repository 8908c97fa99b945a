"""One streamed answer: its bytes in, pieces to show out, and at the end the body that it makes."""

from __future__ import annotations

from ..messages import Delta
from .bodies import MENDED
from .formats import Assembler, Event, ProviderError
from .keys import Cutter, Key
from .sse import Events


class Hearing:
    """Hears one stream, and holds back what could be the beginning of the key.

    Attributes:
        begun: Whether anything of the answer or of the thinking came.
        error: What the provider said went wrong inside of the stream; nothing is read after it.
    """

    def __init__(self, assembler: Assembler, key: Key) -> None:
        self.begun = False
        self.error: ProviderError | None = None
        self.assembler = assembler
        self._events = Events()
        self._text, self._reasoning = Cutter(key), Cutter(key)

    @property
    def ended(self) -> bool:
        """Whether the stream said that nothing follows."""
        return self._events.ended

    @property
    def whole(self) -> bool:
        """Whether nothing of the answer is missing."""
        return self.assembler.complete or (self.ended and self.begun)

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be mended."""
        return (MENDED,) if self._events.mended else ()

    def feed(self, chunk: bytes) -> list[Delta]:
        """What can be shown of this chunk.

        Raises:
            NotAnAnswer: It is no stream of this format.
        """
        return self._heard(self._events.feed(chunk))

    def close(self) -> list[Delta]:
        """What is left to be shown, now that nothing follows.

        Raises:
            NotAnAnswer: The last event is none of this format.
        """
        deltas = self._heard(self._events.close())
        last = Delta(self._text.rest(), self._reasoning.rest())
        return [*deltas, last] if last != Delta() else deltas

    def _heard(self, events: list[Event]) -> list[Delta]:
        deltas = []
        for event in events:
            if self.error is not None:
                break
            said = self.assembler.feed(event)
            if isinstance(said, ProviderError):
                self.error = said
            elif said is not None and said != Delta():
                self.begun = True
                shown = Delta(self._text.feed(said.text), self._reasoning.feed(said.reasoning))
                deltas += [shown] if shown != Delta() else []
        return deltas
