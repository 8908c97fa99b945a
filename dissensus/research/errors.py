"""What a research session can fail at, beside what its rounds can.

DissensusError
├── NoModels        12   no model was named, and none was found
├── NoSources        3   there is nothing to read
└── ReportRefused   23   the report cannot be written where it was to go
"""

from __future__ import annotations

from dissensus_state.errors import DissensusError, NotFound


class NoModels(DissensusError):
    """No model was named, and none was found."""

    code = "research.no_models"
    exit_code = 12
    next_step = "Name one with --models, or see it on scripted models with `dissensus demo`"


class NoSources(NotFound):
    """There is nothing to read."""

    code = "research.no_sources"
    next_step = "Name a folder with text, Markdown, PDF, CSV or HTML files with --sources"


class ReportRefused(DissensusError):
    """The report cannot be written where it was to go."""

    code = "research.report_refused"
    exit_code = 23
    next_step = "Name another folder with --out; the same command writes it there, without a call"
