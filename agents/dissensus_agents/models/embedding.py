"""Embeddings: how alike texts are, from a function of the user's or an OpenAI-compatible `/embeddings`.

Both are models: the parts of the request are the texts, and the answer is the cosine of each pair of
them, the first with the second, the first with the third and so on. That is what the record needs; the
vectors would be a hundred times as long.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import math
import operator
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from hashlib import sha256
from itertools import combinations
from typing import Any, NoReturn, TypeAlias, cast

from dissensus_state.values import JSON, canonical

from ..errors import GraphError, ModelFailed
from ..messages import Delta, Reply, Request, Usage
from .bodies import dumped
from .chunks import error_in
from .client import Model
from .fields import objects_in
from .formats import Assembler, NotAnAnswer, ProviderError
from .keys import Key
from .openai import OPENAI_URL
from .prices import FREE
from .wire import WireModel

Vector: TypeAlias = Sequence[float]
Embed: TypeAlias = "Callable[[list[str]], Sequence[Vector] | Awaitable[Sequence[Vector]]]"

MOST_NUMBERS = 100_000
"""Dimensions of a vector."""

KEPT = 512
"""Vectors that a model keeps, so that a text that comes up again is not sent again."""

_DIGITS = 6


def embedder(given: Embed | Model, name: str, place: int = 0) -> Model:  # noqa: ARG001 - as `as_model`
    """Whatever the user gave for embedding, as a model.

    Raises:
        GraphError: It is neither a model nor a function.
    """
    if isinstance(given, Model):
        return given
    if callable(given):
        return FunctionEmbedder(given)
    raise GraphError(
        f"{given!r} cannot embed",
        next_step="Give EmbeddingModel('text-embedding-3-small'), or a function of a list of texts",
    )


class FunctionEmbedder:
    """A function of the user's as a model: it costs nothing, and a synchronous one runs in a thread.

    Args:
        function: Gives a vector for each of a list of texts.
        trusted: Whether it may be shown what is sensitive.
    """

    def __init__(self, function: Embed, *, trusted: bool = False) -> None:
        named = getattr(function, "__name__", "function").strip("<>")
        self.name = self.lineage = f"embed:{named}"
        self.price = FREE
        self.trusted = trusted
        self._function = function

    async def answer(self, request: Request) -> Reply:
        """How alike the request's parts are.

        Raises:
            ModelFailed: What the function gave are no vectors. What it raises is not caught.
        """
        texts = [part.text for part in request.parts]
        if inspect.iscoroutinefunction(self._function):
            given = await self._function(texts)
        else:
            given = await asyncio.to_thread(self._function, texts)
            given = await given if inspect.isawaitable(given) else given
        try:
            said = likenesses(given, len(texts))
        except ValueError as odd:
            raise ModelFailed(
                f"The function {self.name} gave {odd}",
                next_step="Return one vector (a list of numbers, of one length) for each text",
                model=self.name,
                kind="malformed",
            ) from None
        return Reply(said, self.name)


def likenesses(vectors: object, count: int) -> str:
    """The cosine of each pair of vectors, as the answer of a model.

    Raises:
        ValueError: They are not that many vectors of one length, of finite numbers that are not all zero.
    """
    if hasattr(vectors, "tolist"):  # an array of numpy's, or of what is like it
        vectors = vectors.tolist()
    if not isinstance(vectors, list | tuple) or len(vectors) != count:
        raise ValueError(f"no {count} vectors")
    sound = [_unit(list(map(_number, one.tolist() if hasattr(one, "tolist") else one))) for one in vectors]
    if len({len(one) for one in sound}) > 1:
        raise ValueError("vectors of several lengths")
    alike = (sum(map(operator.mul, a, b)) for a, b in combinations(sound, 2))
    return canonical([round(max(-1.0, min(1.0, one)), _DIGITS) for one in alike])


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("something else than numbers")  # noqa: TRY004 - the caller tells whose it was
    return float(value)


def _unit(vector: list[float]) -> list[float]:
    if not 0 < len(vector) <= MOST_NUMBERS:
        raise ValueError(f"a vector of {len(vector)} numbers")
    length = math.hypot(*vector)
    if not 0 < length < math.inf:
        raise ValueError("a vector without a direction")
    return [value / length for value in vector]


def read_likenesses(text: str, pairs: int) -> list[float] | None:
    """The cosines in a recorded answer; None where it does not hold that many."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, list):
        return None
    fit = all(isinstance(one, int | float) and not isinstance(one, bool) and -1 <= one <= 1 for one in said)
    return [float(one) for one in said] if fit and len(said) == pairs else None


