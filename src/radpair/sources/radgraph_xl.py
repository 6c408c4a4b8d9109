"""RadGraph-XL's graphs as CheXpert Plus gives them: ``{"0": {"text": ..., "entities": ...}}``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from radpair.errors import SourceError
from radpair.records import Entity, Graph, Relation
from radpair.sources.json_records import json_records

FEWEST_WORDS = 2
"""Words of a section that was annotated; sections with fewer have no graph in the file."""
SHARED = 0.8
"""Share of a graph's words that its section must hold; graphs of another row hold fewer."""


class SectionGraphs:
    """The graphs of one section, given in the order of the table's rows.

    The file has a graph for each row whose section has two words or more, and none for the
    others (CheXpert Plus, README). Raises ``SourceError`` where a graph does not fit its row.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._records = json_records(file)

    def of(self, table: Path, row: int, section: str) -> Graph | None:
        """The graph of the next row; must be asked for every row, in order."""
        if len(section.split()) < FEWEST_WORDS:
            return None
        found = next(self._records, None)
        if found is None:
            raise SourceError(
                f"{self._file}: ends before row {row} of {table}; download both from the same "
                "release"
            )
        number, record = found
        graph = graph_of(record, f"{self._file}, record {number}")
        if not _same_text(graph.text, section):
            raise SourceError(
                f"{self._file}, record {number}: its text is not that of {table}, row {row}; "
                "download both from the same release"
            )
        return graph

    def end(self, table: Path) -> None:
        """Raises ``SourceError`` where graphs are left after the last row."""
        left = next(self._records, None)
        if left is not None:
            raise SourceError(
                f"{self._file}, record {left[0]}: there is no row left for it in {table}; download "
                "both from the same release"
            )


def joined(graphs: Sequence[Graph | None]) -> Graph | None:
    """Several graphs as one, their texts after each other; None where there is none."""
    given = [graph for graph in graphs if graph is not None]
    if not given:
        return None
    entities: list[Entity] = []
    relations: list[Relation] = []
    tokens = 0
    for graph in given:
        base = len(entities)
        entities += [
            Entity(e.text, e.label, e.start + tokens, e.end + tokens) for e in graph.entities
        ]
        relations += [Relation(r.source + base, r.type, r.target + base) for r in graph.relations]
        tokens += len(graph.text.split(" "))
    return Graph(" ".join(graph.text for graph in given), tuple(entities), tuple(relations))


def graph_of(record: dict[str, Any], place: str) -> Graph:
    """One record as a graph. Raises ``SourceError`` naming ``place`` and the field at fault."""
    report = record.get("0", record)
    if not isinstance(report, dict) or not isinstance(report.get("text"), str):
        raise SourceError(f"{place}: has no 'text', so it is no graph; give RadGraph-XL's file")
    found = report.get("entities")
    if not isinstance(found, dict):
        raise SourceError(f"{place}: has no 'entities', so it is no graph; give RadGraph-XL's file")
    places = {key: index for index, key in enumerate(found)}
    tokens = len(report["text"].split(" "))
    entities, relations = [], []
    for key, value in found.items():
        try:
            entity = Entity(value["tokens"], value["label"], value["start_ix"], value["end_ix"])
            links = [Relation(places[key], kind, places[end]) for kind, end in value["relations"]]
            fits = 0 <= entity.start <= entity.end < tokens
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(
                f"{place}, entity '{key}': is not as RadGraph writes it ({error}); download the "
                "file again"
            ) from error
        if not fits:
            raise SourceError(
                f"{place}, entity '{key}': spans tokens {entity.start} to {entity.end} of {tokens};"
                " download the file again"
            )
        entities.append(entity)
        relations += links
    return Graph(report["text"], tuple(entities), tuple(relations))


def _same_text(text: str, section: str) -> bool:
    """Whether the section holds enough of the graph's words; tokens are made otherwise."""
    told = list(_words(text))
    known = set(_words(section))
    return sum(word in known for word in told) >= SHARED * len(told)


def _words(text: str) -> Iterator[str]:
    return (found.group() for found in re.finditer(r"[a-z]+", text.lower()))
