"""How sure a rate is that was counted."""

from __future__ import annotations

import math
from typing import Final

Z: Final = 1.959963984540054
"""The normal deviate of a 95 % interval."""


def wilson(hits: float, of: float, z: float = Z) -> tuple[float, float]:
    """Wilson's interval of a rate (JASA 22, 1927): (0, 1) where nothing was counted."""
    if of <= 0:
        return 0.0, 1.0
    p, square = hits / of, z * z / of
    middle, half = p + square / 2, z * math.sqrt(p * (1 - p) / of + square / (4 * of))
    low, high = (middle - half) / (1 + square), (middle + half) / (1 + square)
    return max(0.0, min(low, p)), min(1.0, max(high, p))  # but for rounding, the rate lies between them
