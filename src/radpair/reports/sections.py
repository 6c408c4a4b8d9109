"""Report text to its named sections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from radpair.reports import sentences
from radpair.reports.tokens import clean

_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "findings": (
            "findings and impression",
            "findings/impression",
            "report findings",
            "chest findings",
            "findings",
            "finding",
            "imaging notes",
            "imaging findings",
            "radiographic findings",
            "observations",
            "report text",
            "description",
        ),
        "impression": (
            "impression and plan",
            "final impression",
            "impressions",
            "impression",
            "imp",
            "conclusions",
            "conclusion",
            "opinion",
            "assessment",
            "interpretation",
        ),
        "indication": (
            "clinical indication",
            "indications",
            "indication",
            "reason for examination",
            "reason for exam",
            "reason for study",
            "reason for the study",
            "reason",
        ),
        "history": (
            "clinical history",
            "clinical information",
            "clinical data",
            "clinical details",
            "clinical statement",
            "patient history",
            "history of present illness",
            "history",
            "presentation",
            "presenting complaint",
        ),
        "comparison": ("comparisons", "comparison study", "comparison", "compared to", "priors"),
        "technique": ("techniques", "technique", "procedure comments", "procedure", "views"),
        "examination": (
            "examination",
            "exam type",
            "exam",
            "type of examination",
            "study",
            "study type",
        ),
        "wet read": (
            "provisional findings impression",
            "pfi",
            "wet reading",
            "wet read",
            "preliminary report",
            "preliminary read",
        ),
        "addendum": ("addendum", "addenda"),
        "final report": ("final report", "final addendum", "report"),
        "narrative": ("narrative",),
        "summary": ("summary",),
        "recommendation": ("recommendations", "recommendation", "plan", "follow up"),
        "notification": ("notifications", "notification", "communication", "attestation"),
        "discussion": ("discussion", "comments", "comment", "note"),
        "signature": (
            "electronically signed by",
            "signed by",
            "dictated by",
            "end of impression",
        ),
    }
)
_SECTION = {name: section for section, names in _NAMES.items() for name in names}


def _pattern(names: Iterable[str]) -> str:
    """An alternation of names, longest first, any blanks between their words."""
    longest = sorted(names, key=lambda name: (-len(name), name))
    return "|".join(re.escape(name).replace(r"\ ", r"[ \t]+") for name in longest)


_HEADING = re.compile(
    rf"(?:^|(?<=\n))[ \t*#_>-]{{0,60}}(?P<line>(?i:{_pattern(_SECTION)}))[ \t]*"
    rf"(?:\([^()\n]{{0,60}}\))?[*_]*"
    rf"(?:[ \t]*:[*_]*|[ \t]+[-\u2013\u2014]{{1,2}}[ \t]|[ \t]*(?=\n|\Z))"
    rf"|(?:^|(?<=\n))[ \t]*(?P<bare>ADDENDUM|WET READ|FINAL REPORT)(?=[ \t])"
    rf"|(?<![^\s.;,>])(?P<inline>{_pattern(name.upper() for name in _SECTION)}"
    rf"|(?i:imaging notes|findings|impressions?|conclusions?|discussion|presentation))[ \t]*:"
)
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_PROSE = re.compile(r"[a-z]{2}[\w)]*\.(?:\s|\Z)")
"""A sentence rather than a title: a full stop after a word in lower case."""
_RULE = re.compile(r"^[ \t]*[_=*-]{4,}[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sections:
    """A report's parts; each text is stripped, and empty where the report has no such part."""

    findings: str = ""
    impression: str = ""
    other: Mapping[str, str] = field(default_factory=dict)
    """The remaining sections by name: ``indication``, ``history``, ``comparison``,
    ``technique``, ``examination``, ``wet read``, ``addendum``, ``final report``,
    ``narrative``, ``summary``, ``recommendation``, ``notification``, ``discussion``,
    ``signature``, and ``preamble`` for what stands before the first heading."""


