"""Any LangChain chat model as a model here. LangChain itself is imported with the first call.

Our own adapters show more: several of LangChain's classes drop the chain of thought of compatible
servers, and only the bound of an answer that its class has a field for can be held.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from dissensus_state.errors import located

from ..errors import ProviderFailed
from ..messages import Delta, ReasoningKind, Reply, Request, Usage
from . import calling
from .bodies import body_bytes, dumped
from .client import estimate, sound
from .fields import count_in, object_in, objects_in, text_in
from .keys import Key
from .kinds import PASSING, kind_told
from .lineages import lineage_of
from .prices import Price
from .retries import PATIENCE, Patience
from .schemas import with_schema
from .texts import shown
from .thoughts import withheld_note
from .transport import Unavailable

OUR_OWN = {
    "ChatAnthropic": "AnthropicModel",
    "ChatGoogleGenerativeAI": "GeminiModel",
    "ChatOpenAI": "OpenAIModel (with the server's dialect) or ResponsesModel",
    "AzureChatOpenAI": "AzureModel",
}
"""Classes of LangChain, and which of ours to take where the thinking matters."""

_SUMMARISE = ("openai", "anthropic", "google")
"""Providers that show a summary of the thinking, and not the thinking itself."""

_ENDINGS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_calls": "stop"}
_ENDINGS |= {"tool_use": "stop", "completed": "stop", "": "stop"}

_BOUNDS = ("max_output_tokens", "max_completion_tokens", "max_tokens", "num_predict")


def from_langchain(
    chat_model: Any,
    *,
    lineage: str = "",
    price: Price | None = None,
    name: str = "",
    patience: Patience = PATIENCE,
    trusted: bool = False,
) -> LangChainModel:
    """A LangChain chat model as one that agents can take.

    Args:
        chat_model: A `BaseChatModel`. Give it `max_retries=0`: there is one loop of retries, ours.
        lineage: What it was made from; by default read from its name.
        price: None where it is unknown.
        name: How the record calls it; by default `langchain:` and the name of its model.
        patience: How often and how long to try.
        trusted: Whether it may be shown what is sensitive.
    """
    made = LangChainModel(chat_model, lineage=lineage, price=price, name=name, patience=patience)
    made.trusted = trusted
    return made


class LangChainModel:
    """A LangChain chat model behind our seam; `from_langchain` makes one."""

    def __init__(
        self, chat_model: Any, *, lineage: str, price: Price | None, name: str, patience: Patience
    ) -> None:
        called = _called(chat_model)
        self.name = name or f"langchain:{called}"
        self.lineage = lineage or lineage_of(called) or self.name
        self.price = price
        self.patience = patience
        self.trusted = False
        self._chat = chat_model
        self._warned = False

    def __repr__(self) -> str:
        return f"LangChainModel({self.name!r})"

    async def answer(self, request: Request) -> Reply:
        """Ask, and ask again where that may help.

        Raises:
            ProviderFailed: What its provider's library raised, as an error of ours.
        """
        return await calling.call(self, request)

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Reply]:
        """Ask once. A typed answer comes in one piece, free text as it arrives.

        Raises:
            ProviderFailed: What its provider's library raised, as an error of ours.
        """
        chat, notes = _bounded(self._chat, request)
        typed = None if request.output_schema is None else _typed(chat, request.output_schema)
        if typed is not None:
            yield self._reply(*await _asked(typed, _messages(request), self.name), request, notes)
            return
        if request.output_schema is not None:
            request_ = replace(request, system=with_schema(request.system, request.output_schema))
        else:
            request_ = request
        whole: Any = None
        async with aclosing(_heard(chat, _messages(request_), self.name)) as chunks:
            async for chunk in chunks:
                whole = chunk if whole is None else whole + chunk
                delta = _delta(chunk)
                if delta != Delta():
                    yield delta
        if whole is None:
            raise ProviderFailed(f"{self.name} answered with nothing", kind="malformed", billed=True)
        yield self._reply(whole, "", request, notes)

    def _reply(self, message: Any, parsed: str, request: Request, notes: tuple[str, ...]) -> Reply:
        """A message of LangChain as a reply.

        Args:
            message: The message.
            parsed: A typed answer that its text does not hold, as JSON.
            request: What was asked.
            notes: What could not be passed on.
        """
        reasoning, kind = _thought(message)
        text = parsed or str(message.text)
        usage = _usage(message.usage_metadata) or estimate(request, text, reasoning)
        hidden = withheld_note(reasoning, usage)
        if hidden and not self._warned:
            self._warned = True
            ours = OUR_OWN.get(type(self._chat).__name__, "OpenAIModel (with the server's dialect)")
            hidden += (f"LangChain's class may have dropped it: dissensus.models has {ours}",)
        told = message.response_metadata
        return sound(
            Reply(
                text=text,
                model=shown(told.get("model_name") or told.get("model") or self.name, 200),
                usage=usage,
                reasoning=reasoning,
                reasoning_kind="withheld" if reasoning is None and usage.reasoning else kind,
                finish_reason=_finish(told),
                raw=body_bytes(message.model_dump(mode="json")),
                notes=(*notes, *hidden),
            )
        )


def _called(chat_model: Any) -> str:
    names = (
        getattr(chat_model, name, None) for name in ("model_name", "model", "model_id", "deployment_name")
    )
    return next((name for name in names if isinstance(name, str) and name), type(chat_model).__name__)


def _bounded(chat: Any, request: Request) -> tuple[Any, tuple[str, ...]]:
    """The model with the bounds of a request, and what it has no field for."""
    known = type(chat).model_fields
    notes: tuple[str, ...] = ()
    bound = next((name for name in _BOUNDS if name in known), None)
    wanted: dict[str, Any] = {} if bound is None else {bound: request.max_output_tokens}
    if bound is None:
        notes = ("the bound of the answer was not passed on: the class has no field for it",)
    if request.temperature is not None and "temperature" in known:
        wanted["temperature"] = request.temperature
    return (chat.model_copy(update=wanted) if wanted else chat), notes


def _typed(chat: Any, schema: dict[str, Any]) -> Any:
    """The model held to a schema, None where its class cannot be."""
    try:
        return chat.with_structured_output({"title": "answer", **schema}, include_raw=True)
    except NotImplementedError:
        return None


async def _asked(typed: Any, messages: list[Any], name: str) -> tuple[Any, str]:
    """The message of a typed answer, and the answer as JSON where the text is not it already."""
    with located(model=name):
        try:
            said = await typed.ainvoke(messages)
        except Exception as error:  # noqa: BLE001 - whatever library stands behind LangChain raises its own
            raise _failed(error, name) from None
    parsed, raw = said.get("parsed"), said["raw"]
    return raw, "" if parsed is None or str(raw.text).strip() else dumped(parsed)


async def _heard(chat: Any, messages: list[Any], name: str) -> AsyncGenerator[Any]:
    with located(model=name):
        try:
            async for chunk in chat.astream(messages):
                yield chunk
        except Exception as error:  # noqa: BLE001 - whatever library stands behind LangChain raises its own
            raise _failed(error, name) from None


def _messages(request: Request) -> list[Any]:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    messages: list[Any] = [SystemMessage(request.system)] if request.system else []
    messages.append(HumanMessage(request.prompt))
    for turn in request.turns:
        messages += [AIMessage(turn.answer), HumanMessage(turn.objection)]
    return messages


def _failed(error: Exception, name: str) -> ProviderFailed:
    """A foreign error as ours; not chained, since requests hang on it, and with them the key."""
    status = getattr(error, "status_code", None) or getattr(
        getattr(error, "response", None), "status_code", None
    )
    said = Key("").cut_message(str(error))
    kind = type(error).__name__
    told = f"{name} failed: {kind}: {shown(said, 300)}"
    if isinstance(status, int):
        code = getattr(error, "code", None)
        what = kind_told(status, code if isinstance(code, str) else "", said)
        return (Unavailable if what in PASSING else ProviderFailed)(told, kind=what, status=status)
    if "Timeout" in kind:
        return Unavailable(told, kind="timeout", billed=True)
    if "Connect" in kind:
        return Unavailable(told, kind="outage")
    return ProviderFailed(told, kind="malformed", billed=True)


def _delta(chunk: Any) -> Delta:
    return Delta(str(chunk.text), _thought(chunk)[0] or "")


def _thought(message: Any) -> tuple[str | None, ReasoningKind]:
    """The thinking in a message, and whether it is the thinking itself or a summary."""
    blocks = [block for block in objects_in(message.content_blocks) if block.get("type") == "reasoning"]
    text = "\n\n".join(filter(None, (text_in(block, "reasoning") for block in blocks)))
    if not text:
        return None, "withheld" if blocks else "rationale"
    provider = str(message.response_metadata.get("model_provider", ""))
    return text, "summary" if provider.startswith(_SUMMARISE) else "raw"


def _usage(counts: Any) -> Usage | None:
    """LangChain's counts; what it calls input and output are totals."""
    counts = counts if isinstance(counts, dict) else {}
    sent, answered = count_in(counts, "input_tokens"), count_in(counts, "output_tokens")
    if sent + answered == 0:
        return None
    details = object_in(counts, "input_token_details")
    cached = min(count_in(details, "cache_read"), sent)
    written = min(count_in(details, "cache_creation"), sent - cached)
    reasoning = min(count_in(object_in(counts, "output_token_details"), "reasoning"), answered)
    return Usage(sent - cached - written, answered - reasoning, cached, reasoning, written=written)


def _finish(told: dict[str, Any]) -> str:
    names = ("finish_reason", "stop_reason", "done_reason", "status")
    reason = next((str(told[name]).lower() for name in names if told.get(name)), "")
    return _ENDINGS.get(reason, shown(reason))
