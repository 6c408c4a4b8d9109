"""Report text: sections, sentences, tokens."""

from __future__ import annotations

from radpair.reports.reading import Account, Reading, read
from radpair.reports.sections import Sections, body, sections
from radpair.reports.sentences import sentences
from radpair.reports.tokens import is_empty, is_mark, tokens

__all__ = [
    "Account",
    "Reading",
    "Sections",
    "body",
    "is_empty",
    "is_mark",
    "read",
    "sections",
    "sentences",
    "tokens",
]
