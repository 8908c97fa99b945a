"""Names that stand in a foreign database, as names of ours: anybody may have put them there."""

from __future__ import annotations

import hashlib
import re

_ODD = re.compile(r"[^0-9A-Za-z_.-]+")
_LONGEST_BRANCH = 90


def shown(text: str, longest: int) -> str:
    """A text that both databases hold, at most so many bytes long; a digest stands for what is cut."""
    sound = text.replace("\x00", "\\u0000").encode("utf-8", "backslashreplace").decode()
    if len(sound.encode()) <= longest:
        return sound
    kept = sound.encode()[: longest - 20].decode("utf-8", "ignore")
    return f"{kept}…{hashlib.sha256(text.encode('utf-8', 'backslashreplace')).hexdigest()[:16]}"


def key_of(namespace: str, checkpoint: str) -> str:
    """The idempotency key of what a checkpoint becomes."""
    if not namespace:
        return shown(checkpoint, 900)
    return f"{_digest(namespace)}/{shown(checkpoint, 900)}"


def session_name(thread: str) -> str:
    """What the session of a thread is called by default."""
    return shown(thread, 900) or "thread"


def branch_name(namespace: str) -> str:
    """What the branch of a subgraph's run is called: `sub/node-1a2b3c4d`, nested ones one below another."""
    parts = []
    for part in namespace.split("|"):
        node, _, task = part.partition(":")
        name = _ODD.sub("_", node).strip("._-") or "node"
        parts.append(f"{name}-{_ODD.sub('_', task)[:8]}" if task else name)
    name = "/".join(["sub", *parts]).rstrip(".-_/")
    return name if len(name) <= _LONGEST_BRANCH and ".." not in name else f"sub/{_digest(namespace)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]
