"""The process that runs a panel's session, and may be killed at any moment: `worker.py SETTINGS`.

It leaves a line in a file for every question that a model is asked and for every commit that it was
told of; what is said about it afterwards rests on these lines and on the database, not on its word.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from typing import TextIO

from exam import Exam, graph_of, run
from recorded import Asked, questions, recorded_models
from settings import Settings

from dissensus_agents.graph import AgentGraph
from dissensus_state.store import Store


def main() -> None:
    """Go on with the session from where it stands."""
    told = Settings.read(sys.argv[1])
    logging.disable(logging.WARNING)
    with told.acknowledged.open("a", buffering=1) as acknowledged, Store.open(told.url) as store:
        graph = _graph(told, acknowledged)
        graph.compile()
        session = store.session(told.session, Exam)
        with told.started.open("a") as started:
            started.write(f"{time.process_time()}\n")
        asyncio.run(run(graph, session))


def _graph(told: Settings, acknowledged: TextIO) -> AgentGraph:
    exam = questions(told.path, told.models, told.questions)
    models = recorded_models(exam, told.models, told.path, Asked(told.asked), told.latency / 1000)

    def settled(answered: int) -> bool:
        acknowledged.write(f"{answered}\t{answered - 1}\n")
        return True

    return graph_of([models[name] for name in told.panel], models[told.chair], settled)


if __name__ == "__main__":
    main()
