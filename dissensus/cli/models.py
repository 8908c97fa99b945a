"""`models`: which models there are, what is known of each, and what each can do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from . import model_pages
from .border import situation
from .options import as_json as json_option
from .options import examples, tenant
from .output import note, show

if TYPE_CHECKING:
    from dissensus_agents.models.client import Model
    from dissensus_agents.models.entries import Entry
    from dissensus_agents.models.local import Server
    from dissensus_agents.models.prices import Price, Tier
    from dissensus_agents.trials import Trial

    from .data import Data


class _Listing(click.Group):
    """A group that lists where none of its commands is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else ["list", *args])


@click.group(
    cls=_Listing,
    epilog=examples("dissensus models", "dissensus models claude --json", "dissensus models check"),
)
def models() -> None:
    """List models, show one, or try them.

    Without a command it lists. What your dissensus.toml says of a model goes before what is known here.
    """


@models.command(
    "list", epilog=examples("dissensus models list gpt", "dissensus models list --available --json")
)
@json_option
@click.option("--available", "only", is_flag=True, help="Only what can be asked here and now, best first.")
@click.option("--provider", metavar="NAME", help="Only what this provider serves.")
@click.argument("text", required=False)
def list_command(*, text: str | None, only: bool, provider: str | None, as_json: bool) -> None:
    """List models: prices, window, what each can do.

    TEXT is looked for in names and lineages. Prices are US dollars for a million tokens, those of the
    day. Keys are looked for in the environment, and servers on this machine. Nothing is asked.
    """
    entries, servers = asyncio.run(_found(only=only))
    wanted = [entry for entry in entries if _is_wanted(entry, text, provider)]
    data = {"models": [_entry_data(entry) for entry in wanted], "servers": [_server(one) for one in servers]}
    show(data, model_pages.models(data), as_json=as_json)
    if not wanted:
        missing = "No such model can be asked here: a key or a running server is missing"
        known = "No such model is known; any provider:model can be asked all the same"
        note(f"{missing if only else known}.")


@models.command("show", epilog=examples("dissensus models show anthropic:claude-sonnet-4-5"))
@json_option
@click.argument("name")
def show_command(*, name: str, as_json: bool) -> None:
    """Show all that is known of a model, and who says it.

    NAME is provider:model, or an alias of your dissensus.toml.
    """
    from dissensus_agents.models.catalog import describe, names_for

    data = {"name": name, "models": [_entry_data(describe(one)) for one in names_for(name)]}
    show(data, model_pages.shown(data), as_json=as_json)


@models.command(
    "check", epilog=examples("dissensus models check", "dissensus models check openai:gpt-5 ollama:qwen3")
)
@json_option
@tenant
@click.option("--budget", default="0.10", show_default=True, metavar="USD", help="What it may cost at most.")
@click.option("--unpriced", is_flag=True, help="Also ask models whose price is unknown.")
@click.option(
    "--at-once", default=8, show_default=True, type=click.IntRange(1, 64), help="How many at a time."
)
@click.option(
    "--timeout", default=60.0, show_default=True, type=click.FloatRange(0.1, 3600), help="Seconds for each."
)
@click.option("--keep", metavar="FILE|URL", help="Keep the calls as a session of this database.")
@click.argument("names", nargs=-1)
def check(
    *,
    names: tuple[str, ...],
    budget: str,
    unpriced: bool,
    at_once: int,
    timeout: float,
    keep: str | None,
    as_json: bool,
) -> None:
    """Ask models a tiny question: what can each do?

    Without NAMES those are asked that can be asked here and now. The worst case of each call is
    reserved before it is sent, so the budget is never overspent. Where a model fails, so does the
    command, after all of them were asked.
    """
    from dissensus_agents.trials import Check
    from dissensus_state.records import Budget
    from dissensus_state.store import Store

    from .data import budget_data

    asked = _models(names, timeout)
    limits = Budget(usd=budget, unpriced="allow" if unpriced else "refuse")
    with closing(Store.open(keep or "sqlite://", tenant=situation().tenant)) as store:
        session = store.create(Check(), budget=limits)
        trials = asyncio.run(_tried(session, asked, at_once))
        data = {
            "session": session.name if keep else None,
            "models": [_trial_data(trial) for trial in trials],
            "budget": budget_data(session.budget),
        }
    show(data, model_pages.trials(data), as_json=as_json)
    _refuse_failures(trials)


async def _found(*, only: bool) -> tuple[list[Entry], list[Server]]:
    """What is listed, and the servers on this machine."""
    from dissensus_agents.models.available import available, served_by
    from dissensus_agents.models.catalog import entries
    from dissensus_agents.models.local import running

    servers = await running()
    if only:
        return await available(servers=servers), servers
    local = [entry for server in servers for entry in served_by(server)]
    every = {entry.name: entry for entry in (*entries(), *local)}
    return [every[name] for name in sorted(every)], servers