def sections(text: str) -> Sections:
    """Splits a report at its headings.

    Knows headings on their own line or inline, upper or mixed case, with the layout of
    MIMIC-CXR (``FINAL REPORT``, ``WET READ``, ``ADDENDUM``; findings that follow another
    section as a paragraph without a heading). A text without any heading is all findings.
    """
    return split(clean(text))


def split(text: str) -> Sections:
    """As ``sections``, of text that is clean already."""
    if ":" not in text and "\n" not in text:
        return Sections(findings=text.strip())
    parts = _parts(_RULE.sub("", text) if "____" in text else text)
    if not any(name != "preamble" for name, _ in parts):
        return Sections(findings=text.strip())
    loose = _move_loose_findings(parts)
    named: dict[str, str] = {}
    for name, piece in loose:
        piece = piece.strip()
        if piece:
            named[name] = f"{named[name]}\n{piece}" if name in named else piece
    findings, impression = named.pop("findings", ""), named.pop("impression", "")
    return Sections(findings, impression, named)


def body(text: str) -> str:
    """Findings, impression and what an addendum adds to them.

    Where findings and impression have no word, what else tells of what was seen: a wet read, a
    summary or a discussion. An addendum's sentences about who was told are left out. Empty where
    the report holds only what was asked or done.
    """
    return joined_body(clean(text))


def joined_body(text: str) -> str:
    """As ``body``, of text that is clean already."""
    return body_of(split(text))[0]


_INSTEAD = ("wet read", "summary", "discussion")
"""Sections that are read where there are neither findings nor an impression."""
_TELLS = re.compile(
    r"\b(?:discussed|communicated|notified|telephoned?|phone|phoned|paged|conveyed|informed"
    r"|e?-?mailed|relayed|was told|were told|verbally|read ?back|acknowledged)\b",
    re.IGNORECASE,
)


def body_of(parts: Sections) -> tuple[str, dict[str, str]]:
    """The body, and the text of every section, or part of one, that is not read."""
    left = dict(parts.other)
    added, told = _sorted_out(left.pop("addendum", ""))
    if told:
        left["addendum"] = told
    found = _joined((parts.findings, parts.impression))
    if not _has_words(found):
        other = _joined(left.get(name, "") for name in _INSTEAD)
        if _has_words(other):
            found = _joined((found, other))
            left = {name: piece for name, piece in left.items() if name not in _INSTEAD}
    return _joined((found, added)), left


def _sorted_out(addendum: str) -> tuple[str, str]:
    """What an addendum says of the images, and its sentences about who was told."""
    said: list[str] = []
    told: list[str] = []
    for sentence in sentences.split(addendum):
        (told if _TELLS.search(sentence) else said).append(sentence)
    return "\n".join(said), "\n".join(told)


def _joined(pieces: Iterable[str]) -> str:
    return "\n\n".join(piece for piece in pieces if piece)


def _has_words(text: str) -> bool:
    return any(letter.isalpha() for letter in text)


def _parts(text: str) -> list[tuple[str, str]]:
    """(section, text) in reading order; what precedes the first heading is ``preamble``."""
    parts = []
    name, start = "preamble", 0
    for match in _HEADING.finditer(text):
        parts.append((name, text[start : match.start()]))
        heading = match.group("line") or match.group("bare") or match.group("inline")
        name, start = _SECTION[" ".join(heading.lower().split())], match.end()
    parts.append((name, text[start:]))
    return parts


def _move_loose_findings(parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Gives paragraphs without a heading to the findings where no findings are named."""
    if any(name == "findings" and piece.strip() for name, piece in parts):
        return parts
    moved: list[tuple[str, str]] = []
    for name, piece in parts:
        if name == "preamble" and _PROSE.search(piece):
            moved.append(("findings", piece))
            continue
        if name in {"impression", "wet read", "addendum", "signature", "preamble"}:
            moved.append((name, piece))
            continue
        first, *rest = _PARAGRAPH.split(piece.strip("\n"))
        if name == "narrative":
            first, rest = "", [piece]
        elif name == "final report":
            first, rest = ("", [first, *rest]) if first.upper() != first else (first, rest)
        moved.append((name, first))
        moved.append(("findings", "\n\n".join(rest)))
    return moved
