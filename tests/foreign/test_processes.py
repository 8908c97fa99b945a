"""What holds across processes: a killed import goes on, and LangGraph is not loaded for it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import foreign_graphs as graphs
from dissensus_agents.foreign.langgraph_history import import_langgraph
from dissensus_state.store import Store

KILLED = """
import os, signal, sys
from dissensus_agents.foreign import threads
from dissensus_agents.foreign.langgraph_history import import_langgraph
from dissensus_state.store import Store

threads.AT_ONCE = 4
made = threads.Batch.commit

def commit(batch, branch, change, at):
    commit.left -= 1
    if commit.left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return made(batch, branch, change, at)

commit.left = int(sys.argv[3])
threads.Batch.commit = commit
with Store.open(sys.argv[2]) as store:
    import_langgraph(sys.argv[1], store)
"""

LOADED = """
import sys
from dissensus.langgraph import import_langgraph
from dissensus import Store

with Store.open(sys.argv[2]) as store:
    import_langgraph(sys.argv[1], store)
print(sorted({name.partition(".")[0] for name in sys.modules} & {"langgraph", "langchain_core", "langsmith"}))
"""


def python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("after", [1, 6, 13])
def test_an_import_that_was_killed_leaves_whole_checkpoints_and_goes_on(
    after: int, database_url: str, tmp_path: Path
) -> None:
    source = graphs.file_in(tmp_path)
    with graphs.opened("sqlite", source) as saver:
        graphs.tell_asking(saver)
        values = list(graphs.values(saver, "asking"))
    ended = python(KILLED, source, database_url, str(after))
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    with Store.open(database_url) as store:
        session = store.session("asking")
        for branch in session.branches():
            session.on(branch.name).verify()
            [last] = session.on(branch.name).log(1)
            assert "#" not in str(last.key)
        [rest] = import_langgraph(source, store)
        assert rest.known + rest.checkpoints == len(values)
        assert session.raw() == next(channels for space, _, channels in values if not space)
        assert len(session.events("interrupted")) == 1


def test_nothing_of_langgraph_is_loaded_to_read_what_it_wrote(tmp_path: Path) -> None:
    source = graphs.file_in(tmp_path)
    with graphs.opened("sqlite", source) as saver:
        graphs.tell_talk(saver)
    done = python(LOADED, source, str(tmp_path / "ours.db"))
    assert done.stdout == "[]\n", done.stderr
