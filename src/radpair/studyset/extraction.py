"""Giving a study set its graphs: from its reports by rules, from a file, or from its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radpair.errors import GraphError, nearest
from radpair.graphs.corpus import Totals, gathered
from radpair.graphs.origin import Origin, Rules
from radpair.graphs.radgraph_json import read
from radpair.graphs.tables import counted, entities_and_relations
from radpair.places import Place
from radpair.records import Graph
from radpair.sources.reports import ReportText
from radpair.studyset.graphs import write_graphs
from radpair.studyset.read import StudySet
from radpair.studyset.store import send_graphs

RULES, SOURCE, RADGRAPH = "rules", "source", "radgraph"
PART = ".graphs.part"
"""What is done of an extraction under way, in the set's folder."""

Progress = Callable[[int, int | None], None]
Say = Callable[[str], None]


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
    left_out: tuple[str, ...] = ()
    """What was not read, and why, in words."""

    def __str__(self) -> str:
        empty = counted(self.empty, "report holds", "reports hold")
        left = f"; {empty} no entity" if self.empty else ""
        first = (
            f"{self.path}: {counted(self.graphs, 'graph')} for "
            f"{counted(self.studies, 'study', 'studies')}, "
            f"{entities_and_relations(self.entities, self.relations)}{left}."
        )
        return "\n".join([first, *self.left_out])


def give_graphs(
    path: Path,
    origin: str | Origin = RULES,
    processes: int = 1,
    progress: Progress | None = None,
    lexicon: Path | None = None,
    say: Say | None = None,
) -> GraphSummary:
    """Writes the graphs of the study set at ``path``, replacing earlier ones.

    ``origin`` is ``rules`` (extracted from the reports, with the user's ``lexicon`` where one is
    given), ``source`` (came with the data), a file of RadGraph's JSON keyed by study id, or an
    ``Origin`` that turns reports into graphs. An extraction that was killed continues; ``say`` is
    told so. Raises ``GraphError`` or ``StudySetError``.
    """
    studies = StudySet.open(path)
    if origin == RULES:
        origin = Rules(lexicon, processes)
    elif lexicon:
        raise GraphError("a lexicon serves extraction by rules; leave out --lexicon or --from")
    if origin == SOURCE:
        return _written(studies, _from_source(studies), _source_provenance(studies))
    if isinstance(origin, str):
        _check_file(origin)
        provenance = {"from": "file", "file": Path(origin).name}
        return _written(studies, _from_file(studies, Path(origin)), provenance)
    return _extracted(studies, origin, progress, say)


def _check_file(origin: str) -> None:
    """What is no known origin must be a file, or at least look like one."""
    if not Path(origin).exists() and not Path(origin).suffix:
        hint = nearest(origin, (RULES, SOURCE, RADGRAPH))
        also = "" if "did you mean" in hint else ", or a file of RadGraph's JSON"
        raise GraphError(f"--from {origin}: is unknown{hint}{also}")


def _extracted(
    studies: StudySet, origin: Origin, progress: Progress | None, say: Say | None
) -> GraphSummary:
    if not any(studies.reports):
        raise GraphError(f"{studies.path}: the study set has no reports to extract graphs from")
    pairs = zip(studies.study_ids, studies.reports, strict=True)
    reports = [ReportText(study_id, report) for study_id, report in pairs]
    with gathered(lambda: reports, origin, studies.path / PART, progress, say) as entries:
        totals, found = Totals(), {}
        without: dict[str, list[str]] = {}
        for entry in entries():
            totals.add(entry)
            found[entry.id] = entry.graph()
            if entry.reason:
                without.setdefault(entry.reason, []).append(entry.id)
        provenance = {**origin.identity(), **totals.as_json(), "without": without}
        return _written(studies, found, provenance, tuple(totals.lines()))


def _written(
    studies: StudySet,
    found: Mapping[str, Graph],
    provenance: Mapping[str, Any],
    left_out: tuple[str, ...] = (),
) -> GraphSummary:
    write_graphs(studies.path, found, provenance)
    if isinstance(studies.place, Place):
        send_graphs(studies.path, studies.place)
    return GraphSummary(
        path=studies.place,
        studies=len(studies),
        graphs=len(found),
        entities=sum(len(graph.entities) for graph in found.values()),
        relations=sum(len(graph.relations) for graph in found.values()),
        empty=sum(not graph.entities for graph in found.values()),
        left_out=left_out,
    )


def _source_provenance(studies: StudySet) -> dict[str, Any]:
    return {"from": SOURCE, "source": studies.manifest.get("source")}


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
