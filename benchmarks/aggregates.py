"""`eventsourcing` on the workload of the commits, with its aggregate held in memory."""

from __future__ import annotations

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from findings import Json, OneByOne, Update
from places import is_sqlite, path_of

from dissensus_state.engines import read_url


class Notes(Aggregate):
    """The state as an aggregate: one event for each update."""

    def __init__(self) -> None:
        self.findings: list[Json] = []
        self.status = "open"
        self.step = 0

    @event("Noted")
    def note(self, finding: Json, status: str, step: int) -> None:
        """Append a finding and set two scalars."""
        self.findings.append(finding)
        self.status = status
        self.step = step


class Held(OneByOne):
    """An application that saves each event of the aggregate that it holds."""

    def __init__(self, url: str) -> None:
        self._application = Application[Notes](_environment(url))
        self._notes = Notes()
        self._application.save(self._notes)

    def commit(self, update: Update) -> None:
        """One event."""
        self._notes.note(update.finding, update.status, update.step)
        self._application.save(self._notes)

    def close(self) -> None:
        """Close."""
        self._application.close()


def _environment(url: str) -> dict[str, str]:
    if is_sqlite(url):
        return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": path_of(url)}
    address = read_url(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": address.database or "",
        "POSTGRES_HOST": address.host or "",
        "POSTGRES_PORT": str(address.port or 5432),
        "POSTGRES_USER": address.username or "",
        "POSTGRES_PASSWORD": str(address.password or ""),
    }
