"""What makes two questions to models one and the same: everything that matters to the answer."""

from __future__ import annotations

from dissensus_state.values import JSON, canonical, digest

from .messages import Request
from .models.client import Model


def key_of(model: Model, request: Request) -> bytes:
    """The digest of a question: whom it goes to, and every byte that it says.

    That is the model's name, lineage, address and format, and of the request the system text, the
    prompt as it is read, the schema, the bound of output, temperature and effort, and every answer
    that was sent back with its objection and what its provider wants to see again.
    """
    said: list[JSON] = [[turn.answer, turn.objection, turn.echo] for turn in request.turns]
    asked: list[JSON] = [
        model.name,
        model.lineage,
        str(getattr(model, "address", "")),
        str(getattr(getattr(model, "format", None), "name", "")),
        request.frame,
        request.prompt,
        said,
    ]
    return digest(canonical(asked))
