"""Reading files: nothing that a person can read is lost, and no file stops the others."""

from __future__ import annotations

import codecs
import io
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpora import corpus
from dissensus.research.readers import passages, tables, workers
from dissensus.research.readers.errors import Unreadable
from dissensus.research.readers.kinds import digest_of, kind_of
from dissensus.research.readers.reading import read
from dissensus_state.shelving import LONGEST_PASSAGE, LONGEST_PLACE

fuzzed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def file(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def given_by(path: Path) -> list[tuple[str, str]]:
    return list(read(path).passages)


def words(found: list[tuple[str, str]]) -> list[str]:
    return " ".join(text for _, text in found).split()


def sound(found: list[tuple[str, str]]) -> None:
    """What every reader promises of its passages."""
    for place, text in found:
        assert text.strip()
        assert place
        assert len(text) <= LONGEST_PASSAGE
        assert len(place) <= LONGEST_PLACE
        assert "\x00" not in place + text
        assert (place + text).encode()


# Text


def test_the_passages_of_a_text_are_its_paragraphs_with_their_lines(tmp_path: Path) -> None:
    lines = [f"Line {n} of this text has seven words." if n % 5 else "" for n in range(1, 121)]
    found = given_by(file(tmp_path, "a.txt", "\n".join(lines)))
    assert [place for place, _ in found] == ["lines 1-34", "lines 36-69", "lines 71-104", "lines 106-119"]
    for place, text in found:
        first, last = map(int, place.removeprefix("lines ").split("-"))
        assert text == "\n".join(lines[first - 1 : last])


@pytest.mark.parametrize(
    ("data", "encoding", "noted"),
    [
        ("Grüße, 漢字".encode(), "utf-8", False),
        (codecs.BOM_UTF8 + "Grüße, 漢字".encode(), "utf-8-sig", False),
        ("Grüße, 漢字".encode("utf-16"), "utf-16", False),
        (codecs.BOM_UTF16_BE + "Grüße, 漢字".encode("utf-16-be"), "utf-16", False),
        ("Grüße, 漢字".encode("utf-32"), "utf-32", False),
        ("Grüße, “so”".encode("cp1252"), "cp1252", True),
    ],
)
def test_an_encoding_is_told_by_its_mark_else_it_is_utf_8_or_windows_1252_and_that_is_noted(
    tmp_path: Path, data: bytes, encoding: str, *, noted: bool
) -> None:
    reading = read(file(tmp_path, "a.txt", data))
    ((place, text),) = reading.passages
    assert (place, text.split(",")[0]) == ("line 1", "Grüße")
    assert "�" not in text
    assert reading.detail["encoding"] == encoding
    assert ("notes" in reading.detail) is noted


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "holds no text"),
        (b" \n\t\n", "holds no text"),
        (b"ab\x00cd", "binary"),
        (bytes(range(256)), "binary"),
        (b"\x7fELF\x02\x01\x01" + b"\x00" * 50, "binary"),
    ],
)
def test_what_is_no_text_is_unreadable_and_says_why(tmp_path: Path, data: bytes, complaint: str) -> None:
    with pytest.raises(Unreadable, match=complaint) as caught:
        given_by(file(tmp_path, "a.txt", data))
    assert caught.value.context["file"] == "a.txt"


def test_a_file_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be opened"):
        read(tmp_path / "nothing.txt")


def test_a_line_without_end_is_read_in_parts_and_never_held_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    with path.open("w") as out:
        for _ in range(16):
            out.write("word " * 200_000)
    tracemalloc.start()
    try:
        count = sum(text.count("word ") for _, text in read(path).passages)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert count == 16 * 200_000


def test_the_place_in_a_long_line_is_its_character(tmp_path: Path) -> None:
    text = "x" * 5000 + " end\nnext"
    (_, first), (place, second) = given_by(file(tmp_path, "a.txt", text))
    assert first + second == text
    assert place == "lines 1-2, from character 4001"


@fuzzed
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00\x7f", min_codepoint=9)))
def test_no_word_of_a_text_is_lost(tmp_path: Path, text: str) -> None:
    path = file(tmp_path, "a.txt", codecs.BOM_UTF8 + text.encode())
    try:
        found = given_by(path)
    except Unreadable as error:
        assert not text.strip() or "binary" in error.message  # noqa: PT017
        return
    sound(found)
    assert words(found) == text.split()


# Markdown


