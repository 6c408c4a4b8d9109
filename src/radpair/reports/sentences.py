"""Report text to sentences."""

from __future__ import annotations

import re

from radpair.reports.tokens import clean

_ABBREVIATIONS = frozenset(
    {"dr", "drs", "mr", "mrs", "ms", "prof", "st", "jr", "sr", "pt", "pts", "resp", "dept"}
    | {"vs", "approx", "ca", "cf", "fig", "ext", "inc", "no", "e.g", "i.e", "a.m", "p.m"}
)
_END = re.compile(r"(?<![.!?])[.!?]+[\"')\]]*(?=\s|\Z|[A-Z][a-z])|\n[ \t]*\n\s*|\n")
_WORD_BEFORE = re.compile(r"([^\s(\[]*)\Z")
_NUMBER = re.compile(r"\s*\(?#?([0-9]{1,2})(?=\.)")
_FIRST_NUMBER = re.compile(r"[0-9]{1,2}")
_MARK = r"(?:[a-hj-z]|[ivx]{1,4})"
_BULLET = re.compile(rf"[ \t]*(?:[-*\u2022]|\(?\d{{1,2}}[.)]|\(?{_MARK}[.)])\s")
_LETTER = re.compile(rf"\s*\(?{_MARK}(?=\.)")
_INLINE_NUMBER = re.compile(r"(?<=[a-z)])\s+(?=([0-9]{1,2})[.)]\s+[A-Z])")
_SHORT_LINE = 50


def sentences(text: str) -> list[str]:
    """The sentences of a report, each on one line, in reading order.

    A list number stays with its sentence (``1. No effusion.``); ``Dr.``, ``4.5 cm`` and ``T12``
    do not end one. A line break ends a sentence before a list mark, after an empty line, and
    after a short line that the next line does not continue.
    """
    return split(clean(text))


def split(text: str) -> list[str]:
    """As ``sentences``, of text that is clean already."""
    found: list[str] = []
    start = 0
    line_start = 0
    for match in _END.finditer(text):
        if match.group()[0] == "\n":
            ends = _line_ends_sentence(text, match, line_start)
            line_start = match.end()
        else:
            ends = _stop_ends_sentence(text, match, start)
        if ends:
            _add(found, text[start : match.end()])
            start = match.end()
    _add(found, text[start:])
    return found


def _add(found: list[str], piece: str) -> None:
    line = " ".join(piece.split())
    if not line:
        return
    if line.strip(".,;:!?") == "" and found:
        return
    found.extend(_split_numbers(line))


def _split_numbers(line: str) -> list[str]:
    """Cuts before a list number that continues the one the line begins with (``... 2. Stable``)."""
    first = _FIRST_NUMBER.match(line)
    if first is None:
        return [line]
    parts = []
    start = 0
    expected = int(first.group()) + 1
    for match in _INLINE_NUMBER.finditer(line):
        if int(match.group(1)) == expected:
            parts.append(line[start : match.start()])
            start = match.end()
            expected += 1
    return [*parts, line[start:]]


def _line_ends_sentence(text: str, match: re.Match[str], line_start: int) -> bool:
    if match.group().count("\n") > 1 or _BULLET.match(text, match.end()):
        return True
    short = match.start() - line_start < _SHORT_LINE
    follows = text[match.end() : match.end() + 40].lstrip(" \t")[:1]
    return short and follows.isupper()


def _stop_ends_sentence(text: str, match: re.Match[str], start: int) -> bool:
    if match.group()[0] != ".":
        return True
    letter = _LETTER.match(text, start)
    if letter is not None and letter.end() == match.start() and "\n" in text[start - 2 : start]:
        return False
    before = text[max(start, match.start() - 40) : match.start()]
    found = _WORD_BEFORE.search(before)
    word = found.group(1).lower() if found else ""
    if word in _ABBREVIATIONS:
        return word == "no" and text[match.end() : match.end() + 2].strip()[:1].isupper()
    if word.isascii() and word.isdigit() and _is_list_number(text, start, match.start(), int(word)):
        return False
    return not (len(word) == 1 and word.isalpha() and word not in "ai" and len(before) > 2)


def _is_list_number(text: str, start: int, stop: int, number: int) -> bool:
    """Whether the number before the full stop at ``stop`` opens this or the next list item."""
    first = _NUMBER.match(text, start)
    return first is not None and (first.end() == stop or int(first.group(1)) + 1 == number)
