"""How many tokens a text is, as far as that can be told without the model's own tokenizer. Pure.

Three numbers, each for its use. Bytes are the honest upper bound: money is reserved by them. A quarter
of the characters, and each sign beyond ASCII for itself, is the estimate: a prompt is fitted by it,
with a margin. An eighth is what no prose falls below: what does not fit even so surely does not fit.
"""

from __future__ import annotations

from ..messages import Request
from ..models.prices import PER_MESSAGE, PER_REQUEST

ESTIMATED = 4
SURELY = 8
MARGIN = 20
"""One part of the window in so many is left free, since the estimate may be wrong."""


def tokens_of(text: str, characters: int = ESTIMATED) -> int:
    """The estimated tokens of a text.

    Args:
        text: Any text.
        characters: How many ASCII characters are taken for a token.
    """
    if text.isascii():
        return -(-len(text) // characters)
    beyond = len(text) - len(text.encode("ascii", "ignore"))
    # The same slack for other scripts: they are about a token for each sign, and two signs at best.
    return -(-(len(text) - beyond) // characters) + -(-beyond * ESTIMATED // characters)


def room_of(request: Request, window: int | None, most: int | None = None) -> int | None:
    """The tokens that the parts of a request may take; None: as many as there are.

    Args:
        request: Its system text, its schema and its longest answer take their place in the window.
        window: The tokens of the model's window; None where nobody knows.
        most: A bound of the user's own.
    """
    if window is None:
        return most
    taken = tokens_of(request.system) + tokens_of(request.schema_text) + 2 * PER_MESSAGE + PER_REQUEST
    left = window - window // MARGIN - request.max_output_tokens - taken
    return left if most is None else min(left, most)


def surely_over(request: Request, window: int) -> int:
    """How many tokens of a request do not fit at the very least; 0 where it may fit."""
    least = tokens_of(request.system, SURELY) + tokens_of(request.prompt, SURELY)
    return max(0, least - window)
