"""What a program that means harm can't do: every attack is made for real, against the walls as they are."""

from __future__ import annotations

import errno
import os
import platform
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dissensus_agents.judgement.evidence import Evidence
from dissensus_agents.judgement.programs import runs
from dissensus_agents.judgement.sandbox.kernel import landlock_abi
from dissensus_agents.judgement.witnessing import run_verifiers

WALLED = Path(__file__).parents[1] / "support" / "walled.py"
X86 = platform.machine() == "x86_64"

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or landlock_abi() < 1,
    reason="the walls are Linux's: Landlock and seccomp",
)


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sandboxes of a test lie in a folder of its own; after it none is left, and no process of one."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-of-the-environment")
    yield
    assert not left_over(tmp_path)


def left_over(folder: Path) -> list[str]:
    """The sandboxes and the processes that still are."""
    names = [str(path) for path in folder.glob("dissensus-sandbox-*")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "warden.py" in line and f"{folder}/" in line:
            names.append(line)
    return names


def ran(code: str, **settings: object) -> Evidence:
    """What the verifier finds on this code."""
    check = runs("fix", **{"seconds": 2, **settings})  # type: ignore[arg-type]
    (found,) = run_verifiers([check], {"/fix": textwrap.dedent(code)}, {})
    return found


# Behind both walls, as a user's step has it

REFUSED = {
    "a fork": "import os; os.fork()",
    "a fork bomb": "import os\nwhile True: os.fork()",
    "a double fork into a session of its own": "import os\nif not os.fork():\n    os.setsid()\n    os.fork()",
    "another program": "import subprocess; subprocess.run(['/bin/sh', '-c', 'id'])",
    "another program by os.system": "import os\nif os.system('id') != 0: raise OSError('refused')",
    "another program in this place": "import os; os.execv('/bin/sh', ['sh'])",
    "TCP": "import socket; socket.create_connection(('127.0.0.1', 80))",
    "UDP": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "a socket of the machine": "import socket; socket.socket(socket.AF_UNIX)",
    "a name of the network": "import socket; socket.getaddrinfo('localhost', 80)",
    "a page": "import urllib.request; urllib.request.urlopen('http://127.0.0.1/')",
    "the passwords": "open('/etc/passwd').read()",
    "the keys": "import os; open(os.path.expanduser('~root/.ssh/id_rsa'))",
    "the root folder": "import os; os.listdir('/')",
    "the environment of whoever began it": "import os; open(f'/proc/{os.getppid()}/environ').read()",
    "its own folder of processes": "import os; os.listdir('/proc')",
    "a link out": "import os; os.symlink('/etc/passwd', 'here'); open('here').read()",
    "a link out, to write": "import os; os.symlink('/tmp/there', 'here'); open('here', 'w')",
    "a way up": "open('../there', 'w')",
    "a file elsewhere": "open('/tmp/there', 'w')",
    "a mode": "import os; os.chmod('/tmp', 0o777)",
    "a signal to whoever began it": "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
    "a signal to all": "import os, signal; os.kill(-1, signal.SIGKILL)",
    "native code": "import ctypes",
    "native code that is loaded already": "import sys; sys.modules['__main__'].kernel.ctypes.CDLL(None)",
    "other limits": "import resource",
    "a second interpreter's process": "import multiprocessing as m; p = m.Process(target=print); p.start()",
}


@pytest.mark.parametrize("attack", REFUSED)
def test_what_reaches_out_is_refused(attack: str) -> None:
    found = ran(REFUSED[attack])
    assert not found.passed
    assert not found.broke
    assert "Error" in found.detail
    assert any(word in found.detail for word in ("Permission", "not allowed", "refused", "FileNotFound"))


UNSEEN = {
    "a pipe in the folder": ("import os; os.mkfifo('p')", "Operation not permitted"),
    "a database elsewhere": (
        "import sqlite3; sqlite3.connect(':memory:').execute(\"ATTACH '/tmp/there.db' AS there\")",
        "unable to open database",
    ),
    "a database by its address": (
        "import sqlite3; sqlite3.connect('file:/etc/passwd?mode=ro', uri=True).execute('SELECT 1 FROM t')",
        "unable to open database",
    ),
}


@pytest.mark.parametrize("attack", UNSEEN)
def test_what_pythons_own_hooks_do_not_see_the_kernel_refuses(attack: str) -> None:
    code, says = UNSEEN[attack]
    found = ran(code)
    assert not found.passed
    assert says in found.detail


def test_nothing_of_our_environment_is_seen() -> None:
    found = ran("import os; raise ValueError(os.environ.get('OPENAI_API_KEY', 'no key'))")
    assert found.detail == "the code fails: ValueError: no key (line 1)"


UNNAMED = """
import os, time
kept = []
for n in range(30):
    kept.append(open("f", "wb"))
    os.unlink("f")
    kept[-1].write(b"x" * 10**6)
    kept[-1].flush()
time.sleep(9)
"""
"""Files that are open and have no name any more."""


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("x = 'a' * 10**10", "MemoryError"),
        ("x = []\nwhile True: x.append('a' * 10**6)", "MemoryError"),
        ("while True: pass", "more than 1 seconds of the processor"),
        (
            "import signal\nfor n in (15, 2, 24):\n    signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
            "processor",
        ),
        ("while True: print('x' * 1000)", "printed more than 64 KB"),
        ("import os\nwhile True: os.write(2, b'x' * 1000)", "printed more than 64 KB"),
        ("import os\nwhile True: os.write(3, b'x' * 10000)", "gave back more than 2 MB"),
        ("import time; open('f', 'wb').write(b'x' * 10**7); time.sleep(9)", "wrote more than 4 MB"),
        ("n = 0\nwhile True:\n    open(f'{n}', 'wb').write(b'x' * 10**6); n += 1", "wrote more than 4 MB"),
        ("n = 0\nwhile True:\n    open(f'{n}', 'wb'); n += 1", "wrote more than 4 MB"),
        (UNNAMED, "wrote more than 4 MB"),
        ("kept = [open(f'{n}', 'w') for n in range(1000)]", "Too many open files"),
        ("def f(): f()\nf()", "RecursionError"),
        ("import os; os.abort()", "the signal SIGABRT"),
        ("import os; os._exit(0)", "ended its process before it was done"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("class E(Exception):\n    def __str__(self): raise self\nraise E", "it can't be shown"),
        ("x = (", "SyntaxError"),
    ],
)
def test_what_takes_too_much_is_ended(code: str, says: str) -> None:
    found = ran(code, seconds=20 if "B" in says else 1, files_mb=4, memory_mb=128)
    detail = found.detail.replace("[Errno 27] File too large", "wrote more than 4 MB")
    assert not found.passed
    if "processor" in says and found.broke:  # where the machine is busy, the clock is first
        assert detail.startswith("the code was not done in")
    else:
        assert says in detail
        assert not found.broke


