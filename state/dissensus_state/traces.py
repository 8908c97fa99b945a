"""Where else a text stands that is to be taken away: recordings, proposals, rulings, grades, events, prompts.

What the chain covers by digest leaves its digest; what it does not cover is overwritten.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from . import blobs
from .blobs import REDACTED, dereference, gone, gone_text, header, is_gone, named, reference, unpack
from .engines import Statement, Work
from .patches import Operation, patch_from_json, pieces
from .records import SETTLED
from .tables import blobs as blobs_table
from .tables import calls, commits, conflicts, events, grades, proposals, rounds, rulings
from .values import JSON, canonical, parse, parse_list, parse_path, pointer

SHORTEST = 4
"""Shorter texts stand everywhere by chance, and are not looked for."""

_LOST = frozenset({"dissent", "void", "abstained"})
"""Proposals that no commit has to keep to."""


class Remaining(NamedTuple):
    """A place where an equal text still stands: a commit's patch, the state at a head, an open round."""

    branch: str | None
    version: int | None
    path: str

    def as_dict(self) -> dict[str, Any]:
        """The place as plain data."""
        return self._asdict()


class Texts:
    """Texts that are looked for, in every form that JSON may give them."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = sorted({text for text in texts if len(text) >= SHORTEST}, key=len, reverse=True)
        forms: set[str] = set(self.texts)
        for _ in range(2):
            forms |= {
                json.dumps(form, ensure_ascii=ascii_only)[1:-1]
                for form in forms
                for ascii_only in (False, True)
            }
        self.forms = sorted(forms, key=len, reverse=True)
        self._bytes = [form.encode() for form in self.forms]

    def stand_in(self, text: str | None) -> bool:
        """Whether one of them stands in a text, as it is or inside of JSON."""
        return text is not None and any(form in text for form in self.forms)

    def stand_in_bytes(self, data: bytes) -> bool:
        """The same for bytes."""
        return any(form in data for form in self._bytes)

    def scrubbed(self, value: JSON) -> JSON:
        """A value without them."""
        if isinstance(value, str):
            for form in self.forms:
                value = value.replace(form, REDACTED)
            return value
        if isinstance(value, list):
            return [self.scrubbed(item) for item in value]
        if isinstance(value, dict):
            return {name: self.scrubbed(item) for name, item in value.items()}
        return value


def _columns(table: sa.Table, names: str) -> Statement:
    rows = sa.select(*table.c[tuple(names.split())]).where(table.c.session_id == sa.bindparam("session_id"))
    if table in (calls, proposals, rulings):
        rows = rows.where(table.c.round == sa.bindparam("round"))
    return Statement(rows)


def _write(table: sa.Table, *names: str) -> Statement:
    where = [column == sa.bindparam(f"{column.name}_", type_=column.type) for column in table.primary_key]
    return Statement(sa.update(table).where(*where).values({name: sa.bindparam(name) for name in names}))


_PACKED = ("answer", "reasoning", "raw", "echo")
_read_calls = _columns(calls, "agent attempt request detail answer reasoning raw echo")
_write_call = _write(calls, "request", "detail", *_PACKED)
_read_proposals = _columns(proposals, "agent status patch detail")
_write_proposal = _write(proposals, "patch", "detail")
_read_rulings = _columns(rulings, "n body")
_write_ruling = _write(rulings, "body")
_read_rounds = _columns(rounds, "round branch status note review")
_write_round = _write(rounds, "note", "review")
_read_events = _columns(events, "event body")
_write_event = _write(events, "body")
_read_grades = _columns(grades, "round agent n detail")
_write_grade = _write(grades, "detail")
_SIDES = ("base", "ours", "theirs", "settlement")
_read_conflicts = _columns(conflicts, "conflict path status base ours theirs settlement")
_write_conflict = _write(conflicts, *_SIDES)
_read_patches = _columns(commits, "branch version patch evidence")
_round_patches = Statement(
    sa.select(commits.c.patch).where(
        commits.c.session_id == sa.bindparam("session_id"), commits.c.round == sa.bindparam("round")
    )
)
_write_evidence = _write(commits, "evidence")
_read_blobs = _columns(blobs_table, "digest data")
_drop_blob = Statement(
    sa.delete(blobs_table).where(
        blobs_table.c.session_id == sa.bindparam("session_id_"),
        blobs_table.c.digest == sa.bindparam("digest_"),
    )
)


@dataclass
class Hunt:
    """One redaction on its way through the tables of a session.

    Args:
        texts: What is looked for.
        was: The stored operation whose value is replaced; `now` what replaces it. Both None where the
            value stands in no commit any more.
        round: The round that the commit ended.
        recordings: Whether answers, reasoning and prompts are taken away too.
    """

    work: Work
    session_id: int
    texts: Texts
    was: list[JSON] | None
    now: list[JSON] | None
    round: int | None
    recordings: bool
    erased: Counter[str] = field(default_factory=Counter)
    remains: list[Remaining] = field(default_factory=list)
    rounds: set[int] = field(default_factory=set)
    evidence: list[tuple[str, int]] = field(default_factory=list)
    tainted: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    passages: list[tuple[int, int, str]] = field(default_factory=list)

    def run(self) -> None:
        """Take away what may go, and note down where the texts still stand."""
        self._find_blobs()
        for number, branch, status, note, review in self._rows(_read_rounds):
            if status in SETTLED:
                self._round(number, note, review)
            elif self._stands_in_round(number):
                self.remains.append(Remaining(branch, None, f"round {number}, which is not settled"))
        self._grades()
        self._events()
        self._conflicts()
        self._commits()
        self._drop_blobs()

    def _rows(self, statement: Statement, **where: Any) -> list[Any]:
        return list(self.work.all(statement, session_id=self.session_id, **where))

    def _find_blobs(self) -> None:
        for name, data in self.work.pages(_read_blobs, session_id=self.session_id):
            if self.texts.stand_in_bytes(unpack(data)):
                self.tainted.add(reference(bytes(name)))
        if self.was is not None and self.was[-1] == "blob":
            self.tainted.add(str(self.was[2]))

    def _stands_in(self, text: str | None) -> bool:
        """Whether a stored text holds one of the texts, or names a text kept aside that does."""
        if text is None or is_gone(text):
            return False
        return self.texts.stand_in(text) or not self.tainted.isdisjoint(named(text))

    def _stands_in_round(self, number: int) -> bool:
        stored = [row[2:4] for row in self._rows(_read_calls, round=number)]
        stored += [row[2:4] for row in self._rows(_read_proposals, round=number)]
        return any(self._stands_in(text) for row in stored for text in row)

    def _round(self, number: int, note: str | None, review: str | None) -> None:
        before = self.erased.total()
        agents = self._proposals(number)
        self._rulings(number)
        if self.recordings:
            self._calls(number, agents)
        elif any(self._recorded(row, own=row[0] in agents) for row in self._rows(_read_calls, round=number)):
            self.remains.append(Remaining(None, None, f"the recordings of round {number}"))
        whose = number == self.round and not self.texts.texts
        texts = [
            gone_text(text)
            if text is not None and not is_gone(text) and (whose or self._stands_in(text))
            else text
            for text in (note, review)
        ]
        if texts != [note, review]:
            self._write(_write_round, "rounds", round=number, note=texts[0], review=texts[1])
        if self.erased.total() > before:
            self.rounds.add(number)

    def _write(self, statement: Statement, what: str, **values: Any) -> None:
        keys = {"session_id", "round", "agent", "attempt", "n", "event", "conflict", "branch", "version"}
        named = {f"{name}_" if name in keys else name: value for name, value in values.items()}
        self.work.run(statement, session_id_=self.session_id, **named)
        self.erased[what] += 1

    def _proposals(self, number: int) -> set[str]:
        """Take the value out of a round's proposals; the agents who had brought it."""
        agents = set()
        for agent, status, patch, detail in self._rows(_read_proposals, round=number):
            items = parse_list(patch) if patch is not None else []
            equal = [number == self.round and self._same(item) for item in items]
            if any(equal):
                agents.add(agent)
            made = [
                self._replaced(item) if same else self._scrubbed(item, status, number)
                for item, same in zip(items, equal, strict=True)
            ]
            text = None if patch is None else canonical(made)
            told = gone_text(detail) if self._stands_in(detail) else detail
            if (text, told) != (patch, detail):
                self._write(_write_proposal, "proposals", round=number, agent=agent, patch=text, detail=told)
            if self._stands_in(text):
                self.remains.append(
                    Remaining(None, None, f"round {number}, the accepted proposal of {agent}")
                )
        return agents

    def _same(self, item: JSON) -> bool:
        """Whether a proposed operation is the one whose value goes."""
        if self.was is None:
            return False
        if header(item) == header(self.was):
            return True
        ours, other = patch_from_json([item])[0], patch_from_json([self.was])[0]
        folds = (ours.verb, ours.path, ours.key) == ("fold", other.path, other.key) and other.verb == "fold"
        return bool(folds and ours.value and other.value and ours.value["by"] == other.value["by"])

    def _replaced(self, item: list[JSON]) -> JSON:
        if self.now is None or self.was is None:
            return item
        return [*self.now[:5], reference(bytes.fromhex(header(item)[2]))]

    def _scrubbed(self, item: list[JSON], status: str, number: int) -> JSON:
        """A proposed operation without the texts; one that a commit was made of stays as it is."""
        if not self._stands_in(canonical(item)):
            return item
        (operation,) = blobs.fetch(self.work, self.session_id, canonical([item]))
        if status not in _LOST and not pieces((operation,)).isdisjoint(self._pieces(number)):
            return item
        name = operation.gone[1] if operation.gone else reference(bytes.fromhex(header(item)[2]))
        value = self.texts.scrubbed(operation.value)
        return Operation(operation.verb, operation.path, value, operation.key, ("redacted", name)).to_json()

    def _pieces(self, number: int) -> set[str]:
        """What the commit that a round ended does, item by item."""
        stored = [row[0] for row in self._rows(_round_patches, round=number)]
        made = (item for text in stored for item in blobs.fetch(self.work, self.session_id, text))
        return pieces(tuple(item for item in made if not item.pruned))

    def _rulings(self, number: int) -> None:
        for n, body in self._rows(_read_rulings, round=number):
            amended = [] if is_gone(body) else parse(body).get("amendment", [])
            equal = number == self.round and any(self._same(item) for item in amended)
            if equal or self._stands_in(body):
                self._write(_write_ruling, "rulings", round=number, n=n, body=gone_text(body))

    def _calls(self, number: int, agents: set[str]) -> None:
        for agent, attempt, request, detail, *packed in self._rows(_read_calls, round=number):
            own = agent in agents
            kept = [
                gone(data) if data is not None and not is_gone(data) and self._goes(data, own=own) else data
                for data in packed
            ]
            texts = [gone_text(text) if self._stands_in(text) else text for text in (request, detail)]
            if [*kept, *texts] != [*packed, request, detail]:
                row = dict(zip(("request", "detail", *_PACKED), [*texts, *kept], strict=True))
                self._write(_write_call, "recordings", round=number, agent=agent, attempt=attempt, **row)

    def _recorded(self, row: Sequence[Any], *, own: bool) -> bool:
        """Whether a call holds one of the texts, or belongs to an agent that had brought the value."""
        _, _, request, detail, *packed = row
        there = [data for data in packed if data is not None and not is_gone(data)]
        return any(map(self._stands_in, (request, detail))) or any(
            self._goes(data, own=own) for data in there
        )

    def _goes(self, data: bytes, *, own: bool) -> bool:
        return own or self.texts.stand_in_bytes(unpack(data))

    def _grades(self) -> None:
        for number, agent, n, detail in self._rows(_read_grades):
            if self.texts.stand_in(detail):
                told = self.texts.scrubbed(detail)
                self._write(_write_grade, "grades", round=number, agent=agent, n=n, detail=told)

    def _events(self) -> None:
        for event, body in self._rows(_read_events):
            if self.texts.stand_in(body):
                scrubbed = canonical(self.texts.scrubbed(parse(body)))
                self._write(_write_event, "events", event=event, body=scrubbed)

    def _conflicts(self) -> None:
        """What merges contest: once merged, a merge holds it fast by its digest."""
        for number, path, status, *texts in self._rows(_read_conflicts):
            if not any(map(self._stands_in, texts)):
                continue
            sides = [_digest_of(side) if self._stands_in(side) else side for side in texts[:3]]
            settlement = texts[3]
            if self._stands_in(settlement):
                merged = status == "merged"
                settlement = _digest_of(settlement) if merged else self._scrubbed_text(settlement)
            row = dict(zip(_SIDES, [*sides, settlement], strict=True))
            self._write(_write_conflict, "conflicts", conflict=number, **row)
            self.fields.add(parse_path(path)[0])

    def _scrubbed_text(self, stored: str) -> str:
        name = next(named(stored), None)
        text = stored if name is None else blobs.get(self.work, self.session_id, dereference(name))
        return canonical(self.texts.scrubbed(parse(text)))

    def _commits(self) -> None:
        for branch, version, patch, evidence in self._rows(_read_patches):
            if self._stands_in(evidence):
                items = [
                    item if is_gone(canonical(item)) else self._evidence(item)
                    for item in parse_list(evidence)
                ]
                self._write(
                    _write_evidence, "evidence", branch=branch, version=version, evidence=canonical(items)
                )
                self.evidence.append((branch, version))
            if self._stands_in(patch):
                self.remains += [Remaining(branch, version, path) for path in self._paths(patch)]

    def _evidence(self, item: JSON) -> JSON:
        text = canonical(item)
        return parse(gone_text(text)) if self.texts.stand_in(text) else item

    def _paths(self, patch: str) -> Iterator[str]:
        for item in parse_list(patch):
            if self._stands_in(canonical(item)):
                yield pointer(patch_from_json([item])[0].path) if len(item) != 5 else str(item[1])

    def _drop_blobs(self) -> None:
        """Remove the texts kept aside that nothing needs any more."""
        if not self.tainted:
            return
        needed = [row[2] for row in self._rows(_read_patches)]
        needed += [text for row in self._rows(_read_conflicts) for text in row[3:]]
        for number, _, status, *_ in self._rows(_read_rounds):
            needed += [row[2] for row in self._rows(_read_proposals, round=number)]
            if status not in SETTLED or not self.recordings:
                needed += [row[2] for row in self._rows(_read_calls, round=number)]
        kept = {name for text in needed for name in named(text)}
        for name in sorted(self.tainted):
            if name not in kept:
                self.erased["blobs"] += self.work.run(
                    _drop_blob, session_id_=self.session_id, digest_=dereference(name)
                )


def _digest_of(stored: str) -> str:
    """What stands for a side of a conflict, which may have been kept aside."""
    name = next(named(stored), None)
    return gone_text(stored) if name is None else canonical({"redacted": name})
