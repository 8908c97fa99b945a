"""Embeddings over the network: what is sent, what is kept of the answer, and what is no answer."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.errors import MissingKey, ModelFailed, ProviderFailed
from dissensus_agents.messages import Part, Request
from dissensus_agents.models.embedding import KEPT, EmbeddingModel, likenesses, read_likenesses
from dissensus_agents.models.retries import Patience

Answer = Callable[[list[str]], Any]


def request(*texts: str) -> Request:
    return Request("", tuple(map(Part, texts)), max_output_tokens=1)


class Server:
    """What answers in the place of a provider, and what it was sent."""

    def __init__(self, answer: Answer, status: int = 200) -> None:
        self.sent: list[dict[str, Any]] = []
        self.headers: list[httpx.Headers] = []
        self._answer, self._status = answer, status
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self._handle))

    def _handle(self, asked: httpx.Request) -> httpx.Response:
        self.sent.append(json.loads(asked.content))
        self.headers.append(asked.headers)
        body = json.dumps(self._answer(self.sent[-1]["input"])).encode()
        return httpx.Response(
            self._status, headers={"content-type": "application/json"}, content=_streamed(body)
        )


async def _streamed(body: bytes) -> AsyncGenerator[bytes]:
    yield body


def embedded(texts: list[str]) -> dict[str, Any]:
    """Longer texts point further to the side; the rows come in another order."""
    rows = [
        {"index": n, "embedding": [1.0, float(len(text)), 0.0], "object": "embedding"}
        for n, text in enumerate(texts)
    ]
    return {
        "object": "list",
        "data": rows[::-1],
        "model": "small-v2",
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }


def model(server: Server, **settings: Any) -> EmbeddingModel:
    return EmbeddingModel(
        "small",
        base_url="http://localhost:9/v1",
        key_env=None,
        client=server.client,
        patience=Patience(attempts=1),
        **settings,
    )


def cosine(a: int, b: int) -> float:
    return (1 + a * b) / math.sqrt((1 + a * a) * (1 + b * b))


async def test_the_answer_is_how_alike_each_two_texts_are_and_not_their_vectors() -> None:
    server = Server(embedded)

    reply = await model(server).answer(request("a", "bb", "cccc"))

    assert server.sent == [{"model": "small", "input": ["a", "bb", "cccc"], "encoding_format": "float"}]
    assert read_likenesses(reply.text, 3) == pytest.approx(
        [cosine(1, 2), cosine(1, 4), cosine(2, 4)], abs=1e-6
    )
    assert (reply.model, reply.usage.input, reply.raw) == ("small-v2", 7, None)


async def test_a_text_that_came_up_before_is_not_sent_again() -> None:
    server = Server(embedded)
    one = model(server)

    first = await one.answer(request("a", "bb"))
    again = await one.answer(request("a", "bb"))
    await one.answer(request("a", "ccc"))

    assert [item["input"] for item in server.sent] == [["a", "bb"], ["ccc"]]
    assert (again.text, again.usage.input) == (first.text, 0)


async def test_what_is_kept_is_bounded() -> None:
    one = model(Server(embedded))
    for n in range(0, KEPT + 40, 40):
        await one.answer(request(*(f"text {k}" for k in range(n, n + 40))))
    assert len(one._kept) <= KEPT


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": []},
        {"data": [{"index": 0, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": "AAAA"}, {"index": 1, "embedding": "AAAA"}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]},
        {"data": [{"index": 0, "embedding": [0.0]}, {"index": 1, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": ["x"]}, {"index": 1, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}]},
        {"error": {"message": "no such model", "code": "model_not_found"}},
    ],
)
async def test_what_are_no_vectors_for_each_text_is_no_answer(answer: dict[str, Any]) -> None:
    with pytest.raises(ModelFailed):
        await model(Server(lambda _: answer)).answer(request("a", "bb"))


async def test_an_error_of_the_provider_is_told_as_any_models() -> None:
    server = Server(lambda _: {"error": {"message": "slow down"}}, status=429)
    with pytest.raises(ProviderFailed) as caught:
        await model(server).answer(request("a", "bb"))
    assert caught.value.context["kind"] == "rate_limit"


async def test_the_key_is_read_at_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(embedded)
    one = EmbeddingModel("small", base_url="http://localhost:9/v1", client=server.client, key_env="SOME_KEY")
    monkeypatch.delenv("SOME_KEY", raising=False)
    with pytest.raises(MissingKey):
        await one.answer(request("a", "bb"))
    monkeypatch.setenv("SOME_KEY", "secret-0123456789")
    await one.answer(request("a", "bb"))
    assert server.headers[0]["authorization"] == "Bearer secret-0123456789"


vectors = st.lists(st.lists(st.floats(-100, 100), min_size=3, max_size=3).filter(any), min_size=2, max_size=5)


@given(given=vectors)
def test_cosines_lie_within_their_bounds_and_are_read_back(given: list[list[float]]) -> None:
    try:
        said = likenesses(given, len(given))
    except ValueError:
        return
    pairs = len(given) * (len(given) - 1) // 2
    alike = read_likenesses(said, pairs)
    assert alike is not None
    assert all(-1 <= one <= 1 for one in alike)
    assert read_likenesses(said, pairs + 1) is None


@pytest.mark.parametrize("text", ["", "{}", "[2]", '["x"]', "[true]", "[NaN]", "[" * 100_000])
def test_a_recorded_answer_that_is_none_is_not_read(text: str) -> None:
    assert read_likenesses(text, 1) is None
