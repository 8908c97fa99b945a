"""What is read, in which order, and when it is enough; what it will cost, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dissensus.research import investigate, rooms, seating
from dissensus.research.crew import reseated, staff
from dissensus.research.errors import NoModels, NoSources
from dissensus.research.investigation import free_name
from dissensus.research.librarian import wanted_in, why_enough
from dissensus.research.progress import Meter, dollars, duration
from dissensus.research.prompts import told_findings
from dissensus.research.schema import Point, Research
from dissensus.research.sources import folders
from dissensus_state.store import Store
from scouts_in_script import PLAN, PRICE, QUESTION, panel


def state(**more: Any) -> dict[str, Any]:
    plain = {
        "plan": PLAN,
        "searched": [],
        "findings": [],
        "standing": [],
        "leads": [],
        "reading": [],
        "read": 0,
    }
    return {**plain, "passes": 2, **more}


def test_the_first_pass_looks_for_everything() -> None:
    assert [one.question for one in wanted_in(state())] == [1, 2]
    assert wanted_in(state())[1].queries == ("How high was the pressure?", "manometer")


def test_a_later_pass_looks_for_leads_and_for_what_was_not_found() -> None:
    found = [{"question": 1, "claim": "c", "quotation": "q", "passage": 1}]
    leads = [{"question": 1, "query": "boiler log"}]
    once = state(searched=[{}], findings=found, standing=[{"finding": 1, "passage": 1}], leads=leads)
    assert [(one.question, one.queries) for one in wanted_in(once)] == [
        (1, ("boiler log",)),
        (2, ("How high was the pressure?", "manometer")),
    ]


def test_why_the_reading_ends_is_said_in_words() -> None:
    chosen = {"queries": 4, "chosen": 3, "side_by_side": 1}
    assert why_enough(state(reading=[{"batch": 2}], read=1, searched=[chosen])).startswith("the budget")
    assert "nothing more in the sources" in why_enough(state(searched=[{**chosen, "chosen": 0}]))
    assert "every sub-question has findings" in why_enough(state(searched=[{**chosen, "queries": 0}]))
    assert why_enough(state(searched=[chosen, chosen])) == "the 2 passes that were allowed are made"
    assert why_enough({**state(searched=[chosen]), "passes": 1}) == "one pass was allowed"
    assert why_enough(state(searched=[chosen])) == "the last pass brought nothing new"


def test_a_panel_is_shown_as_many_findings_of_each_sub_question_as_fit() -> None:
    findings = [
        {"question": 1 + (n % 10 == 0), "claim": f"claim {n} " + "x" * 200, "quotation": "q", "passage": 1}
        for n in range(300)
    ]
    standing = [{"finding": n + 1, "passage": 1} for n in range(300)]
    told, left_out = told_findings(
        PLAN, findings, standing, [{"document": "a\nb.txt", "place": "p. 1"}], 24_000
    )
    assert len(told) <= 24_500
    assert 0 < left_out < 300
    assert sum(f"F{n}:" in told for n in range(1, 301, 10)) == 30
    assert "(a b.txt, p. 1)" in told


def test_a_name_is_made_of_the_question_and_is_free() -> None:
    assert free_name("Why did the pump fail?", set()) == "why-did-the-pump-fail"
    assert free_name("Why did the pump fail?", {"why-did-the-pump-fail"}) == "why-did-the-pump-fail-2"
    assert free_name("為什麼", set()) == "research"
    assert len(free_name("word " * 100, set())) <= 40


def test_a_folder_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    assert folders([tmp_path / "a", tmp_path / "a/b", f"{tmp_path}/a/../a"]) == [tmp_path / "a"]


async def test_an_empty_folder_is_refused_with_what_was_skipped(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s/.hidden").write_text("x", "utf-8")
    with (
        Store.open("sqlite://") as store,
        pytest.raises(NoSources, match=r"nothing to read in .*\.hidden: is hidden"),
    ):
        await investigate(QUESTION, tmp_path / "s", models=panel(), store=store)


def test_without_a_model_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none() -> list[Any]:
        return []

    monkeypatch.setattr("dissensus_agents.models.available.available", none)
    with pytest.raises(NoModels) as told:
        seating.models_here()
    assert "ANTHROPIC_API_KEY" in told.value.next_step
    assert "dissensus demo" in told.value.next_step
    with pytest.raises(NoModels):
        staff([])


def test_the_supervisor_is_of_another_lineage_than_the_first_of_the_panel() -> None:
    ana, ben, caro = panel()
    assert staff([ana, ben, caro]).supervisor is caro
    assert staff([ana]).supervisor is ana
    assert staff([ana, ben], caro).supervisor is caro
    assert len(staff([ana]).scouts) == 2


def test_a_session_goes_on_with_other_models_in_the_same_seats() -> None:
    ana, ben, caro = panel()
    crew = staff([ana, ben, caro], scouts=4).seats
    other = reseated(crew, [ben], caro)
    assert [model.name for model in other.scouts] == ["script:ben"] * 4
    assert [model.name for model in other.panel] == ["script:ben"] * 3
    assert other.supervisor is caro


def test_the_same_command_again_leaves_every_seat_as_it_was() -> None:
    ana, ben, caro = panel()
    crew = staff([ana, ben, caro], ben).seats
    again = reseated(crew, [ana, ben, caro], None)
    assert (again.seats, again.supervisor) == (crew, ben)
    other = reseated(crew, [ana, ben, caro], caro)
    assert (other.supervisor, other.planner) == (caro, caro)


def test_numbers_are_read_as_models_write_them() -> None:
    said = {"statement": "It stood open", "findings": ["F3", "[7]", 9]}
    assert Point.model_validate(said).findings == [3, 7, 9]


async def test_a_run_says_what_it_has_cost_and_what_is_to_come(sources: Path) -> None:
    ticks = iter(range(10_000))
    lines: list[str] = []
    meters: list[Meter] = []
    chosen = staff(panel(price=PRICE))
    with Store.open("sqlite://") as store:

        def heard(event: Any) -> None:
            if not meters:
                meters.append(Meter(store.session(None, Research), chosen, lambda: next(ticks)))
            meters[0].heard(event)
            lines.append(meters[0].line())

        await investigate(QUESTION, sources, models=panel(price=PRICE), store=store, heard=heard)
        spent = store.session().budget.spent
    meter = meters[0]
    assert lines[0].startswith("planning · $0.00 spent, about $0.0")
    assert any(line.startswith("batch ") and " left" in line for line in lines)
    assert meter.spent == spent > 0
    assert (meter.ahead().calls, meter.ahead().cost) == (0, 0)
    assert lines[-1].startswith("reporting · 2 checked findings · $0.00")


def test_prompts_and_answers_fit_into_the_smallest_window_that_is_known() -> None:
    ana, ben, _ = panel()
    assert staff([ana, ben]).seats.window is None
    ben.window = 8_192  # type: ignore[attr-defined]
    assert staff([ana, ben]).seats.window == 8_192
    assert rooms.batch(8_192) / 4 + rooms.answers(rooms.SCOUTED, 8_192) < 8_192
    assert rooms.told(8_192) < rooms.TOLD
    assert (rooms.batch(None), rooms.batch(200_000)) == (rooms.BATCH, rooms.BATCH)
    assert rooms.batch(1_000) > 0


def test_money_and_time_are_shown_as_people_read_them() -> None:
    assert [dollars(nano) for nano in (0, 13_200_000, 1_234_000_000)] == ["$0.00", "$0.0132", "$1.23"]
    assert [duration(seconds) for seconds in (0.2, 40, 600, 7500)] == ["1 s", "40 s", "10 min", "2 h 5 min"]
