"""A panel of recorded real models and a chair, over exam questions, as rounds of one session.

    python benchmarks/panel.py                                        a new SQLite file
    python benchmarks/panel.py --database postgresql --kill 20        a PostgreSQL of its own

What the figures mean stands in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exam import CHAIRS, Exam, exam_of, graph_of
from killing import Ran, kills_of, run_killed
from measuring import Left, Sizes, fate, integrity, repeats
from places import bytes_on_disk, own_postgres
from recorded import DATA, Asked, Question, asks, questions, recorded_models
from scoring import accuracy, chair_alone, differing, expected, majority, share
from settings import Settings

from dissensus_state.records import Budget
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.values import canonical, digest

PANEL = "gemini-1.5-flash-002,Meta-Llama-3_1-70B-Instruct"
CHAIR = "gemini-1.5-pro-002"
BUDGET = 1000
"""USD, more than any run can cost: the budget is kept, and never stops it."""

NANO = 1_000_000_000
SAMPLE = 20
"""How many versions are read back one by one and compared with what the replay makes of them."""


def main() -> None:
    """Run, check, and print the figures."""
    options = _options()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="panel-") as folder, _database(options, folder) as url:
        figures = _measured(options, folder, url)
    for name, value in figures.items():
        print(f"{name:28} {value}", file=sys.stderr)
    if options.json:
        print(json.dumps(figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, metavar="FILE", help="the recorded answers")
    parser.add_argument("--questions", type=int, metavar="N", help="only the first N")
    parser.add_argument("--panel", default=PANEL, metavar="A,B[,C]", help=f"by default {PANEL}")
    parser.add_argument("--chair", default=CHAIR, metavar="M", help=f"by default {CHAIR}")
    parser.add_argument("--database", metavar="URL", help="'postgresql' alone starts one of its own")
    parser.add_argument("--json", action="store_true", help="the figures as one object on the last line")
    parser.add_argument("--kill", type=int, default=0, metavar="K", help="SIGKILL the worker K times")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the kills")
    parser.add_argument(
        "--latency", type=float, default=0, metavar="MS", help="how long a model takes to answer, at most"
    )
    options = parser.parse_args()
    named = [*options.panel.split(","), options.chair]
    if len(set(named)) < len(named):
        parser.error(f"a recording has one answer to a question, so each model has one seat: {named}")
    return options


@contextlib.contextmanager
def _database(options: argparse.Namespace, folder: str) -> Iterator[str]:
    """The database's URL; one that was not named is made, and removed afterwards."""
    if options.database == "postgresql":
        with own_postgres() as url:
            yield url
    else:
        yield options.database or f"sqlite:///{folder}/panel.db"


def _measured(options: argparse.Namespace, folder: str, url: str) -> dict[str, Any]:
    panel = tuple(options.panel.split(","))
    exam = questions(options.data, [*panel, options.chair], options.questions)
    with Store.open(url):
        pass
    empty = bytes_on_disk(url)
    with Store.open(url) as store:
        session = store.create(exam_of(exam), budget=Budget(usd=BUDGET)).name
    begun = bytes_on_disk(url)
    told = Settings(str(options.data), len(exam), panel, options.chair, url, session, folder, options.latency)
    ran = run_killed(told, kills_of(options.kill, len(exam), options.seed), _teller(len(exam)))
    ended = bytes_on_disk(url)
    with Store.open(url) as store:
        return _figures(told, exam, ran, store.session(session, Exam), Sizes(empty, begun, ended))


def _teller(total: int) -> Callable[[int, int], None]:
    """Say on standard error how far the run is, at each tenth."""
    said = [0]

    def tell(answered: int, kills: int) -> None:
        if answered * 10 // total > said[0]:
            said[0] = answered * 10 // total
            print(f"{answered}/{total} questions answered, {kills} kills", file=sys.stderr)

    return tell


def _figures(
    told: Settings, exam: Sequence[Question], ran: Ran, session: Session[Exam], sizes: Sizes
) -> dict[str, Any]:
    left = Left.of(session)
    return {
        "questions": len(exam),
        **_scores(told, exam, session.state.answers),
        **_money(told, exam, left, session),
        **_course(told, left, ran),
        **_sizes(left, sizes),
        **_replayed(told, exam, session),
        "integrity_check": integrity(told.url),
        "database": session.database.backend,
        "panel": list(told.panel),
        "chair": told.chair,
        "letters_that_differ": {name: differing(exam, name) for name in told.models},
    }