class _Embedding:
    """The format: texts in, vectors out."""

    name = "embeddings"

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002 - the seam's signature
        return "/embeddings"

    def headers(self, key: Key) -> dict[str, str]:
        return key.header

    def body(self, request: Request, model: str, *, stream: bool) -> bytes:  # noqa: ARG002 - the seam's signature
        texts = [part.text for part in request.parts]
        return dumped({"model": model, "input": texts, "encoding_format": "float"}).encode("utf-8", "replace")

    def error_in(self, parsed: dict[str, Any]) -> ProviderError | None:
        return error_in(parsed)

    def read(self, parsed: dict[str, Any], request: Request, model: str) -> Reply:
        """The vectors in the order of the texts, as they came."""
        data = enumerate(objects_in(parsed.get("data")))
        rows = {row.get("index", place): row.get("embedding") for place, row in data}
        vectors = [rows.get(place) for place in range(len(request.parts))]
        if not all(isinstance(vector, list) for vector in vectors):
            raise NotAnAnswer("no embedding for each text")
        usage = parsed.get("usage")
        counted = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        if isinstance(counted, int) and counted >= 0:
            tokens = Usage(int(counted))
        else:
            tokens = Usage(-(-request.characters // 4), estimated=True)
        return Reply(dumped(vectors), str(parsed.get("model") or model)[:200], tokens)

    def assembler(self) -> Assembler:
        return _nothing_streams()


def _nothing_streams() -> NoReturn:
    raise NotAnAnswer("a stream, and not embeddings")


class EmbeddingModel(WireModel):
    """A model behind an OpenAI-compatible `/embeddings`: OpenAI, vLLM, Ollama, llama.cpp and others.

    Its calls are recorded, reserved and paid for like any other; a text that came up in this process
    before is not sent again.

    Args:
        model: The model, as the server calls it.
        base_url: Where `/embeddings` stands.
        key_env: The environment variable with the key; None: no key is sent.
        settings: What `OpenAIModel` takes as well: `key_needed, lineage, price, name, timeout, patience,
            rpm, tpm, client`.

    Raises:
        ProviderFailed: The base URL is none.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str = OPENAI_URL,
        key_env: str | None = "OPENAI_API_KEY",
        **settings: Any,
    ) -> None:
        super().__init__(_Embedding(), model, base_url=base_url, key_env=key_env, streams=False, **settings)
        self._kept: OrderedDict[bytes, list[float]] = OrderedDict()

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Reply]:
        """How alike the request's parts are; only the texts that are new are sent.

        Raises:
            ModelFailed: As every model over the network.
        """
        keys = [sha256(part.text.encode("utf-8", "replace")).digest() for part in request.parts]
        new = {key: part for key, part in zip(keys, request.parts, strict=True) if key not in self._kept}
        reply = Reply("", self.name)
        if new:
            async with aclosing(super().stream(replace(request, parts=tuple(new.values())))) as pieces:
                async for piece in pieces:
                    reply = cast("Reply", piece)
        found = dict(zip(new, json.loads(reply.text), strict=True)) if new else {}
        vectors = [found[key] if key in found else self._kept[key] for key in keys]
        try:
            said = likenesses(vectors, len(keys))
        except ValueError as odd:
            raise self._odd(odd) from None
        self._keep(found)
        yield replace(reply, text=said, raw=None)

    def _odd(self, odd: ValueError) -> ModelFailed:
        told: dict[str, JSON] = {"model": self.name, "kind": "malformed", "billed": True}
        return ModelFailed(f"{self.address} answered with {odd}", **told)

    def _keep(self, found: dict[bytes, list[float]]) -> None:
        self._kept.update(found)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
