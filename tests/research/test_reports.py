"""A report cannot be steered by what models and sources wrote, and says how sure the answer is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dissensus.research import investigate
from dissensus.research.confidence import Voice, confidence
from dissensus.research.errors import ReportRefused
from dissensus.research.hypertext import page
from dissensus.research.markdown import markdown, plain
from dissensus.research.publishing import publish
from dissensus.research.report import Commands, Items, Quote, Table, Text, Title
from dissensus_agents.status import Status
from dissensus_state.store import Store
from scouts_in_script import QUESTION, panel

EVIL = (
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "http://evil.example www.evil.example",
    "</title></p><img src=x onerror=alert(1)>",
    "\x1b[31mred\x1b[0m \u202egnp.exe",
    "| a | b |\n|---|---|",
    "# heading",
    "1. one",
    "- one",
    "```\nrm -rf\n```",
    '" onmouseover="alert(1)',
    "&lt;b&gt; $x$ ~~gone~~ **bold**",
)


@pytest.mark.parametrize("text", EVIL)
def test_what_models_write_is_no_markup_in_html(text: str) -> None:
    blocks = [
        Title(text),
        Text(text, text),
        Items((Text(text),)),
        Quote(1, text, text),
        Table((text,), ((text,),)),
    ]
    made = page([*blocks, Commands((text,))])
    body = made.partition("<body>")[2]
    ours = "h1|p|strong|ul|li|blockquote|footer|table|tr|th|td|pre|br|body|html"
    assert all(re.fullmatch(ours, tag) for tag in re.findall(r"</?([a-z0-9]+)", body))
    assert not re.search(r"<[^>]*(onerror|onmouseover|javascript|src=)", body)
    assert "\x1b" not in made
    assert "\u202e" not in made


def test_a_page_loads_nothing_and_runs_nothing() -> None:
    made = page([Title("Why?")])
    assert "default-src 'none'" in made
    assert not re.search(r"<(script|link|img|iframe)|url\(|@import|https?://", made)
    assert "@media print" in made


@pytest.mark.parametrize("text", EVIL)
def test_what_models_write_is_no_markup_in_markdown(text: str) -> None:
    made = plain(text)
    assert "\n" not in made
    assert "\x1b" not in made
    assert not re.search(r"(?<!\\)[<>\[\]*_`#|!&$]", made)
    assert not re.search(r"https?://|www\.", made)
    assert not re.match(r"[-+=]|\d+[.)]", made)


def test_paragraphs_stay_and_citations_follow() -> None:
    assert (
        markdown([Text("One.\n\nTwo\nlines.", "So:", (1, 3))])
        == "**So:** One.\n\nTwo lines. \\[1\\] \\[3\\]\n"
    )


def voices(*stated: float | None, lineage: str = "") -> list[Voice]:
    return [Voice(f"a{n}", f"m{n}", lineage or f"l{n}/x", sure) for n, sure in enumerate(stated)]


def test_a_panel_of_one_lineage_is_trusted_less_than_one_of_several() -> None:
    kin = confidence(voices(0.9, 0.9, 0.9, lineage="a/b"), [])
    apart = confidence(voices(0.9, 0.9, 0.9), [])
    assert kin.value is not None
    assert apart.value is not None
    assert kin.value < apart.value < 0.9
    assert "worth 1.6 independent votes" in str(apart)


def test_one_model_alone_is_never_highly_trusted() -> None:
    assert confidence(voices(1.0), []).word == "moderate"
    assert confidence(voices(0.95, 0.95, 0.95), []).word == "high"


def test_dissent_lowers_the_confidence() -> None:
    agreed, split = confidence(voices(0.9, 0.9, 0.9), []), confidence(voices(0.9, 0.9), voices(0.9))
    assert (split.value or 0) < (agreed.value or 0)
    assert split.reason.startswith("2 of 3 analysts hold it")


def test_where_nobody_says_how_sure_it_is_no_confidence_is_made_up() -> None:
    assert confidence(voices(None, None), []).word == "not stated"
    assert confidence([], []).word == "not stated"


def test_what_graded_rounds_say_counts_before_what_models_state() -> None:
    known = Status("agreed", votes=1.2, confidence=0.55, basis="measured", on=240)
    found = confidence(voices(0.99, 0.99, 0.99), [], known)
    assert (found.value, found.word) == (0.55, "low")
    assert "0.55 after the discount, by 240 graded rounds" in found.reason
    assert confidence(voices(0.9), [], Status("ruled", confidence=0.99, basis="ruling")).value != 0.99


async def test_a_report_that_cannot_be_written_leaves_no_half_of_one_and_the_session_goes_on(
    sources: Path, tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file", "utf-8")
    with Store.open("sqlite://") as store:
        with pytest.raises(ReportRefused, match="cannot be written to"):
            await investigate(QUESTION, sources, models=panel(), store=store, out=blocked)
        session = store.session()
        assert session.raw()["phase"] == "reporting"
        done = await investigate(QUESTION, sources, models=panel(), store=store, out=tmp_path / "out")
        assert done.status == "closed"
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
            "what-happened-in-the-harbour.html",
            "what-happened-in-the-harbour.md",
        ]
        assert publish(done.session, None) is None
