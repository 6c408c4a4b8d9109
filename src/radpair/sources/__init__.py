"""Floor 1: where studies come from; one dataset a file, each by its name."""

from __future__ import annotations

from radpair.errors import SourceError, nearest
from radpair.records import FileSource
from radpair.sources.mimic_cxr import MimicCxr
from radpair.sources.table import Table

SOURCES: dict[str, type[FileSource]] = {
    "table": Table,
    "mimic-cxr": MimicCxr,
}
"""Every source of files, by the word that ``radpair ingest`` takes."""

__all__ = ["SOURCES", "Table", "source_class"]


def source_class(name: str) -> type[FileSource]:
    """The source with this name. Raises ``SourceError`` with the nearest."""
    if name not in SOURCES:
        raise SourceError(f"there is no source '{name}'{nearest(name, SOURCES)}")
    return SOURCES[name]