def test_a_program_cannot_tell_by_itself_that_its_tests_pass() -> None:
    lies = b'{"stage": "test", "n": 0, "ok": true}\n{"stage": "end"}\n'
    found = ran(f"import os; os.write(3, {lies!r}); os._exit(0)", tests="assert False")
    assert (found.passed, found.detail) == (False, "the code ended its process before it was done")


def test_what_is_expected_is_not_to_be_found_behind_the_walls() -> None:
    code = "import gc\ndef answer(): return [x for x in gc.get_objects() if '4242' in repr(x)[:99999]]"
    found = ran(code, expects={"len(answer())": 4242})
    assert not found.passed
    assert ran("def answer(): return 4242", expects={"answer()": 4242}).decides


def test_what_only_waits_is_ended_and_nobody_is_wrong_by_it() -> None:
    found = ran("import time; time.sleep(1000)", seconds=0.5)
    assert (found.passed, found.broke) == (False, True)
    assert found.detail == "the code was not done in 3 seconds"


def test_threads_end_with_their_program() -> None:
    found = ran("import threading, time\nthreading.Thread(target=time.sleep, args=(100,)).start()")
    assert found.passed


def test_a_recursion_without_a_limit_ends_somehow() -> None:
    found = ran("import sys; sys.setrecursionlimit(10**9)\ndef f(): f()\nf()", seconds=1)
    assert not found.passed


def test_what_is_no_text_is_shown_as_text() -> None:
    found = ran(r"import sys; sys.stdout.buffer.write(b'\xff\xfe\x1b[2J\x00'); raise ValueError('\x1b]0;')")
    assert "\x1b" not in found.detail
    assert "\x00" not in found.detail
    assert "\ufffd" in found.detail


def test_the_standard_library_the_folder_and_threads_are_there() -> None:
    found = ran(
        """
        import csv, decimal, hashlib, json, os, random, re, sqlite3, statistics, threading, zoneinfo
        with open("a.txt", "w") as file:
            file.write("42")
        os.mkdir("b"); os.rename("a.txt", "b/a.txt")
        assert open("b/a.txt").read() == "42" and os.listdir("b") == ["a.txt"]
        assert sqlite3.connect(":memory:").execute("SELECT 6 * 7").fetchone() == (42,)
        done = []
        worker = threading.Thread(target=done.append, args=(hashlib.sha256(b"x").hexdigest(),))
        worker.start(); worker.join()
        assert done and str(zoneinfo.ZoneInfo("UTC"))
        """
    )
    assert (found.passed, found.detail) == (True, "the code runs to its end")


