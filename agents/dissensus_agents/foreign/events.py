"""What happened to tasks of LangGraph and is in no checkpoint: interrupts, errors, what tasks returned."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dissensus_state.values import JSON

from .channels import ERROR, INTERRUPT, RESUME, RETURN
from .decoding import text_of
from .naming import shown

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

    from .records import Write

KINDS = {INTERRUPT: "interrupted", RESUME: "resumed", ERROR: "failed", RETURN: "returned"}
"""What the event is called that a write into a channel of the engine's becomes."""

_LONGEST = 1024 * 1024
_PULL = "~__pregel_pull, "

EventId = tuple[str, str, str, int, str]


@dataclass(frozen=True, slots=True)
class Happened:
    """An event that a write becomes; by `id` it is known again."""

    kind: str
    body: dict[str, Any]

    @classmethod
    def of(cls, write: Write, value: JSON, version: int, checkpoint: str) -> Happened:
        """The event of a write at a version."""
        text = text_of(value)
        digest = hashlib.sha256(text).hexdigest()
        if len(text) > _LONGEST:
            value = {"type": "unread", "why": "too large", "bytes": len(text), "sha256": digest}
        node = write.path.removeprefix(_PULL) if write.path.startswith(_PULL) else None
        body = {
            "checkpoint": checkpoint,
            "version": version,
            "node": node and shown(node, 300),
            "task": shown(write.task, 300),
            "n": write.n,
            "value": value,
            "sha256": digest,
        }
        return cls(KINDS[write.channel], body)

    @property
    def id(self) -> EventId:
        """What makes it this event and no other."""
        return _id_of(self.kind, self.body)


def _id_of(kind: str, body: dict[str, Any]) -> EventId:
    checkpoint, task, n, digest = (body.get(key) for key in ("checkpoint", "task", "n", "sha256"))
    return kind, str(checkpoint), str(task), n if isinstance(n, int) else 0, str(digest)


def happened(session: Session[Any]) -> set[EventId]:
    """The events of a session that were brought in before."""
    found = (event for kind in sorted(KINDS.values()) for event in session.events(kind))
    return {_id_of(event.kind, event.body) for event in found}
