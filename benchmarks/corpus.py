"""A folder of generated documents of all kinds, with facts planted in them: the same for the same seed.

python benchmarks/corpus.py FOLDER --pages 2000 --facts 20
"""

from __future__ import annotations

import argparse
import html
import random
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

WORDS_OF_A_PAGE = 300
_PAGES_OF_A_DOCUMENT = {"text": 20, "markdown": 20, "pdf": 50, "csv": 10, "html": 20}
_SUFFIXES = {"text": "txt", "markdown": "md", "pdf": "pdf", "csv": "csv", "html": "html"}


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_NOUNS = _words("""
    pump valve station harbour ledger survey bridge turbine archive sample contract report pressure sensor
    engine cable tunnel reservoir filter crane permit voyage cargo signal beacon furnace channel meter boiler
    inspector committee district council budget season river delta glacier orchard quarry rail depot
""")
_OTHERS = _words("""
    measured recorded replaced inspected delayed approved moved raised lowered sealed opened reported
    estimated repaired shipped stored tested surveyed planned abandoned commissioned handled tonnes crowns
    slowly later northern southern old new large small annual monthly quiet steady rough public private deep
    early late heavy light careful common local foreign during after before near beyond without under cost
""")
_COMMON = _words(
    "the of was in to and a for on by with at that from it as were year which how many what did all"
)
_VOCABULARY = (*_NOUNS, *_OTHERS, *_COMMON)
_WEIGHTS = [1] * len(_NOUNS + _OTHERS) + [4] * len(_COMMON)
_SYLLABLES = ("ka", "ro", "mi", "ten", "vol", "sha", "dri", "el", "bor", "un", "qui", "ze", "pal", "nor")

