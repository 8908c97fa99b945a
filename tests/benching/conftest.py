"""Benchmarks of examinees, on each of the two databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from dissensus.bench.plan import Plan, make_plan
from dissensus.bench.schema import Benchmark
from dissensus.bench.tasks import read_tasks
from dissensus_agents.models.client import Model
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from examinees import SKILL, examinee, item


@pytest.fixture
def plan() -> Callable[..., Plan]:
    """A plan over examinees."""

    def make(
        count: int = 12,
        *patterns: str,
        models: Mapping[str, Model] | None = None,
        others: Mapping[str, Model] | None = None,
        lines: list[dict[str, Any]] | None = None,
        **settings: Any,
    ) -> Plan:
        known = {name: examinee(name) for name in SKILL} | dict(models or {}) | dict(others or {})
        given = lines if lines is not None else [item(number) for number in range(count)]
        tasks = read_tasks("exam:tasks", lambda name: lambda: given)
        named = [",".join(f"{name}=@m:{name}" for name in models or SKILL)]
        return make_plan(tasks, named, patterns, lambda name: known[name.rpartition(":")[2]], **settings)

    return make


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store on each of the two databases."""
    with Store.open(database_url) as opened:
        yield opened


@pytest.fixture
def session(store: Store) -> Session[Benchmark]:
    """A benchmark that nothing was asked in."""
    return store.create(Benchmark(tasks="exam"), name="bench", budget=5)
