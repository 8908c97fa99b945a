"""What rests on what, by a walk that is too slow to be wrong; and histories at random to walk over.

Written from the definition: every read of every commit is looked up in every version before it, with the
lengths of lists taken from the states themselves.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from by_hand import answered, begun, rules
from dissensus_state.errors import Conflict, NotFound, Refused
from dissensus_state.journal import Journal
from dissensus_state.patches import Operation, apply, get
from dissensus_state.records import Change, Commit, Isolation, Proposal
from dissensus_state.sessions import Session
from dissensus_state.values import Path, overlap, parse_path
from inquiries import Claim, Notes

Tip = tuple[str, int]
Touched = list[tuple[Path, bool]]


class Naive:
    """All commits of a session, and what rests on some of them.

    Args:
        cures: As what is suspect asks: a revert does not rest on a seed that it takes back, but on what
            it puts back, and what a merged branch supersedes counts as that one has it.
    """

    def __init__(self, session: Session[Any], *, cures: bool = False) -> None:
        self.session = session
        self.cures = cures
        self.lines: dict[str, list[Commit]] = {}
        self.commits: dict[Tip, Commit] = {}
        self._touched: dict[Tip, Touched] = {}
        for one in session.branches():
            line = [*session.on(one.name).watch(-1, timeout=0)]
            self.lines[one.name] = line
            self.commits |= {(commit.branch, commit.version): commit for commit in line}

    def impact(self, *origins: Tip, path: str | None = None) -> set[Tip]:
        """Everything that rests on these commits, or on what they wrote at a path."""
        seeds = {self._stored(*tip) for tip in origins}
        piece = None if path is None else parse_path(path)
        tainted: set[Tip] = set()
        while True:
            new = {
                tip for tip in self.commits.keys() - tainted if any(self._links(tip, tainted, seeds, piece))
            }
            if not new:
                return tainted
            tainted |= new

    def contributors(self, branch: str, path: Path, base: int) -> list[tuple[Tip, Touched]]:
        """The commits that contribute to the value at a path, newest first, with what they touched of it."""
        found = []
        upto, theirs = self.stands(branch, base)
        for commit in reversed(self.lines[branch][upto + 1 : base + 1]):
            touched = [one for one in self.touched(commit) if overlap(one[0], path)]
            if touched:
                found.append(((commit.branch, commit.version), touched))
            if any(whole and there == path[: len(there)] for there, whole in touched):
                return found
        return found + (self.contributors(theirs[0], path, theirs[1]) if theirs else [])

    def touched(self, commit: Commit) -> Touched:
        """The paths that a commit wrote, and whether it replaced what stood there."""
        tip = commit.branch, commit.version
        if tip not in self._touched:
            found: Touched = []
            state = self.session.on(commit.branch).raw(commit.version - 1) if commit.version else {}
            for one in commit.patch:
                if one.verb == "append":
                    there = len(get(state, one.path))
                    found += [((*one.path, str(there + n)), True) for n in range(len(one.value))]
                else:
                    found += [(path, one.verb in {"set", "remove", "merge"}) for path in one.touched()]
                state = apply(state, (one,))
            self._touched[tip] = found
        return self._touched[tip]

    def _stored(self, branch: str, version: int) -> Tip:
        return self.lines[branch][version].branch, version

    def _links(self, tip: Tip, tainted: set[Tip], seeds: set[Tip], piece: Path | None) -> Iterator[bool]:
        commit = self.commits[tip]
        for path, base in self._reads(commit):
            for other, touched in self.contributors(commit.branch, path, base):
                if other in tainted:
                    yield True
                elif other in seeds:
                    yield piece is None or any(overlap(there, piece) for there, _ in touched)
        yield from self._from_taken(commit, tainted, seeds, piece)

    def _from_taken(
        self, commit: Commit, tainted: set[Tip], seeds: set[Tip], piece: Path | None
    ) -> Iterator[bool]:
        mine = self.touched(commit)
        cures = self.cures and "revert" in (commit.source or {})
        for other in self._taken(commit):
            if other in tainted and not (cures and other in seeds):
                yield True
            elif other in seeds and not cures:
                yield piece is None or any(overlap(there, piece) for there, _ in mine)
        if cures:
            before = (commit.source or {})["revert"]["first"] - 1
            for path, _ in mine:
                yield any(tip in tainted | seeds for tip, _ in self.contributors(commit.branch, path, before))

    def stands(self, branch: str, base: int) -> tuple[int, Tip | None]:
        """Up to where another branch stands for this one in a version, and which version of it does."""
        best: tuple[int, int, Tip | None] = (-1, -1, None)
        does: dict[int, dict[int, int]] = {}
        for one in self.lines[branch][: base + 1] if self.cures else []:
            match one.source:
                case {"merge": {"branch": name, "version": number, **rest}} if not rest.get("ours"):
                    does[one.version] = {one.version: 1}
                case {"revert": {"first": first, "last": last}}:
                    does[one.version] = {}
                    for other in range(first, last + 1):
                        for merge, sign in does.get(other, {}).items():
                            does[one.version][merge] = does[one.version].get(merge, 0) - sign
        for version in does:
            made = self.lines[branch][version]
            count = sum(effect.get(version, 0) for effect in does.values())
            if "merge" not in (made.source or {}) or count <= 0:
                continue
            mine = {(one.branch, one.version) for one in self.lines[branch][:version]}
            for tip in self._taken(made):
                match self.commits[tip].source:
                    case {"merge": {"ours": True, "branch": name, "version": number}}:
                        upto = max(
                            (one[1] for one in self._before(name, number, ours=True) & mine), default=-1
                        )
                        said = (made.source or {})["merge"]
                        best = max(best, (upto, version, (said["branch"], said["version"])))
        return best[0], best[2] if best[0] >= 0 else None

    def left(self, branch: str, version: int, tainted: set[Tip]) -> set[Tip]:
        """The tainted commits that went into a version and are not settled in it."""
        there = self._before(branch, version, ours=False) & tainted
        upto, theirs = self.stands(branch, version)
        if theirs is None:
            return there
        kept = self.left(*theirs, tainted)
        for copy in [*kept]:
            at = copy
            while "carry" in (self.commits[at].source or {}):
                said = (self.commits[at].source or {})["carry"]
                at = said["branch"], said["version"]
                kept.add(at)
        old = {(one.branch, one.version) for one in self.lines[branch][: upto + 1]}
        return there & kept | (there - old)

    def _reads(self, commit: Commit) -> Iterator[tuple[Path, int]]:
        yield from ((path, commit.base) for path in commit.read_paths)
        if "upcast" in (commit.source or {}):
            yield from ((path, commit.base) for path, _ in self.touched(commit))
        round_, base = commit.round, None
        origin = commit
        while "carry" in (origin.source or {}):
            said = (origin.source or {})["carry"]
            origin, base = self.commits[said["branch"], said["version"]], commit.base
            round_ = origin.round
        if round_ is not None:
            ended, proposals, _, rulings = self.session.round(round_)
            for item in proposals if rulings else []:
                if item.status != "abstained":
                    for path in item.reads:
                        yield parse_path(path), ended.base if base is None else base

    def _taken(self, commit: Commit) -> set[Tip]:
        """The commits that one merged, took back or carried over."""
        match commit.source:
            case {"merge": {"ours": True}}:
                return set()
            case {"merge": {"branch": branch, "version": version}}:
                mine = self._before(commit.branch, commit.version - 1, ours=True)
                return self._before(branch, version, ours=False) - mine
            case {"revert": {"first": first, "last": last}}:
                return {self._stored(commit.branch, version) for version in range(first, last + 1)}
            case {"carry": {"branch": branch, "version": version}}:
                return {(branch, version)}
        return set()

    def _before(self, branch: str, version: int, *, ours: bool) -> set[Tip]:
        """Everything that went into a version."""
        found: set[Tip] = set()
        for commit in self.lines[branch][: version + 1]:
            found.add((commit.branch, commit.version))
            match commit.source:
                case {"merge": {"branch": other, "version": its, **rest}} if ours or not rest.get("ours"):
                    found |= self._before(other, its, ours=ours)
        return found


PATHS = ["a", "text", "lines", "lines/0", "lines/2", "answers", "answers/x", "answers/x/list", "claims/p", ""]


class Life:
    """What happens to a session of `Notes` at random, from a seed.

    Args:
        mends: Much of it is superseding, merging, and taking merges back.
    """

    def __init__(self, session: Session[Notes], seed: int, *, mends: bool = False) -> None:
        self.session = session
        self.mends = mends
        self.chosen = random.Random(seed)
        self.names = ["main"]

    def live(self, steps: int) -> None:
        """So many things happen; some come to nothing."""
        does: list[Callable[[Session[Notes]], object]] = [
            *[self._by_hand] * 8, *[self._round] * 3, self._fork, self._merge, self._merge,
            self._revert, self._carry, self._carry, self._supersede, self._retract,
        ]  # fmt: skip
        if self.mends:
            does += [self._supersede, self._merge, self._carry, self._unmerge] * 2
        for _ in range(steps):
            session = self.session.on(self.chosen.choice(self.names))
            try:
                self.chosen.choice(does)(session)
            except (Conflict, NotFound, Refused):
                continue

    def _operation(self) -> Operation:
        number = self.chosen.randrange(1000)
        return self.chosen.choice(
            [
                Operation("set", ("a",), number),
                Operation("set", ("text",), str(number)),
                Operation("add", ("total",), number),
                Operation("append", ("lines",), [str(number)]),
                Operation("append", ("lines",), [str(number), "more"]),
                Operation("set", ("lines",), [str(number)]),
                Operation("set", ("lines", "0"), str(number)),
                Operation("union", ("tags",), [str(number)]),
                Operation("merge", ("answers",), {self.chosen.choice("xy"): number}),
                Operation("set", ("answers",), {"x": {"list": [number]}}),
                Operation("append", ("answers", "x", "list"), [number]),
                Operation("remove", ("answers", "x")),
                Operation("merge", ("claims",), [Claim(id=self.chosen.choice("pq")).model_dump()], "id"),
            ]
        )

    def _reads(self) -> tuple[Path, ...]:
        return tuple(parse_path(path) for path in self.chosen.sample(PATHS, self.chosen.randrange(3)))

    def _by_hand(self, session: Session[Notes]) -> None:
        patch = tuple(self._operation() for _ in range(self.chosen.choice([1, 1, 1, 2])))
        base = max(0, session.head - self.chosen.choice([0, 0, 0, 1, 3]))
        isolation: Isolation = "snapshot" if self.chosen.random() < 0.5 else "serializable"
        session.commit(Change("ana", patch, base, self._reads(), isolation=isolation))

    def _round(self, session: Session[Notes]) -> None:
        journal = Journal(session)
        opened, sent = begun(journal, "step", "ana", "ben")
        journal.settle([answered(call) for call in sent])
        made = tuple(
            Proposal(
                name,
                (Operation("set", ("text",), f"{name}{opened.round}"),),
                tuple("/" + "/".join(path) for path in self._reads() if path),
                0.5,
                1,
                detail={},
            )
            for name in ("ana", "ben")
        )
        ruled = self.chosen.random() < 0.6
        proposed = journal.propose(opened, made, {"disagreements": ["/text"]} if ruled else None)
        if self.chosen.random() < 0.3:
            return
        reads = tuple(parse_path(path) for path in made[0].reads)
        change = Change("ana", made[0].patch, opened.base, reads)
        journal.commit(
            proposed, change, rules(proposed, made, upheld=("ana",), dissent=("ben",)) if ruled else None
        )

    def _fork(self, session: Session[Notes]) -> None:
        if len(self.names) < 5:
            name = f"branch{len(self.names)}"
            session.fork(name, self.chosen.randrange(session.head + 1))
            self.names.append(name)

    def _merge(self, session: Session[Notes]) -> None:
        source = self.chosen.choice(self.names)
        for one in session.merge(source, author="ana").conflicts:
            session.settle(one.conflict, self.chosen.choice(["ours", "theirs"]), author="ana")
        session.merge(source, author="ana")

    def _revert(self, session: Session[Notes]) -> None:
        first = self.chosen.randrange(1, session.head + 1) if session.head else 1
        session.revert(first, min(session.head, first + self.chosen.randrange(2)), author="ana")

    def _unmerge(self, session: Session[Notes]) -> None:
        """Takes a merge back, or such a revert."""
        joins = [
            commit.version
            for commit in session.watch(-1, timeout=0)
            if {"merge", "revert"} & {*(commit.source or {})}
        ]
        if joins:
            version = self.chosen.choice(joins[-2:])
            session.revert(version, version, author="ana")

    def _carry(self, session: Session[Notes]) -> None:
        other = self.session.on(self.chosen.choice(self.names))
        session.carry(other.commit_at(self.chosen.randrange(other.head + 1)))

    def _supersede(self, session: Session[Notes]) -> None:
        session.supersede(self.chosen.choice(self.names), author="ana")

    def _retract(self, session: Session[Notes]) -> None:
        session.retract(self.chosen.randrange(session.head + 1), author="ben", reason="at random")
