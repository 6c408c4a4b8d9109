"""Giving a study set its graphs: from its reports by rules, from a file, or from its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radpair.errors import GraphError
from radpair.graphs import extract_many
from radpair.graphs.radgraph_json import read
from radpair.records import Graph
from radpair.studyset.graphs import write_graphs
from radpair.studyset.read import StudySet

RULES, SOURCE = "rules", "source"


@dataclass(frozen=True, slots=True)
class GraphSummary:
    """What the graphs of a set hold, for the user to read."""

    path: Path
    studies: int
    graphs: int
    entities: int
    relations: int
    empty: int
    """Reports in which no entity was found."""

    def __str__(self) -> str:
        left = f"; {self.empty:,} reports hold no entity" if self.empty else ""
        return (
            f"{self.path}: {self.graphs:,} graphs for {self.studies:,} studies, "
            f"{self.entities:,} entities and {self.relations:,} relations{left}."
        )


def give_graphs(
    path: Path,
    origin: str = RULES,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> GraphSummary:
    """Writes the graphs of the study set at ``path``, replacing earlier ones.

    ``origin`` is ``rules`` (extracted from the reports), ``source`` (came with the data), or a
    file of RadGraph's JSON keyed by study id. Raises ``GraphError`` or ``StudySetError``.
    """
    studies = StudySet.open(path)
    if origin == RULES and not any(studies.reports):
        raise GraphError(f"{path}: the study set has no reports to extract graphs from")
    told = progress or (lambda done, total: None)
    if origin == RULES:
        found = _extracted(studies, processes, told)
        provenance: dict[str, Any] = {"from": RULES}
    elif origin == SOURCE:
        found = _from_source(studies)
        provenance = {"from": SOURCE, "source": studies.manifest.get("source")}
    else:
        found = _from_file(studies, Path(origin))
        provenance = {"from": "file", "file": Path(origin).name}
    write_graphs(path, found, provenance)
    return _summary(studies, found)


def _extracted(
    studies: StudySet, processes: int, told: Callable[[int, int], None]
) -> dict[str, Graph]:
    found = {}
    pairs = zip(studies.study_ids, extract_many(studies.reports, processes), strict=True)
    for done, (study_id, graph) in enumerate(pairs, 1):
        found[study_id] = graph
        told(done, len(studies))
    return found


def _from_source(studies: StudySet) -> dict[str, Graph]:
    pairs = zip(studies.study_ids, studies.source_graphs(), strict=True)
    found = {study_id: graph for study_id, graph in pairs if graph is not None}
    if not found:
        raise GraphError(
            f"{studies.path}: its source came without graphs; extract them with --from rules"
        )
    return found


def _from_file(studies: StudySet, file: Path) -> dict[str, Graph]:
    graphs = read(file)
    known = set(studies.study_ids)
    found = {study_id: graph for study_id, graph in graphs.items() if study_id in known}
    if not found:
        example = next(iter(graphs), "none")
        raise GraphError(
            f"{file}: none of its report ids (such as '{example}') is a study of {studies.path} "
            f"(such as '{studies.study_ids[0]}'); key the graphs by study id"
        )
    return found


def _summary(studies: StudySet, found: Mapping[str, Graph]) -> GraphSummary:
    return GraphSummary(
        path=studies.path,
        studies=len(studies),
        graphs=len(found),
        entities=sum(len(graph.entities) for graph in found.values()),
        relations=sum(len(graph.relations) for graph in found.values()),
        empty=sum(not graph.entities for graph in found.values()),
    )
