"""What in a report may name somebody: names, dates, telephone and record numbers, by their form.

Rules of form, after four of the identifiers that the Safe Harbor rule lists (45 CFR 164.514(b)(2)).
They warn and prove nothing: a name that stands alone in a sentence is not found. Marks of text
that was taken out (``XXXX``, ``___``, ``[**Name**]``, ``<NAME>``) are no finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

NAME, DATE, PHONE, RECORD = "name", "date", "telephone", "record number"
KINDS = (NAME, DATE, PHONE, RECORD)
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|"
    r"Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DAY, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:1[89]\d\d|2[01]\d\d)"
_NUMBER_OF_MONTH = r"(?:0?[1-9]|1[0-2])"
_ANY_CASE = re.compile(
    "|".join(
        (
            rf"(?P<date1>(?<![\w./-]){_YEAR}([-/.]){_NUMBER_OF_MONTH}\2{_DAY}(?![\w/-]))",
            rf"(?P<date2>(?<![\w./-]){_DAY}([-/.]){_DAY}\4(?:{_YEAR}|\d\d)(?![\w/-]|\.\d))",
            rf"(?P<date3>(?<!\w){_MONTH} {_DAY}(?:st|nd|rd|th)?,? {_YEAR}(?!\w))",
            rf"(?P<date4>(?<!\w){_DAY}(?:st|nd|rd|th)?(?: of)? {_MONTH},? {_YEAR}(?!\w))",
            rf"(?P<date5>(?<!\w){_MONTH},? (?:of )?{_YEAR}(?!\w))",
            rf"(?P<date6>(?<!\w)(?:dated|on|from|since) {_NUMBER_OF_MONTH}/{_DAY}(?![\w/]))",
            r"(?P<telephone1>(?<![\w.-])(?:\+?1[-. ])?(?:\(\d{3}\) ?|\d{3}[-. ])"
            r"\d{3}[-. ]\d{4}(?![\w-]))",
            r"(?P<telephone2>(?<!\w)\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}(?!\w))",
            r"(?P<telephone3>(?<!\w)(?:tele)?(?:phone|pager|fax|tel|ext|extension|beeper)\b\.?"
            r"(?: (?:number|no\.?|at))?[ :#]{1,3}\d[\d -]{2,}\d(?!\w))",
            r"(?P<record1>(?<!\w)(?:MRN?|medical record|record|accession|acc|patient id|chart|ssn)"
            r"\b\.?(?: (?:number|no\.?|id))?[ :#]{1,3}(?=[\w-]*\d{3})[\w-]{4,})",
            r"(?P<record2>(?<![\w.-])\d{3}-\d{2}-\d{4}(?![\w-]))",
            r"(?P<record3>(?<![\w./,-])\d{7,}(?![\w/-]|[.,]\d))",
            r"(?P<record4>(?<![\w.])[12](?:\.\d+){5,}(?!\w))",
        )
    ),
    re.IGNORECASE,
)
_WORD = r"(?:[A-Z][a-z]*(?:['-][A-Z]?[a-z]+)+|[A-Z][a-z]+|[A-Z]+(?:['-][A-Z]+)+|[A-Z]{2,})"
_TITLE = r"(?i:dr|drs|mr|mrs|ms|prof|doctor)\.? "
_INITIAL = r"(?:[A-Z]\.? )?"
_PERSON = rf"{_WORD}(?:,? {_INITIAL}{_WORD})?"
_NAMES = re.compile(
    "|".join(
        (
            rf"(?<!\w){_TITLE}{_INITIAL}(?P<a>{_PERSON})",
            rf"(?<!\w)(?P<b>{_WORD},? {_INITIAL}{_WORD}),? "
            r"(?:M\.? ?D\.?|D\.O\.|RN|PA-C|FRCR)(?!\w)",
            r"(?<!\w)(?i:dictated by|signed by|read by|interpreted by|reviewed by|discussed with|"
            r"reported by|verified by|approved by|patient name|name of patient|name)(?: ?: ?| )"
            rf"(?:{_TITLE})?{_INITIAL}(?P<c>{_PERSON})",
        )
    )
)
_TAKEN_OUT = re.compile(r"X{2,}|_+|\[?\*+[^\]]*\*+\]?|<[^>]*>|\[[A-Z ]+\]|REDACTED", re.I)
_NO_NAMES = frozenset(
    (
        *("the", "a", "an", "he", "she", "they", "this", "above", "or", "and", "at", "on", "in"),
        *("by", "for", "to", "is", "was", "with", "of", "dr", "md", "er", "ed", "icu", "doctor"),
        *("resident", "attending", "radiologist", "physician", "team", "nurse", "staff", "service"),
        *("referring", "ordering", "primary", "emergency", "clinical", "patient", "report"),
        *("findings", "impression"),
    )
)


@dataclass(frozen=True, slots=True)
class Identifier:
    """A span of a report that may name somebody."""

    kind: str
    """One of ``KINDS``."""
    start: int
    end: int


def identifiers(text: str) -> list[Identifier]:
    """What ``text`` holds of each kind, in its order, none overlapping another of its kind."""
    found = [*_by_form(text), *_names(text)]
    return sorted(found, key=lambda one: (one.start, one.end, one.kind))


def _by_form(text: str) -> Iterator[Identifier]:
    for match in _ANY_CASE.finditer(text):
        group = next(name for name, value in match.groupdict().items() if value)
        form = group.rstrip("0123456789")
        yield Identifier(RECORD if form == "record" else form, *match.span())


def _names(text: str) -> Iterator[Identifier]:
    for match in _NAMES.finditer(text):
        group = next(name for name, value in match.groupdict().items() if value)
        words = match[group].replace(",", " ").split()
        if words[0].lower() in _NO_NAMES or all(map(_TAKEN_OUT.fullmatch, words)):
            continue
        yield Identifier(NAME, *match.span(group))
