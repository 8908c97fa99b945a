"""Sides that take turns, so that a busy minute strikes all of them; and the ratios of what they spent."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from places import Folder, Server

SCRIPT = Path(__file__).with_name("sides.py")
WARM_UP = 10


class SideFailed(RuntimeError):
    """The process of a side has ended before its time."""


@dataclass(frozen=True, slots=True)
class Block:
    """What one turn has spent for each commit, in milliseconds: the client, the server, the clock."""

    cpu: float
    server: float | None
    wall: float


@dataclass
class Player:
    """A side in its process, and what its turns have spent."""

    name: str
    url: str
    place: Folder | Server
    process: subprocess.Popen[str]
    blocks: list[Block] = field(default_factory=list)

    def turn(self, commits: int, *, counted: bool = True) -> None:
        """Make so many commits."""
        before = self._server()
        spent = self._asked(commits)
        after = self._server()
        each = 1000 / commits
        server = None if before is None or after is None else (after - before) * each
        if counted:
            self.blocks.append(Block(spent["cpu"] * each, server, spent["wall"] * each))

    def _asked(self, commits: int) -> dict[str, float]:
        assert self.process.stdin
        self.process.stdin.write(f"{commits}\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, float]:
        """The process's next line."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SideFailed(f"{self.name} on {self.place.backend} ended with {self.process.wait()}")
        spent: dict[str, float] = json.loads(line)
        return spent

    def _server(self) -> float | None:
        return self.place.cpu() if isinstance(self.place, Server) else None


@contextmanager
def player(name: str, place: Folder | Server, *, seed: int = 1, warm_up: int = WARM_UP) -> Iterator[Player]:
    """A side over a database of its own, ready for its first turn; closed at the end."""
    url = place.fresh(name)
    command = [sys.executable, str(SCRIPT), name, url, str(seed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        made = Player(name, url, place, process)
        made.answer()
        if warm_up:
            made.turn(warm_up, counted=False)
        yield made
        assert process.stdin
        process.stdin.close()
        if process.wait():
            raise SideFailed(f"{name} on {place.backend} ended with {process.returncode}")


def in_turns(
    names: Sequence[str], place: Folder | Server, blocks: int, commits: int, seed: int = 1
) -> dict[str, list[Block]]:
    """What each side spent in each block, from the first commit of a session on."""
    with ExitStack() as stack:
        players = [stack.enter_context(player(name, place, seed=seed)) for name in names]
        take_turns(players, blocks, commits)
    for one in players:
        place.drop(one.url)
    return {one.name: one.blocks for one in players}


def take_turns(players: Sequence[Player], blocks: int, commits: int) -> None:
    """So many turns for each, every one beginning with the next player."""
    order = list(players)
    for _ in range(blocks):
        for one in order:
            one.turn(commits)
        order = [*order[1:], order[0]]


def ratio(ours: Sequence[Block], theirs: Sequence[Block]) -> float:
    """The median of our CPU against theirs, block by block, as far as both go."""
    return statistics.median(one.cpu / other.cpu for one, other in zip(ours, theirs, strict=False))


def medians(taken: Mapping[str, Sequence[Block]]) -> Iterator[tuple[str, float, float | None, float]]:
    """Each side with the medians of client CPU and wall time a commit, and the mean of server CPU.

    The kernel counts a server's CPU in hundredths of a second, too coarse for one block.
    """
    for name, blocks in taken.items():
        servers = [block.server for block in blocks if block.server is not None]
        server = statistics.fmean(servers) if servers else None
        cpu = statistics.median(block.cpu for block in blocks)
        yield name, cpu, server, statistics.median(block.wall for block in blocks)
