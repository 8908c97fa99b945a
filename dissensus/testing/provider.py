"""The provider as a process of its own, so that its work is not the client's."""

from __future__ import annotations

import argparse
import signal
import sys
from importlib import import_module
from typing import Any

from .answers import Answer
from .fake import FakeProvider
from .faults import FAULTS, Fault


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM, Ctrl-C, or the end of whoever waits for the URL on standard output."""
    options = _options(arguments)
    provider = FakeProvider(port=options.port, host=options.host, keeps=0).start()
    if options.answers:
        provider.answers(_function(options.answers))
    elif options.fault:
        provider.says(Fault.named(options.fault))
    else:
        provider.says(
            Answer(options.says, reasoning=options.reasoning, delay=options.delay, pause=options.pause)
        )
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    sys.stdout.write(provider.url("openai").removesuffix("/v1") + "\n")
    sys.stdout.flush()
    signal.sigwait(ends)
    provider.stop()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m dissensus.testing.provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--says", default="an answer", help="the text of every answer")
    parser.add_argument("--reasoning", help="the thinking before it")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds after each event of a stream")
    parser.add_argument("--fault", choices=[fault.name for fault in FAULTS], help="instead of an answer")
    parser.add_argument("--answers", metavar="MODULE:FUNCTION", help="decides on each request")
    return parser.parse_args(arguments)


def _function(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


if __name__ == "__main__":
    main()
