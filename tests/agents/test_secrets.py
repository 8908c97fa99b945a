"""Thirty canary secrets on every way through everything; none of them may be found anywhere (G11)."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import structlog
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

from canaries import ECHOES, NAMES, PROVIDERS, SECRETS, Searched, said_to
from dissensus import Agent, AgentGraph, Budget, SharedState, Store, model
from dissensus.models import OpenAIModel, Patience, export_recordings
from dissensus.testing import FakeProvider
from dissensus_agents.messages import Part, Request
from dissensus_agents.models.health import HEALTH
from dissensus_state.engines import Database, read_url
from dissensus_state.errors import DissensusError

ONCE = Patience(attempts=2, pause=0.01, seconds=0.2)


class Notes(SharedState):
    question: str = "What were you sent?"
    note: str = ""


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """A server that gives every key back, and every key in the environment."""
    for name in set(PROVIDERS.values()):
        monkeypatch.setenv(name, SECRETS[name])
    for name in ECHOES:
        monkeypatch.setenv(variable(name), SECRETS[name])
    monkeypatch.setenv("HTTPS_PROXY", f"http://proxy:{SECRETS['proxy'].replace('/', '%2F')}@127.0.0.1:1")
    HEALTH.forget()
    with FakeProvider() as made:
        made.answers(said_to)
        yield made


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Everything that is logged, from DEBUG on: the HTTP library's own loggers, and structlog's events."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    structlog.configure(
        processors=[structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer(default=repr)],
        logger_factory=structlog.PrintLoggerFactory(written),
        cache_logger_on_first_use=False,
    )
    yield written
    root.removeHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


def variable(name: str) -> str:
    return f"CANARY_{name.replace(' ', '_').upper()}"


def agents(provider: FakeProvider, client: httpx.AsyncClient) -> list[Agent]:
    """One for each provider, and one for each way in which a server gives a key back."""
    urls: dict[str, Any] = {"openai-responses": "responses", "anthropic": "anthropic", "gemini": "gemini"}
    made = [
        Agent(name, model(f"{name}:m-text", base_url=provider.url(urls.get(name, "openai"))))
        for name in PROVIDERS
    ]
    for name in ECHOES:
        way = name.replace(" ", "-")
        key = variable(name)
        echoing = OpenAIModel(
            f"m-{way}", base_url=provider.url(), key_env=key, name=f"echo:{way}", patience=ONCE
        )
        made.append(Agent(way, echoing, attempts=2))
    user, password = (SECRETS[f"{one} in the URL"].replace("/", "%2F") for one in ("user", "password"))
    login = provider.url().replace("http://", f"http://{user}:{password}@")
    behind = OpenAIModel("m-text", base_url=login, key_env=None, name="local:login")
    own = OpenAIModel("m-none", base_url=provider.url(), key_env=None, name="own:x", client=client)
    return [*made, Agent("behind-a-login", behind), Agent("own-client", own)]


def own_client() -> httpx.AsyncClient:
    """A client of the user's, with a secret of its own."""
    return httpx.AsyncClient(headers={"x-secret": SECRETS["client's header"]})


async def rounds(provider: FakeProvider, url: str, searched: Searched) -> None:
    """A run in which all of them are asked, and what a user of Python sees of it."""
    with Store.open(url) as store:
        client = own_client()
        voices = agents(provider, client)
        for one in voices:
            searched.look(repr(one) + repr(one.model), "repr")
        session = store.create(Notes(), name="canary", budget=Budget(unpriced="allow"))
        graph = AgentGraph(Notes).add_step("ask", voices, writes={"note"})
        try:
            async for event in graph.stream(session, deltas=True):
                searched.look(repr(event), f"event {event.kind}")
        except DissensusError as error:
            searched.error(error)
        await client.aclose()
        for happened in session.events():
            searched.look(repr(happened), "an event of the history")
        statuses = {call.agent: call.status for call in session.round(1)[2]}
        assert statuses.keys() == {one.name for one in voices}
        assert {statuses[name] for name in PROVIDERS} == {"answered"}
        export_recordings(session, Path(os.environ["CANARY_FOLDER"]) / "canary.jsonl")


async def checkpoints(provider: FakeProvider, url: str, searched: Searched) -> None:
    """What LangGraph keeps of a graph of the user's in which a step of ours is a node."""
    saver = InMemorySaver()
    with Store.open(url) as store:
        session = store.create(Notes(), name="checkpointed", budget=Budget(unpriced="allow"))
        key = model("groq:m-text", base_url=provider.url())
        ours = AgentGraph(Notes).add_step("ask", [Agent("ana", key)], writes={"note"})
        builder = StateGraph(dict)
        builder.add_node("ask", ours.node("ask", session))
        builder.add_edge(START, "ask")
        settings: Any = {"configurable": {"thread_id": "1"}}
        await builder.compile(checkpointer=saver).ainvoke({"question": "?"}, settings)
    searched.look(repr(saver.storage) + repr(saver.writes) + repr(saver.blobs), "a checkpoint")
    assert saver.storage


