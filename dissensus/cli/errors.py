"""What only the command line can do wrong, and what it exits with besides an error's own code.

DissensusError
└── Misuse          2   a command that was put together wrongly
"""

from __future__ import annotations

from dissensus_state.errors import DissensusError

UNEXPECTED = 1
"""A defect of ours or of the user's module; also what `diff --exit-code` says of a change."""

ALARM = 26
"""What `quality --check` says where an alarm stands."""

INTERRUPTED = 130
"""Ctrl-C, as shells count it: 128 and the number of SIGINT."""

READER_GONE = 141
"""Whoever read the output closed it, as shells count it: 128 and the number of SIGPIPE."""


class Misuse(DissensusError):
    """The command cannot be run as it was put together."""

    code = "usage"
    exit_code = 2
    next_step = "See `dissensus --help`"
