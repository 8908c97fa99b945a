"""The answer of a model that routes, as it is read: untrusted, typed and bounded."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Chosen(BaseModel):
    """Which option a model names, why, and how sure it is."""

    model_config = ConfigDict(extra="ignore")

    option: str
    reason: str = ""
    confidence: float | None = Field(default=None, ge=0, le=1)


ADAPTER: TypeAdapter[Chosen] = TypeAdapter(Chosen)
