"""Votes, readers, routers and cascades, fitted to what a store has graded. Needs the extra `learn`.

    vote = learn_vote(store, "judge")
    graph.add_step("judge", panel, writes={"verdict"}, weigh=vote)

Each says on how much it was fitted and how it did on questions that it had not seen, and is plain JSON that
is served without the extra.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import GraphError
from .examples import MOST, as_disputes, as_questions, as_votes, costs_of, examples
from .judgement.manner import manner

if TYPE_CHECKING:
    from dissensus_state.sessions import Session
    from dissensus_state.store import Store

    from .judgement.fitted import Features, FittedVote
    from .judgement.fitted_reader import FittedReader
    from .judgement.paying import Paying
    from .patterns.learned import LearnedRouter

_T = TypeVar("_T")

_GRADE = "Grade more rounds (`dissensus grade`), or run `dissensus bench` over questions with known answers"


def learn_vote(
    of: Store | Session[Any], task: str | None = None, *, options: int | None = None, most: int = MOST
) -> FittedVote:
    """A vote by who tends to be right at what, who echoes whom, and how their reasoning is written.

    Args:
        of: A store (of one tenant), or one session.
        task: Only rounds of this step.
        options: Among how many answers the models could choose, where that is known.
        most: How many graded rounds are read at most.

    Raises:
        GraphError: Too few rounds are graded.
        NotInstalled: numpy is not installed.
    """
    from .judgement import fitting

    graded = as_votes(examples(of, task, most=most), options)
    if len(graded) < fitting.LEAST:
        raise _too_few("vote", len(graded), fitting.LEAST, task)
    with _fitting("vote"):
        return fitting.fit(graded, features=manner)


def learn_reader(of: Store | Session[Any], task: str | None = None, *, most: int = MOST) -> FittedReader:
    """A reader of reasoning, for `Reads(reader=…)`: which side of a disagreement is the likelier one.

    See `learn_vote` for the arguments and errors.
    """
    from .judgement import reader_fitting

    disputes = as_disputes(examples(of, task, most=most))
    if len(disputes) < reader_fitting.FEWEST:
        raise _too_few("reader", len(disputes), reader_fitting.FEWEST, task, "disagreements")
    return reader_fitting.fit_reader(disputes)


def learn_router(
    of: Store | Session[Any],
    task: str | None = None,
    *,
    answers_of: str | None = None,
    most: int = MOST,
) -> LearnedRouter:
    """A router, for `Route(by=…)`: how likely each model is right, from the question alone.

    See `learn_vote` for the other arguments and errors.

    Args:
        answers_of: The model whose own answer is read as well.
    """
    from .patterns import learning

    questions = as_questions(examples(of, task, most=most), answers_of)
    if len(questions) < learning.FEWEST:
        raise _too_few("router", len(questions), learning.FEWEST, task)
    return learning.fit_router(questions, answers_of=answers_of)


def learn_cascade(
    of: Store | Session[Any],
    tiers: Sequence[Sequence[str]],
    task: str | None = None,
    *,
    usd: float | None = None,
    accuracy: float | None = None,
    options: int | None = None,
    most: int = MOST,
) -> Paying:
    """Tiers of models that are asked on while it pays: a step's weigher, and `until=pays(…)` of a `Cascade`.

    See `learn_vote` for the other arguments and errors.

    Args:
        tiers: Names of models that are asked together, the cheapest first.
        usd: The most that a question may cost in the mean: as many right answers as that buys.
        accuracy: Or how often it has to be right (0 to 1): as cheap as that can be.

    Raises:
        GraphError: Also where a tier is empty, a model stands in two, or the bound cannot be met.
    """
    from .judgement.fitting_paying import Tried

    if (usd is None) == (accuracy is None):
        raise GraphError("A cascade is fitted to a sum or to an accuracy: give one of usd= and accuracy=")
    named = [model for tier in tiers for model in tier]
    wanted = set(named)
    if not tiers or not all(tiers) or len(named) > len(wanted):
        raise GraphError(
            "A cascade has tiers of one or more models, each in one tier alone",
            next_step="Name them as the store does (`dissensus quality`), the cheapest tier first",
        )
    found = [one for one in examples(of, task, most=most) if wanted <= {v.voter.model for v in one.voices}]
    for one in found:
        one.voices = [voice for voice in one.voices if voice.voter.model in wanted]
    found = [one for one in found if one.decided]
    if len(found) < LEAST_OF_CASCADE:
        raise _too_few("cascade", len(found), LEAST_OF_CASCADE, task, "questions that all tiers answered")
    costs = costs_of(found)
    with _fitting("cascade"):
        tried = Tried(as_votes(found, options), tiers, costs, features=manner)
        return tried.costing(usd) if usd is not None else tried.keeping(accuracy or 0.0)


@contextmanager
def _fitting(what: str) -> Iterator[None]:
    """What cannot be fitted is no mistake of the program's, but of what was asked for, or graded."""
    try:
        yield
    except ValueError as error:
        raise GraphError(
            f"No {what} was fitted: {error}", next_step="Ask for what these models can do, or grade more"
        ) from error


def load_vote(file: str | Path) -> FittedVote:
    """Read a vote from the file that `dissensus learn vote` has written.

    Raises:
        GraphError: It cannot be used.
    """
    from .judgement.fitted import FittedVote

    return _loaded(file, FittedVote.from_json)


def load_cascade(file: str | Path) -> Paying:
    """Read a cascade's policy from the file that `dissensus learn cascade` has written.

    Raises:
        GraphError: It cannot be used.
    """
    from .judgement.paying import Paying

    return _loaded(file, Paying.from_json)


def _loaded(file: str | Path, read: Callable[[str, Features], _T]) -> _T:
    try:
        with Path(file).open(encoding="utf-8") as opened:
            return read(opened.read(MOST_CHARACTERS), manner)
    except (OSError, ValueError) as error:  # a ValueError is no JSON, no UTF-8, or not what was fitted
        raise GraphError(
            f"{file} cannot be used: {error}", next_step="Fit it again: dissensus learn"
        ) from error


MOST_CHARACTERS = 5_000_000

LEAST_OF_CASCADE = 200
"""As many graded questions a cascade needs: its votes hold out a quarter of them, and so do its lines."""


def _too_few(what: str, count: int, least: int, task: str | None, of: str = "graded questions") -> GraphError:
    where = f" at the task {task!r}" if task else ""
    return GraphError(f"There are {count} {of}{where}, and a {what} needs {least}", next_step=_GRADE)
