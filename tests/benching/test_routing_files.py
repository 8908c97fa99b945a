"""Patterns as they are spelled, routing as a file: read back as written, or refused with reasons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.agent import Agent
from dissensus_agents.errors import GraphError
from dissensus_agents.graph import AgentGraph
from dissensus_agents.models.scripted import ScriptedModel
from dissensus_agents.patterns.cascade import Cascade
from dissensus_agents.patterns.configured import Known, Routing, Rule, configured, written
from dissensus_agents.patterns.route import Route
from dissensus_agents.patterns.spelled import Spelled, is_spelled, spelled
from dissensus_agents.patterns.spelling import pattern_of
from dissensus_agents.patterns.together import Panel, Parallel
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store

_names = st.text("abc:-._/ +>", min_size=1, max_size=8).map(str.strip).filter(bool)


@pytest.mark.parametrize(
    ("text", "tiers", "supervisor"),
    [
        ("switch:a", (("a",),), None),
        ("parallel:a+b", (("a", "b"),), None),
        ("panel:a+b+c/chair", (("a", "b", "c"),), "chair"),
        ("panel:a+b>c", (("a", "b"),), "c"),
        ("cascade:flash+llama>pro", (("flash", "llama"), ("pro",)), None),
        ("cascade:a>b+c>d/e", (("a",), ("b", "c"), ("d",)), "e"),
        ("panel:ollama:qwen3 + openai:gpt-5", (("ollama:qwen3", "openai:gpt-5"),), None),
    ],
)
def test_a_pattern_is_read_as_it_is_spelled(text: str, tiers: Any, supervisor: str | None) -> None:
    found = spelled(text)
    assert (found.tiers, found.supervisor) == (tiers, supervisor)
    assert spelled(str(found)) == found


@given(st.lists(_names, min_size=3, max_size=5, unique=True))
def test_known_names_are_taken_whole_whatever_they_hold(names: list[str]) -> None:
    written_ = Spelled("cascade", (tuple(names[:-1]), (names[-1],)))
    known = set(names)
    if not any(
        f"{mark}{other}" in one or f"{other}{mark}" in one
        for one in known
        for other in known
        for mark in "+>/"
    ):
        assert spelled(str(written_), known) == written_


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("openai:gpt-5", "a pattern begins with one of switch:, parallel:, panel:, cascade:"),
        ("panel:a", "two models or more"),
        ("panel:a+", "a name is missing after '+'"),
        ("panel:a+a", "each model has one seat"),
        ("cascade:a", "two tiers or more"),
        ("cascade:a>b/c/d", "the supervisor after / comes last"),
        ("parallel:a+b/c", "nobody rules over a parallel"),
        ("switch:a+b", "a switch has one model"),
        ("panel:" + "+".join(f"m{n}" for n in range(17)), "17 seats"),
    ],
)
def test_what_is_no_pattern_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(GraphError) as refused:
        spelled(text)
    assert why in refused.value.message
    assert is_spelled(text) is text.startswith(("switch", "parallel", "panel", "cascade"))


def agents(*names: str) -> dict[str, Agent]:
    return {name: Agent(name, ScriptedModel(name, {"": {"answer": name}}, lineage=name)) for name in names}


def test_a_spelled_pattern_becomes_the_pattern() -> None:
    seats = agents("a", "b", "c")
    assert isinstance(pattern_of(spelled("panel:a+b"), seats), Panel)
    first = pattern_of(spelled("parallel:a+b"), seats)
    assert isinstance(first, Parallel)
    assert first.take == "first"
    for text, until in (("cascade:a+b>c", "agree"), ("cascade:a>c", "confident")):
        made = pattern_of(spelled(text), seats)
        assert isinstance(made, Cascade)
        assert type(made.until).__name__ == until


_text = st.text(max_size=20).filter(lambda text: "\ud800" not in text and text.isprintable())
_label = st.text(st.characters(codec="utf-8", exclude_characters="+>/:"), min_size=1, max_size=12)
_share = st.none() | st.floats(0, 1)


@given(
    st.dictionaries(
        _label, st.builds(Known, model=_label, lineage=_text, usd_in=_share), min_size=1, max_size=4
    ),
    st.lists(st.text(st.characters(codec="utf-8"), max_size=30), max_size=3),
    _share,
    st.sampled_from(["toml", "json"]),
)
def test_a_routing_file_reads_back_as_it_was_written(
    tmp_path_factory: Any, models: dict[str, Known], notes: list[str], quality: float | None, form: str
) -> None:
    rules = [Rule(use=next(iter(models)), quality=quality, chosen_on=3), Rule(task="math", use=[*models][-1])]
    routing = Routing(models=models, rules=rules, notes=notes)
    path = tmp_path_factory.mktemp("routing") / f"r.{form}"
    path.write_text(written(routing, as_json=form == "json"), encoding="utf-8", newline="")
    assert configured(path) == routing


MODELS = '[models.a]\nmodel = "x"\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "models: Field required"),
        ("format = 3", "format: Input should be"),
        (f'{MODELS}[[rules]]\nuse = "b"', "the rule for '*' names 'b', which is not in [models]"),
        (f'{MODELS}[[rules]]\nuse = "a"\n[[rules]]\nuse = "a"', "the task '*' has two rules"),
        (f'{MODELS}[[rules]]\nuse = "panel:a"', "is no pattern"),
        (f'{MODELS}[[rules]]\nuse = "a"\nquality = 2.0', "rules.0.quality: Input should be less"),
        (f'{MODELS}[[rules]]\nuse = "a"\nquality = nan', "rules.0.quality"),
        (f'{MODELS}[[rules]]\nuze = "a"', "rules.0.use: Field required"),
        ("x = [", "cannot be used as a routing file"),
    ],
)
def test_a_routing_file_that_is_none_is_refused_with_the_place(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(GraphError) as refused:
        configured(path)
    assert why in refused.value.message


def test_a_routing_file_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="No such file"):
        configured(tmp_path / "none.toml")
    for name, data, why in (
        ("large.json", b" " * (1024 * 1024 + 1), "larger than"),
        ("deep.json", b"[" * 100_000, "cannot be used"),
        ("bytes.toml", b"\xff", "cannot be used"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(GraphError, match=why):
            configured(tmp_path / name)


class Ask(SharedState):
    answer: str = ""


async def test_a_route_takes_what_the_file_says_for_its_step(tmp_path: Path) -> None:
    path = tmp_path / "routing.json"
    models = {name: Known(model=name) for name in ("a", "b", "c")}
    rules = [
        Rule(use="cascade:a+b>c", why="it was as good", quality=0.7, held_out=90),
        Rule(task="law", use="c"),
        Rule(task="art", use="b"),
    ]
    path.write_text(written(Routing(models=models, rules=rules), as_json=True))
    routing, seats = configured(path), agents("a", "b", "c")
    ways = {use: pattern_of(routing.pattern(rule), seats) for rule in rules[:2] for use in [rule.use]}
    asked: dict[str, list[str]] = {}
    for step in ("math", "law", "art"):
        with Store.open("sqlite://") as store:
            session = store.create(Ask())
            route: Any = Route(ways, by=routing, default="c")
            graph = AgentGraph(Ask).add_step(step, route, writes={"answer"})
            await graph.run(session)
            asked[step] = sorted({call.agent for call in session.round(1)[2]})
            (event, *_) = [one.body for one in session.events() if one.kind == "decided"] or [None]
            if step == "math":
                assert "it was as good; measured on 90 items" in json.dumps(event)
    assert asked == {"math": ["a", "b", "c"], "law": ["c"], "art": ["c"]}
