from __future__ import annotations

import asyncio
import gzip
import json
import pickle
import socket
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import stamina

from dissensus_agents.errors import MissingKey, ModelFailed, ProviderFailed, UnknownModel
from dissensus_agents.messages import Part, Reply, Request
from dissensus_agents.models.openai import OpenAIModel
from dissensus_agents.models.retries import Patience, retry_after
from dissensus_agents.models.transport import MOST_BYTES, Offline, Unavailable
from provider import Provider, Say, completion, fault

KEY = "sk-canary-0123456789abcdef0123456789"
ASKED = Request("You are terse.", (Part("Why?"),))
ONCE = Patience(attempts=1)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)


def a_model(provider: Provider | None = None, **options: Any) -> OpenAIModel:
    settings: dict[str, Any] = {
        "base_url": provider.url if provider else "https://api.example.com/v1",
        "key_env": "A_KEY",
        "patience": Patience(pause=0.001),
        **options,
    }
    return OpenAIModel("a-model", **settings)


def ask(model: OpenAIModel) -> Reply:
    return asyncio.run(model.answer(ASKED))


def failure(model: OpenAIModel, kind: type[ModelFailed] = ProviderFailed) -> ModelFailed:
    with pytest.raises(kind) as caught:
        ask(model)
    return caught.value


def test_a_refused_key_is_not_tried_again_and_the_error_names_its_variable(
    provider: Provider,
) -> None:
    provider.says(fault(401, f"Incorrect API key provided: {KEY}"))
    error = failure(a_model(provider))
    assert (error.context["status"], len(provider.received)) == (401, 1)
    assert error.message.endswith("answered 401: Incorrect API key provided: [key]")
    assert "A_KEY" in error.next_step
    assert error.context["model"] == "openai:a-model"


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_what_may_pass_is_tried_again_and_the_reply_says_so(provider: Provider, status: int) -> None:
    provider.says(fault(status), completion("at last"))
    reply = ask(a_model(provider))
    assert (reply.text, reply.notes) == ("at last", (f"asked again after: {status}",))


@pytest.mark.parametrize("status", [400, 402, 403, 404, 413, 422])
def test_what_cannot_pass_is_not_tried_again(provider: Provider, status: int) -> None:
    provider.says(fault(status, "no such thing"))
    error = failure(a_model(provider))
    assert not isinstance(error, Unavailable)
    assert (error.context["status"], len(provider.received)) == (status, 1)


def test_patience_ends_after_the_attempts_it_has(provider: Provider) -> None:
    provider.says(fault(503, "overloaded"))
    error = failure(a_model(provider, patience=Patience(attempts=3, pause=0.001)))
    assert isinstance(error, Unavailable)
    assert (len(provider.received), error.context.get("billed")) == (3, None)


def test_spent_credit_is_not_waited_for(provider: Provider) -> None:
    provider.says(fault(429, "You exceeded your current quota", code="insufficient_quota"))
    error = failure(a_model(provider))
    assert (len(provider.received), error.context["provider_code"]) == (1, "insufficient_quota")


@pytest.mark.parametrize("headers", [{"retry-after": "0.3"}, {"retry-after": "7", "retry-after-ms": "300"}])
def test_the_seconds_that_a_provider_asks_for_are_waited(provider: Provider, headers: dict[str, str]) -> None:
    assert waited(provider, headers) >= 0.3


def test_the_date_that_a_provider_asks_for_is_waited_for_by_its_own_clock(
    provider: Provider,
) -> None:
    there = datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)
    headers = {
        "date": format_datetime(there, usegmt=True),
        "retry-after": format_datetime(there + timedelta(seconds=1), usegmt=True),
    }
    assert waited(provider, headers) >= 1


def waited(provider: Provider, headers: dict[str, str]) -> float:
    """Seconds between a refusal and the next attempt."""

    async def between() -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await a_model(provider).answer(ASKED)
        return loop.time() - started

    provider.says(fault(429, "slow down", headers=headers), completion())
    passed = asyncio.run(between())
    assert len(provider.received) == 2
    return passed


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e400"}, None),
        ({"retry-after": "Wed, 01 Jan 2031 00:00:30 GMT"}, 30.0),
        ({"retry-after": "Tue, 31 Dec 2030 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 99 Jan 2031 00:00:30 GMT"}, None),
        ({"retry-after": "Wed, 01 Jan 2031 00:00:30 -0000"}, None),
        ({"retry-after": f"Wed, 01 Jan 2031 00:00:30 +{'9' * 30}"}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    ],
)
def test_a_wait_is_read_in_every_form_and_nonsense_is_none(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers, datetime(2031, 1, 1, tzinfo=UTC)) == seconds


