"""What is wrong with a `dissensus.toml`: the file, the line, the key, and what was probably meant."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from ..errors import SettingsRefused
from .providers import PROVIDERS, SYNONYMS
from .texts import shown

Place = tuple[str, ...]

_SECRET_NAMES = re.compile(
    r"(?:\A|_|-)(?:api_?key|key|secret|token|password|passwd|credentials?|bearer)\Z", re.IGNORECASE
)
_SECRET_VALUES = re.compile(
    r"\A(?:Bearer\s+\S{8,}|(?:sk|pk|rk|gsk|csk|xai|hf|tgp|nvapi|fw|AIza)[-_]?[A-Za-z0-9_-]{16,})\Z"
)
_USE_THE_ENVIRONMENT = (
    "Take it out of the file, put it into an environment variable, and name that with key_env; "
    "if the file was shared, the key must be replaced"
)


class Owned(Protocol):
    """A provider of the file, as far as its key goes."""

    @property
    def key_env(self) -> str | None:
        """The variable with its key."""
        ...

    @property
    def base_url(self) -> str | None:
        """Where it is asked."""
        ...


def refuse_keys(said: Mapping[str, Any], text: str, path: Path) -> None:
    """Refuse a file that holds a key; what it holds is not repeated.

    Raises:
        SettingsRefused: It does.
    """
    for place, value in _values(said, ()):
        if not isinstance(value, str):
            continue
        named = _SECRET_NAMES.search(place[-1]) and place[0] != "aliases"
        if named or _SECRET_VALUES.match(value.strip()) or _has_password(value):
            raise SettingsRefused(
                f"{_where(path, text, place)}: this looks like a key, and a key does not belong into a file",
                next_step=_USE_THE_ENVIRONMENT,
            )


def refuse_borrowed_keys(providers: Mapping[str, Owned], text: str, path: Path) -> None:
    """Refuse a provider of the file that would be sent the key of another one.

    Raises:
        SettingsRefused: There is one.
    """
    owners = {variable: name for name, one in PROVIDERS.items() for variable in one.key_envs}
    for name, provider in providers.items():
        known = PROVIDERS.get(name)
        owner = known.table if known is not None else ""
        if provider.key_env is not None:
            foreign = owners.get(provider.key_env, owner) != owner
        else:
            foreign = bool(known and known.key_envs and not known.local and provider.base_url)
            foreign = foreign and not (name == "azure" and _is_azure(provider.base_url or ""))
        if foreign:
            key, whose = provider.key_env or "its key", owners.get(provider.key_env or "", owner)
            raise SettingsRefused(
                f"{_where(path, text, ('providers', name))}: {key} is the key of {whose}, "
                "which must not be sent to anybody else",
                next_step=f"Give {name} a key_env of its own, such as {_own(name, owners)}"
                + (f", or set {known.url_env} in the environment" if known else ""),
            )


def _is_azure(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host.endswith((".azure.com", ".azure-api.net"))


def refuse_unknown_providers(
    models: Iterable[str], providers: Mapping[str, object], text: str, path: Path
) -> None:
    """Refuse what the file says of models whose provider nobody knows: it would be said in vain.

    Raises:
        SettingsRefused: There is such a model.
    """
    known = [*PROVIDERS, *providers]
    for name in models:
        provider, colon, _ = name.partition(":")
        if colon and provider in known:
            continue
        near = [SYNONYMS[provider]] if provider in SYNONYMS else get_close_matches(provider, known, n=1)
        meant = f"Did you mean {near[0]}:…? " if near else ""
        raise SettingsRefused(
            f"{_where(path, text, ('models', name))}: this is no model of a known provider",
            next_step=f"{meant}Write provider:model; a provider of your own needs its [providers] table",
        )


def _own(name: str, taken: Container[str]) -> str:
    """The name of a variable that is nobody else's."""
    own = re.sub(r"[^A-Z0-9]", "_", name.upper())
    return f"{own}_API_KEY" if f"{own}_API_KEY" not in taken else f"MY_{own}_KEY"


