"""Snapshots where several processes commit to one session: they go on with each other's chain.

What is promised: whoever commits takes the next step after the last one, whoever took that; so a
history that two processes wrote verifies, replays, and costs no more to read than that of one.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dissensus_state import commits, snapshots
from dissensus_state.lineages import lineage
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Notes, does

TEXT = "x" * 1_000
LARGE = Notes(text="y" * 200_000)


@pytest.mark.parametrize("first", [Notes(), LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    "turns", [(0, 1), (0, 0, 0, 0, 0, 1), (0,) * 30 + (1,)], ids=["alike", "seldom", "rarely"]
)
def test_g08_processes_that_take_turns_write_one_chain_of_snapshots(
    own_store: Store, database_url: str, turns: Sequence[int], first: Notes
) -> None:
    own_store.create(first, name="notes")
    with Store.open(database_url) as other:
        sessions = [store.session("notes", Notes) for store in (own_store, other)]
        for number in range(80):
            session = sessions[turns[number % len(turns)]]
            session.transact(does("append", "lines", TEXT), "ana")
            if number % 7 == 0:
                session.transact(does("set", "anything", [number]), "ben")
        for session in sessions:
            assert session.verify().versions == session.replay().versions == session.head + 1
            assert session.state.lines == [TEXT] * 80
        assert _behind(sessions[0]) <= 70_000


def _behind(session: Session[Notes]) -> int:
    """How much is folded onto the last snapshot when the head is read from cold."""
    with session.reading() as work:
        head = session.head
        steps = snapshots.chain(
            work, session.session_id, lineage(work, session.session_id, session.branch), head
        )
        restored = commits.restore(work, session.session_id, session.branch, head)
        assert restored.kept.version == steps[-1].version, "no step is left out"
        return restored.grown
