"""Answers that are broken on the wire or in their form: a request in, bytes and misdeeds out."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from .answers import Answer, Raw, Received
from .speaking import STREAM, error_event, events, said, spoken_in, streamed, trouble, whole
from .speech import written

Breaking: TypeAlias = Callable[[Received], Raw]

_SOUND = Answer("a sound answer that is long enough to be cut 🌍 somewhere", reasoning="thinking about it")
_BOMB = 1024 * 1024 * 1024
_ENDLESS = 100
_MIB = 1024 * 1024
_HTML = b"<!doctype html><html><head><title>Welcome</title></head><body>Sign in</body></html>"
_JSON = {"content-type": "application/json"}


def body_of(asked: Received) -> bytes:
    """A sound answer as the bytes of its body, whole or as a stream."""
    if asked.streamed:
        return b"".join(map(written, events(_SOUND, asked)))
    return json.dumps(whole(_SOUND, asked), ensure_ascii=False).encode()


def _plain(asked: Received) -> dict[str, str]:
    return dict(STREAM) if asked.streamed else dict(_JSON)


def cut(asked: Received, at: int, ending: Any = "close") -> Raw:
    """The first bytes of a sound answer, then the end of the connection, in the middle of a chunked body."""
    body = body_of(asked)
    return Raw(body=[body[: at % len(body)]], chunked=True, headers=_plain(asked), ending=ending)


def reset_midway(asked: Received) -> Raw:
    """Half of it, then a reset."""
    return cut(asked, len(body_of(asked)) // 2, "reset")


def stalled(asked: Received) -> Raw:
    """Half of it, then nothing more."""
    return cut(asked, len(body_of(asked)) // 2, "hang")


def cut_in_event(asked: Received) -> Raw:
    """The connection closes within an event."""
    body = body_of(asked)
    middle = body.find(b"data: ", len(body) // 2)
    return cut(asked, middle + 9 if middle > 0 else len(body) // 2)


def cut_in_character(asked: Received) -> Raw:
    """The connection closes after two of the four bytes of a character."""
    return cut(asked, body_of(asked).find("🌍".encode()) + 2)


def no_end(asked: Received) -> Raw:
    """A stream that ends in good order without saying so; in one piece, JSON that does."""
    if not asked.streamed:
        return Raw(body=body_of(asked)[:-1])
    # What says so is the reason for it, in the last event but one where another one follows.
    ends = {"openai": 2, "responses": 1, "anthropic": 2, "gemini": 1}[spoken_in(asked)]
    told = [event for event in events(_SOUND, asked) if not _counts(event[1])]
    return streamed(told[:-ends])


def _counts(data: Any) -> bool:
    return isinstance(data, dict) and data.get("choices") == []


def duplicated(asked: Received) -> Raw:
    """Every event twice; in one piece, one body after the other."""
    if not asked.streamed:
        return Raw(body=body_of(asked) * 2)
    return streamed([event for event in events(_SOUND, asked) for _ in range(2)])


def out_of_order(asked: Received) -> Raw:
    """The events from the last to the first; in one piece, a body without its beginning."""
    if not asked.streamed:
        return Raw(body=body_of(asked)[1:])
    return streamed(events(_SOUND, asked)[::-1])


def _as_data(text: bytes) -> Breaking:
    """The same text as a body or as the data of the only event."""
    return lambda asked: Raw(
        body=b"data: " + text + b"\n\n" if asked.streamed else text, headers=_plain(asked)
    )


malformed_json = _as_data(b'{"choices": [{"message": {"content": "unquoted}')
json_array = _as_data(b'[{"text": "an answer"}]')
json_null = _as_data(b"null")
deep_json = _as_data(b'{"a":' * 20_000)


def wrong_types(asked: Received) -> Raw:
    """The right names with values of other types."""
    wrong = dict.fromkeys(("choices", "output", "content", "candidates", "message", "response", "delta"), 7)
    if not asked.streamed:
        return Raw.json({**wrong, "usage": "many", "usageMetadata": "many"})
    kinds = {"responses": "response.completed", "anthropic": "message_start"}
    kind = kinds.get(spoken_in(asked), "")
    return streamed([(kind, {**wrong, "type": kind, "usage": "many"})])


def empty(_asked: Received) -> Raw:
    """Status 200 and nothing."""
    return Raw(body=b"")


def error_with_200(asked: Received) -> Raw:
    """An error whose status says that all is well."""
    raw = trouble("server", asked, status=200)
    if not asked.streamed:
        return raw
    return streamed([error_event("server", asked)])


def error_midway(name: str) -> Breaking:
    """An error event in the middle of a stream; in one piece, where there is none, the end in the middle."""

    def make(asked: Received) -> Raw:
        if not asked.streamed:
            return cut(asked, len(body_of(asked)) // 2)
        told = events(_SOUND, asked)
        return streamed([*told[: len(told) // 2], error_event(name, asked)])

    return make


def endless(asked: Received) -> Raw:
    """An answer of 100 MB, made while it is sent."""
    return Raw(body=_endless(asked), chunked=True, headers=_plain(asked))


def _endless(asked: Received) -> Iterator[bytes]:
    filler = b"x" * _MIB
    if not asked.streamed:
        before, _, after = json.dumps(whole(Answer("SPLIT"), asked)).encode().partition(b"SPLIT")
        yield before
        for _ in range(_ENDLESS):
            yield filler
        yield after
        return
    told = list(map(written, events(Answer("SPLIT"), asked)))
    [place] = [number for number, event in enumerate(told) if b"SPLIT" in event][:1]
    yield from told[:place]
    big = told[place].replace(b"SPLIT", b"x" * (64 * 1024))
    for _ in range(_ENDLESS * 16):
        yield big
    yield from told[place + 1 :]


def gzip_bomb(asked: Received) -> Raw:
    """A megabyte that unpacks to a gigabyte."""
    return Raw(body=_bomb(), headers={**_plain(asked), "content-encoding": "gzip"}, chunked=True)


def _bomb() -> Iterator[bytes]:
    packer = zlib.compressobj(9, wbits=31)
    yield packer.compress(b'data: {"a":"') + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush nothing refers back, so that the same bytes can be sent again and again.
    packed = packer.compress(b"x" * _MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(_BOMB // _MIB):
        yield packed
    yield packer.flush()


def bad_gzip(asked: Received) -> Raw:
    """Said to be packed, and is not."""
    return Raw(body=body_of(asked), headers={**_plain(asked), "content-encoding": "gzip"})


def redirect_loop(asked: Received) -> Raw:
    """Look at the same place."""
    return Raw(307, headers={"location": asked.path})


def wrong_length(by: int) -> Breaking:
    """A content-length that is so much too long."""

    def make(asked: Received) -> Raw:
        body = body_of(asked)
        return Raw(body=body, length=len(body) + by, headers=_plain(asked), ending="close")

    return make


def wrong_content_type(asked: Received) -> Raw:
    """A sound answer that calls itself a picture."""
    return Raw(body=body_of(asked), headers={"content-type": "image/png"})


def slow_loris(asked: Received) -> Raw:
    """One byte a second."""
    body = body_of(asked)
    return Raw(body=(body[n : n + 1] for n in range(len(body))), pause=1.0, headers=_plain(asked))


def bad_utf8(asked: Received) -> Raw:
    """A text with a byte that is none."""
    return Raw(body=body_of(asked).replace("🌍".encode(), b"\xff"), headers=_plain(asked))


def unknown_events(asked: Received) -> Raw:
    """Comments and events of a kind that nobody has heard of between the sound ones."""
    if not asked.streamed:
        return said(Answer(_SOUND.text, extra={"something_new": {"x": [1]}}), asked)
    told = [piece for event in events(_SOUND, asked) for piece in (b": keep-alive\n\n", written(event))]
    if spoken_in(asked) in ("responses", "anthropic"):
        told.insert(2, b'event: something.new\ndata: {"type": "something.new"}\n\n')
    return Raw(body=told, chunked=True, headers=STREAM)


def absurd_usage(asked: Received) -> Raw:
    """Tokens below nothing and beyond counting."""
    absurd = {
        "prompt_tokens": -5,
        "completion_tokens": 10**30,
        "input_tokens": -5,
        "output_tokens": 10**30,
        "promptTokenCount": -5,
        "candidatesTokenCount": 10**30,
    }
    field = "usageMetadata" if asked.format == "gemini" else "usage"
    if not asked.streamed:
        return Raw.json({**whole(_SOUND, asked), field: absurd})
    return streamed([(name, _with_usage(data, field, absurd)) for name, data in events(_SOUND, asked)])


def _with_usage(data: Any, field: str, absurd: dict[str, int]) -> Any:
    if not isinstance(data, dict):
        return data
    inner = {name: _with_usage(data[name], field, absurd) for name in ("message", "response") if name in data}
    return {**data, **inner, field: absurd} if field in data else {**data, **inner}


def html(status: int) -> Breaking:
    """A page for people."""
    return lambda _asked: Raw(status, _HTML, headers={"content-type": "text/html"})


def answered(answer: Answer) -> Breaking:
    """A whole answer, which is the fault itself."""
    return lambda asked: said(answer, asked)


def content_policy(asked: Received) -> Raw:
    """The provider's filter: an error, but at Google an answer without a candidate."""
    if asked.format == "gemini":
        return said(Answer(finish="content_filter"), asked)
    return trouble("content_policy", asked)
