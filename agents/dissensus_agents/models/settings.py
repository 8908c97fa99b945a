"""`dissensus.toml`: what a project says of its models, found in its folder and read as untrusted text.

A key does not belong into it: it names the environment variable that holds one.
"""

from __future__ import annotations

import functools
import os
import tomllib
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from ..errors import SettingsRefused
from . import complaints
from .entries import FormatName, Shown
from .prices import Price, Tier

FILE = "dissensus.toml"
VARIABLE = "DISSENSUS_CONFIG"
MOST_BYTES = 256 * 1024
_REPOSITORY = (".git", ".hg", ".jj")

Usd = Annotated[Decimal, Field(ge=0, le=10**6, allow_inf_nan=False)]
Tokens = Annotated[int, Field(gt=0, le=10**9)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,59}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+\S*$", max_length=2000)]


def _day(value: Any) -> Any:
    """A day as TOML writes it, or as text."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return date.fromisoformat(value).isoformat()
    return value


Day = Annotated[str, BeforeValidator(_day)]


class Table(BaseModel):
    """A table of the file: what it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TierTable(Table):
    """What a model costs above a length of the prompt."""

    above: Tokens
    input: Usd
    output: Usd
    cached: Usd | None = None
    written: Usd | None = None


class PriceTable(Table):
    """What a model costs, in USD per million tokens."""

    input: Usd
    output: Usd
    cached: Usd | None = None
    written: Usd | None = None
    tiers: tuple[TierTable, ...] = ()
    source: Text | None = None
    since: Day | None = None

    def price(self, path: Path) -> Price:
        """The price that it says."""
        tiers = tuple(Tier(**tier.model_dump()) for tier in self.tiers)
        source = self.source or path.name
        return Price(self.input, self.output, self.cached, source, self.since or "", self.written, tiers)


class ModelTable(Table):
    """What the user says of one model."""

    like: Text | None = None
    price: PriceTable | None = None
    window: Tokens | None = None
    max_output: Tokens | None = None
    lineage: Text | None = None
    trusted: bool | None = None
    rpm: Tokens | None = None
    tpm: Tokens | None = None
    structured: bool | None = None
    tools: bool | None = None
    reasoning: Shown | None = None
    streaming: bool | None = None
    caching: bool | None = None
    deprecated: Day | Literal[True] | None = None
    instead: Text | None = None


class ProviderTable(Table):
    """A provider of the user's own, or what the user says of one that is known."""

    base_url: Url | None = None
    key_env: Variable | None = None
    format: FormatName | None = None
    dialect: Text | None = None
    local: bool | None = None
    trusted: bool | None = None
    rpm: Tokens | None = None
    tpm: Tokens | None = None
    models: tuple[Text, ...] = ()


class Defaults(Table):
    """How long and how often a model is asked, where a call says nothing else."""

    timeout: Annotated[float, Field(gt=0, le=86_400)] | None = None
    attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    seconds: Annotated[float, Field(ge=0, le=86_400)] | None = None
    pause: Annotated[float, Field(ge=0, le=3_600)] | None = None


class Document(Table):
    """The whole file."""

    models: dict[Text, ModelTable] = {}
    providers: dict[Word, ProviderTable] = {}
    aliases: dict[Word, Text | Annotated[tuple[Text, ...], Field(min_length=1, max_length=20)]] = {}
    defaults: Defaults = Defaults()


@dataclass(frozen=True, slots=True)
class Settings:
    """What the file says; without a file, nothing."""

    document: Document = field(default_factory=Document)
    path: Path | None = None

    @property
    def where(self) -> Path:
        """The file, to be named in prices and errors."""
        return self.path or Path(FILE)


def settings() -> Settings:
    """What `dissensus.toml` says: of this project, or the file that DISSENSUS_CONFIG names.

    Looked for in the current folder and, inside a repository, in those above it up to its root.

    Raises:
        SettingsRefused: It cannot be read, is no TOML, says something unknown, or holds a key.
    """
    path = _found()
    if path is None:
        return Settings()
    try:
        facts = path.stat()
    except OSError as error:
        raise SettingsRefused(f"{path} cannot be read: {error.strerror}") from error
    return _read(path, facts.st_mtime_ns, facts.st_size)


def _found() -> Path | None:
    named = os.environ.get(VARIABLE, "").strip()
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise SettingsRefused(
                f"{VARIABLE} names {named}, and there is no such file",
                next_step=f"Name a file, or unset {VARIABLE}",
            )
        return path
    files = (folder / FILE for folder in _folders())
    # Unlike pathlib's, these do not raise where a folder above may not be looked into.
    return next((file for file in files if os.path.isfile(file)), None)  # noqa: PTH113


def _folders() -> list[Path]:
    """The current folder, and those above it as far as the root of its repository."""
    try:
        here = Path.cwd()
    except OSError:
        return []
    above = [here, *here.parents]
    roots = [n for n, folder in enumerate(above) if _is_root(folder)]
    return above[: roots[0] + 1] if roots else [here]


def _is_root(folder: Path) -> bool:
    return any(os.path.exists(folder / name) for name in _REPOSITORY)  # noqa: PTH110 - as above


@functools.lru_cache(maxsize=16)
def _read(path: Path, _changed: int, size: int) -> Settings:
    if size > MOST_BYTES:
        raise SettingsRefused(f"{path} is longer than {MOST_BYTES // 1024} KiB")
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsRefused(f"{path} cannot be read: {error}") from error
    return Settings(parse(text, path), path)


def parse(text: str, path: Path) -> Document:
    """What a text in TOML says.

    Raises:
        SettingsRefused: It is no TOML, says something unknown, or holds a key; with the line.
    """
    try:
        said: dict[str, Any] = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsRefused(f"{path} is no TOML: {error}") from None
    complaints.refuse_keys(said, text, path)
    try:
        document = Document.model_validate(said)
    except ValidationError as error:
        raise complaints.refused(error, text, path, Document) from None
    complaints.refuse_borrowed_keys(document.providers, text, path)
    complaints.refuse_unknown_providers(document.models, document.providers, text, path)
    return document
