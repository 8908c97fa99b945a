"""A question is answered from a folder of sources, and every word of the answer can be traced."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dissensus.research import investigate, money, written
from dissensus.research.crew import staff
from dissensus.research.facts import facts
from dissensus.research.investigation import Outcome
from dissensus.research.progress import told
from dissensus.research.schema import Conclusion, Point, Research
from dissensus.research.sources import changed
from dissensus.research.study import research_graph
from dissensus_agents.errors import ModelFailed
from dissensus_agents.messages import Reply, Request, Usage
from dissensus_agents.models.scripted import FunctionModel, ScriptedModel
from dissensus_agents.session import settle
from dissensus_state.errors import BudgetExceeded, InvariantViolated, LeaseLost
from dissensus_state.records import Budget
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from scouts_in_script import FILLER, PLAN, PRICE, QUESTION, panel, thinker


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        yield opened


@pytest.fixture
def here() -> Iterator[Store]:
    """A database in memory, where which one it is does not matter."""
    with Store.open("sqlite://") as opened:
        yield opened


async def answered(store: Store, sources: Path, models: list[Any] | None = None, **more: Any) -> Outcome:
    return await investigate(QUESTION, sources, models=models or panel(), store=store, **more)


def calls(session: Session[Research]) -> list[Any]:
    return [call for item in session.rounds() for call in session.round(item.round)[2]]


async def test_an_answer_rests_on_quotations_that_stand_and_keeps_its_dissent(
    store: Store, sources: Path, tmp_path: Path
) -> None:
    done = await answered(store, sources, out=tmp_path / "out")
    state = done.session.state
    assert done.status == state.phase == "closed"
    assert state.conclusion is not None
    assert state.conclusion.short == "it was the valve"
    assert [state.findings[one.finding - 1].claim for one in state.standing] == [
        "The valve of the third boiler stood open at noon.",
        "The gauge protocol says 12 bar.",
    ]
    told = facts(done.session, "here.db")
    assert [(one.agent, one.short) for one in told.dissent] == [("analyst-2", "the pump broke down")]
    assert [one.document for one in told.citations] == ["notes-07.txt", "notes-21.txt"]
    assert done.files is not None
    report = done.files.markdown.read_text("utf-8")
    assert "**In short:** it was the valve" in report
    assert "analyst-2 (script:ben, 0.85 sure) held:** the pump broke down" in report
    assert "1. “FACT A 1: The valve of the third boiler stood open at noon.”" in report
    assert done.session.verify().rules_checked


async def test_g10_a_research_session_replays_without_a_call_and_without_its_models(
    store: Store, sources: Path
) -> None:
    done = await answered(store, sources)
    nobody = [ScriptedModel(f"nobody:{n}", []) for n in range(3)]
    replayed = await research_graph(done.session, staff(nobody)).replay(done.session)
    assert (replayed.calls, replayed.rounds) == (0, len(done.session.rounds()))


async def test_only_what_is_worth_reading_is_sent_and_nothing_twice(here: Store, sources: Path) -> None:
    state = (await answered(here, sources)).session.state
    read = [(one.document, one.n) for one in state.reading]
    assert len(set(read)) == len(read) <= 26
    assert sum(item.passages for item in state.sources) >= 60
    assert not {"notes-07.txt", "notes-21.txt"} - {document for document, _ in read}


async def test_what_a_passage_points_to_is_followed_in_the_next_pass(here: Store, sources: Path) -> None:
    once = await answered(here, sources, session="once", passes=1)
    assert len(once.session.state.standing) == 1
    twice = await answered(here, sources, session="twice", passes=2)
    assert [one.chosen > 0 for one in twice.session.state.searched] == [True, True]
    assert len(twice.session.state.standing) == 2


async def test_a_folder_that_fits_into_one_prompt_is_read_whole(here: Store, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "few/a.txt").write_text("FACT A 1: The valve stood open.\n", "utf-8")
    (tmp_path / "few/b.txt").write_text("Something else altogether.\n", "utf-8")
    state = (await answered(here, tmp_path / "few")).session.state
    assert {one.document for one in state.reading} == {"a.txt", "b.txt"}


async def test_a_finding_whose_quotation_does_not_stand_is_dropped_and_shown_and_the_rest_is_kept(
    here: Store, sources: Path
) -> None:
    liar = thinker("script:liar", PLAN, lineage="liar/1", misquotes=True)
    honest = thinker("script:ana", PLAN, lineage="quill/1")
    done = await answered(here, sources, [liar, honest])
    state = done.session.state
    assert len(state.findings) == len(state.standing) + len(state.dropped)
    assert state.dropped
    report = written(done.session).markdown
    assert "Findings that were dropped" in report
    assert "the quotation does not stand in P" in report
    cited = {number for point in state.conclusion.points for number in point.findings}
    assert not cited & {one.finding for one in state.dropped}


async def test_a_scout_that_mistakes_the_number_of_a_passage_is_corrected(here: Store, sources: Path) -> None:
    def wrong(prompt: str) -> dict[str, Any]:
        said = thinker("x", PLAN)._answers(prompt)  # type: ignore[operator]
        for finding in said.get("findings", ()):
            finding["passage"] = 999
        return said

    state = (await answered(here, sources, [ScriptedModel("script:x", wrong)])).session.state
    assert [state.reading[one.passage - 1].document for one in state.standing] == [
        "notes-07.txt",
        "notes-21.txt",
    ]


async def test_where_nothing_is_found_nobody_is_paid_to_conclude(here: Store, tmp_path: Path) -> None:
    (tmp_path / "dull").mkdir()
    for n in range(20):
        (tmp_path / f"dull/{n}.txt").write_text(FILLER, "utf-8")
    done = await answered(here, tmp_path / "dull", out=tmp_path)
    assert done.status == "closed"
    assert not any(item.step == "conclude" for item in done.session.rounds())
    assert "Nothing was found in the sources that answers this" in done.files.markdown.read_text("utf-8")


async def test_the_report_is_the_same_whenever_it_is_written(
    store: Store, sources: Path, tmp_path: Path
) -> None:
    done = await answered(store, sources, out=tmp_path)
    first = done.files.markdown.read_bytes(), done.files.html.read_bytes()
    assert written(done.session).digests == done.session.state.published
    again = await answered(store, sources, out=tmp_path / "again")
    assert again.session.name == done.session.name
    assert (again.files.markdown.read_bytes(), again.files.html.read_bytes()) == first


async def test_the_commands_of_a_report_name_the_tenant(here: Store, sources: Path) -> None:
    done = await answered(here, sources)
    report = written(done.session, "postgresql://db.example/research", "acme").markdown
    options = f"-d postgresql://db.example/research -s {done.session.name} --tenant acme"
    assert f"dissensus replay {options}\ndissensus verify {options}" in report


class Stopped(Exception):
    """What a test stops a run with."""


async def test_g11_a_session_stopped_again_and_again_buys_nothing_twice_and_ends_the_same(
    store: Store, sources: Path, tmp_path: Path
) -> None:
    undisturbed = await answered(store, sources, session="undisturbed")
    stops = 0
    while True:
        heard = 0

        def stop(_: Any) -> None:
            nonlocal heard
            heard += 1
            if heard > stops:  # noqa: B023 - it is called before the next turn of the loop
                raise Stopped

        try:
            done = await answered(store, sources, session="stopped", heard=stop, out=tmp_path)
            break
        except Stopped:
            stops += 1
    assert stops > 8
    ours = done.session.state.model_copy(update={"published": None})
    assert ours == undisturbed.session.state.model_copy(update={"published": None})
    asked = [(call.round, call.agent) for call in calls(done.session) if call.status == "answered"]
    assert len(set(asked)) == len(asked) == len(calls(undisturbed.session))
    assert {call.status for call in calls(done.session)} <= {"answered", "unknown"}
    done.session.verify()


async def test_g07_a_budget_that_runs_out_while_reading_still_ends_in_a_conclusion(
    here: Store, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dissensus.research.rooms.BATCH", 3_000)
    models = [FunctionModel(f"script:{name}", _dear, lineage=name, price=PRICE) for name in "abc"]
    enough = Budget(usd=money.least(staff(models)) * 1.1 / 1e9)
    done = await answered(here, sources, models, budget=enough, scouts=1)
    state, budget = done.session.state, done.session.budget
    assert state.conclusion is not None
    assert state.stopped.startswith("the budget")
    assert state.read < state.reading[-1].batch
    assert budget.limit is not None
    assert budget.spent <= budget.limit
    assert "Not everything was read" in written(done.session).markdown


async def test_g07_a_budget_that_ends_before_anything_was_found_stops_it_and_more_of_it_goes_on(
    store: Store, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dissensus.research.rooms.BATCH", 3_000)
    models = panel(price=PRICE)
    little = Budget(usd=money.least(staff(models)) * 1.001 / 1e9)
    with pytest.raises(
        BudgetExceeded, match=r"Nothing was found so far, \d+ chosen passages are not read"
    ) as why:
        await answered(store, sources, models, budget=little)
    session = store.session(None, Research)
    assert session.state.phase == "gathering"
    (raised,) = re.findall(r"^Raise its limit with --budget (\d+\.\d+)$", why.value.next_step)
    session.set_budget(raised)
    done = await answered(store, sources, models)
    assert done.session.state.conclusion is not None
    assert (await research_graph(done.session, staff(models)).replay(done.session)).calls == 0


def _dear(request: Request) -> Reply:
    """An answer that uses nearly all the tokens that were reserved for it."""
    said = thinker("x", PLAN)._answers(request.prompt)  # type: ignore[operator]
    return Reply(json.dumps(said), "", Usage(len(request.prompt), int(0.9 * request.max_output_tokens)))


async def test_a_budget_of_which_no_answer_can_come_is_refused_before_anything_is_paid(
    here: Store, sources: Path
) -> None:
    with pytest.raises(
        BudgetExceeded, match=r"\$0\.0010 is too little: a plan, one scout and the conclusion"
    ) as told:
        await answered(here, sources, panel(price=PRICE), budget=Budget(usd="0.001"))
    assert "Give --budget" in told.value.next_step
    assert not here.sessions()


async def test_a_person_signs_the_ruling_that_the_supervisor_only_advises(
    store: Store, sources: Path
) -> None:
    parked = await answered(store, sources, approve=True)
    assert parked.status == "parked"
    assert parked.parked is not None
    ruling = parked.session.round(parked.parked)[3][-1]
    assert (ruling.decision, ruling.author) == ("escalate", "chair")
    assert "advises to uphold position" in ruling.reason
    still = await answered(store, sources)
    assert still.status == "parked"
    settle(parked.session, parked.parked, decision="uphold", author="eva", reason="I agree", position="B")
    done = await answered(store, sources)
    assert done.status == "closed"
    assert done.session.state.conclusion.short == "the pump broke down"
    assert "eva ruled “uphold”" in written(done.session).markdown


async def test_a_person_cannot_sign_a_conclusion_that_cites_what_does_not_stand(
    here: Store, sources: Path
) -> None:
    parked = await answered(here, sources, approve=True)
    bold = Conclusion(
        short="it was me",
        answer="It was me.",
        points=[Point(statement="I say so", findings=[99])],
        unknown=[],
    )
    with pytest.raises(InvariantViolated, match="F99 is no finding that stands"):
        settle(
            parked.session,
            parked.parked or 0,
            decision="amend",
            author="eva",
            reason="I know better",
            amendment={"/conclusion": bold.model_dump()},
        )


async def test_a_panel_that_is_rejected_is_asked_again_by_the_next_run(here: Store, sources: Path) -> None:
    strict = ScriptedModel("script:strict", _rejects, lineage="strict/1")
    rejected = await answered(here, sources, supervisor=strict)
    assert rejected.status == "rejected"
    done = await answered(here, sources, supervisor=panel()[2])
    assert done.status == "closed"
    assert [item.status for item in done.session.rounds() if item.step == "conclude"] == [
        "rejected",
        "committed",
    ]


def _rejects(prompt: str) -> dict[str, Any]:
    if "## What is disputed" in prompt:
        return {"decision": "reject", "reason": "Neither follows from the findings."}
    return thinker("x", PLAN)._answers(prompt)  # type: ignore[operator, no-any-return]


async def test_another_scout_stands_in_for_one_that_fails(here: Store, sources: Path) -> None:
    def fails(prompt: str) -> Any:
        if "## The sub-questions" in prompt:
            raise ModelFailed("It is down", kind="outage")
        return thinker("x", PLAN)._answers(prompt)  # type: ignore[operator]

    down = ScriptedModel("script:down", fails, lineage="down/1")
    state = (await answered(here, sources, [down, *panel()])).session.state
    assert len(state.standing) == 2
    assert not state.missed


async def test_another_scout_stands_in_for_one_whose_answers_are_rubbish_and_that_is_told(
    here: Store, sources: Path
) -> None:
    def babbles(prompt: str) -> Any:
        said = thinker("x", PLAN)._answers(prompt)  # type: ignore[operator]
        return "Certainly! Here it is." if "## The sub-questions" in prompt else said

    lines: list[str] = []

    def heard(event: Any) -> None:
        lines.extend([told(event, Research.model_construct())] if event.kind == "failover" else [])

    babbler = ScriptedModel("script:babbler", babbles, lineage="babbler/1")
    done = await answered(here, sources, [babbler, *panel()], heard=heard)
    assert len(done.session.state.standing) == 2
    assert "scout-1: script:babbler is passed over (malformed), another one is asked" in lines


async def test_what_a_silent_scout_should_have_read_is_read_in_the_next_pass(
    here: Store, sources: Path
) -> None:
    def mumbles(prompt: str) -> Any:
        if "## The sub-questions" in prompt and "boiler stood open" in prompt and "SEE" in prompt:
            mumbles.times = getattr(mumbles, "times", 0) + 1  # type: ignore[attr-defined]
            if mumbles.times <= 3:  # type: ignore[attr-defined]
                return "I would rather not say."
        return thinker("x", PLAN)._answers(prompt)  # type: ignore[operator]

    done = await answered(here, sources, [ScriptedModel("script:shy", mumbles)], passes=3)
    state = done.session.state
    assert state.missed == [1]
    assert state.findings[state.standing[0].finding - 1].claim.startswith("The valve")
    assert "gave no answer" in written(done.session).markdown


async def test_two_at_once_on_one_session_do_not_both_go_on(database_url: str, sources: Path) -> None:
    with Store.open(database_url) as one, Store.open(database_url) as other:

        async def meanwhile() -> None:
            await answered(other, sources)

        started = False

        async def run() -> None:
            nonlocal started

            def heard(event: Any) -> None:
                nonlocal started
                if event.kind == "committed" and event.step == "plan" and not started:
                    started = True
                    other.session(None, Research).take_lease()

            await answered(one, sources, heard=heard)

        with pytest.raises(LeaseLost):
            await run()
        await meanwhile()
        assert one.session(None, Research).state.phase == "closed"


async def test_g14_what_was_not_read_stands_in_the_report_with_the_reason(
    here: Store, sources: Path, tmp_path: Path
) -> None:
    (sources / "binary.txt").write_bytes(b"\x00\x01\x02" * 50)
    (sources / "empty.txt").touch()
    (sources / "Übersicht – 2026.txt").write_text("FACT C 1: Die Klappe war zu.\n" + FILLER, "utf-8")
    (sources / "bad\x1b[31mname.txt").write_text("x", "utf-8")
    done = await answered(here, sources)
    report = written(done.session).markdown
    for name, why in (
        ("binary.txt", "binary"),
        ("empty.txt", "empty"),
        (r"bad\\x1b\[31mname.txt", "printed"),
    ):
        assert re.search(rf"\| {re.escape(name)} \| [^|]*{why}", report), name
    assert "\x1b" not in report
    assert any(item.name == "Übersicht – 2026.txt" for item in done.session.state.sources)


async def test_g14_a_report_that_lies_among_the_sources_is_not_taken_for_one(
    here: Store, sources: Path
) -> None:
    first = await answered(here, sources, out=sources)
    assert first.files is not None
    again = await answered(here, sources, session="again")
    ours = {path.name for path in (first.files.markdown, first.files.html)}
    assert not ours & {item.name for item in again.session.state.sources}
    skipped = {item.name: item.why for item in again.session.state.skipped}
    assert {name: skipped[name] for name in ours} == dict.fromkeys(
        ours, "is a report of dissensus, and no source"
    )
    assert not changed(first.session, [sources])


async def test_a_folder_inside_of_another_is_read_once(here: Store, sources: Path) -> None:
    (sources / "deeper").mkdir()
    (sources / "deeper/more.txt").write_text(FILLER, "utf-8")
    done = await investigate(QUESTION, [sources, sources / "deeper"], models=panel(), store=here)
    names = [item.name for item in done.session.state.sources]
    assert len(names) == len(set(names)) == 31
    assert "deeper/more.txt" in names


async def test_files_that_change_later_change_nothing_in_a_session_that_was_begun(
    here: Store, sources: Path
) -> None:
    def stop(event: Any) -> None:
        if event.step == "search" and event.kind == "committed":
            raise Stopped

    with pytest.raises(Stopped):
        await answered(here, sources, heard=stop)
    (sources / "notes-07.txt").write_text("Nothing at all.\n", "utf-8")
    done = await answered(here, sources)
    assert len(done.session.state.standing) == 2
    assert str(changed(done.session, [sources])) == "1 changed since (notes-07.txt)"
