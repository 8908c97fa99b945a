"""Thirty secrets, each on a way of its own through everything, and where they are looked for afterwards."""

from __future__ import annotations

import base64
import io
import json
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from rich.console import Console
from rich.traceback import Traceback

from dissensus.testing import Answer, Fault, Raw, Received
from dissensus_state import tables
from dissensus_state.blobs import unpack
from dissensus_state.engines import Database
from dissensus_state.errors import DissensusError


def secret(name: str) -> str:
    """A key that stands nowhere else: with what URLs and JSON write otherwise."""
    digits = base64.b32encode(f"canary {name}".encode()).decode().strip("=").lower()
    return f"sk-{digits}/Z{len(name)}q"


PROVIDERS = {
    "openai": "OPENAI_API_KEY",
    "openai-responses": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "groq": "GROQ_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "together": "TOGETHER_API_KEY",
    "azure": "AZURE_OPENAI_API_KEY",
    "ollama": "OLLAMA_API_KEY",
    "vllm": "VLLM_API_KEY",
    "llamacpp": "LLAMA_API_KEY",
}
"""Every provider, and where its key is read from."""

ECHOES = (
    "text",
    "reasoning",
    "error message",
    "error code",
    "header",
    "retry-after",
    "location",
    "split stream",
    "escaped",
    "tool call",
    "refusal",
    "broken off",
    "malformed",
)
"""Where a server puts the key that it was sent."""

ELSEWHERE = (
    "user in the URL",
    "password in the URL",
    "query in the URL",
    "proxy",
    "database",
    "client's header",
)

NAMES = (*sorted(set(PROVIDERS.values())), *ECHOES, *ELSEWHERE)
SECRETS = {name: secret(name) for name in NAMES}


def said_to(asked: Received) -> Answer | Fault | Raw:
    """What a server says that gives every key back, in the way that the model's name asks for."""
    headers = {name.lower(): value for name, value in asked.headers.items()}
    names = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
    key = next((headers[name] for name in names if name in headers), "none").removeprefix("Bearer ")
    answer = json.dumps({"note": f"so {key} it is", "reasoning": f"I was sent {key}."})
    escaped = "".join(f"\\u{ord(one):04x}" for one in key)
    slashed = key.replace("/", "\\/")
    error = {"error": {"message": f"Incorrect API key provided: {key}", "code": "bad_key", "type": "x"}}
    coded = {"error": {"message": "no", "code": key, "type": key}}
    ways: dict[str, Answer | Fault | Raw] = {
        "reasoning": Answer(answer, reasoning=f"My key is {key}, in two: {key[:9]} {key[9:]}", piece=5),
        "error-message": Raw.json(error, 401),
        "error-code": Raw.json(coded, 400),
        "header": Answer(answer, headers={"x-ratelimit-remaining-requests": key, "x-request-id": key}),
        "retry-after": Raw.json({"error": {"message": "slow"}}, 429, headers={"retry-after": key}),
        "location": Raw(302, headers={"location": f"http://127.0.0.1:1/{key}"}),
        "split-stream": Answer(answer, piece=3),
        "escaped": Answer(f'{{"note": "{escaped}", "reasoning": "{slashed}"}}', piece=7),
        "tool-call": Answer(None, tool=("answer", {"note": key, "reasoning": key})),
        "refusal": Answer(None, refusal=f"I will not say {key}."),
        "broken-off": Raw(
            body=[b'data: {"choices":[{"index":0,"delta":{"content":"' + key.encode() + b'"}}]}\n\n'],
            headers={"content-type": "text/event-stream"},
            chunked=True,
            ending="reset",
        ),
        "malformed": Raw(body=b"<html>" + key.encode() + b"</html>", headers={"content-type": "text/html"}),
    }
    return ways.get(asked.model.removeprefix("m-"), Answer(answer, reasoning=f"With {key}."))


def forms(text: str) -> set[bytes]:
    """A secret as it may stand somewhere: as it is, in URLs, in JSON, in base64 at each of three places."""
    whole = {text, quote(text), quote(text, safe=""), json.dumps(text)[1:-1], text.replace("/", "\\/")}
    whole |= {"".join(f"\\u{ord(one):04x}" for one in text), text[:-2]}
    plain = {form.encode() for form in whole}
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + text.encode())
        plain |= {coded[4 if shift else 0 : len(coded) // 4 * 4 - 4]}
    return plain


@dataclass(repr=False)  # it stands in frames whose locals are looked at
class Searched:
    """Where what was found, by secret."""

    secrets: Mapping[str, str] = field(default_factory=lambda: SECRETS)
    found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._forms = {name: forms(text) for name, text in self.secrets.items()}

    def look(self, data: bytes | str, where: str) -> None:
        """Look for every secret in some bytes."""
        body = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        self.found += [
            f"{name}: {where}" for name, known in self._forms.items() if any(one in body for one in known)
        ]

    def files(self, folder: Path, but: Iterable[Path] = ()) -> int:
        """Look through all files of a folder; how many they were."""
        looked = 0
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path not in but:
                self.look(path.read_bytes(), path.name)
                looked += 1
        return looked

    def rows(self, url: str) -> int:
        """Look through every column of every table, unpacked; how many values they were."""
        database = Database(url)
        looked = 0
        with database.engine.connect() as connection:
            for name, table in tables.metadata.tables.items():
                for row in connection.execute(sa.select(table)):
                    for column, value in row._mapping.items():
                        for data in _readings(value):
                            self.look(data, f"{name}.{column}")
                            looked += 1
        database.close()
        return looked

    def error(self, error: BaseException) -> None:
        """Look at all that a traceback can be made to tell, with the locals of every frame."""
        for told in tracebacks(error):
            self.look(told, f"traceback of {type(error).__name__}")
        if isinstance(error, DissensusError):
            self.look(repr(error.as_dict()), "an error as a dictionary")


def tracebacks(error: BaseException) -> Iterator[str]:
    """A traceback with locals, as the standard library and as rich show it."""
    yield "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    written = io.StringIO()
    shown = Traceback.from_exception(
        type(error), error, error.__traceback__, show_locals=True, locals_max_string=10_000
    )
    Console(file=written, width=400, force_terminal=False).print(shown)
    yield written.getvalue()


def _readings(value: Any) -> Iterator[bytes | str]:
    if not isinstance(value, bytes | memoryview):
        yield str(value)
        return
    yield bytes(value)
    try:
        yield unpack(bytes(value))
    except DissensusError:
        return