def test_a_wait_beyond_patience_is_not_begun_but_told(provider: Provider) -> None:
    provider.says(fault(429, "come back tomorrow", headers={"retry-after": "86400"}))
    error = failure(a_model(provider))
    assert (len(provider.received), error.context["retry_after"]) == (1, 86400.0)
    assert error.next_step.startswith("It asks to wait 86,400 s")


def test_an_error_that_comes_as_a_success_is_an_error(provider: Provider) -> None:
    provider.says(Say(body=json.dumps({"error": {"message": "no credits", "code": 402}}).encode()))
    error = failure(a_model(provider))
    assert (error.context["status"], "no credits" in error.message) == (402, True)


@pytest.mark.parametrize("code", [429, "rate_limit_exceeded"])
def test_an_error_that_comes_as_a_success_and_may_pass_is_tried_again(provider: Provider, code: Any) -> None:
    body = json.dumps({"error": {"message": "busy", "code": code}}).encode()
    provider.says(Say(body=body), completion("at last"))
    assert ask(a_model(provider)).text == "at last"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<h1>Not here</h1>", "answered 404: <h1>Not here</h1>"),
        (b'{"detail": "No such model"}', "answered 404: No such model"),
        (b'{"message": "No such model"}', "answered 404: No such model"),
        (b'{"error": "No such model"}', "answered 404: No such model"),
        (b"", "answered 404: without a word"),
    ],
)
def test_an_error_is_told_in_the_words_of_the_server_whatever_their_form(
    provider: Provider, body: bytes, says: str
) -> None:
    provider.says(Say(404, body))
    error = failure(a_model(provider))
    assert error.message.endswith(says)
    assert error.next_step.startswith("Check the model's name")


def test_an_error_inside_of_a_choice_is_an_error(provider: Provider) -> None:
    choice = {"message": {"content": "Half an ans"}, "error": {"message": "upstream died"}}
    provider.says(Say(body=json.dumps({"choices": [choice]}).encode()))
    assert "upstream died" in failure(a_model(provider)).message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON: «»"),
        (b"<html>\x1b[31mBad gateway", "not JSON: «<html> [31mBad gateway»"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "no choices"),
        (b'{"choices": []}', "no choices"),
        (b'{"choices": [null]}', "no choices"),
        (b'{"choices": [{"message": "hi"}]}', "no choices"),
        (b'{"choices": {"0": 1}, "usage": 7}', "no choices"),
        (b'{"n": ' + b"9" * 5000 + b"}", "not JSON"),
    ],
)
def test_a_body_that_is_no_completion_is_a_clear_error_that_may_have_been_billed(
    provider: Provider, body: bytes, says: str
) -> None:
    provider.says(Say(body=body))
    error = failure(a_model(provider))
    assert says in error.message
    assert (error.context["billed"], len(provider.received)) == (True, 1)


def test_bytes_that_are_not_text_are_replaced_and_noted(provider: Provider) -> None:
    whole = completion("before XX after").body
    provider.says(Say(body=whole.replace(b"XX", b"\xff\xfe")))
    reply = ask(a_model(provider))
    assert reply.text == "before �� after"
    assert reply.notes == ("bytes that are not UTF-8 became U+FFFD",)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(provider: Provider, status: int) -> None:
    provider.says(Say(status, headers={"location": f"{provider.url}/elsewhere"}), completion())
    error = failure(a_model(provider))
    assert (error.context["status"], len(provider.received)) == (status, 1)
    assert "redirects elsewhere" in error.message


def test_a_body_over_the_bound_is_not_read_to_its_end(provider: Provider) -> None:
    provider.says(Say(body=b" " * (MOST_BYTES + 2**20)))
    assert "longer than 16 MiB" in failure(a_model(provider)).message


