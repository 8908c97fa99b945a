"""One version, told whole: its commit, the round that it ended, and what was proposed, asked and ruled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import calls, commits, rounds
from .engines import Work
from .patches import patch_to_json
from .records import Call, Commit, Proposal, Round, Ruling
from .showing import Shown, cell, visible
from .values import canonical, pointer


@dataclass(frozen=True, slots=True)
class Story(Shown):
    """A commit with the round that it ended.

    Attributes:
        commit: The commit that made the version.
        round: The round that ended in it; None where it was made by hand, and the rest is empty then.
        proposals: What the agents of that round proposed, with their status.
        calls: Their calls, with reasoning and cost.
        rulings: What was decided over them.
    """

    commit: Commit
    round: Round | None = None
    proposals: tuple[Proposal, ...] = ()
    calls: tuple[Call, ...] = ()
    rulings: tuple[Ruling, ...] = ()

    @property
    def version(self) -> int:
        """The version that the commit made."""
        return self.commit.version

    @property
    def dissent(self) -> tuple[Proposal, ...]:
        """The proposals that lost."""
        return tuple(item for item in self.proposals if item.status == "dissent")

    def cells(self) -> dict[str, object]:
        """What a row says of it."""
        return {
            **self.commit.cells(),
            "read": " ".join(self.commit.reads),
            "patch": patch_to_json(self.commit.patch),
            "ruling": "; ".join(f"{one.author}: {one.decision}" for one in self.rulings),
            "dissent": ", ".join(one.agent for one in self.dissent),
        }

    def __str__(self) -> str:
        """Who did what, having read what, over whose dissent; a few lines."""
        made = self.commit
        lines = [str(made), f"  who had read {visible(', '.join(made.reads)) or 'nothing'}"]
        lines += [f"  {one.verb} {pointer(one.path)} {cell(one.value)}" for one in made.patch]
        if self.round is not None:
            lines.append(
                f"  in round r{self.round.round} of {self.round.step!r}, begun on v{self.round.base}"
            )
        lines += [f"  {one.agent} proposed, {one.status}: {_said(one)}" for one in self.proposals]
        lines += [f"  {one.author} ruled {one.decision}: {cell(one.reason)}" for one in self.rulings]
        return "\n".join(lines[:1] + [visible(line) for line in lines[1:]])

    def as_dict(self) -> dict[str, Any]:
        """The answer as plain data."""
        return {
            "commit": self.commit.as_dict(),
            "round": None if self.round is None else self.round.as_dict(),
            "proposals": [one.as_dict() for one in self.proposals],
            "calls": [one.as_dict() for one in self.calls],
            "rulings": [one.as_dict() for one in self.rulings],
        }


def _said(one: Proposal) -> str:
    return cell(canonical(patch_to_json(one.patch)))


def story(work: Work, session_id: int, branch: str, version: int) -> Story:
    """A version, told whole; `NotFound` where there is none."""
    made = commits.commit(work, session_id, branch, version)
    return Story(made) if made.round is None else of_round(work, session_id, made)


def of_round(work: Work, session_id: int, made: Commit) -> Story:
    """A commit with what its round was."""
    number = made.round or 0
    return Story(
        made,
        rounds.round_(work, session_id, number),
        tuple(rounds.proposals_of(work, session_id, number)),
        tuple(calls.of_round(work, session_id, number)),
        tuple(rounds.rulings_of(work, session_id, number)),
    )