def refused(error: ValidationError, text: str, path: Path, document: type[BaseModel]) -> SettingsRefused:
    """The error for what pydantic found: one finding whole, a misspelt name first; the others counted."""
    findings = error.errors(include_url=False, include_context=False, include_input=False)
    first = min(findings, key=lambda found: found["type"] != "extra_forbidden")
    place = _plain(first["loc"])
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return SettingsRefused(
        f"{_where(path, text, place)}: {_said(first['type'], str(first['msg']))}{more}",
        next_step=_hint(first["type"], place, document),
    )


def _said(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "nothing is known by this name"
    return shown(message.removeprefix("Value error, "), 200)


def _hint(kind: str, place: Place, document: type[BaseModel]) -> str:
    if kind != "extra_forbidden":
        return ""
    allowed = _allowed(document, place[:-1])
    near = get_close_matches(place[-1], allowed, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return f"{meant}There are {', '.join(allowed)}"


def _allowed(kind: type[BaseModel], table: Place) -> list[str]:
    """The keys that a table of the file may have."""
    tables = [kind]
    for step in table:
        inner = [_tables_in(one.model_fields[step].annotation) for one in tables if step in one.model_fields]
        tables = [found for several in inner for found in several] or tables
    return list(tables[0].model_fields)


def _tables_in(annotation: Any) -> list[type[BaseModel]]:
    """The tables that a field may hold, directly, by name or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _tables_in(part)]


def _plain(place: tuple[int | str, ...]) -> Place:
    """Where a finding stands in the file; pydantic names the branches of a union as well."""
    return tuple(
        str(step) for step in place if not re.match(r"(?:constrained|tuple|function|literal)", str(step))
    )


def _values(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _values(inner, (*place, key))
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, place)
    elif place:
        yield place, value


def _has_password(value: str) -> bool:
    """Whether an address holds a password, or a key behind its question mark."""
    try:
        parts = urlsplit(value) if "://" in value else None
    except ValueError:
        return False
    if parts is None:
        return False
    named = [pair.partition("=")[0] for pair in parts.query.split("&")]
    return parts.password is not None or any(map(_SECRET_NAMES.search, named))


def _where(path: Path, text: str, place: Place) -> str:
    """`dissensus.toml, line 7, models."openai:gpt-5".window`, as far as it is known."""
    line = line_of(text, place)
    at = f", line {line}" if line else ""
    name = ".".join(step if re.fullmatch(r"[\w-]+", step) else f'"{step}"' for step in place)
    return f"{path}{at}" + (f", {shown(name, 120)}" if name else "")


def line_of(text: str, place: Place) -> int | None:
    """The line on which a key stands, or the table around it; None where neither is found.

    TOML's parser tells no lines, so headers and the keys at the beginning of lines are looked for.
    """
    table: Place = ()
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        found = _header(line)
        table, here = (found, found) if found is not None else (table, (*table, *_key(line)))
        depth = min(len(here), len(place))
        if depth and here[:depth] == place[:depth] and (best is None or depth > best[0]):
            best = depth, number
    return best[1] if best else None


def _header(line: str) -> Place | None:
    """The table that a line opens."""
    stripped = line.strip()
    return _path_in(stripped) if stripped.startswith("[") else None


def _key(line: str) -> Place:
    """The key that a line begins with."""
    key, sign, _ = line.partition("=")
    return (_path_in(f"{key}= 0") or ()) if sign else ()


def _path_in(line: str) -> Place | None:
    """The one path of keys in a line of TOML."""
    try:
        inner: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    place: list[str] = []
    while isinstance(inner, (dict, list)) and len(inner) == 1:
        if isinstance(inner, list):
            inner = inner[0]
            continue
        ((key, inner),) = inner.items()
        place.append(key)
    return tuple(place)
