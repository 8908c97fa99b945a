"""What a person does to a running session: settle a round that waits for a ruling."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dissensus_state.errors import Conflict, NotFound, Refused
from dissensus_state.journal import Journal
from dissensus_state.records import Change, Commit, Decision, Proposal, Round, RoundStatus, Ruling
from dissensus_state.rounds import binding
from dissensus_state.values import parse_path

from .judgement.disagreement import Disagreement
from .judgement.grading import of_person, of_review
from .positions import Side, joined, sides_of
from .rulings import amendment_of, dissent_of

if TYPE_CHECKING:
    from dissensus_state.sessions import Session


def sides_of_round(round_: Round, proposals: list[Proposal]) -> tuple[Side, ...]:
    """The positions of a stored round, under the labels that `dissensus disagreements` shows."""
    stored = (round_.review or {}).get("disagreements", ())
    made = [item for item in proposals if item.status != "abstained"]
    return sides_of(made, [Disagreement.from_dict(item) for item in stored])


def settle(
    session: Session[Any],
    number: int,
    *,
    decision: Decision,
    author: str,
    reason: str,
    position: str | None = None,
    amendment: dict[str, Any] | None = None,
    clarification: str | None = None,
) -> Commit | None:
    """Rule on a round that waits for it, as a person.

    `uphold` and `amend` are committed at once, `retry` and `reject` settle the round without a
    commit; the next run of the graph goes on from there. The ruling is bound to exactly these
    proposals and this base version: where the state has moved on under them, it is a `Conflict`.

    Args:
        position: The label of the position to uphold, or to amend.
        amendment: Values by path.
        clarification: What the panel is told when it is asked again.

    Raises:
        NotFound: there is no such round, it waits for nothing, or has no such position.
        Refused: the decision lacks what it needs.
        Conflict, Refused and what derives from it: what is committed may not stand.
    """
    round_, proposals, _, _ = session.round(number)
    if round_.status not in {"review", "parked"}:
        raise NotFound(f"Round {number} waits for no ruling: it is {round_.status}", round=number)
    side = _side(round_, proposals, position)
    _check(decision, side, amendment, clarification)
    made = [item for item in proposals if item.status != "abstained"]
    ruling = Ruling(
        author=author,
        decision=decision,
        binding=binding(round_.base, proposals),
        reason=reason,
        upheld=side.agents if side and decision in {"uphold", "amend"} else (),
        dissent=dissent_of(made, side, decision),
        amendment=amendment_of(session.shape, side, amendment) if decision == "amend" else (),
        clarification=clarification,
    )
    return _settled(session, round_, made, ruling)


def rule_alike(session: Session[Any], number: int, ruling: Ruling, said_of: int) -> Commit | None:
    """Settle a round that waits for a person by what one ruled on exactly these proposals before.

    Args:
        ruling: The ruling of another round, bound to the same proposals on the same base version.
        said_of: That round.

    Raises:
        Conflict: these are other proposals, or another base version.
    """
    round_, proposals, _, _ = session.round(number)
    if binding(round_.base, proposals) != ruling.binding:
        raise Conflict(
            f"The ruling on round {said_of} is bound to other proposals than those of round {number}",
            next_step="Rule on it anew: `dissensus rule`",
            round=number,
            retry=False,
        )
    made = [item for item in proposals if item.status != "abstained"]
    again = replace(ruling, at=0, n=0, notes=(*ruling.notes, f"as ruled on round {said_of}"))
    return _settled(session, round_, made, again)


def _settled(session: Session[Any], round_: Round, made: list[Proposal], ruling: Ruling) -> Commit | None:
    """Settle a round by a person's ruling: as a commit, or without one."""
    decision = ruling.decision
    if decision not in _CLOSING:
        _check_shape(session, round_)
    journal = Journal(session)
    checked = of_review(None if decision == "escalate" else round_.review)
    graded = (*checked.grades, *of_person(ruling))
    if decision in _CLOSING:
        journal.close(round_, _CLOSING[decision], ruling, outcomes=checked.told, graded=graded)
        return None
    change = _change(session, round_, made, ruling)
    return journal.commit(round_, change, ruling, outcomes=checked.told, graded=graded)


def _check_shape(session: Session[Any], round_: Round) -> None:
    """Refuse to commit what was proposed under another schema version, before anything is lifted."""
    number = session.schema_version(round_.base)
    if number != session.shape.version:
        raise Conflict(
            f"Round {round_.round} was begun under schema version {number}, not {session.shape.version}",
            next_step="Settle it with the code of that version, or let it be asked again (`retry`)",
            round=round_.round,
            retry=False,
        )


_CLOSING: dict[str, RoundStatus] = {"retry": "retried", "reject": "rejected", "escalate": "parked"}


def _side(round_: Round, proposals: list[Proposal], position: str | None) -> Side | None:
    if position is None:
        return None
    sides = sides_of_round(round_, proposals)
    for side in sides:
        if side.label == position.strip().upper():
            return side
    labels = ", ".join(side.label for side in sides)
    raise NotFound(f"Round {round_.round} has no position {position!r}; it has {labels}", round=round_.round)


def _check(
    decision: Decision, side: Side | None, amendment: dict[str, Any] | None, clarification: str | None
) -> None:
    if decision == "uphold" and side is None:
        raise Refused("To uphold, name a position", next_step="Give --position A")
    if decision == "amend" and not amendment:
        raise Refused("To amend, give the values by path", next_step="""Give --amend '{"/field": …}'""")
    if decision == "retry" and not clarification:
        raise Refused("To ask again, say what to make clear", next_step="Give --clarify '…'")


def _change(session: Session[Any], round_: Round, made: list[Proposal], ruling: Ruling) -> Change:
    """What the ruling commits; a step is named after its transition unless the round says otherwise."""
    upheld = [item for item in made if item.agent in ruling.upheld]
    transitions = session.shape.machine.transitions
    review = round_.review or {}
    named = review.get("transition", round_.step)
    checked = [*review.get("passed", ()), *review.get("failed", ())]
    amends = ruling.decision == "amend"
    return Change(
        author=ruling.author if amends else "+".join(ruling.upheld),
        patch=ruling.amendment if amends else joined(item.patch for item in upheld),
        base=round_.base,
        reads=tuple(parse_path(path) for item in (made if amends else upheld) for path in item.reads),
        transition=named if named in transitions else None,
        round=round_.round,
        evidence=tuple(
            {name: value for name, value in item.items() if name != "agents"}
            for item in checked
            if set(item.get("agents", ())) & set(ruling.upheld) and not amends
        ),
    )
