"""Floor 3: prepared studies on disk; written once, read by memory map."""

from radpair.studyset.extraction import GraphSummary, give_graphs
from radpair.studyset.graphs import write_graphs
from radpair.studyset.read import StudySet, content_hash
from radpair.studyset.summary import Summary
from radpair.studyset.write import write

__all__ = [
    "GraphSummary",
    "StudySet",
    "Summary",
    "content_hash",
    "give_graphs",
    "write",
    "write_graphs",
]
