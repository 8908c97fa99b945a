"""Which part of a prompt a provider should keep in its cache: the same request, the same rule.

A provider keeps the beginning of a prompt, byte for byte. What is likely to be sent again as it is
stands in the history (parts with a source); what follows the last long one of these changes: a
question, a note, the answers that were sent back.
"""

from __future__ import annotations

import hashlib

from ..messages import Request
from .client import CHARACTERS_PER_TOKEN

LEAST_TOKENS = 1024
"""A shorter beginning is kept by no provider; where a model's own bound is higher, a mark costs nothing."""


def kept_parts(request: Request, least: int = LEAST_TOKENS) -> int:
    """How many of the parts, from the first on, belong to what is worth keeping; 0: none.

    They end with the last part that stands in the history and is by itself as long as a provider's
    least.
    """
    for count in range(len(request.parts), 0, -1):
        part = request.parts[count - 1]
        if part.source is not None and len(part.text) >= least * CHARACTERS_PER_TOKEN:
            return count
    return 0


def system_kept(system: str, least: int = LEAST_TOKENS) -> bool:
    """Whether the system text is worth a mark of its own."""
    return len(system) >= least * CHARACTERS_PER_TOKEN


def cache_key(request: Request) -> str | None:
    """One key for all requests with the same beginning (`prompt_cache_key`); None: nothing to keep."""
    count = kept_parts(request)
    if not count and not system_kept(request.system):
        return None
    made = hashlib.sha256(request.frame.encode("utf-8", "surrogatepass"))
    for part in request.parts[:count]:
        made.update(f"\0{part.source}\0{part.title}".encode("utf-8", "surrogatepass"))
    return made.hexdigest()[:32]
