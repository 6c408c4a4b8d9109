"""Text to tokens: the unit that a graph's spans count in (RadGraph's splitting of punctuation)."""

from __future__ import annotations

import html
import re

DEIDENTIFIED = "___"
"""The token that stands for every de-identification mark written in brackets."""

_BRACKETS = re.compile(r"\[\*\*[^\[\]]{0,200}\*\*\]")
_LINE_TAGS = re.compile(
    r"</?(?:p|div|br|h[1-6]|li|ul|ol|tr|table|section)(?:[\s/][^<>]{0,200})?>", re.IGNORECASE
)
_HIDES = re.compile(r"<(/?)(script|style)(?:[\s/][^<>]*)?>|<!--|-->", re.IGNORECASE)
_TAGS = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_ENTITY = re.compile(r"&#?[0-9A-Za-z]{1,32};?")
_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202f\ufeff\ufffe]"
)
_MOST_BLANKS = 40
_BLANKS = re.compile(rf"[^\S\n]{{{_MOST_BLANKS + 1},}}")
"""Longer runs are shortened, so that no pattern with blanks on both sides takes long."""
_TOKEN = re.compile(r"\d+(?:\.\d+)+|[^\W_]+(?:['\u2019][^\W_]+)?|_+|[^\w\s]")
_MARKS = re.compile(r"(?:x{2,}|_{2,})\Z", re.IGNORECASE)


def clean(text: str) -> str:
    """The text without control characters, HTML tags and entities; bracket marks become ``___``.

    What HTML does not show (scripts, styles, comments) goes with its tags. Line ends stay, and
    tags such as ``<br>`` become one: sections and sentences need them.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "<" in text:
        text = _shown(text)
        text = _TAGS.sub(" ", _LINE_TAGS.sub("\n", text))
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found.group()), text)
    if "[**" in text:
        text = _BRACKETS.sub(DEIDENTIFIED, text)
    if not text.isprintable():
        text = _CONTROL.sub(" ", text)
    return _BLANKS.sub(" " * _MOST_BLANKS, text)


def _shown(text: str) -> str:
    """The text with a blank for what HTML hides."""
    starts_and_stops = [at for span in _hidden_spans(text) for at in span]
    if not starts_and_stops:
        return text
    edges = [0, *starts_and_stops, len(text)]
    return " ".join(text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))


def _hidden_spans(text: str) -> list[tuple[int, int]]:
    """Where scripts, styles and comments stand that are closed, in order, none overlapping."""
    spans = []
    start, end = 0, ""
    for tag in _HIDES.finditer(text):
        slash, name = tag.group(1), (tag.group(2) or tag.group()).lower()
        if not end:
            if name == "<!--" or (slash == "" and not tag.group().endswith("/>")):
                start, end = tag.start(), "-->" if name == "<!--" else name
        elif name == end and slash != "":
            spans.append((start, tag.end()))
            end = ""
    return spans


def tokens(text: str) -> list[str]:
    """Words, numbers (``4.5`` stays whole) and single punctuation marks, in reading order."""
    return _TOKEN.findall(text)


def is_mark(token: str) -> bool:
    """Whether a token stands for something that was de-identified (``XXXX``, ``___``)."""
    return _MARKS.match(token) is not None


def is_empty(text: str) -> str | None:
    """Why a report has nothing to read, or None where it has words.

    Returns ``"empty report"``, ``"only de-identification marks"`` or ``"no words"`` (numbers and
    punctuation alone).
    """
    found = tokens(clean(text))
    if not found:
        return "empty report"
    marked = False
    for token in found:
        if is_mark(token):
            marked = True
        elif any(letter.isalpha() for letter in token):
            return None
    return "only de-identification marks" if marked else "no words"