def test_the_places_of_markdown_are_its_sections_and_lines(tmp_path: Path) -> None:
    text = (
        "Before all.\n\n# The valve #\n\nIt was open.\n```\n# no heading\n```\n"
        "Results\n=======\n\nNone.\n\n## Of the pump's `rpm`\n3,500\n"
    )
    found = given_by(file(tmp_path, "a.md", text))
    assert found == [
        ("line 1", "Before all."),
        ("section 'The valve', lines 3-8", "# The valve #\n\nIt was open.\n```\n# no heading\n```"),
        ("section 'Results', lines 9-12", "Results\n=======\n\nNone."),
        ("section 'Of the pump's `rpm`', lines 14-15", "## Of the pump's `rpm`\n3,500"),
    ]


def test_a_long_heading_is_cut_in_the_place_and_whole_in_the_text(tmp_path: Path) -> None:
    ((place, text),) = given_by(file(tmp_path, "a.md", f"# {'long ' * 100}\ntext"))
    assert len(place) < 120
    assert text.count("long") == 100


# Tables


def test_every_passage_of_a_table_begins_with_its_header_and_says_its_rows(tmp_path: Path) -> None:
    rows = [f'{n},"a remark, with ""quotes"" in\nrow {n}"' for n in range(1, 121)]
    found = given_by(file(tmp_path, "a.csv", "number,remark\n" + "\n".join(rows)))
    sound(found)
    assert [text.splitlines()[0] for _, text in found] == ["number | remark"] * len(found)
    assert found[0][0].startswith("rows 1-")
    assert found[-1][0].endswith("-120")
    lines = [line for _, text in found for line in text.splitlines()[1:]]
    assert lines == [f'{n} | a remark, with "quotes" in row {n}' for n in range(1, 121)]
    assert all(len(text.splitlines()) <= tables.ROWS + 1 for _, text in found)


@pytest.mark.parametrize(
    ("delimiter", "name"), [(";", "a.csv"), ("\t", "a.tsv"), ("|", "a.csv"), (",", "a.CSV")]
)
def test_what_parts_the_fields_is_found_out(tmp_path: Path, delimiter: str, name: str) -> None:
    text = "\n".join(delimiter.join(row) for row in (["name", "said"], ["ana", '"1,2; or so"'], ["ben", "3"]))
    reading = read(file(tmp_path, name, text))
    assert list(reading.passages) == [("rows 1-2", "name | said\nana | 1,2; or so\nben | 3")]
    assert reading.detail["delimiter"] == delimiter


def test_a_table_that_ends_to_be_one_is_read_on_as_text_and_that_is_noted(tmp_path: Path) -> None:
    text = 'a,b\n1,2\n3,"never closed\n' + "more words here\n" * 20_000
    reading = read(file(tmp_path, "a.csv", text))
    found = list(reading.passages)
    sound(found)
    assert found[0] == ("row 1", "a | b\n1 | 2")
    assert found[1][0].startswith("lines 3-")
    assert words(found).count("words") == 20_000
    assert "no table" in reading.detail["notes"][0]


def test_a_line_of_a_table_that_has_no_end_is_read_as_text(tmp_path: Path) -> None:
    text = "a,b\n1,2\n" + "word " * 500_000
    found = given_by(file(tmp_path, "a.csv", text))
    sound(found)
    assert words(found[1:]).count("word") == 500_000


def test_a_huge_field_is_parted(tmp_path: Path) -> None:
    found = given_by(file(tmp_path, "a.csv", "a,b\n1," + "x " * 30_000 + "\n2,3\n"))
    sound(found)
    assert found[1][0] == "row 1, from character 4001"
    assert all(len(text) <= passages.CHARACTERS + 10 for _, text in found)
    assert found[-1] == ("row 2", "a | b\n2 | 3")


def test_a_table_of_a_header_alone_is_read(tmp_path: Path) -> None:
    assert given_by(file(tmp_path, "a.csv", "name,said\n")) == [("header", "name | said")]


# HTML

PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8"><title>A &amp; B</title>
<style>p {}</style><script>var bad = "<p>no</p>";</script></head><body>
<p>Before &eacute;all &#x6f22;.</p><h2>The <em>valve</em></h2><p>It was<br>open<p hidden>not seen<p>and
<div style="display: none">not <div>seen</div> either</div>shut.
<template>not seen</template><noscript>not seen</noscript>
<table><tr><th>a<th>b<tr><td>1<td>2</table><![odd[ x ]]><?php not seen ?><!-- not seen -->
<h2>The end</h2>It ran at 3 < 4 rpm. <b>bold</p> open"""


def test_of_a_page_the_visible_text_is_read_with_its_headings_as_places(tmp_path: Path) -> None:
    reading = read(file(tmp_path, "a.html", PAGE))
    assert list(reading.passages) == [
        ("beginning", "Before éall 漢."),
        ("section 'The valve'", "The valve\nIt was\nopen\nand\nshut.\na | b\n1 | 2"),
        ("section 'The end'", "The end\nIt ran at 3 < 4 rpm. bold\nopen"),
    ]
    assert reading.detail == {"encoding": "utf-8", "title": "A & B"}


@pytest.mark.parametrize(
    ("head", "encoding", "read_as"),
    [
        ("<meta charset='iso-8859-5'>", "iso-8859-5", "iso8859-5"),
        ("<meta http-equiv=Content-Type content='text/html; charset=koi8-r'>", "koi8-r", "koi8-r"),
        ("<meta charset=iso-8859-1>", "cp1252", "cp1252"),
        ("<meta charset=hex>", "cp1252", "cp1252"),
        ("<meta charset=utf-7>", "cp1252", "cp1252"),
        ("<meta charset=utf-16>", "utf-8", "utf-8"),
        ("", "utf-8", "utf-8"),
    ],
)
def test_the_encoding_of_a_page_is_what_its_bytes_say_else_what_its_head_says(
    tmp_path: Path, head: str, encoding: str, read_as: str
) -> None:
    said = "Привет" if encoding.startswith(("iso", "koi")) else "Grüße"
    reading = read(file(tmp_path, "a.html", f"{head}<p>{said}".encode(encoding)))
    assert [text for _, text in reading.passages] == [said]
    assert reading.detail["encoding"] == read_as


@pytest.mark.parametrize(
    "text",
    [
        "<div>" * 200_000 + "deep",
        "<p>" + "<a href='" * 5_000 + "deep",
        "<!--" * 50_000 + "--><p>deep",
        "<![" * 50_000 + "]><p>deep",
        "<div hidden>" * 50_000 + "</div>" * 50_000 + "deep",
        "&#x" * 50_000 + " deep",
    ],
)
def test_markup_that_is_made_to_break_readers_does_not(tmp_path: Path, text: str) -> None:
    try:
        found = given_by(file(tmp_path, "a.html", text))
    except Unreadable:
        return
    sound(found)


# PDF


def test_the_places_of_a_pdf_are_its_pages(tmp_path: Path) -> None:
    pages = [["The valve (upper) was open.", "So was the \\ pump."], [], ["Grüße."]]
    reading = read(file(tmp_path, "report.PDF", corpus.pdf(pages)))
    assert list(reading.passages) == [
        ("p. 1", "The valve (upper) was open.\nSo was the \\ pump."),
        ("p. 3", "Grüße."),
    ]
    assert (reading.kind, reading.detail["pages"]) == ("pdf", 3)
    assert reading.detail["notes"] == ["1 of 3 pages have no text"]


def test_a_page_that_is_too_long_comes_in_parts(tmp_path: Path) -> None:
    found = given_by(file(tmp_path, "a.pdf", corpus.pdf([["word " * 15] * 100])))
    assert [place for place, _ in found] == ["p. 1", "p. 1, part 2"]
    assert words(found).count("word") == 1500


def encrypted(data: bytes, password: str) -> bytes:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.encrypt(password, owner_password="owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_a_pdf_that_needs_a_password_is_unreadable_and_one_that_does_not_is_read(tmp_path: Path) -> None:
    plain = corpus.pdf([["The valve was open."]])
    with pytest.raises(Unreadable, match="password"):
        given_by(file(tmp_path, "a.pdf", encrypted(plain, "secret")))
    assert given_by(file(tmp_path, "b.pdf", encrypted(plain, ""))) == [("p. 1", "The valve was open.")]


def bomb() -> bytes:
    packed = zlib.compress(b"\x00" * 300_000_000, 9)
    page = corpus.pdf([["x"]])
    stream = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed)
    start = page.index(b"5 0 obj\n") + len(b"5 0 obj\n")
    return page[:start] + stream + page[page.index(b"\nendobj", start) :]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"%PDF-1.4\nnothing", "no PDF that can be read"),
        (corpus.pdf([["The valve"]])[:200], "no PDF that can be read|None of its"),
        (corpus.pdf([[], []]), "None of its 2 pages has text"),
        (corpus.pdf([]), "None of its 0 pages"),
        (bomb(), "None of its 1 pages can be read|takes too much memory|broke what reads it"),
    ],
    ids=["nothing", "cut", "pictures", "empty", "bomb"],
)
def test_a_pdf_that_gives_no_text_is_unreadable_and_the_next_one_is_read(
    tmp_path: Path, data: bytes, complaint: str
) -> None:
    with pytest.raises(Unreadable, match=complaint):
        given_by(file(tmp_path, "a.pdf", data))
    assert given_by(file(tmp_path, "b.pdf", corpus.pdf([["open"]]))) == [("p. 1", "open")]


def test_a_page_that_is_damaged_is_noted_and_the_others_are_read(tmp_path: Path) -> None:
    data = corpus.pdf([["one"], ["two"], ["three"]])
    place = data.index(b"stream\n", data.index(b"7 0 obj")) + 7
    reading = read(file(tmp_path, "a.pdf", data[:place] + b"\xff" * 20 + data[place + 20 :]))
    assert [(place, text) for place, text in reading.passages if "e" in text] == [
        ("p. 1", "one"),
        ("p. 3", "three"),
    ]
    assert "notes" in reading.detail


def test_what_takes_too_long_is_given_up_and_the_next_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 0.0)
    with pytest.raises(Unreadable, match="given up"):
        given_by(file(tmp_path, "a.pdf", corpus.pdf([["one"]] * 2000)))
    monkeypatch.undo()
    assert given_by(file(tmp_path, "b.pdf", corpus.pdf([["open"]]))) == [("p. 1", "open")]


def test_whoever_stops_reading_half_way_leaves_no_process_that_goes_on(tmp_path: Path) -> None:
    found = read(file(tmp_path, "a.pdf", corpus.pdf([["one"]] * 500))).passages
    assert next(found) == ("p. 1", "one")
    assert isinstance(found, Iterator)
    found.close()  # type: ignore[attr-defined]
    assert given_by(file(tmp_path, "b.pdf", corpus.pdf([["open"]]))) == [("p. 1", "open")]


def test_no_secret_of_the_environment_reaches_the_process_that_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", "hunter2")
    assert "hunter2" not in workers._environment().values()


# Any file


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.csv", "a.html", "a.pdf"])
@fuzzed
@given(data=st.binary(max_size=2000))
def test_no_bytes_break_a_reader(tmp_path: Path, name: str, data: bytes) -> None:
    with suppress(Unreadable):
        sound(given_by(file(tmp_path, name, data)))


@fuzzed
@given(st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=8)), max_size=8))
def test_no_damage_of_a_pdf_breaks_its_reader(tmp_path: Path, damage: list[tuple[int, bytes]]) -> None:
    data = bytearray(corpus.pdf([["The valve was open."], ["So was the pump."]]))
    for place, piece in damage:
        data[place : place + len(piece)] = piece
    with suppress(Unreadable):
        sound(given_by(file(tmp_path, "a.pdf", bytes(data))))


def test_the_kind_of_a_file_is_what_it_begins_with_else_what_it_is_called(tmp_path: Path) -> None:
    assert kind_of(file(tmp_path, "a.txt", corpus.pdf([["x"]]))) == "pdf"
    for name, kind in {
        "a.MD": "markdown",
        "a.log": "text",
        "b": "text",
        "a.htm": "html",
        "a.TSV": "csv",
    }.items():
        assert kind_of(file(tmp_path, name, "x")) == kind
    assert digest_of(file(tmp_path, "b", "x")).hex().startswith("2d711642b726b044")


def test_whatever_is_planted_in_documents_of_all_kinds_is_read(tmp_path: Path) -> None:
    planted = corpus.write(tmp_path, pages=40, facts=10, seed=3)
    again = tmp_path / "again"
    assert corpus.write(again, pages=40, facts=10, seed=3) == planted
    assert {fact.document.partition("/")[0] for fact in planted} == {"text", "markdown", "pdf", "csv", "html"}
    for fact in planted:
        assert (again / fact.document).read_bytes() == (tmp_path / fact.document).read_bytes()
        found = given_by(tmp_path / fact.document)
        sound(found)
        held = [place for place, text in found if fact.quote in " ".join(text.split())]
        assert len(held) == 1
        if fact.document.endswith("pdf"):
            assert held == [f"p. {fact.page}"]
