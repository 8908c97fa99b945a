"""The files of a case: the recorded step as JSON, and the test that holds today's code to it."""

from __future__ import annotations

import re
from pathlib import Path

from dissensus.cli.errors import Misuse
from dissensus_agents.cases import Case

_TEST = '''\
"""{title}, held to the code of today."""

from __future__ import annotations

from pathlib import Path

from dissensus.testing import Case


def {name}() -> None:
    """{promise}."""
    Case.load(Path(__file__).with_suffix(".json")).{way}("{target}")
'''


def write(case: Case, folder: Path, *, target: str, by_schema: bool, force: bool) -> tuple[Path, Path]:
    """Write a case and its test into a folder, which is made where it is not there.

    Args:
        case: The recorded step.
        folder: Where to.
        target: What it is held to, `MODULE:NAME`: a graph, or a schema.
        by_schema: It is a schema.
        force: Write over files that are there.

    Returns:
        The test and the data beside it.

    Raises:
        Misuse: one of the files is there already, or cannot be written.
    """
    name = name_of(case)
    test, data = folder / f"{name}.py", folder / f"{name}.json"
    if not force and (there := [path for path in (test, data) if path.exists()]):
        raise Misuse(f"{there[0]} is there already", next_step="Add --force to write over it")
    text = _TEST.format(
        title=_plain(f"{case.name[0].upper()}{case.name[1:]}"),
        name=name,
        promise=_promise(case, by_schema=by_schema),
        way="admit" if by_schema else "replay",
        target=target,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        data.write_text(case.text(), encoding="utf-8")
        test.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Misuse(
            f"The case cannot be written: {error}", next_step="Name a folder with --output"
        ) from error
    return test, data


def name_of(case: Case) -> str:
    """The name of its test: after the session, the branch where it is not main, and the step."""
    branch = "" if case.branch == "main" else f"_{_slug(case.branch)}"
    if case.round is not None:
        return f"test_{_slug(case.session)}{branch}_r{case.round.round}"
    return f"test_{_slug(case.session)}{branch}_v{case.commit.version if case.commit else 0}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40] or "session"


def _plain(text: str) -> str:
    """What may stand in a docstring, whatever a session or a step is called."""
    return re.sub(r"[^A-Za-z0-9_ .,()+:-]", "?", text)[:56]


def _promise(case: Case, *, by_schema: bool) -> str:
    if by_schema:
        return "The schema still admits the commit as it was made"
    if case.commit is None:
        return "The same is asked, and the recorded answers still propose the same"
    if case.round is None:
        return "The commit is still admitted as it was made"
    return "The same is asked, and the recorded answers still come to the same commit"
