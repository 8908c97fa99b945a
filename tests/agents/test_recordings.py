"""A session's recordings as one file: what stands in it, who may trust it, and a graph answered from it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.context.fits import Newest, Summarised
from dissensus_agents.context.templates import BY_MAKER
from dissensus_agents.errors import ProviderFailed, RecordingsRefused
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.citations import quotes_stand_in_documents
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.messages import Reply, Usage
from dissensus_agents.models.recordings import NotRecorded
from dissensus_agents.patterns.failover import Failover
from dissensus_agents.recordings.answering import AnsweringModel, Recordings, answered_from
from dissensus_agents.recordings.exporting import export_recordings
from dissensus_agents.recordings.lines import MOST_LINE, schema
from dissensus_agents.sources import part
from dissensus_state.patches import patch_to_json
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from panels import LOG, Case, Voice, agent, cause, one_step, ruling, voice

LONG = "The disk was full when the night shift began, and nobody had looked at it. " * 20
FINDINGS = [f"finding {number}: " + "word " * 40 for number in range(40)]


def down() -> ProviderFailed:
    return ProviderFailed("The provider is down", kind="outage")


def everything(session: Session[Case]) -> AgentGraph:
    """Every kind of piece of a prompt, answers that do not fit, a failover, summaries, a review."""

    def prompt(view: Any) -> list[Any]:
        return ["Why did it stop?", view.part("/documents/log"), part(session.library.passage("log.pdf", 2))]

    scout = agent("scout", "no json", {"findings": FINDINGS})
    zoe = agent("zoe", cause("disk"), lineage="anthropic/claude", prompt=prompt, templates=BY_MAKER)
    ana = Agent("ana", Failover(Voice("gone", down()), Voice("there", cause("net"))), prompt=prompt)
    new = agent("new", cause("net"), reads=["/findings", "/question"], fit=Newest(tokens=600))
    short = Agent(
        "short",
        Voice(
            "model-of-short", Reply(json.dumps(cause("disk")), "model-of-short", Usage(1), "I think.", "raw")
        ),
        reads=["/findings"],
        fit=Summarised(Voice("cheap", "They found words."), tokens=700),
    )
    graph = AgentGraph(Case).add_step("gather", [scout], writes={"findings"})
    graph.add_step(
        "judge",
        [zoe, ana, new, short],
        writes={"verdict"},
        supervisor=Supervisor(Voice("chair", ruling("disk"))),
        verifiers=[quotes_stand_in_documents(session.library, "verdict", "detail", "cause")],
    )
    return graph.add_edge("gather", "judge")


def filled(store: Store, name: str) -> Session[Case]:
    session = store.create(Case(), name=name)
    session.library.add("log.pdf", "pdf", [("p. 1", "Nothing."), ("p. 2", LONG)], b"log")
    return session


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def patches(session: Session[Any]) -> list[Any]:
    return [patch_to_json(commit.patch) for commit in session.log()]


async def test_a_graph_answered_from_its_recordings_commits_the_same_and_asks_nobody(
    store: Store, tmp_path: Path
) -> None:
    first = filled(store, "first")
    await everything(first).run(first)
    made = export_recordings(first, tmp_path / "first.jsonl")
    again = filled(store, "again")
    graph = everything(again)

    await answered_from(graph, Recordings.open(made.path)).run(again)

    assert patches(again) == patches(first)
    statuses = [[call.status for call in again.round(number)[2]] for number in (1, 2)]
    assert statuses == [[call.status for call in first.round(number)[2]] for number in (1, 2)]
    assert "failed" in statuses[1]
    asked = [voice(one) for step in graph.steps.values() for one in step.agents if one.name in "scoutzoenew"]
    assert not any(model.asked for model in asked)
    assert again.budget.spent == 0


async def test_every_request_is_found_under_the_digest_of_what_was_sent(store: Store, tmp_path: Path) -> None:
    session = filled(store, "case")
    await everything(session).run(session)
    made = export_recordings(session, tmp_path / "case.jsonl")
    calls = [line for line in lines(made.path) if line["type"] == "call"]
    assert len(calls) == made.calls >= 9
    assert all(call["digest"] for call in calls)


async def test_the_file_reads_without_the_library(store: Store, tmp_path: Path) -> None:
    session = filled(store, "case")
    await everything(session).run(session)
    path = export_recordings(session, tmp_path / "case.jsonl").path
    header, *rest, end = lines(path)
    assert (header["format"], header["version"], header["session"]) == ("dissensus.recordings", 1, "case")
    texts: dict[str, str] = {}
    for line in rest:
        if line["type"] == "part":
            assert hashlib.sha256(line["text"].encode()).hexdigest() == line["sha256"]
            assert line["sha256"] not in texts
            texts[line["sha256"]] = line["text"]
        else:
            assert texts[line["request"]["system"]]
            assert all(piece["text"] in texts for piece in line["request"]["parts"])
    assert LOG in texts.values()
    assert LONG in texts.values()
    body = path.read_bytes()
    before = body[: body.rindex(b"\n", 0, -1) + 1]
    assert end["sha256"] == hashlib.sha256(before).hexdigest()


async def test_the_same_recordings_give_the_same_bytes(store: Store, tmp_path: Path) -> None:
    session = filled(store, "case")
    await everything(session).run(session)
    one, other = (export_recordings(session, tmp_path / name).path.read_bytes() for name in ("a", "b"))
    assert one == other


async def test_raw_bodies_and_reasoning_can_be_left_out(store: Store, tmp_path: Path) -> None:
    session = store.create(Case(), name="case")
    said = Reply(json.dumps(cause("disk")), "m", Usage(1), "A SECRET THOUGHT", "raw", raw=b'{"THE": "BODY"}')
    await one_step([Agent("ana", Voice("m", said))]).run(session)
    path = export_recordings(session, tmp_path / "case.jsonl", raw=False, reasoning=False).path
    text = path.read_text()
    assert "A SECRET THOUGHT" not in text
    assert "BODY" not in text
    assert Recordings.open(path).header.left_out == ("raw", "reasoning")
    assert "A SECRET THOUGHT" in export_recordings(session, path).path.read_text()


async def test_a_request_that_differs_stops_the_run_and_says_in_what(store: Store, tmp_path: Path) -> None:
    first = store.create(Case(), name="first")
    await one_step([agent("ana", cause("disk"))]).run(first)
    recordings = Recordings.open(export_recordings(first, tmp_path / "first.jsonl").path)
    other = store.create(Case(question="Why did it begin?"), name="other")
    with pytest.raises(NotRecorded, match=r"round 1, ana, attempt 1\), part 1 \(/question\) differs"):
        await answered_from(one_step([agent("ana", cause("disk"))]), recordings).run(other)
    assert other.head == 0
    # Whoever goes on with a live model is not held to the failure.
    await one_step([agent("ana", cause("net"))]).run(other)
    assert other.head == 1


async def test_a_model_of_which_nothing_is_recorded_says_so(store: Store, tmp_path: Path) -> None:
    session = store.create(Case(), name="case")
    ana = agent("ana", cause("disk"))
    await one_step([ana]).run(session)
    recordings = Recordings.open(export_recordings(session, tmp_path / "case.jsonl").path)
    assert recordings.models() == ["model-of-ana"]
    with pytest.raises(NotRecorded, match=r"No call of other stands in case\.jsonl"):
        await AnsweringModel(recordings, "other").answer(voice(ana).asked[0])


async def test_what_was_redacted_is_not_in_the_file_and_is_said(store: Store, tmp_path: Path) -> None:
    session = store.create(Case(), name="case")
    await one_step([agent("ana", {"note": "THE SECRET"})], ["note"]).run(session)
    await one_step([agent("ben", cause("disk"))]).run(session, start="judge")
    session.redact("/note", reason="asked", author="user")
    path = export_recordings(session, tmp_path / "case.jsonl").path
    assert "THE SECRET" not in path.read_text()
    first, second = (line for line in lines(path) if line["type"] == "call")
    assert "answer" in first["redacted"]
    assert second["redacted"] == ["request"]
    assert second["digest"] is None
    assert Recordings.open(path).models()


def damaged(path: Path, change: Any) -> Path:
    body = path.read_bytes()
    path.write_bytes(change(body))
    return path


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda body: body[: len(body) // 2], "not whole"),
        (lambda body: body[: body.rindex(b"\n", 0, -1) + 1], "it has no end"),
        (lambda body: body + b"{}\n", "stands after the end"),
        (lambda body: body.replace(b"Why did it stop?", b"Why did it halt?"), "not what its digest says"),
        (lambda body: body.replace(b"disk", b"fisk", 1), "digest says|its lines are not"),
        (lambda body: body.replace(b'"version":1', b'"version":2', 1), "is of version 2"),
        (lambda body: b"[" * 100_000 + b"\n" + body, "line 1 is none of this format"),
        (lambda body: b"\xff\xfe\n" + body, "line 1 is none of this format"),
        (lambda body: b'{"type":"end","parts":0,"calls":0,"sha256":"' + b"0" * 64 + b'"}\n', "header"),
        (lambda body: b"", "not whole"),
        (lambda body: b"x" * (MOST_LINE + 2), "longer than 64 MiB"),
    ],
    ids=[
        *("half of it", "no end", "more after the end", "another text", "another answer", "another version"),
        *("deep nesting", "no text", "no header", "nothing", "a long line"),
    ],
)
async def test_a_file_that_is_not_what_was_written_is_refused(
    store: Store, tmp_path: Path, change: Any, why: str
) -> None:
    session = store.create(Case(), name="case")
    await one_step([agent("ana", cause("disk"))]).run(session)
    path = damaged(export_recordings(session, tmp_path / "case.jsonl").path, change)
    with pytest.raises(RecordingsRefused, match=why):
        Recordings.open(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingsRefused, match="No such file"):
        Recordings.open(tmp_path / "nothing.jsonl")


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith(".")]


async def test_an_export_that_fails_leaves_what_was_there(store: Store, tmp_path: Path) -> None:
    session = store.create(Case(), name="case")
    await one_step([agent("ana", cause("disk"))]).run(session)
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OSError, match="directory"):
        export_recordings(session, target)
    assert hidden(tmp_path) == []


def test_the_schema_of_a_line_knows_all_four_types() -> None:
    assert sorted(schema()["discriminator"]["mapping"]) == ["call", "end", "header", "part"]
