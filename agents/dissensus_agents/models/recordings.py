"""A model that answers from what was recorded, and never makes anything up."""

from __future__ import annotations

from collections.abc import Callable

from dissensus_state import values

from ..errors import ProviderFailed
from ..messages import Reply, Request
from .client import as_reply
from .prices import FREE, Price


class NotRecorded(ProviderFailed):
    """No answer to this request was recorded."""

    code = "model.not_recorded"
    next_step = "Ask a live model (rerun), or restore what the prompt was when it was recorded"


class RecordedModel:
    """Answers from recordings.

    Args:
        name: The recorded model, as the record calls it.
        lookup: Takes the request; gives the recorded text or reply, or None where there is none.
        lineage: What the recorded model was made from; by default itself.
        price: What its calls are accounted at; by default nothing.
        trusted: Whether the recorded model may be shown what is sensitive.
    """

    def __init__(
        self,
        name: str,
        lookup: Callable[[Request], str | Reply | None],
        *,
        lineage: str = "",
        price: Price | None = FREE,
        trusted: bool = False,
    ) -> None:
        self.name = name
        self.lineage = lineage or name
        self.price = price
        self.trusted = trusted
        self._lookup = lookup

    async def answer(self, request: Request) -> Reply:
        """The recorded answer.

        Raises:
            NotRecorded: There is none; it names the request by `request_digest`.
        """
        found = self._lookup(request)
        if found is None:
            raise NotRecorded(
                f"No recorded answer of {self.name} fits this request",
                model=self.name,
                request=request_digest(request)[:16],
            )
        return as_reply(found, request, self.name)


def request_digest(request: Request) -> str:
    """SHA-256 (hexadecimal) of everything that a model is sent, in canonical form."""
    sent = {
        "system": request.system,
        "prompt": request.prompt,
        "schema": request.output_schema,
        "max_output_tokens": request.max_output_tokens,
        "temperature": request.temperature,
        "turns": [[turn.answer, turn.objection, turn.echo] for turn in request.turns],
        "effort": request.effort,
    }
    return values.digest(values.store(sent)).hex()
