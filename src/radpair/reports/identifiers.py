"""What in a report may name somebody: names, dates, telephone and record numbers, e-mail addresses.

Rules of form, after five of the identifiers that the Safe Harbor rule lists (45 CFR 164.514(b)(2)).
They warn and prove nothing: a name that stands alone in a sentence is not found. Marks of text
that was taken out (``XXXX``, ``___``, ``[**Name**]``, ``<NAME>``) are no finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from radpair.reports.dates import dates

NAME, DATE, PHONE, RECORD, MAIL = "name", "date", "telephone", "record number", "e-mail address"
KINDS = (NAME, DATE, PHONE, RECORD, MAIL)
_PHONES = (
    r"(?:tele)?phone|telefon|téléphone|teléfono|pager|(?:tele)?fax|tél|tel|tlf|ext|extension|beeper|"
    r"durchwahl|handy"
)
_RECORDS = (
    r"MRN?|medical record|record|accession|acc|patient id|chart|ssn|NHC|IPP|"
    r"historia(?: clínica)?|dossier"
)
_NUMBERED = r"pat(?:ient(?:en)?)?|fall|auftrags?|untersuchungs|akten|versicherten|historia|dossier"
_ANY_CASE = re.compile(
    "|".join(
        (
            r"(?P<mail1>(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+)",
            r"(?P<telephone1>(?<![\w.-])(?:\+?1[-. ])?(?:\(\d{3}\) ?|\d{3}[-. ])"
            r"\d{3}[-. ]\d{4}(?![\w-]))",
            r"(?P<telephone2>(?<!\w)\+\d{1,3}(?:[ ./-]?\(?\d{1,4}\)?){2,5}(?!\w))",
            rf"(?P<telephone3>(?<!\w)(?:{_PHONES})\b\.?"
            r"(?: (?:number|no\.?|at|nr\.?))?[ :#]{1,3}\(?\d[\d /()-]{2,}\d(?!\w))",
            r"(?P<telephone4>(?<![\w./-])0\d{2,4} ?/ ?\d{4,8}(?:-\d{1,4})?(?![\w/]))",
            rf"(?P<record1>(?<!\w)(?:{_RECORDS})"
            r"\b\.?(?: (?:number|no\.?|id|n[°º]))?[ :#]{1,3}(?=[\w-]*\d{3})[\w-]{4,})",
            r"(?P<record2>(?<![\w.-])\d{3}-\d{2}-\d{4}(?![\w-]))",
            r"(?P<record3>(?<![\w./,-])\d{7,}(?![\w/-]|[.,]\d))",
            r"(?P<record4>(?<![\w.])[12](?:\.\d+){5,}(?!\w))",
            rf"(?P<record5>(?<!\w)(?:{_NUMBERED})\.?[ -]?(?:nr|nummer|no|n[°º]|id)(?!\w)\.?"
            r"[ :#]{0,3}(?=[\w-]*\d{3})[\w-]{3,})",
        )
    ),
    re.IGNORECASE,
)
_LETTERS = [chr(code) for code in (*range(0x250), *range(0x370, 0x530), *range(0x1E00, 0x2000))]
_UP = f"[{''.join(letter for letter in _LETTERS if letter.isupper())}]\u0308?"
_LOW = f"[{''.join(letter for letter in _LETTERS if letter.islower())}\u0300-\u036f]"
_CAPS = f"(?:{_UP}[\u0300-\u036f]?)"
_SOME = "{1,40}"
"""Letters of a part of a name; limited, or some texts would take time by their length squared."""
_WORD = (
    rf"(?:{_UP}{_LOW}{{0,40}}(?:['\u2019-]{_UP}?{_LOW}{_SOME}){{1,3}}|"
    rf"{_UP}{_LOW}{_SOME}(?:{_UP}{_LOW}{_SOME})?|"
    rf"{_CAPS}{_SOME}(?:['\u2019-]{_CAPS}{_SOME}){{1,3}}|{_CAPS}{{2,40}})(?!\w)"
)
_TITLE = (
    r"(?:(?i:drs?|dra|mr|mrs|ms|prof|doctora?|doktor|docteur|herrn?|frau|señora?|sra?|madame|"
    r"monsieur|mme|mlle)\.?(?: {1,2}|\s?\n {0,4})(?:(?:med|rer|nat|dent|habil|h\. ?c)\.? ){0,5})"
)
_INITIAL = rf"(?:{_UP}\.? )?"
_OF = (
    r"(?:(?:[vV]on|[vV]an|[dD]e|[dD]er|[dD]en|[dD]el|[lL]a|[lL]e|[zZ]ur?|[dD]i|[dD]a|[dD]u) ){0,3}"
)
_NOT_SECOND = (
    r"(?!(?i:notified|informed|called|paged|contacted|aware|advised|was|were|is|are|has|had|will|"
    r"at|on|by|and|or|in|of|to|the|who|for|from|with|via|regarding|about|acknowledged|dictated|"
    r"reviewed|read|findings|impression|indication|comparison|technique|history)\b)"
)
_PERSON = rf"{_OF}{_WORD}(?:,? {_INITIAL}{_OF}{_NOT_SECOND}{_WORD})?"
_FULL = rf"{_OF}{_WORD},? {_INITIAL}{_OF}{_NOT_SECOND}{_WORD}"
_BY = (
    r"(?i:dictated by|signed by|read by|interpreted by|reviewed by|discussed with|reported by|"
    r"verified by|approved by|patient name|name of patient|name|diktiert von|befundet von|"
    r"unterschrieben von|validiert von|freigegeben von|besprochen mit|informado por|firmado por|"
    r"dictado por|validado por|nombre|dicté par|signé par|validé par|lu par|nom)"
)
_NAMES = re.compile(
    "|".join(
        (
            rf"(?<!\w){_TITLE}{{1,4}}{_INITIAL}(?P<a>{_PERSON})",
            rf"(?<!\w)(?P<b>{_WORD},? {_INITIAL}{_WORD}),? "
            r"(?:M\.? ?D\.?|D\.O\.|RN|PA-C|FRCR)(?!\w)",
            rf"(?<!\w){_BY}(?: ?: ?| ){_TITLE}{{0,4}}{_INITIAL}(?P<c>{_PERSON})",
            r"(?<!\w)(?i:patient(?:in)?|paciente|pat\.) ?: ?"
            rf"{_TITLE}{{0,4}}{_INITIAL}(?P<d>{_FULL})",
        )
    )
)
_KIND = {"mail": MAIL, "telephone": PHONE, "record": RECORD}
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
    found = [*_apart([*_days(text), *_by_form(text)]), *_names(text)]
    return sorted(found, key=lambda one: (one.start, one.end, one.kind))


def _apart(found: list[Identifier]) -> Iterator[Identifier]:
    """Of those that overlap the first, of those that begin together the longest."""
    end = 0
    for one in sorted(found, key=lambda one: (one.start, -one.end, one.kind)):
        if one.start >= end:
            yield one
            end = one.end


def _days(text: str) -> Iterator[Identifier]:
    return (Identifier(DATE, one.start, one.end) for one in dates(text))


def _by_form(text: str) -> Iterator[Identifier]:
    for match in _ANY_CASE.finditer(text):
        group = next(name for name, value in match.groupdict().items() if value)
        form = group.rstrip("0123456789")
        yield Identifier(_KIND[form], *match.span())


def _names(text: str) -> Iterator[Identifier]:
    for match in _NAMES.finditer(text):
        group = next(name for name, value in match.groupdict().items() if value)
        words = match[group].replace(",", " ").split()
        if words[0].lower() in _NO_NAMES or all(map(_TAKEN_OUT.fullmatch, words)):
            continue
        yield Identifier(NAME, *match.span(group))
