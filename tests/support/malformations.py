"""Answers as models give them when they were asked for JSON, each with what it plainly says.

The forms are those that open models, and hosted ones without structured output, are seen to give;
the wording is ours. `Case.value` is what must be read; None: the answer must be refused as malformed,
since anything read from it would be a guess.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict


class Verdict(BaseModel):
    """What the models were asked for."""

    model_config = ConfigDict(extra="forbid")

    cause: str
    confidence: float | None = None
    quotes: list[str] = []
    certain: bool | None = None


@dataclass(frozen=True)
class Case:
    name: str
    text: str
    value: dict[str, Any] | None
    repair: str = ""


FULL = {"cause": "disk full", "confidence": 0.9}

CASES = (
    Case("strict JSON", '{"cause": "disk full", "confidence": 0.9}', FULL),
    Case("white space around", '\n\n  {"cause": "disk full", "confidence": 0.9}\n', FULL),
    Case("a byte order mark", '\ufeff{"cause": "disk full", "confidence": 0.9}', FULL),
    Case(
        "a fence",
        '```json\n{"cause": "disk full", "confidence": 0.9}\n```',
        FULL,
        "code fence",
    ),
    Case("a fence without a language", '```\n{"cause": "disk full"}\n```', {"cause": "disk full"}),
    Case("a fence in capitals", '```JSON\n{"cause": "disk full"}\n```', {"cause": "disk full"}),
    Case("a fence that never closes", '```json\n{"cause": "disk full"}', {"cause": "disk full"}),
    Case("a fence on one line", '```json {"cause": "disk full"} ```', {"cause": "disk full"}),
    Case(
        "prose and a fence",
        'Here is the verdict:\n\n```json\n{"cause": "disk full"}\n```\nLet me know!',
        {"cause": "disk full"},
        "prose around it",
    ),
    Case("a greeting", 'Sure! {"cause": "disk full"}', {"cause": "disk full"}, "prose around it"),
    Case("an afterthought", '{"cause": "disk full"}\nHope this helps :)', {"cause": "disk full"}),
    Case("the word json", 'json\n{"cause": "disk full"}', {"cause": "disk full"}),
    Case(
        "reasoning with citations before",
        'The log [1] contradicts the table [2, 3], see {note}.\n{"cause": "disk full"}',
        {"cause": "disk full"},
    ),
    Case(
        "the same value twice",
        '{"cause": "disk full"}\nSo the final answer is:\n{"cause":"disk full"}',
        {"cause": "disk full"},
    ),
    Case("one bracket too many", '{"cause": "disk full"}}', {"cause": "disk full"}),
    Case("a semicolon", '{"cause": "disk full"};', {"cause": "disk full"}),
    Case("a trailing comma", '{"cause": "disk full",}', {"cause": "disk full"}, "trailing comma"),
    Case(
        "a trailing comma in a list",
        '{"cause": "a", "quotes": ["b", "c",],}',
        {"cause": "a", "quotes": ["b", "c"]},
        "trailing comma",
    ),
    Case(
        "a missing comma between lines",
        '{\n  "cause": "disk full"\n  "confidence": 0.9\n}',
        FULL,
        "missing comma",
    ),
    Case(
        "a missing comma after a number",
        '{"confidence": 0.9 "cause": "disk full"}',
        FULL,
        "missing comma",
    ),
    Case(
        "a missing comma in a list",
        '{"cause": "a", "quotes": ["b"\n"c"]}',
        {"cause": "a", "quotes": ["b", "c"]},
        "missing comma",
    ),
    Case("single quotes", "{'cause': 'disk full'}", {"cause": "disk full"}, "single quotes"),
    Case(
        "an apostrophe in single quotes",
        "{'cause': 'the disk's full', 'confidence': 1}",
        {"cause": "the disk's full", "confidence": 1},
        "unescaped quotation marks",
    ),
    Case(
        "an escaped apostrophe",
        '{"cause": "the disk\\\'s full"}',
        {"cause": "the disk's full"},
        "backslash that escapes nothing",
    ),
    Case(
        "a double quote in single quotes",
        "{'cause': 'it said \"full\"'}",
        {"cause": 'it said "full"'},
        "single quotes",
    ),
    Case(
        "a Python dictionary",
        "{'cause': 'a', 'confidence': None, 'certain': True, 'quotes': ('b', 'c')}",
        {"cause": "a", "confidence": None, "certain": True, "quotes": ["b", "c"]},
        "Python literal",
    ),
    Case(
        "Python's False in JSON",
        '{"cause": "a", "certain": False}',
        {"cause": "a", "certain": False},
        "Python literal",
    ),
    Case(
        "typographic quotes",
        "{“cause”: “disk full”}",
        {"cause": "disk full"},
        "odd quotation marks",
    ),
    Case("backticks", '{"cause": `disk full`}', {"cause": "disk full"}, "odd quotation marks"),
    Case("keys without quotes", '{cause: "disk full"}', {"cause": "disk full"}, "unquoted key"),
    Case(
        "a line break in a string",
        '{"cause": "disk\nfull"}',
        {"cause": "disk\nfull"},
        "line break or control character in a string",
    ),
    Case(
        "tabs and carriage returns in a string",
        '{"cause": "a\tb\r\nc"}',
        {"cause": "a\tb\r\nc"},
        "line break or control character in a string",
    ),
    Case(
        "a control character in a string",
        '{"cause": "\x1b[31mfull"}',
        {"cause": "\x1b[31mfull"},
        "line break or control character in a string",
    ),
    Case(
        "a quotation that is not escaped",
        '{"cause": "the log says "disk full" at 12"}',
        {"cause": 'the log says "disk full" at 12'},
        "unescaped quotation marks",
    ),
    Case(
        "a quotation that is not escaped at the end",
        '{"cause": "the log says "disk full"", "confidence": 0.9}',
        {"cause": 'the log says "disk full"', "confidence": 0.9},
        "unescaped quotation marks",
    ),
    Case(
        "a quotation that is not escaped in a list",
        '{"cause": "a", "quotes": ["he said "no" twice", "c"]}',
        {"cause": "a", "quotes": ['he said "no" twice', "c"]},
        "unescaped quotation marks",
    ),
    Case(
        "a Windows path",
        r'{"cause": "C:\logs\disk is full"}',
        {"cause": "C:\\logs\\disk is full"},
        "backslash that escapes nothing",
    ),
    Case(
        "a regular expression",
        r'{"cause": "matches \d+\s*ms"}',
        {"cause": "matches \\d+\\s*ms"},
        "backslash that escapes nothing",
    ),
    Case(
        "LaTeX",
        r'{"cause": "\(x \cdot y\)"}',
        {"cause": "\\(x \\cdot y\\)"},
        "backslash that escapes nothing",
    ),
    Case(
        "a Python escape",
        r'{"cause": "caf\xe9"}',
        {"cause": "café"},
        "backslash that escapes nothing",
    ),
    Case(
        "half of a character",
        r'{"cause": "cut \ud83d"}',
        {"cause": "cut �"},
        "lone surrogates became U+FFFD",
    ),
    Case(
        "a whole character as two escapes, in single quotes",
        r"{'cause': '\ud83d\ude00'}",
        {"cause": "\U0001f600"},
        "single quotes",
    ),
    Case(
        "half of a character, raw",
        '{"cause": "cut \ud83d"}',
        {"cause": "cut �"},
        "lone surrogates became U+FFFD",
    ),
    Case(
        "triple quotes",
        '{"cause": """line one\nit said "full"\n"""}',
        {"cause": 'line one\nit said "full"\n'},
        "triple quotes",
    ),
    Case(
        "comments",
        '{\n  // what happened\n  "cause": "disk full", /* sure */ "confidence": 0.9\n}',
        FULL,
        "comment",
    ),
    Case(
        "numbers as people write them",
        '{"cause": "disk full", "confidence": .9}',
        FULL,
        "number format",
    ),
    Case("a plus sign", '{"cause": "a", "confidence": +1.}', {"cause": "a", "confidence": 1.0}),
    Case(
        "white space that does not break",
        '{\u00a0"cause":\u00a0"disk full"}',
        {"cause": "disk full"},
    ),
    Case(
        "JSON inside a string",
        '"{\\"cause\\": \\"disk full\\"}"',
        {"cause": "disk full"},
        "JSON inside a string",
    ),
    Case(
        "malformed JSON inside a string",
        json.dumps("{'cause': 'disk full',}"),
        {"cause": "disk full"},
        "single quotes",
    ),
    Case(
        "every quotation mark escaped",
        '{\\"cause\\": \\"disk full\\"}',
        {"cause": "disk full"},
        "escaped quotation marks",
    ),
    Case(
        "several at once",
        "Okay.\n```python\n{'cause': 'disk\nfull', 'certain': True,}\n```",
        {"cause": "disk\nfull", "certain": True},
        "trailing comma",
    ),
    # Refused: whatever one reads from these is a guess.
    Case("nothing", "", None),
    Case("white space", " \n", None),
    Case("prose", "The disk was full, I am quite sure.", None),
    Case("an apology", "I'm sorry, but I can't help with that.", None),
    Case("a string that breaks off", '{"cause": "disk fu', None),
    Case("an object that breaks off", '{"cause": "disk full", "quotes": ["a", "b"', None),
    Case("a key that breaks off", '{"cause": "disk full", "conf', None),
    Case("a fence that breaks off", '```json\n{"cause": "disk', None),
    Case("a complete part of what breaks off", '{"draft": {"cause": "disk full"}, "cau', None),
    Case("a draft, then an end that breaks off", '{"cause": "a"}\nFinal: {"cause": "b', None),
    Case("two different answers", '{"cause": "a"}\nor rather\n{"cause": "b"}', None),
    Case("a bare word", '{"cause": disk_full}', None),
    Case("an ellipsis", '{"cause": "a", "quotes": ["b", ...]}', None),
    Case("an expression", '{"cause": "a" + "b"}', None),
    Case("a call", 'Verdict(cause="disk full")', None),
    Case("YAML", "cause: disk full\nconfidence: 0.9", None),
    Case("XML", "<cause>disk full</cause>", None),
    Case("leading zeros", '{"cause": "a", "confidence": 007}', None),
    Case("a thousand in two parts", '{"cause": "a", "confidence": 1 000}', None),
    Case("a percentage", '{"cause": "a", "confidence": 90%}', None),
    Case("not a number", '{"cause": "a", "confidence": NaN,}', None),
    Case("undefined", '{"cause": undefined}', None),
    Case("brackets that do not match", '{"cause": "a", "quotes": ["b"}', None),
    Case("a key without a value", '{"cause"}', None),
    Case("quotation marks that could close anywhere", '{"cause": "a", "b": "c" d", "e": "f"}', None),
    Case("a path before triple quotes", r'''{"cause": """C:\"""}''', None),
    Case("a quotation that is never closed", '{"cause": "the log says "disk full}', None),
    Case("a quotation that ends with the string", '{"cause": "the log says "disk full"}', None),
    Case("a quotation before a colon", '{"cause": "a "b": "c" d"}', None),
    Case("a quotation, and a bracket in the string", '{"cause": "a "b" c"} d"}', None),
    Case("a measure in inches", '{"cause": "a 5" pipe"}', None),
    Case("elements without commas", '{"cause": "a", "quotes": [12 345]}', None),
    Case("one value in round brackets", "{'cause': 'a', 'quotes': ('b')}", None),
    Case("a quotation with a bracket", '{"cause": "the set {"a"} is full"}', None),
)
