"""The seam: a request in, a reply out. Whatever thinks for dissensus stands behind `Model`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeGuard, runtime_checkable

from ..messages import Delta, Reply, Request, Usage
from .texts import is_text, readable

if TYPE_CHECKING:
    from .prices import Price

CHARACTERS_PER_TOKEN = 4
"""What an estimate takes where nobody counted: about right for English, too many for Chinese."""


@runtime_checkable
class Model(Protocol):
    """Anything that can be asked; an own class with these four names needs no catalogue.

    `name` is how the record calls it (`provider:model`). `lineage` says what it was made from
    (`meta/llama-3`): models of one lineage tend to make the same mistakes. `price` is None where
    nobody knows it, which is not the same as `prices.FREE`. One that may be shown what is sensitive
    says so with a fifth, `trusted = True`.
    """

    @property
    def name(self) -> str:
        """How the record calls it."""
        ...

    @property
    def lineage(self) -> str:
        """What it was made from."""
        ...

    @property
    def price(self) -> Price | None:
        """What it costs; None: nobody knows."""
        ...

    async def answer(self, request: Request) -> Reply:
        """Ask once.

        Raises:
            ModelFailed: No usable answer came; anything else that is raised is a defect.
        """
        ...


@runtime_checkable
class Streaming(Protocol):
    """A model whose answer can be heard as it comes."""

    def stream(self, request: Request) -> AsyncGenerator[Delta | Reply]:
        """Ask once: pieces as they arrive, and at the end the whole reply.

        Closing it (`aclose`) stops the answer at the provider.

        Raises:
            ModelFailed: No usable answer came, or it broke off.
        """
        ...


def is_trusted(model: object) -> bool:
    """Whether a model may be shown what is sensitive; one that does not say so may not."""
    return getattr(model, "trusted", False) is True


def is_chat_model(model: object) -> bool:
    """Whether it is one of LangChain's chat models; LangChain need not be there for that."""
    return any(
        one.__name__ == "BaseChatModel" and one.__module__.startswith("langchain_core.")
        for one in type(model).__mro__
    )


def streams(model: object) -> TypeGuard[Streaming]:
    """Whether a model's answer can be heard as it comes; `isinstance` of a protocol is fifty times dearer."""
    return callable(getattr(model, "stream", None))


def estimate(request: Request, text: str, reasoning: str | None = None) -> Usage:
    """The tokens of a call that nobody counted: a quarter of the characters, rounded up."""
    return Usage(
        input=_tokens(request.characters),
        output=tokens_in(text),
        reasoning=tokens_in(reasoning or ""),
        estimated=True,
    )


def tokens_in(text: str) -> int:
    """The tokens of a text, estimated: a quarter of its characters, rounded up."""
    return _tokens(len(text))


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)


def sound(reply: Reply) -> Reply:
    """The reply with text that can be stored; what had to be mended is in its notes."""
    reasoning = reply.reasoning
    if is_text(reply.text) and (reasoning is None or is_text(reasoning)):
        return reply
    return replace(
        reply,
        text=readable(reply.text),
        reasoning=None if reasoning is None else readable(reasoning),
        notes=(*reply.notes, "lone surrogates became U+FFFD"),
    )


def as_reply(answer: str | Reply, request: Request, model: str) -> Reply:
    """A local answer as a whole reply: whatever it does not say of model and usage is filled in."""
    if isinstance(answer, str):
        return sound(Reply(answer, model, estimate(request, answer)))
    if answer.usage == Usage():
        answer = replace(answer, usage=estimate(request, answer.text, answer.reasoning))
    return sound(answer if answer.model else replace(answer, model=model))
