"""Knowledge graphs of reports: the schema, extraction by rules, RadGraph's files, labels."""

from __future__ import annotations

from radpair.graphs.drawing import svg
from radpair.graphs.extract import extract, extract_many
from radpair.graphs.labels import finding_labels, finding_names
from radpair.graphs.terms import Lexicon, load_lexicon, shipped_lexicon

__all__ = [
    "Lexicon",
    "extract",
    "extract_many",
    "finding_labels",
    "finding_names",
    "load_lexicon",
    "shipped_lexicon",
    "svg",
]
