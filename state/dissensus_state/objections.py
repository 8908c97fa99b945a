"""What a rule has against a change: asked for, bounded, and told as data that a model can mend.

A rule is a user's code: whatever it raises or returns becomes an objection or lets pass, and what is
neither is a defect of the rule, which refuses the commit and says so.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from .errors import Refused
from .values import JSON, Path, parse_path, pointer

Rule = Callable[..., Any]
"""A guard or an invariant: `rule(before, after, evidence)`, or fewer of these from the left.

It refuses by returning False, a text that says why or an `Objection`, or by raising one, ValueError or
AssertionError; None and True let the commit pass. Anything else is a defect of the rule.
"""

_ABSENT: Any = object()

MAX_REASON = 1000
MAX_EXCERPT = 2000
"""About how many characters of a value are told."""

_LONGEST_TEXT, _MOST_ITEMS, _DEEPEST, _LONGEST_INTEGER = 400, 8, 5, 40


class Objection(ValueError):
    """What a rule has against a change; it is returned or raised.

    Args:
        reason: A sentence.
        path: Where, as `/verdict/cause`; by default the fields that the rule names.
        value: What is wrong there; by default what would stand there.
        retry: Whether another patch could pass, so that it is worth asking a model again; None leaves
            that open.
    """

    defect: str | None = None

    def __init__(
        self, reason: str = "", *, path: str | None = None, value: Any = _ABSENT, retry: bool | None = None
    ) -> None:
        self.reason = readable(reason or "it does not hold", MAX_REASON)
        self.path = None if path is None else parse_path(path)
        self.value = value
        self.retry = retry
        super().__init__(self.reason)


def against(rule: Rule, *arguments: Any) -> Objection | None:
    """What a rule has against it, or None; only as many arguments are passed as it takes."""
    verdict, found = tried(rule, *arguments[: arity(rule)])
    if found is not None:
        return found
    if verdict is None or verdict is True:
        return None
    if verdict is False or isinstance(verdict, str):
        return Objection(verdict or "")
    return verdict if isinstance(verdict, Objection) else _odd(verdict)


def tried(code: Callable[..., Any], *arguments: Any) -> tuple[Any, Objection | None]:
    """What a user's code returns, or what it has against it.

    The one border in the state where any exception is caught: behind it is a user's code.
    """
    try:
        return code(*arguments), None
    except Refused:
        raise
    except Objection as found:
        return None, found
    except (ValueError, AssertionError) as error:
        return None, Objection(str(error))
    except Exception as error:  # noqa: BLE001 - see above
        return None, defect(f"it raised {type(error).__name__}: {error}")


def _odd(verdict: object) -> Objection:
    if inspect.iscoroutine(verdict):
        verdict.close()
    return defect(f"it returned a {type(verdict).__name__}, and not None, a bool, a text or an Objection")


def defect(what: str) -> Objection:
    """What is wrong with a user's code itself, so that no other patch can help."""
    found = Objection(what, retry=False)
    found.defect = found.reason
    return found


def name_of(rule: Rule) -> str:
    """What a rule is called."""
    return str(getattr(rule, "__name__", type(rule).__name__))


def says(rule: Rule) -> str | None:
    """The first sentence of a rule's docstring."""
    text = getattr(rule, "__doc__", None)
    return readable(text.strip().split("\n", 1)[0], MAX_REASON) if isinstance(text, str) and text else None


def arity(rule: Rule) -> int:
    """How many of `before, after, evidence` a rule takes."""
    try:
        return _arity(rule)
    except TypeError:  # not hashable
        return _arity.__wrapped__(rule)


@functools.lru_cache(maxsize=512)
def _arity(rule: Rule) -> int:
    try:
        parameters = inspect.signature(rule).parameters.values()
    except (TypeError, ValueError):
        return 1
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return 3
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return sum(parameter.kind in positional for parameter in parameters)


