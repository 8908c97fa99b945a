"""`dissensus budget` and `dissensus cost`: the tree of limits, set and shown, and where the money went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from by_hand import answered, begun, intent
from dissensus_state.budgets import Budget, Limits
from dissensus_state.journal import Journal
from dissensus_state.store import Store
from inquiries import Notes

Ask = Callable[..., Any]


@pytest.fixture
def spent(folder: Path) -> Path:
    """A session with calls of two agents in two tasks on two days."""
    path = folder / "dissensus.db"
    day = 20_000
    with Store.open(str(path), clock=lambda: day * 86_400_000) as store:
        session = store.create(Notes(), name="one", budget=Budget(usd=1, agents={"ana": Limits(calls=9)}))
        price = {"input": "2", "output": "10", "cached": "0.2", "written": "2.5"}
        for task, agent, assumed in (("gather", "ana", False), ("conclude", "ben", True)):
            journal = Journal(session)
            round_, _ = begun(journal, task)
            terms = {**price, "assumed": True} if assumed else price
            (sent,) = journal.send(round_, [replace(intent(agent, reserved=10**7), price=terms)])
            done = replace(answered(sent, cost=10**6), cached_tokens=1_000_000, written_tokens=100_000)
            journal.settle([done])
            day += 1
    return path


def test_a_tree_of_limits_is_set_piece_by_piece_and_shown(ask: Ask, spent: Path) -> None:
    ask("budget", "5", "--soft", "0.5")
    ask("budget", "--agent", "ana", "--calls", "20", "--per-day")
    ask("budget", "--task", "gather", "0.5", "--seconds", "90")
    ask("budget", "--tokens", "900", "--unpriced", "3,15", "--in-flight", "return")
    data = ask("budget", "--json").data
    assert data["budget"]["limit_usd"] == 5
    assert data["budget"]["soft_usd"] == 2.5
    assert data["budget"]["in_flight"] == "return"
    assert data["budget"]["unpriced"] == {"input": "3", "output": "15", "source": "assumed by the budget"}
    limits = {one["account"]: (one["unit"], one["limit"], one["soft"]) for one in data["accounts"]}
    assert limits == {
        "total": ("usd", 5, 2.5),
        "agent:ana/calls": ("calls", 9, 5),
        "agent:ana/calls@day": ("calls", 20, 10),
        "task:gather/ms": ("seconds", 90, 45),
        "task:gather/usd": ("usd", 0.5, 0.25),
        "total/tokens": ("tokens", 900, 450),
    }
    page = " ".join(ask("budget").out.split())
    assert "budget limit $5.000000" in page
    assert "budget unpriced calls assume" in page
    assert "agent ana calls per day 20 10 0 0 20" in page
    assert "task gather seconds 90 45 0.42 0 89.58" in page
    ask("budget", "--agent", "ana", "--calls", "none", "--per-day")
    ask("budget", "none", "--soft", "none")
    after = ask("budget", "--json").data
    assert after["budget"]["limit_usd"] is None
    assert "agent:ana/calls@day" not in {one["account"] for one in after["accounts"]}


WRONG = [
    (["--agent", "ana", "--task", "gather", "1"], "A limit is an agent's or a task's"),
    (["--agent", "ana"], "No limit was given"),
    (["--calls", "many"], "'many' is no number of calls"),
    (["--unpriced", "free"], "'free' is no policy"),
]


@pytest.mark.parametrize(("given", "told"), WRONG)
def test_what_says_no_limit_is_refused_with_what_to_write(
    ask: Ask, spent: Path, given: list[str], told: str
) -> None:
    assert told in ask("budget", *given, code=2).err
    assert ask("budget", "nothing much", code=18).err


def test_cost_says_where_the_money_went_and_what_caches_saved(ask: Ask, spent: Path) -> None:
    data = ask("cost", "--json").data
    tasks = [(one["task"], one["calls"], one["usd"]) for one in data["tasks"]]
    assert tasks == [("conclude", 1, 0.001), ("gather", 1, 0.001)]
    assert [one["day"] for one in data["days"]] == ["2024-10-04", "2024-10-05"]
    assert [(one["agent"], one["assumed"]) for one in data["costs"] if one["saved_usd"]] == [
        ("ana", 0),
        ("ben", 1),
    ]
    for one in data["costs"]:
        if one["saved_usd"]:
            assert one["saved_usd"] == pytest.approx(1.8 - 0.05)
            assert (one["cached_tokens"], one["written_tokens"]) == (1_000_000, 100_000)
    page = " ".join(ask("cost").out.split())
    assert "providers' caches saved $3.500000 (2,000,000 tokens read, 200,000 written)" in page
    assert "calls at an assumed price 1" in page
    assert "agent ana calls 9 - 1 0 8" in page
