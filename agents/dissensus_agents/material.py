"""What a supervisor is shown of the material that the panel saw: what it has a right to read."""

from __future__ import annotations

from collections.abc import Iterator

from dissensus_state.documents import SOURCE
from dissensus_state.rights import granted
from dissensus_state.shapes import Shape
from dissensus_state.values import Path, overlap, parse_path, pointer, within

from .messages import Part
from .running import Running


def material_for(shape: Shape, running: Running, supervisor: str) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """Every piece of the panel's prompts that a supervisor may read, once; and the paths withheld from it.

    What one agent was shown whole is not shown a second time as far as it fitted another one.
    A literal may hold anything that its agent had read: it is shown where all of that may be read.
    """
    may = granted(shape.rights, supervisor, "read")
    shown: dict[Part, None] = {}
    withheld: set[str] = set()
    for part, paths in _pieces(running):
        hidden = [path for path in paths if may is not None and not within(path, may)]
        withheld.update(pointer(path) or "/" for path in hidden)
        if not hidden:
            shown[part] = None
    whole = {part.source for part in shown if part.source is not None and part.shown is None}
    kept = (part for part in shown if part.shown is None or part.source not in whole)
    return tuple(kept), tuple(sorted(withheld))


def sensitive_in(running: Running, shape: Shape) -> tuple[str, ...]:
    """The sensitive paths that a round may tell of: what its agents were shown, and what they may write.

    Whatever was made of it (positions, reasoning, evidence) is held to tell of it as well.
    """
    if not shape.sensitive:
        return ()
    shown = {path for request in running.requests.values() for path in request.sensitive}
    written = running.step.task.writes
    shown |= {pointer(one) for one in shape.sensitive if any(overlap(one, path) for path in written)}
    return tuple(sorted(shown))


def _pieces(running: Running) -> Iterator[tuple[Part, tuple[Path, ...]]]:
    """Each piece with the paths of the state that it tells of; a passage of a document tells of none."""
    for agent, request in running.requests.items():
        reads = tuple(parse_path(path) for path in running.reads[agent])
        for part in request.parts:
            if part.source is not None and part.source.startswith(SOURCE):
                yield part, ()
                continue
            known = part.source is not None and part.source[:1] in {"", "/"}
            yield part, (parse_path(part.source or ""),) if known else reads
