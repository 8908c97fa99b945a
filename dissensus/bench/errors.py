"""What a benchmark can fail at, beside what its rounds can.

DissensusError
├── TasksRefused     2   the task file cannot be used; it says on which line
├── TableRefused    23   the table, or the routing file, cannot be written where it was to go
└── TooFew          24   there are too few answers to suggest a routing
"""

from __future__ import annotations

from dissensus_state.errors import DissensusError


class TasksRefused(DissensusError):
    """The task file cannot be used."""

    code = "bench.tasks"
    exit_code = 2
    next_step = 'One item a line, like {"id": "1", "question": "…", "expected": "…"}; see docs/bench.md'


class TableRefused(DissensusError):
    """What was measured cannot be written where it was to go."""

    code = "bench.table_refused"
    exit_code = 23
    next_step = "Name another file; the same command writes it there, without a call"


class TooFew(DissensusError):
    """There are too few answers to suggest a routing."""

    code = "bench.too_few"
    exit_code = 24
    next_step = "Give more items, or begin with the table alone: leave --routing out"
