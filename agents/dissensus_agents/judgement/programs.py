"""The verifier that runs code: what a model proposes is done, behind walls, and its outcome is seen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from signal import Signals
from typing import Any, Final, Literal

from dissensus_state.values import JSON, Path, canonical, parse_path

from ..errors import GraphError
from .evidence import Evidence, Values, failed, passed, short, unknown
from .fields import reach
from .sameness import same
from .sandbox.asking import Limits, NoSandbox, Report, in_sandbox
from .witnessing import Verifier

MAX_CODE: Final = 200_000
"""Characters of the longest program that is run."""

_FENCED: Final = re.compile(r"\A\s*```[\w+-]*[^\S\n]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_ASK_WALLS: Final = (
    'let it be run where there is Linux with Landlock and seccomp, or say walls="any" '
    "if Python's own hooks are enough for you"
)


@dataclass(frozen=True, slots=True)
class _Runs:
    path: Path
    tests: tuple[str, ...]
    expects: Mapping[str, JSON]
    tolerance: float
    limits: Limits
    walls: Literal["kernel", "any"]
    name: str = "runs"
    version: str = "1"

    def verify(self, patch_values: Values, _: Values) -> Iterator[Evidence]:
        for path, value in reach(patch_values, self.path):
            yield self._check(path, value)

    def _check(self, path: Path, value: JSON) -> Evidence:
        if not isinstance(value, str) or not value.strip():
            return failed(self, "there is no code", path)
        if len(value) > MAX_CODE:
            return failed(self, f"the code is longer than {MAX_CODE:,} characters, and was not run", path)
        fenced = _FENCED.match(value)
        job = {
            "code": fenced[1] if fenced else value,
            "tests": self.tests,
            "calls": list(self.expects),  # the values that are expected never go behind the walls
        }
        try:
            report = in_sandbox("python", job, self.limits, self.walls)
        except NoSandbox as error:
            return unknown(self, f"the code could not be run here: {error}; {_ASK_WALLS}", path)
        return self._judged(path, report)

    def _judged(self, path: Path, report: Report) -> Evidence:
        told = [item for item in report.told if isinstance(item, dict)]
        if (
            report.why == "time"
        ):  # it waited, or the machine was busy: that says nothing of what it would give
            return unknown(self, f"the code was not done in {self.limits.clock:g} seconds", path)
        if report.why == "killed":
            return unknown(self, "the code was killed by somebody else, maybe for want of memory", path)
        wrong = _cut(report, self.limits) or self._wrong(told)
        if wrong:
            said = report.printed.strip()
            return failed(self, wrong + (f"; it printed: {short(said, 120)}" if said else ""), path)
        what = [
            f"{len(self.tests)} of {len(self.tests)} tests pass" if self.tests else "",
            f"{len(self.expects)} of {len(self.expects)} calls give what is expected" if self.expects else "",
        ]
        detail = ", ".join(filter(None, what)) or "the code runs to its end"
        if report.missing:
            detail += f" (kept by Python's own hooks alone: {short('; '.join(report.missing), 120)})"
        return passed(self, detail, path, decides=bool(self.tests or self.expects))

    def _wrong(self, told: Sequence[Mapping[str, Any]]) -> str:
        """What is wrong with what the code did; empty: nothing."""
        failures = [item for item in told if item.get("ok") is False]
        if failures and failures[0].get("stage") == "code":
            return f"the code fails: {failures[0].get('error')}"
        if not any(item.get("stage") == "end" for item in told):
            return "the code ended its process before it was done"
        done = {item.get("n") for item in told if item.get("stage") == "test" and item.get("ok") is True}
        lost = [n for n in range(len(self.tests)) if n not in done]
        if lost:
            why = next(
                (f.get("error") for f in failures if (f.get("stage"), f.get("n")) == ("test", lost[0])), ""
            )
            return f"{len(lost)} of {len(self.tests)} tests fail; {short(self.tests[lost[0]], 120)}: {why}"
        return self._differing(told)

    def _differing(self, told: Sequence[Mapping[str, Any]]) -> str:
        given = {item.get("n"): item for item in told if item.get("stage") == "call"}
        for n, (call, expected) in enumerate(self.expects.items()):
            item = given.get(n, {})
            if item.get("ok") is not True:
                return f"{short(call, 120)} fails: {item.get('error', 'it was not reached')}"
            if not same(str(item.get("value")), expected, self.tolerance):
                value, wanted = short(str(item.get("value"))), short(canonical(expected))
                return f"{short(call, 120)} gives {value}, and not {wanted}"
        return ""


def _cut(report: Report, limits: Limits) -> str:
    """Which limit the code went over, or by which signal it ended; empty: neither."""
    over = {
        "cpu": f"it took more than {limits.seconds:g} seconds of the processor",
        "output": f"it printed more than {limits.output_kb} KB",
        "told": "it gave back more than 2 MB",
        "files": f"it wrote more than {limits.files_mb} MB",
    }
    if report.why in over:
        return f"the code was stopped: {over[report.why]}"
    if report.why != "signal":
        return ""
    number = -report.status
    known = Signals(number).name if number in set(Signals) else str(number)
    return f"the code was ended by the signal {known}"


def runs(
    path: str,
    language: Literal["python"] = "python",
    *,
    tests: str | Sequence[str] = (),
    expects: Mapping[str, JSON] | None = None,
    tolerance: float = 0.0,
    seconds: float = 5.0,
    memory_mb: int = 256,
    files_mb: int = 16,
    output_kb: int = 64,
    walls: Literal["kernel", "any"] = "kernel",
) -> Verifier:
    """Check code by running it: in a process of its own, behind walls, with your tests.

    It sees the standard library, an empty folder that it may write to, an empty environment and nothing
    else: no network, no other process, no file of yours, no package. Each limit ends it. What these walls
    are made of, and what they are not, is told in `docs/verifiers.md`.

    A pass with `tests` or `expects` *decides*: it proves the code as far as they go. Without them it says
    only that the code runs to its end.

    Args:
        path: Where the code is proposed: a text, in Markdown's fences or not.
        language: Python is the only one.
        tests: Programs that are run after the code, each with its names, and fail by raising
            (`"assert add(2, 3) == 5"`). They are run in the code's own process: code that is written to
            deceive could make them pass.
        expects: Calls and what each gives, as JSON (`{"add(2, 3)": 5}`). What is expected never reaches
            the code's process, so that nothing in it could make them pass but the right values.
        tolerance: Share of a number that it may be off, in `expects`.
        seconds: How much of the processor it may take, in whole seconds from 1 up. What is not done in four
            times that and one more by the clock is stopped, and nothing is said for it or against it.
        memory_mb: How much memory, the interpreter's own 20 MB included.
        files_mb: How much it may write.
        output_kb: How much it may print.
        walls: `"kernel"`: where the kernel has no walls for files and network, nothing is run, and the
            check fails, saying so. `"any"`: there it is run behind Python's own hooks alone, which keep the
            careless out and not the hostile; the evidence says so.

    Raises:
        GraphError: another language, or a limit that is none.
    """
    if language != "python":
        raise GraphError(
            f"Code of the language {language!r} cannot be run",
            next_step="Python can; for others write a verifier",
        )
    if walls not in ("kernel", "any"):
        raise GraphError(f"walls of runs is 'kernel' or 'any', and not {walls!r}")
    given = (tests,) if isinstance(tests, str) else tuple(tests)
    limits = Limits(seconds, memory_mb, files_mb, output_kb)
    return _Runs(parse_path(path), given, dict(expects or {}), tolerance, limits, walls)
