from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dissensus import Agent, AgentGraph, Budget, SharedState, Store, Supervisor
from dissensus.models import OpenAIModel
from dissensus.testing import FakeProvider
from dissensus_agents.errors import GraphError


class Inquiry(SharedState):
    cause: str = ""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as made:
        yield made


async def test_how_much_an_agent_and_its_supervisor_think_is_said_to_their_models(
    provider: FakeProvider,
) -> None:
    said: dict[str, Any] = {}

    def answer(asked: Any) -> str:
        said[asked.model] = asked.body.get("reasoning_effort")
        if asked.model == "chair":
            return '{"decision": "uphold", "position": "A", "reason": "It fits."}'
        return f'{{"cause": "{asked.model}"}}'

    provider.answers(answer)

    def model(name: str) -> OpenAIModel:
        return OpenAIModel(name, base_url=provider.url(), key_env=None, dialect="ollama")

    graph = AgentGraph(Inquiry)
    graph.add_step(
        "judge",
        [Agent("ana", model("one"), effort="high"), Agent("ben", model("two"))],
        writes={"cause"},
        supervisor=Supervisor(model("chair"), effort="low"),
    )
    with Store.open("sqlite://") as store:
        session = store.create(Inquiry(), budget=Budget(unpriced="allow"))
        await graph.run(session)
    assert said == {"one": "high", "two": None, "chair": "low"}


@pytest.mark.parametrize("make", [Agent, Supervisor])
def test_an_effort_that_is_none_is_refused_at_once(make: Any) -> None:
    given = ("ana", "ollama:x") if make is Agent else ("ollama:x",)
    with pytest.raises(GraphError, match="one of none, low, medium, high, max, and not 'enormous'"):
        make(*given, effort="enormous")
