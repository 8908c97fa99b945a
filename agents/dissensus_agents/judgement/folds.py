"""What all fitting shares: which fold a question is held out in, and numpy, which only fitting needs."""

from __future__ import annotations

import hashlib
from typing import Any

from ..errors import NotInstalled


def fold_of(key: object, folds: int = 5) -> int:
    """Which of so many folds a question belongs to: the SHA-256 of its key, modulo; the same everywhere."""
    return int(hashlib.sha256(str(key).encode()).hexdigest(), 16) % folds


def numpy() -> Any:
    """The module numpy, imported when something is fitted.

    Raises:
        NotInstalled: It is not there.
    """
    try:
        import numpy as np
    except ImportError as error:
        raise NotInstalled(
            "Fitting needs numpy, which is not installed",
            next_step="Install the extra: pip install 'dissensus[learn]'; what was fitted runs without it",
        ) from error
    return np
