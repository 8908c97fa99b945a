"""One way of moving a session, in a process of its own: its seconds, and the most memory it took.

python benchmarks/moving.py export|import URL FILE
"""

from __future__ import annotations

import json
import resource
import sys
import time

from dissensus import Store


def main() -> None:
    """Move it, and say what that took."""
    what, url, file = sys.argv[1:]
    with Store.open(url) as store:
        started = time.perf_counter()
        if what == "export":
            session = store.session(None)
            session.export(file)
        else:
            session = store.import_session(file)
        spent = time.perf_counter() - started
        heads = {one.name: session.on(one.name).commit_at(one.head).hash.hex() for one in session.branches()}
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"s": spent, "mib": mib, "heads": heads}))


if __name__ == "__main__":
    main()