def _is_wanted(entry: Entry, text: str | None, provider: str | None) -> bool:
    found = text is None or text.lower() in f"{entry.name}\n{entry.lineage}".lower()
    return found and provider in (None, entry.provider)


def _models(names: Sequence[str], timeout: float) -> list[Model]:
    """The models to try: those that were named, or all that can be asked here and now."""
    from dissensus_agents.errors import MissingKey
    from dissensus_agents.models.available import available
    from dissensus_agents.models.catalog import names_for, resolve
    from dissensus_agents.models.providers import PROVIDERS
    from dissensus_agents.models.retries import Patience

    wanted: Iterable[str] = [one for name in names for one in names_for(name)]
    if not names:
        wanted = [entry.name for entry in asyncio.run(available())]
        if not wanted:
            keys = [one.key_envs[0] for one in PROVIDERS.values() if one.key_envs and not one.local]
            raise MissingKey(
                "There is no model to ask: no key is in the environment, and no server runs on this machine",
                next_step=f"Set one of {', '.join(dict.fromkeys(keys))}, or start Ollama, vLLM or llama.cpp",
            )
    patience = Patience(attempts=2, seconds=timeout)
    made = [resolve(name, timeout=timeout, patience=patience) for name in wanted]
    return list({model.name: model for model in made}.values())


async def _tried(session: Any, asked: Sequence[Model], at_once: int) -> list[Trial]:
    from dissensus_agents.trials import tried

    return await tried(session, asked, at_once=at_once, tell=lambda trial: note(_told(trial)))


def _told(trial: Trial) -> str:
    return f"{trial.model}: {'answered' if trial.passed else trial.error.get('message', 'no answer')}"


def _refuse_failures(trials: Sequence[Trial]) -> None:
    from dissensus_agents.errors import ModelFailed

    failed = [trial.model for trial in trials if not trial.passed]
    if failed:
        raise ModelFailed(
            f"{len(failed)} of {len(trials)} models did not answer: {', '.join(failed)}",
            next_step="Why stands beside each; mend that, or leave it out",
        )


def _entry_data(entry: Entry) -> Data:
    """A model as the catalogue has it."""
    from dissensus_agents.models.available import has_key

    return {
        "name": entry.name,
        "provider": entry.provider,
        "model": entry.model,
        "lineage": entry.lineage,
        "window": entry.window,
        "max_output": entry.max_output,
        "price": None if entry.price is None else _price_data(entry.price),
        "abilities": asdict(entry.abilities),
        "key_env": entry.key_env,
        "key_present": has_key(entry),
        "local": entry.local,
        "trusted": entry.trusted,
        "deprecated": None if entry.deprecated is None else asdict(entry.deprecated),
        "rpm": entry.rpm,
        "tpm": entry.tpm,
        "format": entry.format,
        "dialect": entry.dialect,
        "address": _shown_address(entry.address),
        "sources": entry.sources,
    }


def _shown_address(address: str) -> str | None:
    """An address without the password that somebody may have put into it."""
    from dissensus_agents.models.transport import address as shown
    from dissensus_agents.models.transport import parse_url

    return shown(parse_url(address)) if address else None


def _price_data(price: Price) -> Data:
    tiers = [{"above": tier.above, **_unit(tier)} for tier in price.tiers]
    return {**_unit(price), "tiers": tiers, "source": price.source, "since": price.since or None}


def _unit(price: Price | Tier) -> Data:
    named = {name: getattr(price, name) for name in ("input", "output", "cached", "written")}
    return {name: None if usd is None else float(usd) for name, usd in named.items()}


def _server(server: Server) -> Data:
    return {
        "provider": server.provider,
        "address": _shown_address(server.address),
        "models": [served.name for served in server.models],
        "trouble": server.trouble or None,
    }


def _trial_data(trial: Trial) -> Data:
    """What a trial showed."""
    from .data import call_data

    call = None if trial.call is None else call_data(trial.call)
    said = call or {}
    detail = said.get("detail") or {}
    thought = bool(said.get("reasoning") or said.get("reasoning_tokens"))
    return {
        "model": trial.model,
        "passed": trial.passed,
        "typed": trial.typed,
        "reasoning": said.get("reasoning_kind") if thought else None,
        "reasoning_tokens": said.get("reasoning_tokens"),
        "streams": None if call is None else said["ttft_ms"] is not None,
        "ttft_ms": said.get("ttft_ms"),
        "latency_ms": said.get("latency_ms"),
        "cached_tokens": said.get("cached_tokens"),
        "usd": said.get("usd"),
        "answered_by": detail.get("answered_by"),
        "notes": detail.get("notes", []),
        "error": trial.error or None,
    }