def test_a_small_body_that_unpacks_to_a_huge_one_is_not_unpacked(provider: Provider) -> None:
    packed = gzip.compress(b" " * (MOST_BYTES * 4))
    provider.says(Say(body=packed, headers={"content-encoding": "gzip"}))
    assert "longer than 16 MiB" in failure(a_model(provider)).message


def test_a_packed_body_is_unpacked(provider: Provider) -> None:
    packed = gzip.compress(completion("small").body)
    provider.says(Say(body=packed, headers={"content-encoding": "gzip"}))
    assert ask(a_model(provider)).text == "small"


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_body_that_cannot_be_unpacked_is_a_clear_error(provider: Provider, encoding: str) -> None:
    provider.says(Say(body=b"not packed", headers={"content-encoding": encoding}))
    assert "cannot be unpacked" in failure(a_model(provider)).message


@pytest.mark.parametrize("dawdling", [Say(delay=30), Say(body=b" " * 1000, drip=0.05)])
def test_a_server_that_is_too_slow_is_given_up_and_may_have_billed(provider: Provider, dawdling: Say) -> None:
    provider.says(dawdling)
    error = failure(a_model(provider, timeout=0.2, patience=ONCE), Unavailable)
    assert "did not answer in 0.2 s" in error.message
    assert error.context["billed"] is True


@pytest.mark.parametrize(
    "broken", [Say(silent=True), Say(body=b'{"choices"', length=500), Say(999, b"", {"x": "\n"})]
)
def test_what_may_have_been_billed_is_left_to_who_reserved_for_it(provider: Provider, broken: Say) -> None:
    said = Say(broken.status, broken.body, length=broken.length, silent=True)
    provider.says(said, completion("at last"))
    error = failure(a_model(provider))
    assert (error.context["billed"], len(provider.received)) == (True, 1)


def test_a_body_shorter_than_announced_is_not_taken_for_whole(provider: Provider) -> None:
    whole = completion().body
    provider.says(Say(body=whole, length=len(whole) + 10))
    error = failure(a_model(provider, patience=ONCE), Unavailable)
    assert "broke off" in error.message


def test_where_nothing_listens_the_error_says_so() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        error = failure(a_model(base_url=url, patience=ONCE), Unavailable)
    assert error.message.startswith(f"No connection to {url}/chat/completions")
    assert error.next_step.startswith("Check that the server runs")
    assert "billed" not in error.context


def test_without_its_key_nothing_is_sent_and_the_variable_is_named(provider: Provider) -> None:
    error = failure(a_model(provider, key_env="ANOTHER_KEY"), MissingKey)
    assert (error.exit_code, "ANOTHER_KEY" in error.message) == (13, True)
    assert "export ANOTHER_KEY=" in error.next_step
    assert provider.received == []


