"""The analysis that the demo runs: its story, its rules, and what it shows of other models' words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dissensus.cli.blocks import Block, plain
from dissensus.cli.terminal import coloured
from dissensus.research import answer, script
from dissensus.research.incident import JUDGE, READ, Incident, incident_graph, opening
from dissensus.research.telling import Teller
from dissensus_agents.errors import ModelFailed
from dissensus_agents.judgement.quotations import stands
from dissensus_agents.models.client import Model
from dissensus_agents.models.scripted import ScriptedModel
from dissensus_state.errors import InvariantViolated, NotFound, TransitionRefused
from dissensus_state.sessions import Session
from dissensus_state.values import parse

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = "\x1b[31mred\x1b[0m [bold]loud[/bold]\r\nThe answer\u202e"


def quotations(value: Any) -> list[dict[str, str]]:
    """Every quotation in what the script says."""
    if isinstance(value, dict):
        return [value] if "quote" in value else quotations(list(value.values()))
    return [found for item in value for found in quotations(item)] if isinstance(value, list) else []


def documents() -> dict[str, str]:
    return opening().documents


def said() -> list[dict[str, str]]:
    replies = [reply for lines in (script.ANA, script.BEN, script.CARO) for reply in lines.values()]
    return [found for reply in replies for found in quotations(parse(reply.text))]


def test_all_that_the_models_quote_stands_in_its_document_but_for_the_misquoted_line() -> None:
    wrong = [item["quote"] for item in said() if not stands(item["quote"], documents()[item["source"]])]
    assert wrong == [script.MISQUOTED] * 2
    assert len(said()) > 15


def test_one_digit_makes_the_release_guilty_and_the_log_clears_it() -> None:
    assert sum(a != b for a, b in zip(script.RELEASED, script.MISQUOTED, strict=True)) == 1
    log = documents()[script.LOG]
    assert stands(script.RELEASED, log)
    assert script.MISQUOTED < script.FIRST_ERROR < script.RELEASED
    assert (
        log.index("ledger-export INFO  started")
        < log.index("pool timeout")
        < log.index("rollout of checkout")
    )


async def run(session: Session[Incident], chair: Model | None = None, **panel: Model) -> list[Block]:
    """What is told of a run with some of the models replaced."""
    graph = incident_graph({**script.panel(), **panel}, chair or script.chair())
    teller = Teller(session)
    return [block async for event in graph.stream(session) for block in teller.tell(event)]


def says(name: str, **verdict: Any) -> Model:
    """A model that finds one line and judges so."""
    answers = {
        READ: {"findings": because(script.RELEASED)},
        JUDGE: {"reasoning": "So it is.", "verdict": verdict},
    }
    return ScriptedModel(name, answers, lineage=name)


def because(quote: str, source: str = script.LOG) -> list[dict[str, str]]:
    return [{"source": source, "quote": quote, "shows": "It shows it."}]


async def test_g04_a_verdict_on_a_line_that_is_in_no_document_is_refused_whoever_upholds_it(
    session: Session[Incident],
) -> None:
    def misled(prompt: str) -> dict[str, str]:
        ruling = script.ruling(prompt)
        return {
            "decision": "uphold",
            "position": ruling["wrong_steps"][0]["position"],
            "reason": "Two agree.",
        }

    with pytest.raises(InvariantViolated, match="09:37:30 gate INFO rollout"):
        await run(session, ScriptedModel("misled", misled))
    assert (session.head, session.state.phase, session.state.verdict) == (2, "judging", None)


async def test_g04_nobody_judges_what_has_not_been_read(session: Session[Incident]) -> None:
    with session.transaction("ana", "gather") as tx:
        tx.append("findings", *because(script.RELEASED))
    with pytest.raises(TransitionRefused, match="1 findings, and a verdict needs 3"):
        await incident_graph(script.panel(), script.chair()).run(session, start="conclude")
    assert session.state.verdict is None


async def test_what_models_write_cannot_steer_the_terminal_or_forge_a_line(
    session: Session[Incident],
) -> None:
    blocks = await run(
        session,
        ana=says("ana", cause="the release", severity="minor", evidence=because(HOSTILE)),
        ben=says("ben", cause="the release", severity="minor", evidence=because(HOSTILE)),
        caro=says("caro", cause=HOSTILE, severity="major", evidence=because(script.RELEASED)),
    )
    shown = [*blocks, *answer.page(session)]
    for text in (plain(shown), COLOURS.sub("", coloured(shown))):
        assert text.replace("\n", "").isprintable()
        assert text.count("\nThe answer\n") == 1
        assert "[bold]loud[/bold]" in text


async def test_a_model_that_fails_is_said_to_abstain_and_the_others_go_on(session: Session[Incident]) -> None:
    told = plain(await run(session, ben=ScriptedModel("ben", {"": ModelFailed("no answer today")})))
    assert told.count("abstained (ben): no answer today") == 2
    assert "release of checkout 4.18.0    ana   1 vote (quill/quill-3)" in told
    assert session.state.phase == "closed"


async def test_where_the_checks_do_not_tell_positions_apart_the_chair_leaves_it_to_a_person(
    session: Session[Incident],
) -> None:
    sure = says("ana", cause="nothing at all", severity="minor", evidence=because(script.RELEASED))
    told = plain(await run(session, ana=sure, ben=sure))
    assert "parked: The checks do not tell the positions apart." in told
    with pytest.raises(NotFound, match="There is no verdict yet"):
        answer.page(session)


async def test_with_another_model_in_the_first_seat_nobody_names_the_release_and_nobody_dissents(
    session: Session[Incident],
) -> None:
    caro = script.panel()["caro"]
    blocks = await run(session, ola=caro)
    assert session.state.suspect == script.THE_EXPORT
    assert session.state.verdict is not None
    assert session.state.verdict.cause == script.THE_EXPORT
    said = plain([*blocks, *answer.page(session)])
    assert "chair rules: uphold what ana, ben and caro proposed" in said
    assert script.THE_RELEASE not in said
    assert "The dissent" not in said
