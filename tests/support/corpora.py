"""The generator of documents that the benchmarks use, for tests: `corpus.write`, `corpus.pdf`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_FILE = Path(__file__).parents[2] / "benchmarks/corpus.py"


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("corpus", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["corpus"] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


corpus = _loaded()
