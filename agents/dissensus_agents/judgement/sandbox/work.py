"""What is done behind the walls: a program is run, a pattern is matched, a SQLite database is asked.

Each piece of work says what it found with `tell`, as plain data. It is written for the standard library
alone, since it runs in a process that sees nothing else.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

Tell = Callable[[dict[str, Any]], None]

_SHOWN = 300
_ROW_BYTES = 1_000_000
_STEPS = 10_000


def run_python(job: dict[str, Any], tell: Tell) -> None:
    """Run a program, then its tests and the calls whose values are asked for."""
    names: dict[str, Any] = {"__name__": "__proposed__", "__builtins__": builtins}
    if not _tried(tell, {"stage": "code"}, partial(_execute, job["code"], "<proposed>", names)):
        return
    for n, test in enumerate(job["tests"]):
        _tried(tell, {"stage": "test", "n": n}, partial(_execute, test, "<test>", dict(names)))
    for n, call in enumerate(job["calls"]):
        _tried(tell, {"stage": "call", "n": n}, partial(_value, call, names))
    tell({"stage": "end"})


def _execute(text: str, name: str, names: dict[str, Any]) -> None:
    exec(compile(text, name, "exec", dont_inherit=True), names)  # noqa: S102 - what this process is for


def _value(call: str, names: dict[str, Any]) -> str:
    value = eval(compile(call, "<call>", "eval", dont_inherit=True), names)  # noqa: S307 - as above
    return json.dumps(value, allow_nan=False)


def _tried(tell: Tell, said: dict[str, Any], work: Callable[[], str | None]) -> bool:
    """Do something that nobody vouches for, and tell what came of it; whether it ended as it should."""
    try:
        value = work()
    except BaseException as error:  # noqa: BLE001 - it may raise anything, SystemExit as well
        tell({**said, "ok": False, "error": _described(error)})
        return False
    tell({**said, "ok": True, **({} if value is None else {"value": value})})
    return True


def _described(error: BaseException) -> str:
    kind = type(error).__name__[:_SHOWN]
    try:
        text = str(error)[:_SHOWN]
    except BaseException:  # noqa: BLE001 - its class is the program's own
        text = "(it can't be shown)"
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<proposed>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{kind}: {text}" + (f" (line {line})" if line is not None else "")


def match(job: dict[str, Any], tell: Tell) -> None:
    """Match a pattern against texts; each is told as soon as it is done."""
    import re

    pattern = re.compile(job["pattern"], job["flags"])
    way = pattern.fullmatch if job["whole"] else pattern.search
    for n, text in enumerate(job["texts"]):
        tell({"n": n, "ok": way(text) is not None})


def ask_sqlite(job: dict[str, Any], tell: Tell) -> None:
    """Ask a SQLite database one question, without changing anything."""
    import sqlite3

    try:
        rows = _rows(sqlite3, job)
    except sqlite3.OperationalError as error:
        reached = "unable to open" not in str(error) and "locked" not in str(error)
        tell({"ok": False, "error": str(error)[:_SHOWN], "broke": not reached})
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        tell({"ok": False, "error": str(error)[:_SHOWN]})
    else:
        tell({"ok": True, **rows})


def _rows(sqlite3: Any, job: dict[str, Any]) -> dict[str, Any]:
    database = sqlite3.connect(job["uri"], uri=True, isolation_level=None, timeout=job["seconds"] / 2)
    database.execute("PRAGMA query_only = ON")
    database.execute("PRAGMA trusted_schema = OFF")
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _ROW_BYTES)
    database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    database.set_authorizer(_authorizer(sqlite3))
    found = database.execute(job["sql"])
    if found.description is None:
        raise ValueError("it gives no rows: only a SELECT is asked")
    names = [column[0] for column in found.description]
    rows: list[list[Any]] = []
    size = 0
    for row in found:
        size += sum(len(item) if isinstance(item, str | bytes) else 8 for item in row)
        if len(rows) == job["rows"] or size > job["bytes"]:
            return {"names": names, "rows": rows, "more": True}
        rows.append([_plain(item) for item in row])
    return {"names": names, "rows": rows, "more": False}


def _authorizer(sqlite3: Any) -> Callable[..., int]:
    """Allow reading and computing, and nothing else: no writing, attaching, pragma or extension."""
    harmless = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
    harmful = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "zipfile"}

    def authorize(action: int, _: Any, name: Any, __: Any, ___: Any) -> int:
        if action in harmless or (action == sqlite3.SQLITE_FUNCTION and str(name).lower() not in harmful):
            return int(sqlite3.SQLITE_OK)
        return int(sqlite3.SQLITE_DENY)

    return authorize


def _plain(item: Any) -> Any:
    return item.hex() if isinstance(item, bytes) else item


WORK: dict[str, Callable[[dict[str, Any], Tell], None]] = {
    "python": run_python,
    "match": match,
    "sqlite": ask_sqlite,
}


def teller(there: int, word: str) -> Tell:
    """A way to tell on a pipe, which what is run here cannot replace; each line begins with the word."""
    write, dumps = os.write, json.dumps

    def tell(found: dict[str, Any]) -> None:
        data = f"{word}{dumps(found)}\n".encode()
        while data:
            data = data[write(there, data) :]

    return tell


def ended() -> None:
    """End at once: nothing that was left behind for the end is run."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):  # the program may have replaced it
            stream.flush()
    os._exit(0)
