"""What a round's own checks, and a person who rules on it, say of its proposals: the first grades.

Only evidence from outside the models grades. A check that refutes a proposal grades it wrong; one whose
pass proves the value grades it right. A check that broke, or could not reach its source, says nothing,
and where checks contradict each other nothing is said of the proposal but that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dissensus_state.errors import NotFound
from dissensus_state.journal import Outcome
from dissensus_state.objections import readable
from dissensus_state.records import Grade, Proposal, Ruling
from dissensus_state.values import JSON, canonical, normalise, parse_path

from ..positions import all_values
from .verifiers import Evidence


class Graded(NamedTuple):
    """The grades of a round, and what is told of proposals that checks contradict each other on."""

    grades: tuple[Grade, ...]
    told: tuple[Outcome, ...]


def of_evidence(found: Mapping[str, Iterable[Evidence]]) -> Graded:
    """The grades that checks give.

    Args:
        found: By agent, what was found on its proposal.
    """
    return _graded({agent: [item.as_dict() for item in items] for agent, items in found.items()})


def of_review(review: Mapping[str, Any] | None) -> Graded:
    """The same, from what is stored with a round that waited for a ruling."""
    by_agent: dict[str, list[Mapping[str, Any]]] = {}
    for item in [*(review or {}).get("passed", ()), *(review or {}).get("failed", ())]:
        for agent in item.get("agents", ()):
            by_agent.setdefault(agent, []).append(item)
    return _graded(by_agent)


def of_person(ruling: Ruling) -> tuple[Grade, ...]:
    """What a person who upholds a position says: its holders are right, and the others wrong.

    Who amends, asks again or rejects does not say of any position that it is right or wrong as it stands.
    """
    if ruling.decision != "uphold":
        return ()
    return tuple(
        Grade(agent, right=is_right, basis="person", author=ruling.author)
        for is_right, agents in ((True, ruling.upheld), (False, ruling.dissent))
        for agent in agents
    )


def by_value(made: Sequence[Proposal], value: Mapping[str, JSON]) -> tuple[list[str], list[str]]:
    """Who of a round proposed a value, and who did not: the agents who are right, and those who are wrong.

    Args:
        made: The proposals of the round; who abstained is neither.
        value: What is right, by path; what stands at other paths is of no matter.

    Raises:
        NotFound: Nobody proposed anything at one of the paths: it is misspelt rather than all are wrong.
    """
    right: list[str] = []
    wrong: list[str] = []
    wanted = {path: canonical(normalise(item)) for path, item in value.items()}
    said = {item.agent: all_values(item.patch) for item in made if item.status != "abstained"}
    known = sorted(set().union(*said.values()))
    for path in wanted:
        if said and not any(f"{path}/".startswith(f"{above}/") for above in known):
            written = ", ".join(known) or "nothing"
            raise NotFound(
                f"Nobody proposed anything at {readable(path, 80)}, but at {readable(written, 400)}",
                next_step="Name a path that was written, or the agents themselves",
            )
    for agent, values in said.items():
        says = all(_text(values, path) == text for path, text in wanted.items())
        (right if says else wrong).append(agent)
    return right, wrong


def _text(said: Mapping[str, JSON], path: str) -> str | None:
    """What stands at a path, or below one that is written, as canonical JSON; None where nothing does."""
    if path in said:
        return canonical(said[path])
    above = next((known for known in said if path.startswith(f"{known}/")), None)
    if above is None:
        return None
    found = said[above]
    for token in parse_path(path[len(above) :]):
        if isinstance(found, dict) and token in found:
            found = found[token]
        elif isinstance(found, list) and token.isdecimal() and int(token) < len(found):
            found = found[int(token)]
        else:
            return None
    return canonical(found)


def _graded(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Graded:
    grades: list[Grade] = []
    told: list[Outcome] = []
    for agent, items in found.items():
        refuting = _by_verifier(item for item in items if _refutes(item))
        proving = _by_verifier(item for item in items if _proves(item))
        if refuting and proving:
            body = {"agent": agent, "right": _names(proving), "wrong": _names(refuting)}
            told.append(Outcome("contradicted", body))
            continue
        for (name, version), paths in (refuting or proving).items():
            where = ", ".join(sorted({path for path in paths if path}))
            grades.append(Grade(agent, not refuting, "verifier", name, version, where or None))
    return Graded(tuple(grades), tuple(told))


def _refutes(item: Mapping[str, Any]) -> bool:
    return not item["passed"] and bool(item.get("outside", True)) and not item.get("broke", False)


def _proves(item: Mapping[str, Any]) -> bool:
    return bool(item["passed"] and item.get("outside", True) and item.get("decides", False))


def _by_verifier(items: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for item in items:
        found.setdefault((str(item["verifier"]), str(item.get("version", ""))), []).append(
            str(item.get("path", ""))
        )
    return found


def _names(found: Mapping[tuple[str, str], object]) -> list[str]:
    return sorted({name for name, _ in found})
