"""Reading a report: its body, and an account of what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from radpair.reports.sections import body_of, split
from radpair.reports.tokens import clean, is_empty, tokens

WHY: Mapping[str, str] = MappingProxyType(
    {
        "addendum": "who was told, and when",
        "comparison": "names earlier studies",
        "discussion": "general remarks beyond this study",
        "examination": "names the study",
        "final report": "a title",
        "history": "what was known before, not what was seen",
        "indication": "what was asked, not what was seen",
        "narrative": "findings are named elsewhere in the report",
        "notification": "who was told, and when",
        "preamble": "stands before the first heading, mostly a title",
        "recommendation": "what should be done, not what was seen",
        "signature": "who signed, and when",
        "summary": "a code or repetition beside the findings",
        "technique": "how the images were made",
        "wet read": "a preliminary reading that the final report replaces",
    }
)
"""Why a section is no part of a report's body, by the section's name."""


NOTHING_SEEN = "only what was asked or done"
"""The reason for a report that has words, but none of what was seen."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of one report, and what was not."""

    body: str
    """As ``radpair.reports.body`` gives it."""
    left_out: Mapping[str, int]
    """Words of every section that is no part of the body; headings are not counted."""
    reason: str | None = None
    """Why there is nothing to read (see ``is_empty``), or None."""


def read(text: str) -> Reading:
    """The body of a report as ``radpair.reports.body`` gives it, with what was left out."""
    cleaned = clean(text)
    parts = split(cleaned)
    found, unread = body_of(parts)
    left = {name: words(piece) for name, piece in unread.items()}
    left = {name: count for name, count in left.items() if count}
    reason = is_empty(found)
    return Reading(found, left, NOTHING_SEEN if left and not found else reason)


def words(text: str) -> int:
    """Words, numbers and de-identification marks; punctuation does not count."""
    return sum(token[0].isalnum() or token[0] == "_" for token in tokens(text))


@dataclass(slots=True)
class Account:
    """Totals over many readings, for a user to read and a manifest to keep."""

    reports: int = 0
    read: int = 0
    """Words of bodies that were read."""
    left_out_words: Counter[str] = field(default_factory=Counter)
    left_out_reports: Counter[str] = field(default_factory=Counter)
    without: Counter[str] = field(default_factory=Counter)
    """Reports with nothing to read, by reason."""

    def add(self, reading: Reading) -> None:
        """Counts one more report."""
        self.reports += 1
        if reading.reason is not None:
            self.without[reading.reason] += 1
        self.read += words(reading.body)
        self.left_out_words.update(reading.left_out)
        self.left_out_reports.update(reading.left_out.keys())

    def merge(self, other: Account) -> None:
        """Adds the totals of other reports, such as those of another process."""
        self.reports += other.reports
        self.read += other.read
        self.left_out_words.update(other.left_out_words)
        self.left_out_reports.update(other.left_out_reports)
        self.without.update(other.without)

    def lines(self) -> list[str]:
        """One line a section that was left out, most words first, then reports without text."""
        order = sorted(self.left_out_words.items(), key=lambda item: (-item[1], item[0]))
        found = [
            f"left out: {name} in {_count(self.left_out_reports[name], 'report')}, "
            f"{_count(count, 'word')} ({WHY[name]})"
            for name, count in order
        ]
        reasons = sorted(self.without.items(), key=lambda item: (-item[1], item[0]))
        return [*found, *(f"without text: {_count(n, 'report')} ({why})" for why, n in reasons)]

    def as_json(self) -> dict[str, Any]:
        """The totals as JSON values, sections in alphabetical order."""
        return {
            "reports": self.reports,
            "words_read": self.read,
            "left_out": {
                name: {"reports": self.left_out_reports[name], "words": count, "why": WHY[name]}
                for name, count in sorted(self.left_out_words.items())
            },
            "without_text": dict(sorted(self.without.items())),
        }


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
