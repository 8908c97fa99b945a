"""Where did it go wrong: the first version at which a test fails, or holds, in few looks at the state.

As `git bisect` does: the history is taken to change once, from versions before which all is good to
versions from which on all is bad. Where it changes more often, one of the changes from good to bad is
found: the version before it was seen to be good (or is the given one), it itself was seen to be bad.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import NoneBad
from .records import Commit
from .showing import Shown, visible

Verdict = bool | None
"""Good, bad, or (None) not to be told: the version is skipped."""

MOST_SKIPPED = 1000
"""So many versions in a row may be skipped."""


@dataclass(frozen=True, slots=True)
class Bisected(Shown):
    """The first bad version.

    Attributes:
        version: The first at which the test failed (or, where that was asked, held).
        good: The version before it that was seen to be good, or was given as good.
        commit: The commit that made the first bad one.
        reads: How many versions were looked at.
        tested: What was found of each, in the order in which it was looked at; None where it was skipped.
    """

    branch: str
    version: int
    good: int
    commit: Commit
    reads: int
    tested: tuple[tuple[int, Verdict], ...]

    def as_dict(self) -> dict[str, Any]:
        """The answer as plain data."""
        return {
            "branch": self.branch,
            "version": self.version,
            "good": self.good,
            "commit": self.commit.as_dict(),
            "reads": self.reads,
            "tested": [{"version": version, "good": verdict} for version, verdict in self.tested],
        }

    def cells(self) -> dict[str, object]:
        """What is shown of it."""
        return {
            "first bad": f"v{self.version} of {self.branch}",
            "by": self.commit.author,
            "transition": self.commit.transition,
            "round": self.commit.round,
            "writes": self.as_dict()["commit"]["writes"],
            "last good": f"v{self.good}",
            "reads": self.reads,
        }

    def __str__(self) -> str:
        commit = self.commit
        does = f" {commit.transition}" if commit.transition else ""
        ended = f", which ended r{commit.round}" if commit.round else ""
        wrote = ", ".join(dict.fromkeys(self.as_dict()["commit"]["writes"])) or "nothing"
        return visible(
            f"v{self.version} of {self.branch} is the first bad version ({self.reads} looked at): "
            f"{commit.author}{does}{ended}, wrote {wrote}"
        )


class Search:
    """A search between a good version and a bad one; each version is looked at once.

    Args:
        verdict: Whether a version is good; None where that cannot be told.
    """

    def __init__(self, verdict: Callable[[int], Verdict], good: int, bad: int) -> None:
        self._verdict = verdict
        self._first, self._last = good, bad
        self._skipped: set[int] = set()
        self.tested: dict[int, Verdict] = {}

    def run(self) -> tuple[int, int]:
        """The last good version before the first bad one, and that one.

        The ends are looked at only where nothing else has shown what they are, so that n versions take
        no more than log2(n) + 1 looks.

        Raises:
            NoneBad: no version between the ends is the first bad one, or none can be told from the skipped.
        """
        good, bad = self._first, self._last
        if good >= bad:
            raise NoneBad(
                f"There is no version between v{good} (good) and v{bad} (bad)",
                next_step="Name a good version before a bad one",
            )
        while (middle := self._middle(good, bad)) is not None:
            match self._look(middle):
                case True:
                    good = middle
                case False:
                    bad = middle
                case None:
                    self._skip(middle)
        if bad == self._last and bad not in self.tested:
            self._check_end(bad, wanted=False)
        if good == self._first and good not in self.tested:
            self._check_end(good, wanted=True)
        left = [version for version in range(good + 1, bad) if version in self._skipped]
        if left:
            raise NoneBad(
                f"Only skipped versions are left: the first bad one is any of v{good + 1} to v{bad}",
                next_step="Let the test say something of them, or narrow it with a good and a bad version",
                good=good,
                bad=bad,
                skipped=left[:100],
            )
        return good, bad

    def _middle(self, good: int, bad: int) -> int | None:
        """The version nearest to the middle that was not skipped."""
        middle = (good + bad) // 2
        for away in range(bad - good):
            for version in (middle - away, middle + away):
                if good < version < bad and version not in self._skipped:
                    return version
        return None

    def _look(self, version: int) -> Verdict:
        found = self.tested[version] = self._verdict(version)
        return found

    def _skip(self, version: int) -> None:
        self._skipped.add(version)
        if len(self._skipped) >= MOST_SKIPPED:
            raise NoneBad(
                f"{len(self._skipped):,} versions were skipped, and nothing is found",
                next_step="Give a test that says something of most versions",
            )

    def _check_end(self, version: int, *, wanted: bool) -> None:
        found = self._look(version)
        if found is (not wanted):
            said, other = ("good", "bad") if wanted else ("bad", "good")
            raise NoneBad(
                f"v{version}, which should be {said}, is {other} already",
                next_step="Ask for the opposite (`find`, or with or without --holds), or name other versions"
                if wanted
                else "No version up to it is bad: name a later one",
                good=self._first,
                bad=self._last,
            )