# Behind the kernel's walls alone, as native code would try it

EPERM, EACCES, ENOSYS = errno.EPERM, errno.EACCES, errno.ENOSYS

NATIVE = {
    "open('/etc/passwd').read()": EACCES,
    "os.listdir('/')": EACCES,
    "open(f'/proc/{parent}/environ').read()": EACCES,
    "open(f'/proc/{parent}/mem', 'rb+')": EACCES,
    "open('/proc/self/environ').read()": EACCES,
    "open('/tmp/there', 'w')": EACCES,
    "[os.symlink('/etc/passwd', 'p'), open('p').read()]": EACCES,
    "os.mkdir('/tmp/there')": EACCES,
    "os.unlink('/etc/passwd')": EACCES,
    "os.rename('/etc/passwd', 'p')": EACCES,
    "os.link('/etc/passwd', 'p')": EPERM,
    "os.mkfifo('p')": EPERM,
    "os.chmod('/tmp', 0o777)": EPERM,
    "os.truncate('/etc/passwd', 0)": EPERM,
    "os.utime('/etc/passwd')": EPERM,
    "os.setxattr('/etc/passwd', 'user.x', b'')": EPERM,
    "os.chroot('/')": EPERM,
    "socket.socket(socket.AF_INET, socket.SOCK_STREAM)": EPERM,
    "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)": EPERM,
    "socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)": EPERM,
    "socket.socketpair()": EPERM,
    "os.fork()": EPERM,
    "os.posix_spawn('/bin/sh', ['sh'], {})": EPERM,
    "os.execv('/bin/sh', ['sh'])": EPERM,
    "subprocess.run(['/bin/true'])": EPERM,
    "os.kill(parent, 0)": EPERM,
    "os.kill(-1, 9)": EPERM,
    "os.pidfd_open(parent)": EPERM,
    "resource.prlimit(parent, resource.RLIMIT_CORE, (0, 0))": EPERM,
    "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))": None,
    "os.memfd_create('x')": EPERM,
    "os.setuid(0)": EPERM,
    "os.setsid()": EPERM,
    "[t := threading.Thread(target=int), t.start(), t.join()] and 'a thread'": None,
}


def walled(folder: Path, snippet: str) -> str:
    """What comes of a snippet behind the kernel's walls alone."""
    command = [sys.executable, "-I", "-S", "-B", str(WALLED), str(folder), snippet]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("snippet", NATIVE)
def test_the_kernel_refuses_by_itself_what_the_hooks_refuse(snippet: str, tmp_path: Path) -> None:
    expected = NATIVE[snippet]
    outcome = walled(tmp_path, snippet)
    assert outcome.startswith("gave") if expected is None else outcome == f"refused {expected}"


BARE = {
    "fork": (57,),
    "vfork": (58,),
    "execveat": (322, -100, 0, 0, 0, 0),
    "ptrace": (101, 16, 1, 0, 0),
    "kill": (62, 1, 0),
    "tkill": (200, 1, 0),
    "tgkill of another": (234, 1, 1, 0),
    "mount": (165, 0, 0, 0, 0, 0),
    "unshare": (272, 0x10000000),
    "setns": (308, 0, 0),
    "bpf": (321, 0, 0, 0),
    "keyctl": (250, 0, 0, 0, 0, 0),
    "perf_event_open": (298, 0, 0, 0, 0, 0),
    "process_vm_readv": (310, 1, 0, 0, 0, 0, 0),
    "process_vm_writev": (311, 1, 0, 0, 0, 0, 0),
    "io_uring_setup": (425, 1, 0),
    "userfaultfd": (323, 0),
    "connect": (42, 0, 0, 0),
    "sendto": (44, 0, 0, 0, 0, 0, 0),
    "sendmsg": (46, 0, 0, 0),
    "reboot": (169, 0, 0, 0, 0),
    "init_module": (175, 0, 0, 0),
    "shmget": (29, 0, 4096, 0o1777),
    "mq_open": (240, 0, 0, 0, 0),
    "open_by_handle_at": (304, 0, 0, 0),
    "prctl": (157, 1, 0, 0, 0, 0),
    "seccomp": (317, 1, 0, 0),
    "personality": (135, 0),
    "chown": (92, 0, 0, 0),
    "a call of the x32 kind": (0x40000000 | 41, 2, 1, 0),
    "a call that is not there": (9999,),
}
"""Numbers of x86-64, as `asm/unistd_64.h` has them."""


