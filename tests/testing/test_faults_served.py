"""Every fault is sent, and leaves the server well."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import get_args

import httpx
import pytest

from dissensus.testing import FAULTS, FakeProvider, Fault
from dissensus.testing.answers import Received, Spoken
from dissensus_agents.models.formats import FailureKind

PAGE = Path(__file__).parents[2] / "docs/testing.md"
PATHS: dict[Spoken, str] = {
    "openai": "/chat/completions",
    "responses": "/responses",
    "anthropic": "/messages",
    "gemini": "/models/a-model:generateContent",
}
ENOUGH = 1024 * 1024
HANGING = {"silent", "stalled_midway", "slow_loris"}
CLIENT = httpx.Client(timeout=10, verify=False, trust_env=False)


def path_of(spoken: Spoken, *, streamed: bool) -> str:
    whole = PATHS[spoken]
    return whole.replace(":generate", ":streamGenerate") + "?alt=sse" if streamed else whole


def read_some(provider: FakeProvider, fault: Fault, spoken: Spoken, *, streamed: bool) -> int:
    """The status of an answer, of which no more than a megabyte is read."""
    scheme = "https" if fault.connection == "tls" else "http"
    url = provider.url(spoken, scheme=scheme) + path_of(spoken, streamed=streamed)
    patience = 0.2 if fault.name in HANGING else 10.0
    with CLIENT.stream("POST", url, json={"stream": streamed}, timeout=patience) as answer:
        read = 0
        for chunk in answer.iter_raw():
            read += len(chunk)
            if read > ENOUGH:
                break
        return answer.status_code


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("spoken", PATHS)
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_after_every_fault_the_server_answers_the_next_one(
    provider: FakeProvider, fault: Fault, spoken: Spoken, *, streamed: bool
) -> None:
    provider.says(fault)
    with suppress(httpx.TransportError):
        read_some(provider, fault, spoken, streamed=streamed)
    provider.says("well again")
    answer = CLIENT.post(provider.url(spoken) + PATHS[spoken], json={})
    assert "well again" in answer.text


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("refused", httpx.ConnectError),
        ("tls_garbage", httpx.ConnectError),
        ("reset_before", httpx.ReadError),
        ("reset_midway", httpx.ReadError),
        ("closed_before", httpx.RemoteProtocolError),
        ("cut_in_event", httpx.RemoteProtocolError),
        ("length_too_long", httpx.RemoteProtocolError),
        ("silent", httpx.ReadTimeout),
        ("stalled_midway", httpx.ReadTimeout),
        ("slow_loris", httpx.ReadTimeout),
    ],
)
def test_what_is_wrong_on_the_wire_is_wrong_for_a_client(
    provider: FakeProvider, name: str, error: type[Exception]
) -> None:
    fault = Fault.named(name)
    provider.says(fault)
    with pytest.raises(error):
        read_some(provider, fault, "openai", streamed=True)


@pytest.mark.parametrize(
    "status", [400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529]
)
@pytest.mark.parametrize("spoken", PATHS)
def test_every_status_can_be_sent_in_the_words_of_each_format(
    provider: FakeProvider, status: int, spoken: Spoken
) -> None:
    provider.says(Fault.status(status, "in these words"))
    answer = CLIENT.post(provider.url(spoken) + PATHS[spoken], json={})
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, "in these words")


def test_there_are_at_least_forty_each_with_a_name_and_a_kind_of_its_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 40
    kinds = {*get_args(FailureKind), None}
    assert {fault.kind for fault in FAULTS} == kinds
    assert all(fault.kinds <= kinds for fault in FAULTS)


def test_an_answer_without_end_is_made_while_it_is_sent() -> None:
    asked = Received("POST", "/v1/messages", {}, b'{"stream": true}')
    pieces = iter(Fault.named("endless").raw(asked).body)
    assert sum(len(next(pieces)) for _ in range(30)) < 3 * ENOUGH


def test_the_page_lists_every_fault_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+|an answer) \| (yes|no) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    expected = [(fault.name, fault.kind or "an answer", "yes" if fault.billed else "no") for fault in FAULTS]
    assert rows == expected
