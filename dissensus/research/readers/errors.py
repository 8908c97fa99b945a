"""What can go wrong with one file; the others are read all the same.

DissensusError
└── Unreadable          22   a file that gives no text
"""

from __future__ import annotations

from dissensus_state.errors import DissensusError


class Unreadable(DissensusError):
    """The file gives no text."""

    code = "document.unreadable"
    exit_code = 22
    next_step = "Leave it out, or give its text as a file of its own"
