"""The checks of a research session: a quotation stands in its document, a citation names what stands.

A finding whose quotation does not stand is dropped, with the reason, and the rest of its round is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dissensus_agents.judgement.quotations import folded, stands_on_page
from dissensus_agents.judgement.verifiers import Evidence, Verifier, verifier
from dissensus_agents.messages import Part, Request
from dissensus_agents.models.scripted import FunctionModel
from dissensus_agents.views import View

from .librarian import given
from .schema import QUOTATIONS, Conclusion, unsupported

if TYPE_CHECKING:
    from dissensus_state.library import Library

NAME = "checker"

_READS = ("searched", "reading", "read", "findings", "standing", "dropped")
_SHOWN = 120

LEAST = 8
"""Characters of a quotation; what is shorter stands everywhere by chance."""


def desk(view: View) -> Iterator[Part]:
    """What the checker looks at."""
    return (view.part(f"/{name}") for name in _READS)


def checking(library: Library, silent: Callable[[], list[int]]) -> FunctionModel:
    """The check of what the scouts have just reported, as an agent's model.

    Args:
        library: Where the documents stand.
        silent: The seats of the scouts that gave no answer in the last round, from 1.
    """

    def check(request: Request) -> dict[str, Any]:
        state = given(request)
        standing, dropped = [], []
        known = {item["finding"] for item in (*state["standing"], *state["dropped"])}
        for number, finding in enumerate(state["findings"], 1):
            if number in known:
                continue
            passage, why = found_in(library, finding, state["reading"], state["read"])
            if passage:
                standing.append({"finding": number, "passage": passage})
            else:
                dropped.append({"finding": number, "why": why})
        read = state["read"]
        missed = [read + seat for seat in silent()]
        return {"standing": standing, "dropped": dropped, "missed": missed, "read": read + _just_read(state)}

    return FunctionModel(NAME, check, thread=True)


def _just_read(state: Mapping[str, Any]) -> int:
    batches = state["reading"][-1]["batch"]
    return int(min(batches - state["read"], state["searched"][-1]["side_by_side"]))


def found_in(
    library: Library, finding: Mapping[str, Any], reading: Sequence[Mapping[str, Any]], read: int = 0
) -> tuple[int, str]:
    """The number of the passage in which a finding's quotation stands, or 0 and what is wrong with it.

    The passage that it names comes first; a scout that mistook the number is corrected, if the words
    stand in another passage that was read.
    """
    quotation, named = finding["quotation"], finding["passage"]
    if len(quotation.strip()) < LEAST:
        return 0, "it quotes too little to show anything"
    if 1 <= named <= len(reading) and _stands(library, quotation, reading[named - 1]):
        return named, ""
    for number, passage in enumerate(reading, 1):
        if passage["batch"] > read and number != named and _stands(library, quotation, passage):
            return number, ""
    if not 1 <= named <= len(reading):
        return 0, f"there is no passage P{named}, and the quotation stands in none that was read"
    where = f"{reading[named - 1]['document']}, {reading[named - 1]['place']}"
    return 0, f"the quotation does not stand in P{named} ({where})"


def _stands(library: Library, quotation: str, passage: Mapping[str, Any]) -> bool:
    return stands_on_page(folded(quotation), library.passage(passage["document"], passage["n"]).text)


def quotations_stand(library: Library) -> Verifier:
    """Check that each finding which is said to stand does, in the passage that is named for it."""

    @verifier(name=QUOTATIONS)
    def check(proposed: Mapping[str, Any], state: Mapping[str, Any]) -> Iterator[Evidence]:
        for item in proposed.get("/standing", ()):
            finding = state["findings"][item["finding"] - 1]
            passage = state["reading"][item["passage"] - 1]
            stood = _stands(library, finding["quotation"], passage)
            where = f"{passage['document']}, {passage['place']}"
            how = "stands in" if stood else "does not stand in"
            said = f"F{item['finding']} {how} {where}: {_short(finding['quotation'])}"
            yield Evidence(QUOTATIONS, "1", stood, f"/findings/{item['finding'] - 1}", said)

    return check


def citations_stand() -> Verifier:
    """Check that every point of a conclusion cites findings that stand."""

    @verifier(name="citations_stand")
    def check(proposed: Mapping[str, Any], state: Mapping[str, Any]) -> Iterator[Evidence]:
        if "/conclusion" not in proposed:
            return
        conclusion = Conclusion.model_validate(proposed["/conclusion"])
        wrong = unsupported(conclusion, {item["finding"] for item in state["standing"]})
        for said in wrong:
            yield Evidence("citations_stand", "1", passed=False, path="/conclusion/points", detail=said)
        if not wrong:
            cited = {number for point in conclusion.points for number in point.findings}
            said = f"all {len(cited)} findings that are cited stand"
            yield Evidence("citations_stand", "1", passed=True, path="/conclusion/points", detail=said)

    return check


def _short(quotation: str) -> str:
    text = " ".join(quotation.split())
    return f"“{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}”"
