"""Finds a model by its name, `provider:model`, and says what is known of it.

Whoever says something, in this order: the argument, the user's `dissensus.toml`, the corrections that
are built in, genai-prices where it is installed, the small built-in table. What none of them says is
unknown, and never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any

from ..errors import UnknownModel
from . import retries, transport
from .abilities import abilities_of
from .client import Model
from .entries import Deprecated, Entry
from .known import KNOWN, SEEN, corrections_of, end_of, known_of, names_of
from .lineages import lineage_of
from .listed import listed
from .making import made
from .prices import FREE, Price
from .providers import PROVIDERS, SYNONYMS, Provider, address_of
from .settings import ModelTable, ProviderTable, Settings, settings
from .texts import shown

LONGEST_NAME = 200
TIMEOUT = 300.0
MOST_ALIASES = 8

_ABILITIES = ("structured", "tools", "reasoning", "streaming", "caching")


def resolve(
    name: str,
    *,
    base_url: str = "",
    key_env: str | None = None,
    lineage: str = "",
    price: Price | None = None,
    timeout: float | None = None,
    patience: retries.Patience | None = None,
    client: Any = None,
    trusted: bool | None = None,
) -> Model:
    """The model of a name such as `openai:gpt-4o-mini`, `ollama:llama3.1:8b`, or an alias.

    Nothing is asked and no key is read yet. What is not given here is taken from the catalogue
    (`describe`).

    Args:
        name: Provider and model, or an alias of `dissensus.toml`.
        base_url: Where to ask, instead of the provider's own address.
        key_env: The environment variable with the key, instead of the provider's.
        lineage: What the model was made from, where its name does not tell.
        price: What it costs, where the catalogue does not know.
        timeout: Seconds for one attempt; by default 300.
        patience: How often and how long to try.
        client: An `AsyncClient` of your own.
        trusted: Whether it may be shown what is sensitive; by default as the catalogue says.

    Raises:
        UnknownModel: No such provider or alias, or the name is not `provider:model`.
        ProviderFailed: The base URL is none.
        SettingsRefused: `dissensus.toml` cannot be used.
    """
    said = settings()
    defaults = said.document.defaults
    given = {
        "timeout": timeout or defaults.timeout or TIMEOUT,
        "patience": patience or _patience(said),
        "client": client,
    }
    names = names_for(name, said)
    facts = {"base_url": base_url, "key_env": key_env, "lineage": lineage, "price": price, "trusted": trusted}
    models = [_made(describe(one, said=said, **facts), said, given) for one in names]  # type: ignore[arg-type]
    return models[0] if len(models) == 1 else _failover(name, models)


def _made(entry: Entry, said: Settings, given: dict[str, Any]) -> Model:
    """The model of an entry, which must say where it is served."""
    if not entry.address:
        url_env = providers_of(said)[entry.provider].url_env
        raise UnknownModel(
            f"{entry.provider} needs to know where {entry.model} is served",
            next_step=f"Give base_url=, or {f'set {url_env}' if url_env else f'write it into {said.where}'}",
        )
    return made(entry, **given)


def names_for(name: str, said: Settings | None = None) -> list[str]:
    """The models that a name stands for: itself, or what its alias leads to, in that order.

    Raises:
        UnknownModel: The alias leads back to itself.
    """
    said = said or settings()
    return list(dict.fromkeys(_followed(name.strip(), said, ())))


def _followed(name: str, said: Settings, way: tuple[str, ...]) -> list[str]:
    target = said.document.aliases.get(name)
    if target is None:
        return [name]
    if name in way or len(way) >= MOST_ALIASES:
        raise UnknownModel(
            f"The alias {name!r} leads back to itself: {' -> '.join((*way, name))}",
            next_step=f"Mend [aliases] in {said.where}",
        )
    several = (target,) if isinstance(target, str) else target
    return [one for inner in several for one in _followed(inner, said, (*way, name))]


def describe(
    name: str,
    *,
    base_url: str = "",
    key_env: str | None = None,
    lineage: str = "",
    price: Price | None = None,
    trusted: bool | None = None,
    day: date | None = None,
    said: Settings | None = None,
) -> Entry:
    """What the catalogue says of a model. Nothing is asked.

    Args:
        name: `provider:model`.
        base_url: Where it is asked, instead of the provider's own address.
        key_env: The environment variable with the key, instead of the provider's.
        lineage: What it was made from.
        price: What it costs.
        trusted: Whether it may be shown what is sensitive.
        day: The day whose prices count; by default today, in UTC.
        said: The settings; by default the project's.

    Raises:
        UnknownModel: No such provider, or the name is not `provider:model`.
        SettingsRefused: `dissensus.toml` cannot be used.
    """
    said = said or settings()
    provider, model = _parse(name, said)
    entry = _bare(provider, model, base_url, key_env)
    entry = _learnt(entry, provider, day or datetime.now(UTC).date(), said)
    entry = _told(entry, said)
    given: dict[str, Any] = {"lineage": lineage, "price": price, "trusted": trusted}
    said_here = {name: value for name, value in given.items() if value or value is False}
    entry = _with(entry, said_here, "argument")
    return entry if entry.lineage else replace(entry, lineage=entry.name)


def known(model: Model) -> Entry | None:
    """What the catalogue says of a model in use; None where it has no such name, as of a model of one's own.

    Raises:
        SettingsRefused: `dissensus.toml` cannot be used.
    """
    try:
        return replace(describe(model.name, lineage=model.lineage), price=model.price)
    except UnknownModel:
        return None


def entries(*, day: date | None = None) -> list[Entry]:
    """Every model that the small table or the user's settings name, by provider and name."""
    said = settings()
    names = [f"{provider}:{model}" for provider, model in KNOWN]
    own = [f"{name}:{model}" for name, table in said.document.providers.items() for model in table.models]
    every = dict.fromkeys((*names, *said.document.models, *own))
    return [describe(name, day=day, said=said) for name in sorted(every)]


