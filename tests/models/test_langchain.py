from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable, RunnableLambda

from dissensus_agents.agent import Agent
from dissensus_agents.errors import ProviderFailed
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.messages import Delta, Part, Reply, Request, Usage
from dissensus_agents.models.client import Model, Streaming
from dissensus_agents.models.langchain import LangChainModel, from_langchain
from dissensus_agents.models.prices import FREE
from dissensus_agents.models.retries import Patience
from dissensus_agents.models.transport import Unavailable

SCHEMA = {"type": "object", "properties": {"cause": {"type": "string"}}, "required": ["cause"]}
ASKED = Request("You are terse.", (Part("Why?"),))
TYPED = Request(
    "You are terse.", (Part("Why?"),), output_schema=SCHEMA, max_output_tokens=77, temperature=0.5
)
ONCE = Patience(attempts=1)


class TooBusy(Exception):
    status_code = 429


class Scripted(BaseChatModel):
    """A chat model as providers' packages write them: with bounds, typed answers and usage."""

    model: str = "claude-sonnet-5"
    max_tokens: int | None = None
    temperature: float | None = None
    says: AIMessage
    fails: list[Exception] = []
    heard: list[Any] = []

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.heard.append((messages, self.max_tokens, self.temperature))
        if self.fails:
            raise self.fails.pop(0)
        return ChatResult(generations=[ChatGeneration(message=self.says)])

    def with_structured_output(
        self, schema: Any, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[Any, Any]:
        assert include_raw

        def parsed(message: AIMessage) -> dict[str, Any]:
            calls = message.tool_calls
            found = calls[0]["args"] if calls else None
            return {"raw": message, "parsed": found, "parsing_error": None}

        return self | RunnableLambda(parsed)


def thinking(reasoning: int = 9, **more: Any) -> AIMessage:
    return AIMessage(
        content=[
            {"type": "thinking", "thinking": "They differ.", "signature": "c2ln"},
            {"type": "text", "text": "42"},
        ],
        usage_metadata={
            "input_tokens": 100,
            "output_tokens": 12,
            "total_tokens": 112,
            "input_token_details": {"cache_read": 60, "cache_creation": 30},
            "output_token_details": {"reasoning": reasoning},
        },
        response_metadata={"model_name": "claude-sonnet-5-20260901", "stop_reason": "end_turn", **more},
    )


async def pieces(model: LangChainModel, request: Request = ASKED) -> list[Delta | Reply]:
    return [piece async for piece in model.stream(request)]


def test_a_langchain_chat_model_is_an_agents_model_in_one_line() -> None:
    model = Agent("ana", GenericFakeChatModel(messages=iter([]))).model
    assert isinstance(model, Model)
    assert isinstance(model, Streaming)
    assert model.name == "langchain:GenericFakeChatModel"


def test_one_can_supervise_too() -> None:
    assert isinstance(Supervisor(Scripted(says=thinking())).model, LangChainModel)


async def test_free_text_is_heard_as_it_comes_and_is_whole_at_the_end() -> None:
    messages: Iterator[AIMessage | str] = iter([AIMessage("It was the cache.")])
    *deltas, reply = await pieces(from_langchain(GenericFakeChatModel(messages=messages)))
    assert len(deltas) > 1
    assert "".join(delta.text for delta in deltas if isinstance(delta, Delta)) == "It was the cache."
    assert isinstance(reply, Reply)
    assert (reply.text, reply.usage.estimated) == ("It was the cache.", True)


async def test_thinking_tokens_and_caches_are_read_into_buckets_that_do_not_overlap() -> None:
    reply = await from_langchain(Scripted(says=thinking(model_provider="anthropic"))).answer(ASKED)
    assert (reply.text, reply.reasoning, reply.reasoning_kind) == ("42", "They differ.", "summary")
    assert reply.usage == Usage(input=10, output=3, cached=60, reasoning=9, written=30)
    assert (reply.model, reply.finish_reason, reply.notes) == ("claude-sonnet-5-20260901", "stop", ())
    assert json.loads(reply.raw or b"")["usage_metadata"]["input_tokens"] == 100


async def test_the_bounds_of_a_request_reach_the_model_and_its_answer_is_typed() -> None:
    call = {"name": "answer", "args": {"cause": "the cache"}, "id": "1"}
    chat = Scripted(says=AIMessage("", tool_calls=[call]))
    reply = await from_langchain(chat).answer(TYPED.again("42", "Give a reason."))
    messages, bound, temperature = chat.heard[-1]
    assert json.loads(reply.text) == {"cause": "the cache"}
    assert (bound, temperature, chat.max_tokens) == (77, 0.5, None)
    assert [(one.type, one.content) for one in messages] == [
        ("system", "You are terse."),
        ("human", "Why?"),
        ("ai", "42"),
        ("human", "Give a reason."),
    ]


async def test_a_class_without_typed_answers_or_bounds_is_shown_the_schema_and_that_is_noted() -> None:
    asked: list[Any] = []

    class Overheard(FakeListChatModel):
        def _call(self, *args: Any, **kwargs: Any) -> str:
            asked.append(args[0])
            return super()._call(*args, **kwargs)

        async def _astream(self, *args: Any, **kwargs: Any) -> Any:
            asked.append(args[0])
            async for chunk in super()._astream(*args, **kwargs):
                yield chunk

    reply = await from_langchain(Overheard(responses=['{"cause": "x"}'])).answer(TYPED)
    assert reply.text == '{"cause": "x"}'
    assert '"required":["cause"]' in asked[0][0].content
    assert reply.notes == ("the bound of the answer was not passed on: the class has no field for it",)


async def test_thinking_that_langchain_drops_is_withheld_and_the_first_reply_names_our_adapter() -> None:
    dropped = thinking().model_copy(update={"content": "42"})
    model = from_langchain(Scripted(says=dropped))
    first, second = await model.answer(ASKED), await model.answer(ASKED)
    assert (first.reasoning, first.reasoning_kind) == (None, "withheld")
    assert "9 reasoning tokens were billed" in first.notes[0]
    assert "dissensus.models has OpenAIModel" in first.notes[1]
    assert second.notes == first.notes[:1]


async def test_a_failure_behind_langchain_is_one_of_ours_and_passes_if_it_may() -> None:
    chat = Scripted(says=thinking(), fails=[TooBusy("slow down")])
    model = from_langchain(chat, patience=Patience(pause=0.001))
    reply = await model.answer(ASKED)
    assert (reply.text, reply.notes[-1]) == ("42", "asked again after: 429")
    assert len(chat.heard) == 2


@pytest.mark.parametrize(
    ("error", "kind", "raised"),
    [
        (TooBusy("slow down"), "rate_limit", Unavailable),
        (type("APITimeoutError", (Exception,), {})("late"), "timeout", Unavailable),
        (type("APIConnectionError", (Exception,), {})("refused"), "outage", Unavailable),
        (type("AuthenticationError", (Exception,), {"status_code": 401})("no"), "key", ProviderFailed),
        (ValueError("what is this"), "malformed", ProviderFailed),
    ],
)
@pytest.mark.parametrize("request_", [ASKED, TYPED], ids=["text", "typed"])
async def test_whatever_a_library_raises_has_a_kind_and_keeps_no_key(
    error: Exception, kind: str, raised: type[ProviderFailed], request_: Request
) -> None:
    error.args = (f"{error} sk-proj-0123456789abcdef",)
    model = from_langchain(Scripted(says=thinking(), fails=[error]), patience=ONCE)
    with pytest.raises(raised) as caught:
        await model.answer(request_)
    assert caught.value.context["kind"] == kind
    assert "0123456789" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_name_lineage_and_price_are_the_users_where_given_and_else_read_from_the_model() -> None:
    chat = Scripted(says=thinking())
    own = from_langchain(chat, lineage="a/b", price=FREE, name="mine")
    read = from_langchain(chat)
    assert (own.name, own.lineage, own.price) == ("mine", "a/b", FREE)
    assert (read.name, read.lineage, read.price) == ("langchain:claude-sonnet-5", "anthropic/claude-5", None)


def test_whether_something_is_a_chat_model_is_seen_without_importing_langchain() -> None:
    program = (
        "import sys; from dissensus_agents.agent import as_model; "
        "as_model(lambda request: 0, name='ana'); "
        "print(sorted({'langchain_core', 'langgraph'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
