"""On what something was fitted and how it was tested: it travels with what was fitted, in one JSON file."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import GraphError

MAX_BYTES = 4 * 1024 * 1024
"""Of a file with fitted weights."""

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class Provenance(BaseModel):
    """On what weights were fitted, and how they did on what they were not fitted on.

    `on` graded examples over `items` different questions; `data` is a digest of them; `split` says how
    they were held apart; `held_out` are the figures on what was held out, by name (with `.low` and
    `.high`, the ends of a 95 % interval).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: Count
    items: Count
    data: str = Field(max_length=100)
    split: str = Field(max_length=500)
    held_out: dict[str, Number] = Field(max_length=100)
    made: date

    @property
    def note(self) -> str:
        """In a sentence."""
        return f"fitted on {self.on:,} graded examples over {self.items:,} questions; {self.split}"


class Fitted(BaseModel):
    """Something that was fitted, as it stands in its file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str = Field(max_length=100)
    provenance: Provenance

    def written(self) -> str:
        """The file's text: JSON with a digest of everything else in it."""
        content = self.model_dump(mode="json")
        return json.dumps({**content, "digest": _digest(content)}, indent=1) + "\n"


_F = TypeVar("_F", bound=Fitted)


def read_fitted(kind: type[_F], source: str | Path, wanted: str) -> _F:
    """Read a file with fitted weights, or its text. Nothing in it is run.

    Raises:
        GraphError: It is too large, no such file, of another format, or was changed by hand.
    """
    text = _text(source)
    try:
        content: Any = json.loads(text)
        stated = content.pop("digest", None)
        fitted = kind.model_validate(content)
    except (ValueError, AttributeError, RecursionError, ValidationError) as error:
        raise _refused(wanted, f"cannot be read: {str(error)[:300]}") from error
    if fitted.format != wanted:
        raise _refused(wanted, f"is of the format {fitted.format!r}")
    if stated != _digest(fitted.model_dump(mode="json")):
        raise _refused(wanted, "does not match its digest: it was cut or changed after it was fitted")
    return fitted


def _text(source: str | Path) -> str:
    if isinstance(source, str) and source.lstrip().startswith("{"):
        text = source
    else:
        try:
            with Path(source).open("rb") as file:
                text = file.read(MAX_BYTES + 1).decode()
        except (OSError, ValueError) as error:
            raise _refused("fitted weights", f"cannot be opened: {error}") from error
    if len(text) > MAX_BYTES:
        raise _refused("fitted weights", f"is larger than {MAX_BYTES:,} bytes")
    return text


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _refused(wanted: str, why: str) -> GraphError:
    return GraphError(
        f"The file with weights ({wanted}) {why}",
        next_step="Fit it again from graded rounds, or take the file as it was written",
    )