def providers_of(said: Settings) -> Mapping[str, Provider]:
    """The providers that are known, and those of the user's settings."""
    own = {name: _own(name, table) for name, table in said.document.providers.items()}
    return {**PROVIDERS, **own}


def _own(name: str, table: ProviderTable) -> Provider:
    """A provider of the settings: a new one, or a known one with what the user says of it."""
    known = PROVIDERS.get(name) or Provider(name, "", (), "", dialect="openai-compatible", key_needed=False)
    changes: dict[str, Any] = {
        "base_url": table.base_url,
        "key_envs": None if table.key_env is None else (table.key_env,),
        "key_needed": True if table.key_env else None,
        "format": table.format,
        "dialect": table.dialect,
        "local": table.local,
    }
    return replace(known, **{key: value for key, value in changes.items() if value is not None})


def _parse(name: str, said: Settings) -> tuple[Provider, str]:
    given, colon, model = name.strip().partition(":")
    wanted = given.strip().lower()
    known = providers_of(said)
    provider = known.get(wanted) or known.get(SYNONYMS.get(wanted, ""))
    if not colon or provider is None:
        raise _unknown(name, said)
    if not model.isprintable() or not model or " " in model or len(name) > LONGEST_NAME:
        raise UnknownModel(f"{shown(repr(name), 80)} names no model of {provider.name}")
    return provider, model


def _bare(provider: Provider, model: str, base_url: str, key_env: str | None) -> Entry:
    """A model as its provider alone tells it."""
    address = base_url or address_of(provider)
    local = provider.local and not _elsewhere(provider, model)
    dialect = provider.dialect or provider.name
    return Entry(
        name=f"{provider.name}:{model}",
        provider=provider.name,
        model=model,
        format=provider.format,
        dialect=dialect,
        address=address,
        key_env=key_env or provider.key_env,
        key_needed=bool(key_env) or (provider.key_needed and not provider.local and bool(provider.key_envs)),
        local=local,
        lineage="",
        abilities=abilities_of(model, dialect, provider.format),
        trusted=local and transport.is_local(transport.parse_url(address)),
    )


def _elsewhere(provider: Provider, model: str) -> bool:
    """Whether a local server hands a model's prompts on: Ollama does, for those that it calls cloud."""
    return provider.name == "ollama" and model.endswith(("-cloud", ":cloud"))


def _learnt(entry: Entry, provider: Provider, day: date, said: Settings) -> Entry:
    """The entry with what the tables say: of the model itself, or of the one that the user says it is."""
    like = (_table(said, entry) or ModelTable()).like
    if like is not None:
        source, model = _parse(like, said)
        entry = replace(entry, abilities=abilities_of(model, source.dialect or source.name, entry.format))
    else:
        source, model = provider, entry.model
    entry = _with(entry, {"lineage": lineage_of(model)}, "built-in")
    entry = _from_lists(entry, source, model, day)
    if entry.local:
        return _with(entry, {"price": FREE}, "a server of one's own")
    lists = PROVIDERS.get(source.name)
    is_sold_there = like is not None or (lists is not None and entry.address == lists.base_url)
    return entry if is_sold_there else replace(entry, price=None, sources=_without(entry, "price"))


