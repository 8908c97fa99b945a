"""From `module:Class` to a schema, without ever importing what a database merely names.

A schema is code. A user may name one, and our own are safe; the name that stands in a database may
have been put there by anybody.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import Misuse

if TYPE_CHECKING:
    from dissensus_state.sessions import SessionInfo
    from dissensus_state.shapes import SharedState

_OURS = re.compile(r"dissensus(_agents)?(\.[a-z][a-z0-9_]*)+:[A-Z][A-Za-z0-9]*")


def known_schema(named: str | None, info: SessionInfo) -> type[SharedState] | None:
    """The schema that the user names, else our own by the session's name for it, else none."""
    if named or _OURS.fullmatch(info.schema):
        return load_schema(named or info.schema)
    return None


def needed_schema(named: str | None, info: SessionInfo) -> type[SharedState]:
    """The same where nothing can be done without it; `Misuse` says how to name it."""
    schema = known_schema(named, info)
    if schema is None:
        raise Misuse(
            "To change a session its schema is needed, and it is not imported unless you name it",
            next_step=f"Add --schema MODULE:CLASS; the session says {info.schema}",
            session=info.name,
        )
    return schema


def load_schema(name: str) -> type[SharedState]:
    """Import a schema; modules in the current folder are found first.

    Raises:
        Misuse: there is no such module or class, or it is no schema.
    """
    from dissensus_state.shapes import SharedState

    found = load(name)
    if not (isinstance(found, type) and issubclass(found, SharedState)):
        raise Misuse(f"{name} is no schema", next_step="Name a class that derives from SharedState")
    return found


def load(name: str) -> Any:
    """What stands under `MODULE:NAME`; modules in the current folder are found first.

    Raises:
        Misuse: there is no such module or name.
    """
    module, colon, path = name.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), *path.split("."))):
        raise Misuse(
            f"{name!r} names nothing that can be imported",
            next_step="Write it as MODULE:NAME, like inquiry:Inquiry",
        )
    found: Any = _module(module)
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            raise Misuse(f"There is no {path} in {module}", next_step="Correct the name")
        found = getattr(found, attribute)
    return found


def _module(name: str) -> Any:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise Misuse(
                f"There is no module {name}",
                next_step=f"Run this where the module is (now: {folder}), or set PYTHONPATH",
            ) from error
        raise Misuse(f"The module {name} needs {error.name}, which is not there") from error
    except (ImportError, SyntaxError) as error:
        raise Misuse(f"The module {name} cannot be imported: {error}") from error
