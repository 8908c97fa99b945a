"""The history of a session that is brought here: its rounds and its chain, held to their hashes as they come.

What was folded on the way is kept as snapshots, taken as the commits would have taken them.
"""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Callable, Mapping
from typing import Any

from . import calls, commits, rebuilding, rounds, snapshots
from .archive_types import Packed
from .blobs import Stowed, fetched
from .chain import chained
from .commits import SAID
from .engines import Work
from .errors import DissensusError, Tampered
from .heads import Head
from .patches import Folder, Patch
from .values import JSON, digest, parse_object

UNREADABLE = (DissensusError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What comes of folding patches into which anybody may have written anything."""

_SAID_OF_CALLS = [column.name for column in calls.said_columns][4:]
"""The columns of a call that the chain covers, after the terms of its model."""

_MOST_OF_ROUND = 20_000

Terms = tuple[str, str, str, str]


class Rounds:
    """The digests of the rounds that have come, 40 bytes for each."""

    def __init__(self) -> None:
        self._numbers = array("q")
        self._digests = bytearray()
        self._round: Mapping[str, Any] | None = None
        self._calls: list[list[Any]] = []
        self._proposals: list[tuple[str, list[Any]]] = []
        self._rulings: list[list[Any]] = []

    def begin(self, said: Mapping[str, Any]) -> None:
        """A round; what hangs on it comes next."""
        self.end()
        self._round = said

    def call(self, said: Mapping[str, Any], terms: Terms) -> None:
        """A call of the round."""
        self._check_room()
        row = [*terms, *(_covered(said[name]) for name in _SAID_OF_CALLS)]
        self._calls.append(rounds.call_covered(row))

    def proposal(self, said: Mapping[str, Any]) -> None:
        """A proposal of the round."""
        self._check_room()
        patch: Stowed | None = said["patch"]
        row = [
            said[name] for name in ("agent", "patch", "reads", "attempt", "detail", "confidence", "status")
        ]
        covered = rounds.proposal_covered(row, known=None if patch is None else patch.digest)
        self._proposals.append((said["agent"], covered))

    def ruling(self, said: Mapping[str, Any]) -> None:
        """A ruling on the round."""
        self._check_room()
        row = [said[name] for name in ("n", "author", "decision", "body", "at", "binding")]
        self._rulings.append(rounds.ruling_covered(row))

    def _check_room(self) -> None:
        """What hangs on a round is kept in memory until it ends."""
        if len(self._calls) + len(self._proposals) + len(self._rulings) >= _MOST_OF_ROUND:
            raise ValueError(f"is one too many: on a round hang at most {_MOST_OF_ROUND:,} records")

    def end(self) -> None:
        """No more comes of the round that was begun last."""
        said, self._round = self._round, None
        if said is None:
            return
        names = ("branch", "step", "base", "started_at", "again_of", "note", "review")
        began = rounds.round_covered([said[name] for name in names])
        made = rounds.digest_of(
            [began], self._calls, [covered for _, covered in self._proposals], self._rulings
        )
        self._numbers.append(said["round"])
        self._digests += bytes.fromhex(made)
        self._calls, self._proposals, self._rulings = [], [], []

    def digest(self, number: int) -> str:
        """The digest of a round; `ValueError` where there was none of that number."""
        place = bisect.bisect_left(self._numbers, number)
        if place == len(self._numbers) or self._numbers[place] != number:
            raise ValueError(f"names a round {number} that is not there")
        return self._digests[32 * place : 32 * place + 32].hex()


def _covered(value: Any) -> Any:
    """A column as the chain covers it: of packed bytes the digest alone, as if they were gone."""
    return b"\x03" + value.digest if isinstance(value, Packed) else value


class Chain:
    """The commits of one branch after another, each held to the hash that follows from it.

    Args:
        flush: Writes what waits, so that it can be read.
    """

    def __init__(self, work: Work, session_id: int, known: Rounds, flush: Callable[[], None]) -> None:
        self._work, self._session_id, self._rounds, self._flush = work, session_id, known, flush
        self.branch = ""
        self.version = -1
        self.hash = b""
        self.wants_state = False
        self._pruned: int | None = None
        self._head: Head | None = None
        self._folder = Folder({})
        self._unkept = 0

    def begin(self, said: Mapping[str, Any]) -> None:
        """The branch whose commits come next."""
        self._flush()
        self.branch, self._pruned = said["branch"], said["pruned"]
        self.version, self.hash, self._head, self._unkept = -1, b"", None, 0
        if said["base_branch"] is not None:
            place = said["base_branch"], said["base_version"]
            self.version = place[1]
            self.hash = commits.hash_of(self._work, self._session_id, *place)

    def take(self, record: Mapping[str, JSON], said: Mapping[str, Any]) -> None:
        """The next commit, which is written down afterwards.

        Raises:
            Tampered: its hash does not follow from it and what it cites, or it cannot be folded.
        """
        if self.wants_state:
            raise ValueError(f"stands where the state is missing that {self.branch!r} stands on")
        if said["version"] != self.version + 1:
            raise ValueError(f"stands where version {self.version + 1} of {self.branch!r} should")
        if not self._follows(record, said):
            raise Tampered(
                f"Version {said['version']} of {self.branch!r} is not what its hash says: "
                "it, or the round it cites, was changed after it was committed",
                branch=self.branch,
                version=said["version"],
            )
        self.version, self.hash = said["version"], said["hash"]
        self.wants_state = self.version == self._pruned

    def _follows(self, record: Mapping[str, JSON], said: Mapping[str, Any]) -> bool:
        patch: Stowed = said["patch"]
        whole: dict[str, Any] = {name: record[name] for name in SAID}
        whole["base"] = said["version"] - 1 if said["base"] is None else said["base"]
        whole["isolation"] = said["isolation"] or "serializable"
        whole["evidence"] = record["evidence"] or ()
        number = said["round"]
        cites = None if number is None else self._rounds.digest(number)
        if said["hash"] == chained(self.hash, patch.digest, cites, whole):
            return True
        if whole["evidence"] and said["hash"] == chained(self.hash, patch.digest, cites, whole, "erased"):
            return True
        if number is not None:  # as it was before values could be redacted
            self._flush()
            cites = rounds.round_digest(self._work, self._session_id, number, whole=True)
        expected = chained(self.hash, digest(patch.text).hex(), cites, whole, "whole")
        return bool(said["hash"] == expected)

    def keep(self, record: Mapping[str, JSON], size: int) -> None:
        """Fold a commit that is written down, and take the snapshot that is due.

        Args:
            record: As it was read; what it holds goes into the state.
            size: The characters of its patch.

        Of a branch that has little of its own nothing is folded: whoever reads it does so.

        Raises:
            Tampered: the patch does not fit the state before it.
        """
        if self._pruned is not None and self.version <= self._pruned:
            return
        try:
            self._keep(fetched(self._work, self._session_id, record["patch"]), size)
        except UNREADABLE as error:
            why = error.message if isinstance(error, DissensusError) else str(error)
            raise Tampered(
                f"Version {self.version} of {self.branch!r} could not have been admitted: {why}",
                branch=self.branch,
                version=self.version,
            ) from error

    def _keep(self, patch: Patch, size: int) -> None:
        if self._head is None:
            if self.version == 0:
                self._folder = Folder({})
                self._folder.fold(patch)
                state = self._folder.state
                self._head = Head(0, b"", state, None, snapshots.initial(state, size), 0)
                return
            self._unkept += size
            if self._unkept < snapshots.MIN_BYTES:
                return
            self._flush()
            state, kept, grown, touched = commits.restore(
                self._work, self._session_id, self.branch, self.version
            )
            self._folder = Folder(state)
            self._head = Head(self.version, b"", state, None, kept, 0, grown, touched)
        else:
            self._folder.fold(patch)
            self._head = self._head._replace(
                version=self.version,
                state=self._folder.state,
                grown=self._head.grown + size,
                touched=self._head.touched | commits.changed(patch),
            )
        self._take_due(self._head)

    def _take_due(self, head: Head) -> None:
        if head.grown < head.kept.due:
            return
        self._flush()
        kept = snapshots.take(
            self._work, self._session_id, self.branch, head.version, head.state, head.kept, head.touched
        )
        self._head = head._replace(kept=kept, grown=0, touched=frozenset())

    def stand_on(self, said: Mapping[str, Any]) -> None:
        """The state that the branch stands on, right after the commit that made it."""
        if not self.wants_state or (said["branch"], said["version"]) != (self.branch, self.version):
            raise ValueError("stands where no branch was pruned to")
        self.wants_state = False
        self._flush()
        state = parse_object(said["state"])
        rebuilding.whole(self._work, self._session_id, self.branch, self.version, state)
        kept = snapshots.first(self.version, state, len(said["state"]))
        self._folder = Folder(state)
        self._head = Head(self.version, b"", state, None, kept, 0)

    def end(self, said: Mapping[str, Any]) -> None:
        """See that the last commit of the branch was its head."""
        if self.wants_state:
            raise ValueError(f"stands where the state is missing that {self.branch!r} stands on")
        if (self.version, self.hash) != (said["head"], said["head_hash"]):
            raise Tampered(
                f"The head of {self.branch!r} is not its last commit",
                branch=self.branch,
                version=min(self.version + 1, said["head"]),
            )