@pytest.mark.skipif(not X86, reason="the numbers are those of x86-64")
@pytest.mark.parametrize("name", BARE)
def test_a_call_that_is_on_no_list_is_refused(name: str, tmp_path: Path) -> None:
    outcome = walled(tmp_path, f"call(*{BARE[name]})")
    assert outcome == f"gave {EPERM}"


@pytest.mark.skipif(not X86, reason="the number is that of x86-64")
def test_a_new_process_by_clone3_is_not_known_here(tmp_path: Path) -> None:
    assert walled(tmp_path, "call(435, 0, 0)") == f"gave {ENOSYS}"


def test_nothing_comes_to_a_server_of_this_machine(tmp_path: Path) -> None:
    """The proof that a socket would reach: the same lines do, without walls."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        heard: list[bytes] = []

        def listen() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(connection.recv(9))

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        lines = (
            "import socket\n"
            f"with socket.create_connection(('127.0.0.1', {port})) as there: there.sendall(b'secret')"
        )
        assert not ran(lines).passed
        assert heard == []
        exec(lines)
        listener.join(5)
        assert heard == [b"secret"]


# Whoever asks, or watches, dies


def _asking(folder: Path, code: str) -> subprocess.Popen[bytes]:
    lines = (
        "from dissensus.verifiers import run_verifiers, runs\n"
        f"run_verifiers([runs('fix', seconds=60)], {{'/fix': {code!r}}}, {{}})"
    )
    return subprocess.Popen([sys.executable, "-c", lines], env={**os.environ, "TMPDIR": str(folder)})


def _until(condition: object, seconds: float = 15.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


def test_when_we_are_killed_nothing_is_left(tmp_path: Path) -> None:
    asking = _asking(tmp_path, "open('here', 'w').write('x')\nwhile True: pass")
    assert _until(lambda: list(tmp_path.glob("dissensus-sandbox-*/here")), 60)
    asking.send_signal(signal.SIGKILL)
    asking.wait()
    assert _until(lambda: not left_over(tmp_path))


def test_when_the_warden_is_killed_its_work_dies_and_nothing_is_said_of_the_code(tmp_path: Path) -> None:
    found: list[Evidence] = []
    code = "open('here', 'w').write('x')\nwhile True: pass"
    worker = threading.Thread(target=lambda: found.append(ran(code, seconds=60)))
    worker.start()
    assert _until(lambda: list(tmp_path.glob("dissensus-sandbox-*/here")))
    folder = next(tmp_path.glob("dissensus-sandbox-*"))
    oldest = subprocess.run(
        ["pgrep", "-o", "-f", f"warden.py {folder}"], capture_output=True, text=True, check=True
    )
    os.kill(int(oldest.stdout), signal.SIGKILL)
    worker.join(15)
    assert (found[0].passed, found[0].broke) == (False, True)
    assert "gave no report" in found[0].detail
    assert _until(lambda: not left_over(tmp_path))


# Where there are no walls


def test_without_the_kernels_walls_nothing_is_run_and_the_check_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _without_landlock(monkeypatch)
    found = ran("x = 1", tests="assert x == 1")
    assert (found.passed, found.broke, found.decides) == (False, True, False)
    assert found.detail.startswith("the code could not be run here: files: this kernel has no Landlock")
    assert 'walls="any"' in found.detail


def test_that_a_wall_was_missing_is_said_where_it_was_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_landlock(monkeypatch)
    found = ran("x = 1", tests="assert x == 1", walls="any")
    assert (found.passed, found.decides) == (True, True)
    assert "kept by Python's own hooks alone: files: this kernel has no Landlock" in found.detail
    assert not ran("open('/etc/passwd')", walls="any").passed


def _without_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the warden find no Landlock, as on an older kernel."""
    from dissensus_agents.judgement.sandbox import asking

    kernel = Path(asking._WARDEN).with_name("kernel.py").read_text()
    folder = Path(os.environ["TMPDIR"]) / "older"
    folder.mkdir()
    for name in ("warden.py", "hooks.py", "work.py"):
        (folder / name).write_text(Path(asking._WARDEN).with_name(name).read_text())
    (folder / "kernel.py").write_text(kernel.replace("    abi = landlock_abi()\n", "    abi = 0\n"))
    monkeypatch.setattr(asking, "_WARDEN", str(folder / "warden.py"))
