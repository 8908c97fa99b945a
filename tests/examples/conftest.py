"""The local server that the models of an example are asked at."""

from __future__ import annotations

from provider import provider

__all__ = ["provider"]
