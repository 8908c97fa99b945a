"""What an agent sees: one snapshot, limited to the paths it may read. What it reads is remembered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from dissensus_state.errors import Denied, NotFound
from dissensus_state.patches import get
from dissensus_state.values import JSON, Path, overlap, parse_path, pointer, within

from .messages import Part


class View:
    """A snapshot as one agent of a round may see it.

    Args:
        state: The state at the round's base version, as it is stored.
        version: That version.
        allowed: The paths that may be read; None allows all.
        keys: The key field of each list that merges by key.
        agent: Whose view it is, for errors.
        sparse: The paths were given as rights, so that not all of them need be there.
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
    ) -> None:
        self.version = version
        self._sparse = sparse
        self._state = state
        self._allowed = allowed
        self._keys = dict(keys or {})
        self._agent = agent
        self._reads: dict[Path, None] = {}

    @property
    def reads(self) -> tuple[str, ...]:
        """The read set so far, as JSON pointers."""
        return tuple(sorted(pointer(path) for path in self._reads))

    def read(self, path: str) -> JSON:
        """The value at a path, as it is stored; the path enters the read set.

        Raises:
            Denied: the agent may not read it.
            NotFound: nothing stands there.
        """
        parsed = parse_path(path)
        self._check(parsed)
        self._reads[parsed] = None
        return get(self._state, parsed, self._keys)

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
