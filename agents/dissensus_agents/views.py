"""What an agent sees: one snapshot, limited to the paths it may read. What it reads is remembered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from dissensus_state.errors import Denied, NotFound
from dissensus_state.patches import get
from dissensus_state.values import JSON, Path, overlap, parse_path, pointer, within

from .messages import Part

UNTOLD = (
    "The question is put again, because what was answered could not stand. Why is not shown here: it may "
    "tell of what is sensitive."
)
"""What a model that is not trusted is told in the place of a note."""


class View:
    """A snapshot as one agent of a round may see it.

    Args:
        state: The state at the round's base version, as it is stored.
        version: That version.
        allowed: The paths that may be read; None allows all.
        keys: The key field of each list that merges by key.
        agent: Whose view it is, for errors.
        sparse: The paths were given as rights, so that not all of them need be there.
        sensitive: The paths that only trusted models may be shown.
        trusted: Whether one of the agent's models may be.
    """

    def __init__(
        self,
        state: JSON,
        version: int,
        allowed: tuple[Path, ...] | None = None,
        keys: Mapping[str, str] | None = None,
        agent: str = "",
        *,
        sparse: bool = False,
        sensitive: tuple[Path, ...] = (),
        trusted: bool = False,
    ) -> None:
        self.version = version
        self._sparse = sparse
        self._state = state
        self._allowed = allowed
        self._keys = dict(keys or {})
        self._agent = agent
        self._sensitive = sensitive
        self._trusted = trusted
        self._reads: dict[Path, None] = {}
        self._noted = False

    @property
    def reads(self) -> tuple[str, ...]:
        """The read set so far, as JSON pointers."""
        return tuple(sorted(pointer(path) for path in self._reads))

    @property
    def sensitive(self) -> tuple[str, ...]:
        """The sensitive paths that were read so far."""
        if not self._sensitive:
            return ()
        touched = (
            one for one in self._sensitive if self._noted or any(overlap(one, path) for path in self._reads)
        )
        return tuple(pointer(path) for path in touched)

    def told(self, note: str) -> str:
        """What its agent is told where its step is repeated: a note may quote what is sensitive.

        Rules of the schema see the whole state, and a supervisor what its panel saw; so, where the state
        has sensitive fields, only trusted models are shown what they say.
        """
        if not self._sensitive:
            return note
        if not self._trusted:
            return UNTOLD
        self._noted = True
        return note

    def read(self, path: str) -> JSON:
        """The value at a path, as it is stored; the path enters the read set.

        Raises:
            Denied: the agent may not read it, or none of its models may be shown it.
            NotFound: nothing stands there.
        """
        parsed = parse_path(path)
        self._check(parsed)
        self._reads[parsed] = None
        return in_order(get(self._state, parsed, self._keys))

    def part(self, path: str, title: str | None = None) -> Part:
        """The value at a path as a piece of the prompt; only the path is stored, not the text."""
        value = self.read(path)
        where = pointer(parse_path(path))
        return Part(render(value), where, where if title is None else title, value=value)

    def everything(self) -> list[Part]:
        """All that may be read, one piece for each path."""
        if self._allowed is None:
            return [self.part(name) for name in self._state]
        found = (self._part_if_there(pointer(path)) for path in self._allowed)
        return [part for part in found if part is not None]

    def _part_if_there(self, path: str) -> Part | None:
        try:
            return self.part(path)
        except NotFound:
            if not self._sparse:
                raise
            return None

    def _check(self, path: Path) -> None:
        if self._sensitive and not self._trusted:
            self._check_trust(path)
        if self._allowed is None or within(path, self._allowed):
            return
        may = ", ".join(pointer(place) for place in self._allowed) or "nothing"
        inside = [place for place in self._allowed if overlap(path, place)]
        raise Denied(
            f"{self._agent or 'This agent'} may read {may}",
            path=pointer(path),
            agent=self._agent or None,
            author=self._agent or None,
            right="read",
            allowed=[pointer(place) for place in self._allowed],
            next_step="Read only the paths below it" if inside else "",
        )

    def _check_trust(self, path: Path) -> None:
        for hidden in self._sensitive:
            if overlap(path, hidden):
                raise Denied(
                    f"{pointer(hidden)} is sensitive, and no model of {self._agent or 'this agent'} is "
                    "trusted with it",
                    path=pointer(hidden),
                    agent=self._agent or None,
                    author=self._agent or None,
                    right="read",
                    sensitive=True,
                    next_step="Mark a model that may see it as trusted, in dissensus.toml or with "
                    "trusted=True; or give the agent reads= and a prompt without it",
                )


def in_order(value: JSON) -> JSON:
    """A value with the keys of its objects sorted, as a database gives them back.

    A worker that wrote the value remembers another order: a prompt must not depend on who makes it.
    """
    kind = type(value)
    if kind is dict:
        found = {key: in_order(value[key]) for key in sorted(value)}
        same = all(map(_same, found.items(), value.items()))
        return value if same else found
    if kind is list:
        items = [in_order(item) for item in value]
        return value if all(one is other for one, other in zip(items, value, strict=True)) else items
    return value


def _same(one: tuple[str, JSON], other: tuple[str, JSON]) -> bool:
    return one[0] == other[0] and one[1] is other[1]


def render(value: JSON) -> str:
    """A value as a model reads it: text as it is, a dictionary of texts in sections, else JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value and all(isinstance(item, str) for item in value.values()):
        return "\n\n".join(f"### {name}\n{text}" for name, text in value.items())
    return json.dumps(value, ensure_ascii=False, indent=1)


def parts_of(prompt: str | Part | Iterable[str | Part]) -> tuple[Part, ...]:
    """What a prompt function returned, as pieces."""
    if isinstance(prompt, str | Part):
        prompt = [prompt]
    return tuple(Part(piece) if isinstance(piece, str) else piece for piece in prompt)
