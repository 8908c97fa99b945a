"""The providers' own SDKs and our adapters read the same answers of the same server, and see the same.

The SDKs live in an environment of their own, which `make test` makes: nothing else imports them.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters import ADAPTERS, asked_at
from dissensus.testing import Answer, FakeProvider, Fault, Received
from dissensus.testing.answers import Spoken
from dissensus.testing.fake import Sayable
from dissensus.testing.speaking import trouble
from dissensus.testing.troubles import TROUBLES
from dissensus_agents.errors import ModelFailed
from dissensus_agents.messages import Part, Request, Usage
from dissensus_agents.models.calling import call
from dissensus_agents.models.health import Health
from dissensus_agents.models.kinds import kind_of_error, refusal_of
from dissensus_agents.models.retries import Patience

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".venv/sdks/bin/python"
SCRIPTS = ("openai", "anthropic", "gemini")
OURS = "OUR_TEST_KEY"
NUMBER = {"title": "Number", "type": "object", "properties": {"answer": {"type": "integer"}}}
NUMBER |= {"required": ["answer"], "additionalProperties": False}

ANSWERS = {
    "plain": Answer("an answer", usage=Usage(100, 7, cached=40, written=3)),
    "thinking": Answer(
        "42",
        reasoning="Because of this, and of that.",
        usage=Usage(100, 7, reasoning=11),
        signature="c2ln",
        encrypted="ZW5j",
        piece=5,
    ),
    "pieces": Answer("naïve 🌍 — «quoted»\n\t\\ \"'\u2028 end", reasoning="Thought 🧠\r\n.", piece=1),
    "structured": Answer('{"answer": 42}', piece=3),
    "cut": Answer("half an", finish="length"),
    "refused": Answer(None, refusal="I cannot help with that"),
    "filtered": Answer(None, finish="content_filter"),
}
STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 503, 529)
BROKEN = {
    "spent": Fault.named("insufficient_quota"),
    "overflow": Fault.named("context_overflow"),
    "midway": Fault.named("error_midway"),
    "cut_in_event": Fault.named("cut_in_event"),
    "closed": Fault.named("closed_before"),
}
CASES = [*ANSWERS, *map(str, STATUSES), *BROKEN]

KINDS = {
    "BadRequestError": {"invalid", "context_overflow"},
    "AuthenticationError": {"key"},
    "PaymentRequiredError": {"spent"},
    "PermissionDeniedError": {"key"},
    "NotFoundError": {"unknown_model"},
    "RequestTimeoutError": {"timeout"},
    "ConflictError": {"outage"},
    "ContentTooLargeError": {"context_overflow"},
    "UnprocessableEntityError": {"invalid"},
    "RateLimitError": {"rate_limit", "spent"},
    "InternalServerError": {"outage"},
    "ServiceUnavailableError": {"outage"},
    "OverloadedError": {"outage"},
    "ServerError": {"outage"},
}
"""What the SDKs' errors say in our words; where they have no word of their own, the status does."""

BY_STATUS = {
    400: {"invalid", "context_overflow"},
    401: {"key"},
    402: {"spent"},
    403: {"key"},
    404: {"unknown_model"},
    408: {"timeout"},
    409: {"outage"},
    413: {"context_overflow"},
    422: {"invalid"},
    429: {"rate_limit", "spent"},
}

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="the SDKs are not installed: `make test` makes .venv/sdks"
)


def decided(asked: Received) -> Sayable:
    """The model's name says what is answered, so that nothing has to be remembered."""
    if asked.model in ANSWERS:
        return ANSWERS[asked.model]
    if asked.model in BROKEN:
        return BROKEN[asked.model]
    name = next(name for name, one in TROUBLES.items() if one.status == int(asked.model))
    return trouble(name, asked, headers={"retry-after-ms": "1"})