_TEMPLATES = (
    (
        "In which year was the {thing} of {name} commissioned?",
        "The {thing} of {name} was commissioned in {n}.",
    ),
    (
        "How many tonnes did the {thing} at {name} handle?",
        "The {thing} at {name} handled {n} tonnes that year.",
    ),
    ("What did the {thing} of {name} cost?", "The {thing} of {name} cost {n} crowns in all."),
    ("How deep was the {thing} near {name}?", "The {thing} near {name} was {n} centimetres deep."),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something planted: the question, the answer, the sentence that says it, and in which document.

    `page` counts the generated pages of the document from 1; in a PDF they are its pages.
    """

    question: str
    answer: str
    quote: str
    document: str
    page: int


def write(folder: Path, pages: int = 2000, facts: int = 20, seed: int = 1) -> list[Fact]:
    """Fill a folder with documents of all five kinds; what was planted in them.

    There is a sentence of the same form about other names on every tenth page, so that a fact is found by
    what it says and not by how it says it.
    """
    chance = random.Random(seed)
    layout = _layout(pages)
    planted = _plant(chance, layout, facts)
    by_page = {(fact.document, fact.page): fact.quote for fact in planted}
    for kind, name, count in layout:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        told = [_page(chance, by_page.get((name, page + 1))) for page in range(count)]
        target.write_bytes(_WRITERS[kind](told, chance))
    return planted


def _layout(pages: int) -> list[tuple[str, str, int]]:
    """Kind, name and pages of each document; the kinds share the pages evenly."""
    found = []
    for number, (kind, most) in enumerate(_PAGES_OF_A_DOCUMENT.items()):
        left = pages // 5 + (number < pages % 5)
        while left:
            count = min(left, most)
            left -= count
            found.append((kind, f"{kind}/{kind}-{len(found):03}.{_SUFFIXES[kind]}", count))
    return found


def _plant(chance: random.Random, layout: Sequence[tuple[str, str, int]], facts: int) -> list[Fact]:
    kinds = list(_PAGES_OF_A_DOCUMENT)
    taken: set[tuple[str, int]] = set()
    planted = []
    while len(planted) < facts:
        wanted = kinds[len(planted) % len(kinds)]
        places = [item for item in layout if item[0] == wanted] or layout
        _, document, count = chance.choice(places)
        page = 1 + chance.randrange(count)
        if (document, page) in taken and len(taken) < sum(item[2] for item in layout):
            continue
        taken.add((document, page))
        question, answer, quote = _statement(chance)
        planted.append(Fact(question, answer, quote, document, page))
    return planted


def _statement(chance: random.Random) -> tuple[str, str, str]:
    question, sentence = chance.choice(_TEMPLATES)
    number = str(chance.randrange(1000, 10_000))
    said = {"thing": chance.choice(_NOUNS), "name": _name(chance)}
    return question.format(**said), number, sentence.format(n=number, **said)


def _name(chance: random.Random) -> str:
    return "".join(chance.choices(_SYLLABLES, k=4)).capitalize()


def _page(chance: random.Random, fact: str | None) -> list[str]:
    """The sentences of a page."""
    words = chance.choices(_VOCABULARY, _WEIGHTS, k=WORDS_OF_A_PAGE)
    cuts = range(0, len(words), 12)
    sentences = [f"{' '.join(words[cut : cut + 12]).capitalize()}." for cut in cuts]
    if chance.random() < 0.1:
        sentences.insert(chance.randrange(len(sentences)), _statement(chance)[2])
    if fact is not None:
        sentences.insert(chance.randrange(len(sentences)), fact)
    return sentences


# The kinds


def _paragraphs(sentences: Sequence[str]) -> str:
    groups = (sentences[cut : cut + 6] for cut in range(0, len(sentences), 6))
    return "\n\n".join("\n".join(group) for group in groups)


def _text(pages: Sequence[Sequence[str]], _: random.Random) -> bytes:
    return ("\n\n".join(map(_paragraphs, pages)) + "\n").encode()


def _markdown(pages: Sequence[Sequence[str]], chance: random.Random) -> bytes:
    parts = [f"## {_title(chance)}\n\n{_paragraphs(page)}\n" for page in pages]
    return ("# Collected notes\n\n" + "\n".join(parts)).encode()


def _html(pages: Sequence[Sequence[str]], chance: random.Random) -> bytes:
    parts = ["<!doctype html><html><head><meta charset=utf-8><title>Notes</title>"]
    parts += ["<style>p { color: black }</style></head><body>"]
    for page in pages:
        parts.append(f"<h2>{_title(chance)}</h2>")
        parts += [f"<p>{html.escape(sentence)}" for sentence in page]
    return "\n".join([*parts, "</body></html>"]).encode()


def _csv(pages: Sequence[Sequence[str]], chance: random.Random) -> bytes:
    lines = ["number,observer,remark"]
    for sentence in (sentence for page in pages for sentence in page):
        lines.append(f'{len(lines)},{chance.choice(_NOUNS)},"{sentence}"')
    return ("\n".join(lines) + "\n").encode()


def _pdf(pages: Sequence[Sequence[str]], _: random.Random) -> bytes:
    return pdf([_wrapped(" ".join(page)) for page in pages])


_WRITERS: dict[str, Callable[[Sequence[Sequence[str]], random.Random], bytes]] = {
    "text": _text,
    "markdown": _markdown,
    "pdf": _pdf,
    "csv": _csv,
    "html": _html,
}


def _title(chance: random.Random) -> str:
    return " ".join(chance.choices(_NOUNS, k=3)).capitalize()


def _wrapped(text: str, width: int = 95) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def pdf(pages: Iterable[Sequence[str]]) -> bytes:
    """A PDF of pages of lines (Latin-1), in the plainest form that there is."""
    objects: list[bytes] = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
    kids = []
    for lines in pages:
        kids.append(b"%d 0 R" % (len(objects) + 1))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % (len(objects) + 2)
        )
        objects.append(_stream(lines))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(kids))
    return _file(objects)


def _stream(lines: Sequence[str]) -> bytes:
    shown = b"\n".join(b"(%s) Tj T*" % _escaped(line) for line in lines)
    data = zlib.compress(b"BT /F1 10 Tf 12 TL 50 800 Td\n" + shown + b"\nET")
    return b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(data), data)


def _escaped(line: str) -> bytes:
    raw = line.encode("latin-1", "replace")
    return raw.replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")


def _file(objects: Sequence[bytes]) -> bytes:
    made = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        made += b"%010d 00000 n \n" % place
    made += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(made)


def main() -> None:
    """Write a corpus, and print what was planted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--facts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for fact in write(given.folder, given.pages, given.facts, given.seed):
        print(f"{fact.document}\t{fact.page}\t{fact.question}\t{fact.answer}\t{fact.quote}")


if __name__ == "__main__":
    main()
