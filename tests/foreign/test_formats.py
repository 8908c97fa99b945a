"""Databases as older versions of LangGraph left them, and ones that are not to be read: said, not guessed."""

from __future__ import annotations

import json
import pickle
import sqlite3
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage, HumanMessage

import foreign_graphs as graphs
from dissensus_agents.errors import HistoryNewer, HistoryUnreadable
from dissensus_agents.foreign.langgraph_history import Imported, import_langgraph, list_threads
from dissensus_state.errors import NotFound
from dissensus_state.patches import patch_to_json
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.values import MAX_BYTES
from postgres import Postgres

OLD_SQLITE = """
CREATE TABLE checkpoints (
    thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '', checkpoint_id TEXT NOT NULL,
    parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB, metadata BLOB,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
);
CREATE TABLE writes (
    thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '', checkpoint_id TEXT NOT NULL,
    task_id TEXT NOT NULL, idx INTEGER NOT NULL, channel TEXT NOT NULL, type TEXT, value BLOB,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
);
"""
"""The tables of langgraph-checkpoint-sqlite 1.0 and 2.0: a write does not tell the path of its task."""


def checkpoint(number: int, values: Any, seen: Any, **more: Any) -> dict[str, Any]:
    """A checkpoint of LangGraph 0.2."""
    return {
        "v": 1,
        "id": f"c{number:03}",
        "ts": f"2024-09-01T10:00:{number:02}.000000+00:00",
        "channel_values": values,
        "channel_versions": dict.fromkeys(values, number),
        "versions_seen": seen,
        "pending_sends": [],
        **more,
    }


def old_file(path: Path) -> str:
    """A conversation as LangGraph 0.2 left it: JSON with constructors, channels named as nodes."""
    one, two = dumpd(HumanMessage("hi", id="1")), dumpd(AIMessage("hello", id="2"))
    made = [
        (None, checkpoint(1, {"__start__": {"messages": ["hi"]}}, {"__input__": {}}), "input", None),
        (
            "c001",
            checkpoint(
                2,
                {"messages": [one], "start:agent": "__start__"},
                {"__input__": {}, "__start__": {"__start__": 1}},
            ),
            "loop",
            None,
        ),
        (
            "c002",
            checkpoint(
                3,
                {"messages": [one, two], "agent": "agent"},
                {"__input__": {}, "__start__": {"__start__": 1}, "agent": {"start:agent": 2}},
            ),
            "loop",
            {"agent": {"messages": [two]}},
        ),
    ]
    with sqlite3.connect(path) as connection:
        connection.executescript(OLD_SQLITE)
        for parent, body, source, writes in made:
            metadata = {"source": source, "step": int(body["id"][1:]) - 2, "writes": writes}
            connection.execute(
                "INSERT INTO checkpoints VALUES ('old', '', ?, ?, 'json', ?, ?)",
                (body["id"], parent, json.dumps(body).encode(), json.dumps(metadata).encode()),
            )
        connection.execute(
            "INSERT INTO writes VALUES ('old', '', 'c002', 'task', 0, 'agent', 'json', ?)", (b'"agent"',)
        )
        connection.execute(
            "INSERT INTO writes VALUES ('old', '', 'c002', 'task', 1, 'messages', 'json', ?)",
            (json.dumps([two]).encode(),),
        )
    connection.close()
    return str(path)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store.open(str(tmp_path / "ours.db")) as opened:
        yield opened


def brought(source: str, store: Store) -> tuple[Imported, Session[Any]]:
    [done] = import_langgraph(source, store)
    return done, store.session(done.session)


def test_a_file_of_langgraph_0_2_is_read(tmp_path: Path, store: Store) -> None:
    done, session = brought(old_file(tmp_path / "old.sqlite"), store)
    assert session.raw() == {
        "messages": [
            {"type": "human", "content": "hi", "id": "1"},
            {"type": "ai", "content": "hello", "id": "2"},
        ]
    }
    told = [(one.author, patch_to_json(one.patch)) for one in session.log(2)]
    assert told[0] == ("agent", [["append", "/messages", [{"type": "ai", "content": "hello", "id": "2"}]]])
    assert told[1][0] == "user"
    assert dict(done.left_out) == {"agent": 1, "start:agent": 1}
    assert dict(done.converted) == {"messages": 2}
    assert session.commit_at(3).at == 1725184803000


def test_without_its_writes_a_checkpoint_still_tells_which_nodes_ran(tmp_path: Path, store: Store) -> None:
    path = old_file(tmp_path / "old.sqlite")
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM writes")
    connection.close()
    _, session = brought(path, store)
    assert session.log(1)[0].author == "agent"