class Both:
    """What the SDKs and what the adapters made of every case."""

    def __init__(self, provider: FakeProvider) -> None:
        provider.answers(decided)
        self.provider = provider
        self.theirs: dict[str, Any] = {}
        reading = [self._start(script) for script in SCRIPTS]
        self.ours = asyncio.run(self._read_all())
        for process in reading:
            told, complaint = process.communicate(timeout=120)
            assert process.returncode == 0, complaint
            self.theirs |= json.loads(told)
        self.requests = Counter(
            (who(asked), asked.format, asked.model, asked.streamed) for asked in provider.received
        )

    def _start(self, script: str) -> subprocess.Popen[str]:
        root = self.provider.url().removesuffix("/v1")
        process = subprocess.Popen(
            [PYTHON, HERE / f"read_{script}.py", root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(CASES))
        process.stdin.close()
        process.stdin = None
        return process

    async def _read_all(self) -> dict[str, Any]:
        read = {}
        for spoken in ADAPTERS:
            for case in CASES:
                for way in ("whole", "streamed"):
                    read[spoken, case, way] = await self._read(spoken, case, way)
        return read

    async def _read(self, spoken: Spoken, case: str, way: str) -> dict[str, Any]:
        model = asked_at(
            self.provider,
            spoken,
            case,
            whole=way == "whole",
            key_env=OURS,
            patience=Patience(attempts=2, pause=0.01),
        )
        schema = NUMBER if case == "structured" else None
        request = Request("You are ana.", (Part("What is it?"),), schema, max_output_tokens=1000)
        try:
            reply = await call(model, request, health=Health())
        except ModelFailed as error:
            return {"kind": kind_of_error(error)}
        used = reply.usage
        return {
            "text": reply.text,
            "reasoning": reply.reasoning,
            "usage": {
                "input": used.input,
                "output": used.output,
                "cached": used.cached,
                "written": used.written,
                "reasoning": used.reasoning,
            },
            "finish": reply.finish_reason,
            "model": reply.model,
            "estimated": used.estimated,
            "echo": json.dumps(reply.echo),
            "refusal": refusal_of(reply),
        }

    def sent(self, spoken: Spoken, case: str, *, ours: bool) -> Received:
        """The streamed request of a case."""
        return next(
            asked
            for asked in self.provider.received
            if (who(asked) == "ours", asked.format, asked.model, asked.streamed) == (ours, spoken, case, True)
        )


def who(asked: Received) -> str:
    return "ours" if "dissensus" in asked.headers["user-agent"] else "theirs"


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    with pytest.MonkeyPatch.context() as patch, FakeProvider() as provider:
        patch.setenv(OURS, "sk-ours")
        yield Both(provider)


formats = pytest.mark.parametrize("spoken", list(ADAPTERS))
ways = pytest.mark.parametrize("way", ["whole", "streamed"])


@formats
@ways
@pytest.mark.parametrize("case", ANSWERS)
def test_text_thinking_tokens_and_end_are_what_the_sdk_reads(
    both: Both, spoken: Spoken, case: str, way: str
) -> None:
    theirs, ours = both.theirs[spoken][case][way], both.ours[spoken, case, way]
    assert "error" not in theirs
    if str(theirs["finish"]).startswith("blocked"):
        assert ours == {"kind": "content_policy"}
        return
    same = ("text", "reasoning", "usage", "finish", "model")
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    assert not ours["estimated"]
    assert (ours["refusal"] is not None) == (case in ("refused", "filtered"))


@formats
@pytest.mark.parametrize("case", ANSWERS)
def test_a_stream_is_read_as_the_answer_in_one_piece_is(both: Both, spoken: Spoken, case: str) -> None:
    whole, streamed = (
        {name: value for name, value in both.ours[spoken, case, way].items() if name != "echo"}
        for way in ("whole", "streamed")
    )
    assert whole == streamed


@formats
def test_what_the_provider_wants_back_is_kept(both: Both, spoken: Spoken) -> None:
    theirs = both.theirs[spoken]["thinking"]["streamed"]
    kept = [*theirs.get("encrypted", ()), *("c2ln" for _ in theirs.get("signatures", ()))]
    assert kept or spoken == "openai"
    for opaque in kept:
        assert opaque in both.ours[spoken, "thinking", "streamed"]["echo"]


@formats
@ways
@pytest.mark.parametrize("case", [*map(str, STATUSES), *BROKEN])
def test_where_the_sdk_raises_an_error_ours_is_of_that_kind(
    both: Both, spoken: Spoken, case: str, way: str
) -> None:
    theirs, kind = both.theirs[spoken][case][way], both.ours[spoken, case, way]["kind"]
    assert theirs["error"]
    kinds = KINDS.get(theirs["error"]) or BY_STATUS.get(theirs["status"])
    assert kinds is None or kind in kinds or case == "midway"
    if case in ("midway", "cut_in_event") and way == "streamed":
        assert kind == "broken_off"


@formats
@ways
@pytest.mark.parametrize("status", STATUSES)
def test_what_the_sdk_asks_again_for_we_ask_again_for(
    both: Both, spoken: Spoken, status: int, way: str
) -> None:
    if spoken == "gemini" and status in (409, 529):
        pytest.skip("Google's SDK takes what Google does not send for final; the others ask again")
    streamed = way == "streamed"
    theirs = both.requests["theirs", spoken, str(status), streamed]
    assert both.requests["ours", spoken, str(status), streamed] == theirs


@formats
def test_what_may_have_been_billed_is_not_asked_again_for_as_the_sdks_do(both: Both, spoken: Spoken) -> None:
    assert both.requests["ours", spoken, "closed", True] == 1


PLACES: dict[Spoken, tuple[str, ...]] = {
    "openai": ("response_format", "json_schema", "schema"),
    "responses": ("text", "format", "schema"),
    "anthropic": ("output_config", "format", "schema"),
    "gemini": ("generationConfig", "responseJsonSchema"),
}


@formats
def test_a_schema_is_sent_where_the_sdk_sends_it(both: Both, spoken: Spoken) -> None:
    assert both.theirs[spoken]["structured"]["whole"]["parsed"] == {"answer": 42}
    for ours in (True, False):
        place: Any = both.sent(spoken, "structured", ours=ours).body
        for name in PLACES[spoken]:
            place = place[name]
        assert place["properties"]["answer"]["type"] == "integer"


@formats
def test_the_key_is_sent_where_the_sdk_sends_it(both: Both, spoken: Spoken) -> None:
    theirs = both.sent(spoken, "plain", ours=False).headers
    ours = both.sent(spoken, "plain", ours=True).headers
    if spoken == "anthropic":
        # Its SDK sends a bearer's token by now, and a version that takes no temperature any more; the
        # API takes the key as it always did, and serves the version before.
        assert (ours["x-api-key"], ours["anthropic-version"]) == ("sk-ours", "2023-06-01")
        assert theirs["anthropic-version"] >= ours["anthropic-version"]
        return
    [(name, value)] = [(name, value) for name, value in theirs.items() if "sk-theirs" in value]
    assert ours[name] == value.replace("sk-theirs", "sk-ours")


def test_no_sdk_is_installed_where_we_are() -> None:
    assert not {"openai", "anthropic", "google.genai"} & sys.modules.keys()
