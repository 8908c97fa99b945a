"""The walls that Linux puts up around a process, for good: Landlock for files, seccomp for system calls.

Neither needs a right or a setting of the machine's. What is not on a list is refused:

- Landlock (kernel 5.13 and on): files are read below the places named, and written below one.
- seccomp (kernel 3.17 and on): no socket, no new process or program, no signal to another process, no
  tracing, no mounting, no keys, no io_uring; of the system calls, only those listed here are made.

It is written for the standard library alone, since it runs in a process that sees nothing else.

Sources: `landlock(7)`, `seccomp(2)`, `linux/landlock.h`, `linux/seccomp.h`, `asm/unistd_64.h` and
`asm-generic/unistd.h` (aarch64) of Linux 6.1.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Iterable
from typing import Any

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_SET_DUMPABLE = 1, 22, 38, 4
SECCOMP_MODE_FILTER = 2
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
FS_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
"""The rights that Landlock knows of files, by the version of its interface; from 5 on all 16."""
FS_LATEST = (1 << 16) - 1
NET_TCP = 0b11  # bind and connect, from interface 4 on
SCOPES = 0b11  # abstract sockets and signals, from interface 6 on
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15
"""Of the rights, those that a rule for a single file may name."""

CLONE_THREAD = 0x10000
ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000

# Number of each system call on x86-64 and on aarch64; -1: it has none there.
CALLS = {
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66),
    "pread64": (17, 67), "pwrite64": (18, 68), "open": (2, -1), "openat": (257, 56),
    "close": (3, 57), "close_range": (436, 436), "stat": (4, -1), "fstat": (5, 80),
    "lstat": (6, -1), "newfstatat": (262, 79), "statx": (332, 291), "lseek": (8, 62),
    "mmap": (9, 222), "munmap": (11, 215), "mprotect": (10, 226), "mremap": (25, 216),
    "madvise": (28, 233), "brk": (12, 214), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "ioctl": (16, 29), "access": (21, -1), "faccessat": (269, 48), "faccessat2": (439, 439),
    "pipe": (22, -1), "pipe2": (293, 59), "select": (23, -1), "pselect6": (270, 72),
    "poll": (7, -1), "ppoll": (271, 73), "dup": (32, 23), "dup2": (33, -1), "dup3": (292, 24),
    "fcntl": (72, 25), "fsync": (74, 82), "fdatasync": (75, 83), "ftruncate": (77, 46),
    "getdents64": (217, 61), "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50),
    "rename": (82, -1), "renameat": (264, 38), "renameat2": (316, 276), "mkdir": (83, -1),
    "mkdirat": (258, 34), "rmdir": (84, -1), "unlink": (87, -1), "unlinkat": (263, 35),
    "readlink": (89, -1), "readlinkat": (267, 78), "symlink": (88, -1), "symlinkat": (266, 36),
    "umask": (95, 166), "gettimeofday": (96, 169), "clock_gettime": (228, 113),
    "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "nanosleep": (35, 101),
    "time": (201, -1), "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178),
    "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177),
    "uname": (63, 160), "sysinfo": (99, 179), "getrusage": (98, 165), "times": (100, 153),
    "getrlimit": (97, 163), "sched_yield": (24, 124), "sched_getaffinity": (204, 123),
    "futex": (202, 98), "set_robust_list": (273, 99), "rseq": (334, 293),
    "set_tid_address": (218, 96), "getrandom": (318, 278), "exit": (60, 93),
    "exit_group": (231, 94), "arch_prctl": (158, -1), "membarrier": (324, 283),
    "restart_syscall": (219, 128), "copy_file_range": (326, 285), "sendfile": (40, 71),
    "alarm": (37, -1), "setitimer": (38, 103), "getitimer": (36, 102),
}  # fmt: skip
"""What may be called with any arguments.

Left out, because Landlock does not hold them back: changing modes, owners, times and attributes of a file,
cutting it by its path (Landlock 1 and 2), locking it.
"""
CLONE, CLONE3, TGKILL, PRLIMIT = (56, 220), (435, 435), (234, 131), (302, 261)

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Of a machine: which number of a call is its own, and how the kernel calls it (AUDIT_ARCH)."""