def _scores(told: Settings, exam: Sequence[Question], answers: Mapping[str, str]) -> dict[str, Any]:
    agreed = [expected(question, told.panel, told.chair) for question in exam]
    return {
        "accuracy": {name: accuracy(exam, name) for name in told.models},
        "majority": share(majority(question, told.panel) == question.right for question in exam),
        "supervised": share(answers.get(str(n)) == question.right for n, question in enumerate(exam)),
        "answers_as_expected": answers == {str(n): letter for n, letter in enumerate(agreed)},
    }


def _money(told: Settings, exam: Sequence[Question], left: Left, session: Session[Exam]) -> dict[str, Any]:
    chair = recorded_models(exam, [told.chair], told.path)[told.chair]
    alone = chair_alone(exam, chair)
    unknown = sum(call.cost or 0 for call in left.calls if call.status == "unknown")
    spent = session.budget.spent
    asked = sum(call.agent in CHAIRS and call.status == "answered" for call in left.calls)
    return {
        "chair_calls": asked,
        "chair_calls_saved": round(1 - asked / len(exam), 4),
        "cost_ratio": round((spent - unknown) / alone, 4) if alone else None,
        "spent_usd": round(spent / NANO, 6),
        "spent_on_unknown_usd": round(unknown / NANO, 6),
        "chair_alone_usd": round(alone / NANO, 6),
    }


def _course(told: Settings, left: Left, ran: Ran) -> dict[str, Any]:
    """How the run went: rounds by their ends, kills, and what they may have broken."""
    reviews = [opened.review or {} for opened, _, _, _ in left.rounds]
    again, met = repeats(left, asks(told.asked)), fate(left, told.acknowledged)
    count = Counter(call.status for call in left.calls)
    return {
        "rounds": len(left.rounds),
        "disagreements": sum("disagreements" in review for review in reviews),
        "single_votes": sum("hollow" in review for review in reviews),
        "no_votes": sum(opened.status == "void" for opened, _, _, _ in left.rounds),
        "commits": len(left.commits),
        "commits_acknowledged": met.acknowledged,
        "commits_lost": met.lost,
        "commits_doubled": met.doubled,
        "calls": sum(count.values()),
        "calls_answered": count["answered"],
        "calls_unknown": count["unknown"],
        "calls_repeated_after_kill": again.recorded,
        "calls_repeated_in_flight": again.in_flight,
        "kills": ran.kills,
        "starts": ran.starts,
        "seconds": round(ran.seconds, 1),
        "cpu_ms_per_round": round(ran.cpu_seconds * 1000 / len(left.rounds), 3),
        "ms_per_round": round(ran.seconds * 1000 / len(left.rounds), 3),
    }


def _sizes(left: Left, sizes: Sizes) -> dict[str, Any]:
    """Bytes a round, and against what it says: answers with their reasoning, and patches, once each."""
    rounds = len(left.rounds)
    said = left.answer_bytes() + left.patch_bytes()
    grown, whole = sizes.ended - sizes.begun, sizes.ended - sizes.empty
    return {
        "bytes_per_round": round(grown / rounds, 1),
        "bytes_ratio": round(grown / said, 3),
        "bytes_per_round_with_questions": round(whole / rounds, 1),
        "bytes_ratio_with_questions": round(whole / said, 3),
        "answer_bytes_per_round": round(left.answer_bytes() / rounds, 1),
        "patch_bytes_per_round": round(left.patch_bytes() / rounds, 1),
    }


def _replayed(told: Settings, exam: Sequence[Question], session: Session[Exam]) -> dict[str, Any]:
    """Verify, replay, and replay with the graph's own code, with models that say when they are asked."""
    witness = Path(told.folder) / "asked-again"
    models = recorded_models(exam, told.models, told.path, Asked(witness))
    graph = graph_of([models[name] for name in told.panel], models[told.chair])
    verified, replayed = session.verify(), session.replay()
    rounds = asyncio.run(graph.replay(session))
    ended = digest(canonical(session.raw())).hex()
    return {
        "verified": verified.versions == replayed.versions,
        "replay_equal": replayed.digest == ended and _same_versions(session),
        "graph_replay_equal": rounds.digest == ended and rounds.versions == replayed.versions,
        "replay_calls": len(list(asks(witness))) + replayed.calls + rounds.calls,
        "replayed_rounds": rounds.rounds,
        "head": verified.head,
    }


def _same_versions(session: Session[Exam]) -> bool:
    """Whether versions that are read one by one are, bit for bit, those that the history folds to."""
    head = session.head
    chosen = {0, head, *random.Random(head).sample(range(head + 1), min(SAMPLE, head + 1))}
    return all(
        canonical(state) == canonical(session.raw(commit.version))
        for commit, state in session.versions()
        if commit.version in chosen
    )


if __name__ == "__main__":
    main()
