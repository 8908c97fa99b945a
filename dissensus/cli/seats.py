"""Models as they are named on the command line for the seats of a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import Misuse
from .schemas import load

if TYPE_CHECKING:
    from dissensus_agents.graph import AgentGraph

MOST_TEXT = 1_000_000
"""Bytes of a file that a prompt is read from."""


def swaps_of(graph: AgentGraph, given: Iterable[str]) -> dict[str, Any]:
    """Models by seat, as `--swap SEAT=MODEL` gives them; several, by commas, stand in for each other.

    Raises:
        Misuse: no seat or no model is named, or there is no such model.
    """
    pairs = _pairs("--swap", given, "--swap analyst=ollama:llama3.1")
    return {seat: models_of(graph, text) for seat, text in pairs.items()}


def models_of(graph: AgentGraph, text: str) -> Any:
    """The models that a text names: as they sit in the graph, `provider:model`, `MODULE:NAME`, or an alias.

    Raises:
        Misuse: there is none.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise Misuse("No model is named", next_step="Write it as provider:model, or as MODULE:NAME")
    found = [_model(graph, name) for name in names]
    return found[0] if len(found) == 1 else found


def _model(graph: AgentGraph, name: str) -> Any:
    from dissensus_agents.models.catalog import providers_of
    from dissensus_agents.models.providers import SYNONYMS
    from dissensus_agents.models.settings import settings

    seated = (one for step in graph.steps.values() for seat in step.candidates for one in seat.models)
    there = {model.name: model for model in seated}
    if name in there:
        return there[name]
    provider, colon, _ = name.partition(":")
    if not colon or provider.strip().lower() in {*providers_of(settings()), *SYNONYMS}:
        return name
    try:
        return load(name)
    except Misuse as error:
        raise Misuse(
            f"{name} is no model of a known provider, and none that sits in the graph: {error.message}",
            next_step=f"The graph has {', '.join(there) or 'none'}; else write provider:model or MODULE:NAME",
        ) from error


def prompts_of(given: Iterable[str]) -> dict[str, str]:
    """Roles by seat, as `--prompt SEAT=TEXT|@FILE` gives them.

    Raises:
        Misuse: no seat or no text is named, or the file cannot be read.
    """
    pairs = _pairs("--prompt", given, "--prompt analyst=@role.txt")
    return {seat: _text(text) for seat, text in pairs.items()}


def _text(text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        with Path(text[1:]).open("rb") as file:
            read = file.read(MOST_TEXT + 1)
        if len(read) > MOST_TEXT:
            raise Misuse(f"{text[1:]} has more than {MOST_TEXT:,} bytes", next_step="Give a shorter prompt")
        return read.decode("utf-8")
    except (OSError, ValueError) as error:
        raise Misuse(
            f"{text[1:]} cannot be read: {error}", next_step="Give TEXT, or @FILE in UTF-8"
        ) from error


def _pairs(option: str, given: Iterable[str], example: str) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    for text in given:
        seat, equals, value = text.partition("=")
        if not seat.strip() or not equals or not value.strip():
            raise Misuse(f"{option} {text} names no seat, or nothing for it", next_step=f"Write {example}")
        pairs[seat.strip()] = value
    return pairs
