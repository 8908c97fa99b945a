"""What a benchmark's run over the recordings is told, by the parent and to its worker."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """One run: the questions and models, the session they go into, and the folder of the traces.

    Args:
        folder: Holds what processes leave for each other: this very record, and the files below.
        latency: How many milliseconds a model takes to answer, at most.
    """

    data: str
    questions: int
    panel: tuple[str, ...]
    chair: str
    url: str
    session: str
    folder: str
    latency: float = 0.0

    @property
    def path(self) -> Path:
        """The recordings."""
        return Path(self.data)

    @property
    def models(self) -> tuple[str, ...]:
        """All models of the run, each once."""
        return tuple(dict.fromkeys((*self.panel, self.chair)))

    @property
    def asked(self) -> Path:
        """A line for each time that a model was asked."""
        return Path(self.folder) / "asked"

    @property
    def acknowledged(self) -> Path:
        """A line for each commit that the worker was told of, with the question it answers."""
        return Path(self.folder) / "acknowledged"

    @property
    def started(self) -> Path:
        """For each start of the worker, the CPU seconds it had used when its run began."""
        return Path(self.folder) / "started"

    def write(self) -> Path:
        """Leave the record in the folder, for a worker."""
        path = Path(self.folder) / "settings.json"
        path.write_text(json.dumps(asdict(self)))
        return path

    @classmethod
    def read(cls, path: str) -> Settings:
        """The record that a parent left."""
        stored = json.loads(Path(path).read_text())
        return cls(**{**stored, "panel": tuple(stored["panel"])})
