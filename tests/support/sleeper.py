"""A worker that is stopped (SIGSTOP) at an exact moment of a round, and goes on when it is woken.

`python sleeper.py MOMENT URL` takes the only session of a database over, works on two rounds, and stops
itself at the moment; whoever started it sees that, and sends SIGCONT. It prints a line for each step
that was acknowledged, and at last the error that ended it, if one did.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

from by_hand import answered, begun, proposes
from dissensus_state.errors import DissensusError
from dissensus_state.journal import Journal
from dissensus_state.records import Change, Proposal, Round
from dissensus_state.sessions import Session
from dissensus_state.shapes import Append, SharedState, invariant
from dissensus_state.store import Store
from forking import die_with_parent

BETWEEN = ("taken", "begun", "answered", "proposed")
"""Moments at which no transaction is open."""

WITHOUT_A_LEASE = "read"
"""The moment between what a transaction reads and what it writes."""

WITH_A_LEASE = "leased"
"""The moment between the two of a transaction by hand that names its lease."""

INSIDE = "committing"
"""The moment at which everything is written, and the transaction not yet ended."""


class Moment:
    """Where this process is to stop."""

    name = ""

    @classmethod
    def reached(cls, name: str) -> None:
        """Stop here if this is the moment, until somebody sends SIGCONT."""
        if name == cls.name:
            cls.name = ""
            os.kill(os.getpid(), signal.SIGSTOP)


class Shift(SharedState):
    """What the workers of a shift write down."""

    lines: Annotated[list[str], Append] = []

    @invariant("lines")
    @staticmethod
    def a_moment_inside_of_the_commit(_: Shift) -> None:
        Moment.reached(INSIDE)


def work(session: Session[Shift], name: str) -> None:
    """Take the session over and finish its round, or begin one."""
    journal = Journal(session)
    _done("taken")
    round_ = journal.last_round()
    if round_ is None or round_.settled:
        round_, sent = begun(journal, "step", name)
        _done("begun")
        journal.settle([answered(call) for call in sent])
        _done("answered")
    made = journal.proposals(round_)
    if not made:
        made = [proposes(session, name, lines=[name])]
        journal.propose(round_, made)
        _done("proposed")
    journal.commit(round_, change_of(round_, made[0]))
    _done("committed")


def work_without_a_lease(session: Session[Shift]) -> None:
    """Write down how many lines there are."""
    with session.transaction("sleeper") as tx:
        seen = len(tx.read("lines"))
        Moment.reached(WITHOUT_A_LEASE)
        tx.append("lines", str(seen))
    _done("committed")


def work_with_a_lease(session: Session[Shift]) -> None:
    """Write down two lines by hand, as the one that has the branch."""
    lease = session.take_lease()
    for line in ("first", "second"):
        with session.transaction("sleeper", lease=lease) as tx:
            tx.append("lines", line)
            if line == "second":
                Moment.reached(WITH_A_LEASE)
        _done("committed")


def change_of(round_: Round, made: Proposal) -> Change:
    """The change that a proposal asks for."""
    return Change(made.agent, made.patch, round_.base)


def _done(step: str) -> None:
    print(step, flush=True)  # noqa: T201
    Moment.reached(step)


def start(moment: str, url: str) -> subprocess.Popen[str]:
    """Start a worker; it has stopped when `stopped` returns."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, Path(__file__), moment, url], stdout=subprocess.PIPE, text=True, env=environment
    )


def wait_until_stopped(worker: subprocess.Popen[str]) -> None:
    """Return once it has stopped; it is an error if it ends instead."""
    _, status = os.waitpid(worker.pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        raise ChildProcessError(f"it ended with {os.waitstatus_to_exitcode(status)}")


def wake(worker: subprocess.Popen[str]) -> list[str]:
    """Let it go on to its end; what it has said."""
    worker.send_signal(signal.SIGCONT)
    return worker.communicate(timeout=60)[0].splitlines()


if __name__ == "__main__":
    die_with_parent()
    moment, url = sys.argv[1:]
    Moment.name = moment
    with Store.open(url) as store:
        session = store.session(schema=Shift)
        try:
            if moment == WITHOUT_A_LEASE:
                work_without_a_lease(session)
            elif moment == WITH_A_LEASE:
                work_with_a_lease(session)
            else:
                work(session, "sleeper")
                work(session, "sleeper again")
        except DissensusError as error:
            _done(f"{error.code} retry={error.context.get('retry')}")