def test_a_thread_whose_old_checkpoints_were_pruned_begins_where_it_can(tmp_path: Path, store: Store) -> None:
    path = old_file(tmp_path / "old.sqlite")
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM checkpoints WHERE checkpoint_id < 'c003'")
    connection.close()
    done, session = brought(path, store)
    assert done.orphans == 1
    assert len(session.raw()["messages"]) == 2
    assert [one.author for one in session.log()] == ["graph", "import"]


def test_a_session_goes_on_though_the_source_was_pruned_meanwhile(tmp_path: Path, store: Store) -> None:
    path = old_file(tmp_path / "old.sqlite")
    _, session = brought(path, store)
    head = session.head
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM checkpoints WHERE checkpoint_id <= 'c003'")
        body = checkpoint(4, {"messages": ["later"]}, {})
        connection.execute(
            "INSERT INTO checkpoints VALUES ('old', '', 'c004', 'c003', 'json', ?, ?)",
            (json.dumps(body).encode(), b"{}"),
        )
    connection.close()
    done, session = brought(path, store)
    assert (done.checkpoints, done.orphans, session.head) == (1, 0, head + 1)


def test_the_source_is_left_as_it_was(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "old.sqlite"
    before = Path(old_file(path)).read_bytes()
    brought(str(path), store)
    assert path.read_bytes() == before


def test_a_live_file_is_read_without_the_writer_noticing(tmp_path: Path, store: Store) -> None:
    address = graphs.file_in(tmp_path)
    with graphs.opened("sqlite", address) as saver:
        graph = graphs.parallel(saver)
        graph.invoke({"log": ["a"]}, graphs.config("t"))
        again: list[int] = []

        def meanwhile(_: str, done: int, __: int) -> None:
            again.append(done)
            graph.invoke({"log": ["b"]}, graphs.config("t"))

        [done] = import_langgraph(address, store, progress=meanwhile)
        assert again
        [more] = import_langgraph(address, store)
        assert more.known == done.checkpoints
        assert store.session("t").raw() == graph.get_state(graphs.config("t")).values


def altered(path: Path, statement: str, *values: Any) -> str:
    address = old_file(path)
    with sqlite3.connect(path) as connection:
        connection.execute(statement, values)
    connection.close()
    return address


def test_a_newer_format_is_refused_and_what_came_before_it_stays(tmp_path: Path, store: Store) -> None:
    newer = ormsgpack.packb(checkpoint(3, {}, {}, v=5))
    path = altered(
        tmp_path / "n.sqlite",
        "UPDATE checkpoints SET type = 'msgpack', checkpoint = ? WHERE checkpoint_id = 'c003'",
        newer,
    )
    with pytest.raises(HistoryNewer, match="c003 is of format 5; known are 1 to 4"):
        import_langgraph(path, store)
    assert [one["content"] for one in store.session("old").raw()["messages"]] == ["hi"]
    store.session("old").verify()


@pytest.mark.parametrize(
    ("kind", "blob", "why"),
    [
        ("pickle", pickle.dumps({}), "pickled"),
        ("msgpack+aes", b"x", "encrypted"),
        ("msgpack", b"\xc1", "broken"),
        ("msgpack", ormsgpack.packb([1]), "broken"),
        ("json", None, "missing"),
    ],
)
def test_a_checkpoint_that_cannot_be_read_is_named(
    kind: str, blob: bytes | None, why: str, tmp_path: Path, store: Store
) -> None:
    path = altered(tmp_path / "n.sqlite", "UPDATE checkpoints SET type = ?, checkpoint = ?", kind, blob)
    with pytest.raises(HistoryUnreadable, match=f"c001 cannot be read: it is {why}"):
        import_langgraph(path, store)


def test_other_files_are_refused_by_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no database file"):
        list_threads(str(tmp_path / "none.sqlite"))
    (tmp_path / "text.sqlite").write_text("hello " * 1000)
    with pytest.raises(HistoryUnreadable, match="cannot be read as a SQLite database"):
        list_threads(str(tmp_path / "text.sqlite"))
    Store.open(str(tmp_path / "ours.db")).close()
    with pytest.raises(HistoryUnreadable, match="no table checkpoints, writes"):
        list_threads(str(tmp_path / "ours.db"))
    for name, columns, said in (
        ("ancient", "thread_id, thread_ts, parent_ts, checkpoint", r"before 0\.1"),
        ("shallow", "thread_id, checkpoint_ns, type, checkpoint", "keeps no history"),
    ):
        with sqlite3.connect(tmp_path / f"{name}.sqlite") as connection:
            connection.execute(f"CREATE TABLE checkpoints ({columns})")
        connection.close()
        with pytest.raises(HistoryUnreadable, match=said):
            list_threads(str(tmp_path / f"{name}.sqlite"))


def test_threads_and_nodes_of_any_name_become_names_that_both_databases_hold(
    tmp_path: Path, store: Store
) -> None:
    path = old_file(tmp_path / "odd.sqlite")
    odd = "x" * 2000 + "\u202e\n/é"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE checkpoints SET thread_id = ?", (odd,))
        body = checkpoint(4, {"": 1, "a/b~c": 2, "y" * 3000: 3}, {odd: {"z": 1}})
        connection.execute(
            "INSERT INTO checkpoints VALUES (?, ?, 'c004', '../..:|;', 'json', ?, ?)",
            (odd, "..|: :x|" + odd, json.dumps(body).encode(), b'{"source": ["odd"], "step": {}}'),
        )
        connection.execute(
            "INSERT INTO checkpoints VALUES (?, '', 'c005', 'c005', 'json', ?, 'null')",
            (odd, json.dumps(body).encode()),
        )
    connection.close()
    [done] = import_langgraph(path, store)
    session = store.session(done.session)
    assert len(done.session.encode()) <= 1000
    [branch] = [one for one in session.branches() if one.name.startswith("sub/")]
    state = session.on(branch.name).raw()
    assert {state["(unnamed)"], state["a/b~c"]} == {1, 2}
    for one in session.branches():
        session.on(one.name).verify()
    assert import_langgraph(path, store)[0].checkpoints == 0


def test_postgresql_tables_of_version_1_are_read(postgres: Postgres, store: Store) -> None:
    address = postgres.create("postgres_1")
    with graphs.opened("postgresql", address) as saver:
        graphs.parallel(saver).invoke({"log": ["a"], "total": 1}, graphs.config("t"))
        saver.conn.execute("ALTER TABLE checkpoint_writes DROP COLUMN task_path")  # type: ignore[attr-defined]
    _, session = brought(address, store)
    assert session.raw()["log"][:2] == ["a", "plan"]
    session.verify()
    postgres.drop("postgres_1")


def test_a_value_that_is_larger_than_any_here_is_named_by_its_digest(tmp_path: Path, store: Store) -> None:
    large = "x" * (MAX_BYTES + 10)
    path = old_file(tmp_path / "large.sqlite")
    with sqlite3.connect(path) as connection:
        for number, parent in ((4, "c003"), (5, "c004")):
            body = checkpoint(number, {"large": large, "number": number}, {"agent": {"x": number}})
            connection.execute(
                "INSERT INTO checkpoints VALUES ('old', '', ?, ?, 'json', ?, '{}')",
                (body["id"], parent, json.dumps(body).encode()),
            )
    connection.close()
    done, session = brought(path, store)
    assert session.raw()["large"]["why"] == "too large"
    assert session.raw()["large"]["bytes"] == len(large) + 2
    assert patch_to_json(session.log(1)[0].patch) == [["set", "/number", 5]]
    assert done.converted["unread: too large"] == 1


def test_whoever_writes_a_file_that_is_not_written_ahead_need_not_wait(tmp_path: Path, store: Store) -> None:
    path = old_file(tmp_path / "old.sqlite")

    def write(_: str, __: int, ___: int) -> None:
        with sqlite3.connect(path, timeout=0.1) as connection:
            body = json.dumps(checkpoint(4, {"messages": ["later"]}, {})).encode()
            connection.execute(
                "INSERT INTO checkpoints VALUES ('old', '', 'c004', 'c003', 'json', ?, '{}')", (body,)
            )
        connection.close()

    [done] = import_langgraph(path, store, progress=write)
    assert done.checkpoints == 3
    assert import_langgraph(path, store)[0].checkpoints == 1


odd = st.none() | st.integers(-9, 2**62) | st.floats() | st.text(max_size=5) | st.binary(max_size=5)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[odd] * 6), max_size=4), st.lists(st.tuples(*[odd] * 5), max_size=3))
def test_whatever_stands_in_the_columns_it_is_read_or_refused(
    tmp_path: Path, writes: list[Any], more: list[Any]
) -> None:
    file = tmp_path / f"{len(list(tmp_path.iterdir()))}.sqlite"
    path = old_file(file)
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE w AS SELECT * FROM writes")
        connection.execute("DROP TABLE writes")
        connection.execute("ALTER TABLE w RENAME TO writes")
        for task, n, channel, kind, value, checkpoint_ in writes:
            connection.execute(
                "INSERT INTO writes VALUES ('old', '', ?, ?, ?, ?, ?, ?)",
                ("c002" if checkpoint_ is None else checkpoint_, task, n, channel, kind, value),
            )
        for number, (parent, kind, body, metadata, space) in enumerate(more):
            connection.execute(
                "INSERT INTO checkpoints VALUES ('old', ?, ?, ?, ?, ?, ?)",
                ("" if space is None else space, f"d{number}", parent, kind, body, metadata),
            )
    connection.close()
    with Store.open(str(tmp_path / f"{file.stem}-ours.db")) as store:
        try:
            import_langgraph(path, store)
        except HistoryUnreadable:
            return
        store.session("old").verify()