async def errors(provider: FakeProvider, searched: Searched) -> None:
    """The errors of each model when it is asked by hand."""
    client = own_client()
    for one in agents(provider, client):
        HEALTH.forget()
        try:
            reply = await one.model.answer(Request("s", (Part("q"),)))
        except DissensusError as error:
            searched.error(error)
        else:
            searched.look(repr(reply), f"reply of {one.name}")
    await client.aclose()
    with pytest.raises(DissensusError, match="has something after its path") as refused:
        OpenAIModel("m", base_url=f"{provider.url()}?api_key={SECRETS['query in the URL']}")
    # Whoever writes a key into an address has it in a frame of their own: locals are not looked at here.
    searched.look("".join(traceback.format_exception(refused.value)), "an address that is refused")
    searched.look(repr(refused.value.as_dict()), "an address that is refused")
    os.environ["DISSENSUS_OFFLINE"] = ""
    proxied = OpenAIModel("m", base_url="https://far.invalid/v1", key_env=variable("text"), patience=ONCE)
    with pytest.raises(DissensusError) as caught:
        await proxied.answer(Request("s", (Part("q"),)))
    searched.error(caught.value)


def commands(url: str, folder: Path, there: str) -> Iterator[tuple[list[str], str]]:
    """What the command line says of the session, errors with their tracebacks as well."""
    environment = {
        **os.environ,
        "DISSENSUS_DATABASE": url,
        "GROQ_BASE_URL": there,
        "DEEPSEEK_BASE_URL": there,
    }
    (folder / "sources").mkdir()
    (folder / "sources" / "a.txt").write_text("The disk was full.", "utf-8")
    for command in (
        ["show", "r1"],
        ["show", "r1", "--json"],
        ["events", "--json"],
        ["cost", "--json"],
        ["log", "--json"],
        ["sessions"],
        ["doctor"],
        ["--debug", "show", "r99"],
        ["recordings", "export", "-o", "told.jsonl", "--json"],
        ["models", "list", "--json"],
        ["models", "show", "groq:m-text", "--json"],
        ["models", "check", "groq:m-text", "deepseek:m-text", "--unpriced", "--json"],
        ["--debug", "research", "Why?", "--sources", "sources", "--models", "groq:m-text", "--out", "report"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "dissensus", *command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr or "--debug" in command, done.stderr
        yield command, done.stdout + done.stderr


@pytest.mark.slow
def test_none_of_thirty_secrets_is_found_anywhere(
    provider: FakeProvider,
    logs: io.StringIO,
    database_url: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path_factory.mktemp("canaries")
    monkeypatch.setenv("CANARY_FOLDER", str(folder))
    monkeypatch.setenv("DISSENSUS_OFFLINE", "1")
    monkeypatch.chdir(folder)
    url = with_password(database_url)
    searched = Searched()
    assert len(set(SECRETS.values())) == len(NAMES) == 30

    asyncio.run(rounds(provider, url, searched))
    asyncio.run(checkpoints(provider, url, searched))
    asyncio.run(errors(provider, searched))
    monkeypatch.setenv("DISSENSUS_OFFLINE", "1")
    for command, said in commands(url, folder, provider.url()):
        searched.look(said, " ".join(command))

    searched.look(logs.getvalue(), "logs")
    searched.look("".join(capfd.readouterr()), "standard streams")
    assert searched.files(folder) >= 2
    assert searched.rows(url) > 500
    if database_url.startswith("sqlite"):
        assert searched.files(tmp_path) >= 1
    else:
        searched.files(data_folder(database_url))
    assert "\n".join(sorted(set(searched.found))) == ""
    asked = {received.headers.get("authorization", "") for received in provider.received}
    assert f"Bearer {SECRETS['OPENAI_API_KEY']}" in asked  # the keys were really sent, and came back


def with_password(url: str) -> str:
    """The address of the database with a password, which the server of the tests does not ask for."""
    if url.startswith("sqlite"):
        return url
    return read_url(url).set(password=SECRETS["database"]).render_as_string(hide_password=False)


def data_folder(url: str) -> Path:
    """Where the server keeps its tables and its log, all of them flushed."""
    database = Database(url)
    with database.engine.connect() as connection:
        connection.execute(sa.text("CHECKPOINT"))
        found = connection.execute(sa.text("SHOW data_directory")).scalar_one()
    database.close()
    return Path(str(found))


def fails(_held: str) -> None:
    raise DissensusError("no")


def test_a_secret_that_leaks_would_be_found(tmp_path: Path) -> None:
    searched = Searched()
    (tmp_path / "a").write_text(json.dumps({"told": SECRETS["text"]}), "utf-8")
    searched.files(tmp_path)
    with pytest.raises(DissensusError) as caught:
        fails(SECRETS["header"])
    searched.error(caught.value)
    assert {line.partition(":")[0] for line in searched.found} == {"text", "header"}
