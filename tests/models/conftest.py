from __future__ import annotations

from provider import provider

__all__ = ["provider"]