def _without(entry: Entry, name: str) -> dict[str, str]:
    return {key: source for key, source in entry.sources.items() if key != name}


def _from_lists(entry: Entry, provider: Provider, model: str, day: date) -> Entry:
    """The entry with the small table, then what genai-prices says instead, then what corrects both."""
    known, row = known_of(provider.table, model), listed(provider.listed, model, day)
    if known is not None:
        facts = {"window": known.window, "max_output": known.max_output, "price": known.price(day)}
        entry = _with(entry, facts, f"built-in, {SEEN}")
    if row is not None:
        facts = {"window": row.window, "price": row.price}
        entry = _with(entry, {**facts, "deprecated": Deprecated() if row.deprecated else None}, row.source)
    end = {"deprecated": end_of(provider.table, model)}
    return _with(entry, {**corrections_of(provider.table, model), **end}, f"built-in, {SEEN}")


def _told(entry: Entry, said: Settings) -> Entry:
    """The entry with what the user's settings say of its provider and of itself."""
    provider = said.document.providers.get(entry.provider)
    if provider is not None:
        named = {name: getattr(provider, name) for name in ("trusted", "rpm", "tpm")}
        entry = _with(entry, _said(named), str(said.where))
    table = _table(said, entry)
    if table is None:
        return entry
    plain = ("window", "max_output", "lineage", "trusted", "rpm", "tpm")
    facts = {name: getattr(table, name) for name in plain}
    facts["price"] = table.price and table.price.price(said.where)
    facts["deprecated"] = _deprecated(table)
    abilities = _said({name: getattr(table, name) for name in _ABILITIES})
    if abilities:
        facts["abilities"] = replace(entry.abilities, **abilities)
    return _with(entry, _said(facts), str(said.where))


def _table(said: Settings, entry: Entry) -> ModelTable | None:
    """What the user says of a model, by its name; of `openai-responses:x` also by `openai:x`."""
    tables = said.document.models
    known = PROVIDERS.get(entry.provider)
    prefixes = (entry.provider, known.table) if known else (entry.provider,)
    names = [f"{prefix}:{model}" for prefix in prefixes for model in names_of(entry.model)]
    return next((tables[name] for name in names if name in tables), None)


def _deprecated(table: ModelTable) -> Deprecated | None:
    if table.deprecated is None:
        return None
    return Deprecated("" if table.deprecated is True else table.deprecated, table.instead or "")


def _said(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}


def _with(entry: Entry, facts: Mapping[str, Any], source: str) -> Entry:
    """The entry with facts, where there are some, and who says them."""
    known = {name: value for name, value in facts.items() if value not in (None, "")}
    sources = {name: _source(value, source) for name, value in known.items()}
    return replace(entry, **known, sources={**entry.sources, **sources})


def _source(value: Any, source: str) -> str:
    return value.source or source if isinstance(value, Price) else source


def _unknown(name: str, said: Settings) -> UnknownModel:
    close = _close_to(name, said)
    instead = f"Did you mean {' or '.join(close)}? " if close else ""
    return UnknownModel(
        f"{shown(repr(name), 80)} is no model that is known here",
        next_step=f"{instead}Write provider:model, with one of {', '.join(providers_of(said))}",
    )


def _close_to(name: str, said: Settings) -> list[str]:
    """Known names like this one: of a provider before a colon, else of an alias or a model."""
    given, colon, model = name[:LONGEST_NAME].strip().partition(":")
    if colon:
        near = get_close_matches(given.lower(), [*providers_of(said), *SYNONYMS], n=1)
        return [f"{SYNONYMS.get(one, one)}:{model}" for one in near if model]
    known = {model: f"{provider}:{model}" for provider, model in reversed(KNOWN)}
    known.update((alias, alias) for alias in said.document.aliases)
    return [known[one] for one in get_close_matches(given, known, n=2)]


def _patience(said: Settings) -> retries.Patience:
    defaults = said.document.defaults
    named = {name: getattr(defaults, name) for name in ("attempts", "seconds", "pause")}
    return replace(retries.PATIENCE, **_said(named))


def _failover(name: str, models: list[Model]) -> Model:
    raise UnknownModel(
        f"{name} stands for {len(models)} models, and one is needed here",
        next_step=f"Give the alias to an agent, which asks one after the other, or name one of "
        f"{', '.join(model.name for model in models)}",
    )