def told(found: Objection, rule: Rule, fields: Iterable[str], before: Any, after: Any) -> dict[str, JSON]:
    """An objection as the context of an error: rule, places, what stood there and what would.

    `value` and `before` give an excerpt for each path at which something stands.
    """
    paths = [(name,) for name in fields] if found.path is None else [found.path]
    context: dict[str, JSON] = {"rule": name_of(rule), "says": says(rule), "defect": found.defect}
    if paths:
        context["path"] = ", ".join(map(_shown, paths))
        context["value"] = _values(paths, after)
        context["before"] = _values(paths, before)
    if found.value is not _ABSENT:
        context["value"] = {_shown(paths[0] if paths else ()): excerpt(found.value)}
    return context


def _values(paths: Sequence[Path], state: Any) -> dict[str, JSON]:
    found = ((path, _at(state, path)) for path in paths)
    limit = MAX_EXCERPT // len(paths)
    return {_shown(path): excerpt(value, limit) for path, value in found if value is not _ABSENT}


def _shown(path: Path) -> str:
    return pointer(path) or "/"


def _at(value: Any, path: Path) -> Any:
    """What stands at a path of a typed state; nothing where there is none, or the path goes by a key."""
    for token in path:
        if isinstance(value, Mapping):
            value = next((item for key, item in value.items() if str(key) == token), _ABSENT)
        elif isinstance(value, BaseModel):
            value = getattr(value, token, _ABSENT) if token in type(value).model_fields else _ABSENT
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            value = value[int(token)] if token.isdecimal() and int(token) < len(value) else _ABSENT
        else:
            return _ABSENT
    return value


def readable(text: str, limit: int) -> str:
    """A text that can be stored, cut where it is longer than the limit."""
    whole = text[: limit + 1].encode(errors="replace").decode()
    return whole if len(text) <= limit else f"{whole[:limit]}… ({len(text):,} characters)"


def excerpt(value: Any, limit: int = MAX_EXCERPT) -> JSON:
    """A value as JSON of about this many characters; what is left out is said where it was."""
    return _Excerpt(limit).of(value, 0)


class _Excerpt:
    """The making of one excerpt: `left` is what it may still hold."""

    def __init__(self, left: int) -> None:
        self._left = left

    def of(self, value: Any, depth: int) -> JSON:
        if isinstance(value, BaseModel):
            value = {name: getattr(value, name) for name in type(value).model_fields if hasattr(value, name)}
        if isinstance(value, Mapping):
            return self._object(value, depth)
        if isinstance(value, Sequence | AbstractSet) and not isinstance(value, str | bytes):
            return self._list(value, depth)
        told = _scalar(value, min(_LONGEST_TEXT, max(self._left, 0)))
        self._left -= len(told) if isinstance(told, str) else 8
        return told

    def _object(self, value: Mapping[Any, Any], depth: int) -> JSON:
        told: dict[str, JSON] = {}
        for key, item in value.items():
            if not self._goes_on(len(told), depth):
                told["…"] = f"{len(value) - len(told):,} more"
                break
            name = readable(str(key), _LONGEST_TEXT)
            self._left -= len(name)
            told[name] = self.of(item, depth + 1)
        return told

    def _list(self, value: Sequence[Any] | AbstractSet[Any], depth: int) -> JSON:
        told: list[JSON] = []
        for item in value:
            if not self._goes_on(len(told), depth):
                told.append(f"… {len(value) - len(told):,} more")
                break
            told.append(self.of(item, depth + 1))
        return told

    def _goes_on(self, there: int, depth: int) -> bool:
        return there < _MOST_ITEMS and depth < _DEEPEST and self._left > 0


def _scalar(value: Any, limit: int) -> JSON:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        digits = int(abs(value).bit_length() * 0.30103) + 1
        return int(value) if digits <= _LONGEST_INTEGER else f"an integer of about {digits:,} digits"
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, str):
        return readable(str(value), limit)
    plain = to_jsonable_python(value, fallback=lambda other: f"a {type(other).__name__}", bytes_mode="base64")
    return readable(plain if isinstance(plain, str) else str(plain), limit)
