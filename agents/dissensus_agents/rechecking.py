"""The checks of a round again: are they still those that were made, and do they find what they found?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dissensus_state.patches import Patch
from dissensus_state.records import Commit, Round

from .agent import Agent
from .judgement.evidence import Evidence
from .judgement.opinions import AskedOf
from .running import Running
from .steps import Step
from .verifying import outside

Findings = dict[str, list[list[Any]]]
"""By whose proposal it was found (`commit`: what was committed): verifier, path, and whether it holds."""


def versions_of(step: Step) -> dict[str, str]:
    """The checks that a step has today, by name, with their versions."""
    others = (one for one in step.hollow if not isinstance(one, Agent))
    return {one.name: one.version for one in (*step.verifiers, *others)}


def moved(step: Step, round_: Round, commit: Commit | None) -> tuple[list[str], list[str]] | None:
    """The checks that were made and are another version of themselves today; and what they are now.

    None where they are the same. A check of another name may be a function's own evidence, so a name that is
    not there is told only where the step has no checks any more.
    """
    known = versions_of(step)
    was = {(item["verifier"], item["version"]) for item in _told(round_, commit)}
    if was and not known:
        return sorted({name for name, _ in was}), []
    other = sorted((name, version) for name, version in was if known.get(name, version) != version)
    if not other:
        return None
    return [f"{name} {version}" for name, version in other], [f"{name} {known[name]}" for name, _ in other]


def findings(running: Running, commit: Commit | None) -> tuple[Findings, Findings, set[str]]:
    """What the checks found, what they find now, and those that could not be made now.

    Only what comes from outside of the models is compared.
    """
    review = running.round.review
    if running.round.status == "void" and not any(_reviewed(running.round)):
        return {}, {}, set()  # it was not come to, or what was found is not kept
    if review is not None:
        sent = {item["to"] for item in review.get("sent_to", ())}
        running.further = tuple(
            one for one in running.step.hollow if not isinstance(one, Agent) and one.name in sent
        )
        patches = {item.agent: item.patch for item in running.made}
    else:
        patches = {} if commit is None else {"commit": commit.patch}
    if all(isinstance(one, AskedOf) for one in running.verifiers):
        return {}, {}, set()
    found = _found(running, patches)
    broken = {item.verifier for items in found.values() for item in items if item.broke}
    now = {name: _plain(items, broken) for name, items in found.items()}
    return _recorded(running.round, commit, patches, broken), now, broken


def _found(running: Running, patches: Mapping[str, Patch]) -> dict[str, tuple[Evidence, ...]]:
    async def every() -> dict[str, tuple[Evidence, ...]]:
        return {name: await outside(running, patch) for name, patch in patches.items()}

    with ThreadPoolExecutor(1) as thread:  # whoever asks may have a loop of its own
        return thread.submit(lambda: asyncio.run(every())).result()


def _recorded(round_: Round, commit: Commit | None, patches: Iterable[str], broken: set[str]) -> Findings:
    told: dict[str, list[Evidence]] = {name: [] for name in patches}
    if round_.review is None:
        told = {"commit": [Evidence.from_dict(item) for item in _told(round_, commit)]} if told else {}
    else:
        for item in _reviewed(round_):
            for agent in item.get("agents", ()):
                told.setdefault(agent, []).append(Evidence.from_dict(item))
    return {name: _plain(items, broken) for name, items in told.items()}


def _plain(items: Sequence[Evidence], broken: set[str]) -> list[list[Any]]:
    """What is compared: not the sentence, which is for a person."""
    kept = [one for one in items if one.outside and not one.broke and one.verifier not in broken]
    return sorted([one.verifier, one.path, one.passed] for one in kept)


def _reviewed(round_: Round) -> Iterator[dict[str, Any]]:
    review = round_.review or {}
    for kind in ("failed", "passed"):
        yield from (item for item in review.get(kind, ()) if isinstance(item, dict))


def _told(round_: Round, commit: Commit | None) -> list[dict[str, Any]]:
    """All evidence that a round has kept."""
    items = [*_reviewed(round_), *(() if commit is None else commit.evidence)]
    return [
        item for item in items if isinstance(item, dict) and {"verifier", "version", "passed"} <= item.keys()
    ]
