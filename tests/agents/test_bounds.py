"""Bounds that are none are refused where they are written, before anything is reserved or sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.errors import GraphError
from dissensus_agents.judgement.supervisor import Person, Supervisor
from dissensus_agents.messages import Request
from dissensus_agents.models.calling import call
from dissensus_agents.models.limits import line_up
from dissensus_agents.models.openai import OpenAIModel
from dissensus_agents.models.retries import Patience
from dissensus_agents.models.scripted import FunctionModel

SILENT = FunctionModel("silent", lambda _: "{}")


@pytest.mark.parametrize("bound", [0, -100_000, 1.5, "many", True])
@pytest.mark.parametrize(
    "make",
    [
        lambda bound: Agent("ana", SILENT, max_output_tokens=bound),
        lambda bound: Agent("ana", SILENT, attempts=bound),
        lambda bound: Supervisor(Person("eve"), max_output_tokens=bound),
        lambda bound: OpenAIModel("m", rpm=bound),
        lambda bound: OpenAIModel("m", tpm=bound),
        lambda bound: OpenAIModel("m", window=bound),
        lambda bound: Patience(attempts=bound),
    ],
    ids=["output", "attempts", "ruling", "rpm", "tpm", "window", "patience"],
)
def test_g07_a_bound_that_is_none_is_refused_where_it_is_written(
    make: Callable[[Any], object], bound: object
) -> None:
    """A negative bound of output would make the worst case of a call negative, and the budget void."""
    with pytest.raises(GraphError, match="a whole number of 1 or more"):
        make(bound)


@pytest.mark.parametrize("seconds", [0, -5, float("nan"), float("inf"), "soon", True])
@pytest.mark.parametrize("name", ["timeout", "first", "idle"])
def test_a_time_that_is_none_is_refused_where_it_is_written(name: str, seconds: Any) -> None:
    with pytest.raises(GraphError, match=f"{name} of 'm' is a number of seconds"):
        OpenAIModel("m", **{name: seconds})


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_patience_without_time_is_refused(seconds: float) -> None:
    with pytest.raises(GraphError, match="seconds of a patience"):
        Patience(seconds=seconds)
    assert Patience(pause=0).pause == 0


def test_a_limit_that_is_set_later_is_held_to_the_same() -> None:
    model = OpenAIModel("m")
    model.rpm = 0
    with pytest.raises(GraphError, match="rpm of 'openai:m'"):
        line_up(model, Request("", ()))


def test_an_agent_has_a_name() -> None:
    with pytest.raises(GraphError, match="An agent needs a name"):
        Agent("", SILENT)


async def test_a_model_of_ones_own_that_gives_no_reply_is_told_what_to_give() -> None:
    class Mine:
        name, lineage, price = "mine", "me/one", None

        async def answer(self, _: Request) -> str:
            return "just text"

    with pytest.raises(GraphError, match="mine answered with a str, and no Reply") as error:
        await call(Mine(), Request("", ()))  # type: ignore[arg-type]
    assert "dissensus.models.Reply" in error.value.next_step