def test_a_local_server_needs_no_key_and_gets_one_if_there_is_one(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(a_model(provider, key_env="LOCAL_KEY", key_needed=False))
    monkeypatch.setenv("LOCAL_KEY", "secret\n")
    ask(a_model(provider, key_env="LOCAL_KEY", key_needed=False))
    ask(a_model(provider, key_env=None))
    sent = [received.headers.get("authorization") for received in provider.received]
    assert sent == [None, "Bearer secret", None]


@pytest.mark.parametrize("secret", ["two\nlines-0123456789", "smile-\u263a-0123456789", "correct horse"])
def test_a_key_that_no_header_can_bear_is_refused_without_being_shown(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("A_KEY", secret)
    error = failure(a_model(provider), MissingKey)
    assert secret.split(maxsplit=1)[0] not in str(error)
    assert provider.received == []


def echo(text: str) -> Say:
    return completion(text, reasoning_content=text)


def test_a_key_that_a_server_sends_back_is_kept_nowhere(
    provider: Provider, capfd: pytest.CaptureFixture[str]
) -> None:
    escaped = "".join(f"\\u{ord(one):04x}" for one in KEY)
    provider.says(fault(500, f"Bearer {KEY}"), echo(f"your key is {KEY}"))
    plain = ask(a_model(provider))
    provider.says(Say(body=echo("your key is HERE").body.replace(b"HERE", escaped.encode())))
    hidden = ask(a_model(provider))
    assert plain.text == plain.reasoning == hidden.text == hidden.reasoning == "your key is [key]"
    assert KEY not in f"{plain!r}{hidden!r}{a_model(provider)!r}{capfd.readouterr()}"


@pytest.mark.parametrize(
    "bad",
    [
        fault(401, f"{KEY} sk-proj-****7890"),
        fault(429, KEY),
        Say(body=KEY.encode()),
        Say(silent=True),
        Say(delay=30),
        Say(status=302, headers={"location": f"/{KEY}"}),
    ],
)
def test_no_key_is_in_an_error_its_causes_or_its_traceback(provider: Provider, bad: Say) -> None:
    provider.says(bad)
    error = failure(a_model(provider, patience=ONCE, timeout=0.2))
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = "".join(report.format())
    assert KEY not in f"{error}{error.as_dict()}{pickle.dumps(error)!r}{shown}"
    assert "7890" not in error.message


def test_words_that_local_servers_take_for_a_key_are_not_cut_out_of_answers(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "EMPTY")
    provider.says(completion("The set is EMPTY."))
    assert ask(a_model(provider)).text == "The set is EMPTY."


def test_a_providers_message_is_short_and_cannot_write_on_a_terminal(provider: Provider) -> None:
    provider.says(fault(400, "\x1b[2J\u202e" + "long " * 1000))
    message = failure(a_model(provider)).message
    assert message.isprintable()
    assert len(message) < 400


def test_a_user_and_password_in_a_url_are_not_shown(provider: Provider) -> None:
    provider.says(fault(400))
    model = a_model(base_url=provider.url.replace("://", "://me:hunter2@"))
    assert "hunter2" not in f"{failure(model)}{model!r}"


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://x/v1", "http://", "http://[::1", "http://x:99999"]
)
def test_a_base_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ProviderFailed, match="is no base URL"):
        a_model(base_url=url)


def test_a_dialect_that_nobody_speaks_is_refused_at_once() -> None:
    with pytest.raises(UnknownModel, match="No dialect is called 'klingon'"):
        a_model(dialect="klingon")


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_offline_nothing_leaves_this_machine(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DISSENSUS_OFFLINE", value)
    for url in ("https://api.example.com/v1", "http://10.0.0.1/v1", "http://localhost.example.com"):
        error = failure(a_model(base_url=url), Offline)
        assert "DISSENSUS_OFFLINE" in error.message


def test_offline_this_machine_may_be_asked(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISSENSUS_OFFLINE", "1")
    assert ask(a_model(provider)).text == "an answer"
    assert ask(a_model(base_url=provider.url.replace("127.0.0.1", "localhost"))).text == "an answer"


def test_a_retry_prints_nothing_where_no_log_was_set_up(
    provider: Provider, capfd: pytest.CaptureFixture[str]
) -> None:
    provider.says(fault(500), completion())
    ask(a_model(provider))
    assert capfd.readouterr() == ("", "")


def test_a_retry_is_seen_by_the_hooks_that_the_user_has_set(provider: Provider) -> None:
    seen: list[str] = []
    stamina.instrumentation.set_on_retry_hooks([lambda details: seen.append(str(details.caused_by))])
    try:
        provider.says(fault(500, "a moment"), completion())
        ask(a_model(provider))
    finally:
        stamina.instrumentation.set_on_retry_hooks(None)
    assert len(seen) == 1
    assert "a moment" in seen[0]


def test_only_one_module_knows_an_http_library() -> None:
    import dissensus_agents

    package = Path(next(iter(dissensus_agents.__path__)))
    knowing = {path.name for path in package.rglob("*.py") if "import httpx" in path.read_text("utf-8")}
    assert knowing == {"transport.py"}


@pytest.mark.parametrize(
    ("name", "value"), [("SSL_CERT_FILE", "/nowhere/certificates.pem"), ("ALL_PROXY", "gopher://x:1")]
)
def test_settings_that_allow_no_connection_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.delenv("DISSENSUS_OFFLINE")
    monkeypatch.setenv(name, value)
    error = failure(a_model(base_url="https://api.example.invalid/v1", patience=ONCE))
    assert error.message.startswith("No connection can be set up")
    assert "SSL_CERT_FILE" in error.next_step
