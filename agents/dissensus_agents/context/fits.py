"""The rules by which a prompt fits its model's window: which items of its parts are shown. Pure.

Only what stands in the state is cut, item by item; the words of the prompt's own are not. Parts that
are small beside the others stay whole. What is left out is said in the prompt, and kept in the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from dissensus_state.errors import NotFound
from dissensus_state.values import JSON

from ..bounds import check_whole
from ..errors import ContextOverflow, GraphError
from ..messages import Part, Request, Shown
from ..views import render
from .counting import tokens_of
from .ranking import ranked

if TYPE_CHECKING:
    from ..models.client import Model

BETWEEN = 1
"""Tokens between two parts."""

NOTE = 32
"""Tokens in which the prompt says what of a part is not shown."""

Ask: TypeAlias = Callable[[str], JSON]
"""Reads a path of the state, which enters the read set."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """What does not fit is an error before anything is sent.

    Args:
        tokens: A bound of your own on the parts of the prompt; by default the model's window.
    """

    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Newest:
    """Of lists and dictionaries the last items that fit are shown.

    Args:
        tokens: A bound of your own on the parts of the prompt; by default the model's window.
    """

    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Relevant:
    """Of lists and dictionaries the items are shown that speak most of a question, in their own order.

    Args:
        to: The question: a text, or the path (`/question`) where it stands in the state.
        tokens: A bound of your own on the parts of the prompt; by default the model's window.
    """

    to: str
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Summarised:
    """What does not fit is summarised by a cheap model first, in calls that are recorded and paid like any.

    Args:
        model: A `Model`, `"provider:model"`, or a function that takes the request.
        tokens: A bound of your own on the parts of the prompt; by default the model's window.
        piece: The tokens of the text that one call summarises; by default what fits the cheap model.
    """

    model: Model | str | Callable[[Request], Any]
    tokens: int | None = None
    piece: int | None = None


Fit: TypeAlias = Refuse | Newest | Relevant | Summarised


def check_fit(fit: object, owner: str, window: int | None) -> None:
    """A rule that can be followed.

    Raises:
        GraphError: It is none, or there is neither a window nor a bound to fit.
    """
    if not isinstance(fit, Refuse | Newest | Relevant | Summarised):
        raise GraphError(
            f"{fit!r} is no rule by which the prompt of {owner} could fit",
            next_step="Give Refuse(), Newest(), Relevant(…) or Summarised(…) of dissensus.context",
        )
    check_whole(f"what the prompt of {owner} is fitted by", tokens=fit.tokens)
    if isinstance(fit, Relevant) and not fit.to.strip():
        raise GraphError(
            f"What the prompt of {owner} is to be relevant to is empty",
            next_step="Give Relevant(…) a text, or the path where it stands in the state, as in '/question'",
        )
    if isinstance(fit, Summarised):
        check_whole(f"what the prompt of {owner} is summarised by", piece=fit.piece)
    if fit.tokens is None and window is None:
        raise GraphError(
            f"Nobody knows the window of the model of {owner}, so nothing can be fitted to it",
            next_step=f"Give the bound with the rule, {type(fit).__name__}(…, tokens=8000), or the model "
            "its window in dissensus.toml",
        )


def cut(parts: Sequence[Part], room: int, fit: Newest | Relevant, ask: Ask, owner: str) -> tuple[Part, ...]:
    """The parts with as many of their items as there is room for.

    Raises:
        ContextOverflow: Not even one item of each fits.
    """
    over = overfull(parts, room, _countable, owner)
    if not over:
        return tuple(parts)
    question = _question(fit, ask) if isinstance(fit, Relevant) else ""
    made = list(parts)
    for place, share in over.items():
        fewer = _fewer(parts[place], share, room, fit, question)
        if fewer is None:
            raise too_much(parts, room, owner)
        made[place] = fewer
    return tuple(made)


def overfull(
    parts: Sequence[Part], room: int, can_give: Callable[[Part], bool], owner: str
) -> dict[int, int]:
    """The places of the parts that have to give, each with the tokens that it may take.

    The parts that cannot give stay whole; the rest is shared: who needs less than an equal share
    leaves the difference to the others.

    Raises:
        ContextOverflow: They do not fit, and none can give.
    """
    sizes = [tokens_of(part.render()) + BETWEEN for part in parts]
    if sum(sizes) <= room:
        return {}
    giving = sorted((size, place) for place, size in enumerate(sizes) if can_give(parts[place]))
    if not giving:
        raise too_much(parts, room, owner)
    left = room - (sum(sizes) - sum(size for size, _ in giving))
    shares: dict[int, int] = {}
    for rank, (size, place) in enumerate(giving):
        share = max(0, left) // (len(giving) - rank)
        if size > share:
            shares[place] = share
        left -= min(size, share)
    return shares


def too_much(parts: Sequence[Part], room: int, owner: str) -> ContextOverflow:
    """The error of a prompt that does not fit."""
    needs = sum(tokens_of(part.render()) + BETWEEN for part in parts)
    most = max(parts, key=lambda part: len(part.text), default=Part(""))
    what = most.source or most.title or "a text of its own"
    return ContextOverflow(
        f"The prompt of {owner} is about {needs - room:,} tokens too long: its parts take {needs:,}, and "
        f"there is room for {max(0, room):,}. The longest of them is {what}",
        next_step="Let the agent read less, give it fit=Newest(), Relevant(…) or Summarised(…) of "
        "dissensus.context, lower max_output_tokens, or take a model with a larger window; nothing was sent",
        over=needs - room,
        room=room,
    )


def _countable(part: Part) -> bool:
    return part.source is not None and isinstance(part.value, list | dict) and len(part.value) > 1


def _question(fit: Relevant, ask: Ask) -> str:
    if not fit.to.startswith("/"):
        return fit.to
    try:
        return render(ask(fit.to))
    except NotFound as error:
        raise GraphError(
            f"A prompt is to be relevant to {fit.to}, and nothing stands there in the state",
            next_step="Give Relevant(…) a text, or a path of the state, as in '/question'",
        ) from error


def _fewer(part: Part, share: int, room: int, fit: Newest | Relevant, question: str) -> Part | None:
    """The part with as many of its items as its share holds; None: not a single one."""
    values = part.value
    of = len(values)
    texts = [render(_some(values, [place])) for place in range(of)]
    order = ranked(texts, question) if isinstance(fit, Relevant) else range(of - 1, -1, -1)
    left = share - NOTE - tokens_of(part.title) - BETWEEN
    kept: list[int] = []
    for place in order:
        size = tokens_of(texts[place]) + BETWEEN
        if size <= left:
            kept.append(place)
            left -= size
        elif isinstance(fit, Newest):
            break
    if not kept:
        return None
    kept.sort()
    by: Literal["newest", "relevant"] = "newest" if isinstance(fit, Newest) else "relevant"
    return replace(part, text=_told(values, by, kept), shown=Shown(by, room, of, _ranges(kept)), value=None)


def items_shown(
    values: JSON, by: Literal["newest", "relevant"], ranges: Iterable[tuple[int, int]], of: int
) -> str:
    """The text of a recorded part of which not all items were shown.

    Raises:
        NotFound: There are not as many items as there were.
    """
    if not isinstance(values, list | dict) or len(values) != of:
        raise NotFound(f"There are not the {of} items any more of which some were shown")
    return _told(values, by, [place for begin, end in ranges for place in range(begin, end)])


def _told(values: JSON, by: Literal["newest", "relevant"], kept: Sequence[int]) -> str:
    """Some items, and above them what is left out."""
    of = len(values)
    note = f"({len(kept)} of {of} items are shown: the {_WHICH[by]}; {of - len(kept)} are left out)"
    return f"{note}\n{render(_some(values, kept))}"


_WHICH = {"newest": "newest", "relevant": "most relevant"}


def _some(values: JSON, kept: Sequence[int]) -> JSON:
    """The items at these places."""
    if isinstance(values, dict):
        names = list(values)
        return {names[place]: values[names[place]] for place in kept}
    return [values[place] for place in kept]


def _ranges(kept: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Places as ranges: from the first on, and up to but not with the second."""
    made: list[tuple[int, int]] = []
    for place in kept:
        if made and made[-1][1] == place:
            made[-1] = made[-1][0], place + 1
        else:
            made.append((place, place + 1))
    return tuple(made)
