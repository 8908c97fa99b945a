"""Files that real older versions of LangGraph wrote, and what these versions themselves read in them.

Each is a dump of the file and the channels of every checkpoint, as the saver of that version listed them (a
message by its type, content and id). The graph: `agent`, then `left` and `right` at once, a subgraph `sub`,
two packets to `each`, an interrupt before `tail`; gone on with, changed by hand, run again from an older
checkpoint, and asked once more.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from dissensus_agents.foreign.langgraph_history import import_langgraph
from dissensus_state.patches import patch_to_json
from dissensus_state.store import Store

RECORDED = Path(__file__).parent / "recorded"
VERSIONS = ["langgraph-0.2.20", "langgraph-0.3.34", "langgraph-0.6.11"]


def simple(state: dict[str, Any]) -> dict[str, Any]:
    """A state as it was recorded."""
    said = dict(state)
    if "messages" in said:
        said["messages"] = [[one["type"], one["content"], one.get("id")] for one in said["messages"]]
    if isinstance(start := said.get("__start__"), dict) and "messages" in start:
        said["__start__"] = {**start, "messages": [one["content"] for one in start["messages"]]}
    return said


@pytest.mark.parametrize("version", VERSIONS)
def test_what_an_older_langgraph_wrote_is_read_as_it_read_it_and_each_node_has_its_own(
    version: str, tmp_path: Path
) -> None:
    recorded = json.loads(gzip.decompress((RECORDED / f"{version}.json.gz").read_bytes()))
    file = tmp_path / "checkpoints.sqlite"
    with sqlite3.connect(file) as connection:
        connection.executescript(recorded["dump"])
    connection.close()
    with Store.open(str(tmp_path / "ours.db")) as store:
        [done] = import_langgraph(str(file), store)
        session = store.session("t")
        assert done.checkpoints == len(recorded["values"])
        met = set()
        for branch in session.branches():
            on = session.on(branch.name)
            on.verify()
            for commit in on.log(1000):
                for item in commit.evidence:
                    checkpoint = item["langgraph"]["checkpoint"]
                    if "#" not in str(commit.key):
                        assert simple(on.raw(commit.version)) == recorded["values"][checkpoint]
                        met.add(checkpoint)
        assert met == recorded["values"].keys()
        told = [(one.author, patch_to_json(one.patch)) for one in reversed(session.log(1000))]
        assert ("left", [["append", "/log", ["left"]]]) in told
        assert ("right", [["set", "/a", "r"], ["append", "/log", ["right"]]]) in told
        assert ("each", [["append", "/log", ["each 1", "each 2"]]]) in told
        assert ("user", [["append", "/log", ["by hand"]]]) in told
        assert sum(one.name.startswith("sub/sub-") for one in session.branches()) == 3