class NoWall(OSError):
    """This kernel has no such wall."""


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _done(what: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise NoWall(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(what: int, *arguments: int) -> int:
    """Ask something of this process (prctl(2)); the arguments that are not given are 0."""
    given = [ctypes.c_ulong(number) for number in (*arguments, 0, 0, 0, 0)[:4]]
    return _done(f"prctl {what}", _libc().prctl(what, *given))


def die_with(parent: int) -> None:
    """Let this process be killed as soon as its parent is gone."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def drop_rights() -> None:
    """Give up all capabilities, and whatever a program with rights of its own would add."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    head = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))
    none = ctypes.create_string_buffer(24)
    _done("capset", _libc().capset(head, none))


def landlock_abi() -> int:
    """Which version of Landlock's interface there is; 0: none."""
    if not sys.platform.startswith("linux"):
        return 0
    version = _libc().syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return max(0, int(version))


def wall_files(readable: Iterable[str], writable: str) -> None:
    """Let files be read below these places, and written below one of them only.

    Args:
        readable: Files and folders; one that is not there is passed over.
        writable: One folder.

    Raises:
        NoWall: there is no Landlock.
    """
    abi = landlock_abi()
    if abi < 1:
        raise NoWall("this kernel has no Landlock (it is in Linux 5.13 and on, where it is switched on)")
    rights = FS_BY_ABI.get(abi, FS_LATEST)
    attributes = [rights] + [NET_TCP] * (abi >= 4) + [SCOPES] * (abi >= 6)
    given = ctypes.create_string_buffer(struct.pack(f"={len(attributes)}Q", *attributes))
    size = ctypes.c_size_t(8 * len(attributes))
    rules = _done("landlock", _libc().syscall(LANDLOCK_CREATE_RULESET, given, size, ctypes.c_uint32(0)))
    try:
        for place in readable:
            _let(rules, place, (EXECUTE | READ_FILE | READ_DIR) & rights)
        _let(rules, writable, rights & ~EXECUTE)
        _done("landlock", _libc().syscall(LANDLOCK_RESTRICT_SELF, rules, ctypes.c_uint32(0)))
    finally:
        os.close(rules)


def _let(rules: int, place: str, rights: int) -> None:
    try:
        there = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(place):  # noqa: PTH112 - a small process
            rights &= OF_A_FILE
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, there))
        _done(
            f"landlock {place}",
            _libc().syscall(LANDLOCK_ADD_RULE, rules, ctypes.c_int(1), rule, ctypes.c_uint32(0)),
        )
    finally:
        os.close(there)


def wall_calls() -> None:
    """Let nothing but the system calls of the list be made, by this process and all that it begins.

    Raises:
        NoWall: there is no seccomp, or the machine is none that the list knows.
    """
    program = _program(os.getpid())
    code = ctypes.create_string_buffer(program)
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code)))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(head))


def _program(own: int) -> bytes:
    """The filter, in the machine language of BPF; `own` is the process that it is for."""
    machine = platform.machine()
    if machine not in MACHINES or sys.maxsize < 2**32:
        raise NoWall(f"the list of system calls does not know this machine ({machine})")
    column, arch = MACHINES[machine]
    load_arch, load_call, low, high = (_load(offset) for offset in (4, 0, 16, 20))
    lines = [load_arch, _jump_if_equal(arch, 1, 0), _give(KILL), load_call]
    for numbers in CALLS.values():
        if numbers[column] >= 0:
            lines += [_jump_if_equal(numbers[column], 0, 1), _give(ALLOW)]
    lines += [_jump_if_equal(CLONE3[column], 0, 1), _give(ENOSYS)]  # its flags can't be seen: clone is tried
    lines += [
        _jump_if_equal(CLONE[column], 0, 4),
        low,
        _jump_if_any(CLONE_THREAD, 0, 1),
        _give(ALLOW),
        _give(EPERM),
    ]
    for numbers, wanted in ((TGKILL, own), (PRLIMIT, 0)):  # of this process alone
        lines += [_jump_if_equal(numbers[column], 0, 6), low, _jump_if_equal(wanted, 0, 3)]
        lines += [high, _jump_if_equal(0, 0, 1), _give(ALLOW), _give(EPERM)]
    return b"".join([*lines, _give(EPERM)])


def _load(offset: int) -> bytes:
    return struct.pack("HBBI", 0x20, 0, 0, offset)


def _jump_if_equal(value: int, yes: int, no: int) -> bytes:
    return struct.pack("HBBI", 0x15, yes, no, value)


def _jump_if_any(bits: int, yes: int, no: int) -> bytes:
    return struct.pack("HBBI", 0x45, yes, no, bits)


def _give(answer: int) -> bytes:
    return struct.pack("HBBI", 0x06, 0, 0, answer)
