"""The law of handing on: whatever a session has been through, its copy anywhere is the same session."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from by_hand import answered, begun, change, proposes, rules
from dissensus_state.errors import DissensusError
from dissensus_state.journal import Journal
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from erasing_law import STEPS, Law
from inquiries import Notes

MORE = st.sampled_from(["merge", "document", "round", "tag", "event", "close", "revert"])


class Handed(Law):
    """A session that is grown and cut, and has been through all else that there is."""

    def merge(self) -> None:
        """Bring another branch in, or leave conflicts; some are settled."""
        session, source = self.open[self.branch()], self.branch()
        if source == session.branch:
            return
        self._attempt(lambda: session.merge(source, author="ana"))
        for one in session.conflicts(open_only=True)[: self.data.draw(st.integers(0, 2), "settled")]:
            self._attempt(lambda number=one.conflict: session.settle(number, "theirs", author="ana"))

    def document(self) -> None:
        text = next(self.texts)
        self.open["main"].library.add(f"{text}.txt", "text", [("1", text), ("2", text * 400)], text.encode())

    def round(self) -> None:
        """One by hand, that ends in a commit, or stays where it is."""
        session = self.open[self.branch()]
        self._attempt(lambda: self._round(session))

    def _round(self, session: Session[Notes]) -> None:
        journal = Journal(session)
        opened, sent = begun(journal, "weigh", "ana", "ben")
        until = self.data.draw(st.integers(0, 3), "until")
        if until > 0:
            journal.settle([answered(call, next(self.texts), cost=3) for call in sent])
        if until > 1:
            made = [proposes(session, name, text=next(self.texts)) for name in ("ana", "ben")]
            opened = journal.propose(opened, made, {"disagreements": ["/text"]})
            if until > 2:
                ruling = rules(opened, made, upheld=("ana",), dissent=("ben",))
                journal.commit(opened, change(session, made[0], transition=None), ruling)

    def tag(self) -> None:
        self.open[self.branch()].tag(f"t{len(self.open['main'].tags())}")

    def event(self) -> None:
        self.open[self.branch()].record("noted", {"said": next(self.texts), "number": 10**25})

    def revert(self) -> None:
        session = self.open[self.branch()]
        self._attempt(lambda: session.revert(session.head, author="ana"))

    def close(self) -> None:
        if len(self.open) > 1:
            self.open.pop(min(self.open)).close_branch()

    def _attempt(self, do: Any) -> None:
        try:
            do()
        except DissensusError:
            return

    def redact(self) -> None:
        self._attempt(super().redact)

    def write(self) -> None:
        self._attempt(super().write)


def _file(session: Session[Any]) -> bytes:
    out = io.BytesIO()
    session.export(out)
    return out.getvalue()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@drawn(data=st.data())
def test_a_session_that_is_handed_on_and_on_is_the_same_to_the_last_byte(
    store: Store, data: st.DataObject
) -> None:
    law = Handed(store, data)
    steps = data.draw(st.lists(st.one_of(STEPS, MORE), min_size=4, max_size=16), label="steps")
    for step in ["write", "fork", "write", "write", *steps]:
        if step in {"prune", "fork"} and law.model.states.keys() != law.open.keys():
            continue
        try:
            getattr(law, step)()
        except (AssertionError, LookupError, DissensusError, ValueError):
            continue  # the model knows of no merges; what is stored is what counts
    session = store.session(law.name, Notes)
    first = _file(session)
    with Store.open("sqlite://") as there:
        taken = there.import_session(io.BytesIO(first), schema=Notes)
        assert _file(taken) == first
        for branch in session.branches():
            mine, its = session.on(branch.name), taken.on(branch.name)
            verified = mine.verify()
            assert its.verify() == verified
            if branch.pruned is None or branch.pruned <= branch.head:
                assert its.state == mine.state
            assert [one.hash for one in its.log(1000)] == [one.hash for one in mine.log(1000)]
        with Store.open("sqlite://") as elsewhere:
            assert _file(elsewhere.import_session(io.BytesIO(_file(taken)))) == first
