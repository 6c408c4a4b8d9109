"""Knowledge graphs beside a study set, as Parquet list columns, with where they came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from radpair.errors import GraphError, StudySetError, nearest
from radpair.graphs.schema import ENTITY_LABELS, RELATION_TYPES
from radpair.records import Entity, Graph, Relation
from radpair.studyset.files import atomic, measure, remove_drafts, write_json, writing_to
from radpair.studyset.manifest import (
    GRAPHS,
    GRAPHS_RECORD,
    STUDIES,
    manifest_hash,
    read_json,
    read_manifest,
)

ROWS = 4096
_LABEL_IDS = {label: index for index, label in enumerate(ENTITY_LABELS)}
_TYPE_IDS = {name: index for index, name in enumerate(RELATION_TYPES)}


def graph_schema() -> pa.Schema:
    """The columns of the table of graphs; labels and types are ids of ``graphs.schema``."""
    words, numbers, ids = pa.list_(pa.string()), pa.list_(pa.int32()), pa.list_(pa.int8())
    return pa.schema(
        [
            ("study_id", pa.string()),
            ("text", pa.string()),
            ("entity_text", words),
            ("entity_start", numbers),
            ("entity_end", numbers),
            ("entity_label", ids),
            ("relation_source", numbers),
            ("relation_type", ids),
            ("relation_target", numbers),
        ]
    )


def write_graphs(
    study_set_path: Path | str, graphs: Mapping[str, Graph], provenance: Mapping[str, Any]
) -> None:
    """Writes the graphs of a study set, by study id, replacing those of an earlier call.

    ``provenance`` (JSON values) says how they were made and is kept in ``graphs.json`` with the
    hash of the table. Cut off at any moment, the set has the new graphs or none.
    Raises ``GraphError`` for an unknown study or a graph off the schema, ``StudySetError`` when
    the set is unfinished or the disk fails.
    """
    path = Path(study_set_path)
    manifest = read_manifest(path)
    known: list[str] = pq.read_table(path / STUDIES, columns=["study_id"])["study_id"].to_pylist()
    _check_ids(path, graphs, known)
    rows = [(study_id, graphs[study_id]) for study_id in known if study_id in graphs]
    for study_id, graph in rows:
        check_graph(study_id, graph)
    with writing_to(path):
        remove_drafts(path)
        (path / GRAPHS_RECORD).unlink(missing_ok=True)
        with (
            atomic(path / GRAPHS) as draft,
            pq.ParquetWriter(draft.file, graph_schema(), compression="zstd") as writer,
        ):
            for start in range(0, len(rows), ROWS):
                table = pa.table(graph_columns(rows[start : start + ROWS]), schema=graph_schema())
                writer.write_table(table)
        record = {
            "provenance": dict(provenance),
            "study_set": manifest_hash(manifest),
            "graphs": len(rows),
            "studies": len(known),
            "file": draft.record.as_json(),
        }
        write_json(path / GRAPHS_RECORD, record)


def read_graphs(path: Path, study_ids: Sequence[str]) -> list[Graph | None]:
    """The graphs in ``path`` (a table of this module), in the order of ``study_ids``."""
    by_study: dict[str, Graph] = {}
    for batch in pq.ParquetFile(path).iter_batches(ROWS):
        for row in batch.to_pylist():
            by_study[row["study_id"]] = _graph(row)
    return [by_study.get(study_id) for study_id in study_ids]


def check_graphs_file(path: Path) -> dict[str, Any]:
    """The record of the graphs in the set at ``path``, once the table is seen to fit it.

    Raises ``StudySetError``.
    """
    record = read_json(path / GRAPHS_RECORD)
    if not (path / GRAPHS).is_file() or measure(path / GRAPHS).as_json() != record.get("file"):
        raise StudySetError(
            f"{path / GRAPHS}: does not have the content that {GRAPHS_RECORD} recorded; "
            "run 'radpair graphs' again"
        )
    return record


def check_graph(study_id: str, graph: Graph) -> None:
    """Raises ``GraphError`` unless labels, types, spans and ends follow the schema."""
    where = f"graph of study '{study_id}'"
    tokens = len(graph.text.split(" "))
    for entity in graph.entities:
        if entity.label not in _LABEL_IDS:
            raise GraphError(f"{where}: label '{entity.label}'{nearest(entity.label, _LABEL_IDS)}")
        if not 0 <= entity.start <= entity.end < tokens:
            raise GraphError(
                f"{where}: entity '{entity.text}' spans tokens {entity.start} to {entity.end} "
                f"of a text with {tokens}; mend the file that the graph came from"
            )
    for relation in graph.relations:
        if relation.type not in _TYPE_IDS:
            hint = nearest(relation.type, _TYPE_IDS)
            raise GraphError(f"{where}: relation '{relation.type}'{hint}")
        if not all(0 <= end < len(graph.entities) for end in (relation.source, relation.target)):
            raise GraphError(
                f"{where}: a relation links entities {relation.source} and {relation.target} "
                f"of {len(graph.entities)}; mend the file that the graph came from"
            )


def graph_columns(rows: Iterable[tuple[str, Graph]]) -> dict[str, list[Any]]:
    """Columns of ``graph_schema`` for some studies."""
    columns: dict[str, list[Any]] = {name: [] for name in graph_schema().names}
    for study_id, graph in rows:
        columns["study_id"].append(study_id)
        columns["text"].append(graph.text)
        columns["entity_text"].append([entity.text for entity in graph.entities])
        columns["entity_start"].append([entity.start for entity in graph.entities])
        columns["entity_end"].append([entity.end for entity in graph.entities])
        columns["entity_label"].append([_LABEL_IDS[entity.label] for entity in graph.entities])
        columns["relation_source"].append([link.source for link in graph.relations])
        columns["relation_type"].append([_TYPE_IDS[link.type] for link in graph.relations])
        columns["relation_target"].append([link.target for link in graph.relations])
    return columns


def graph_from_json(value: Mapping[str, Any]) -> Graph:
    """The graph of a part's record, whose fields are those of ``Graph``."""
    return Graph(
        value["text"],
        tuple(Entity(**entity) for entity in value["entities"]),
        tuple(Relation(**relation) for relation in value["relations"]),
    )


def _graph(row: Mapping[str, Any]) -> Graph:
    spans = zip(
        row["entity_text"], row["entity_label"], row["entity_start"], row["entity_end"], strict=True
    )
    links = zip(row["relation_source"], row["relation_type"], row["relation_target"], strict=True)
    return Graph(
        row["text"],
        tuple(Entity(text, ENTITY_LABELS[label], start, end) for text, label, start, end in spans),
        tuple(Relation(source, RELATION_TYPES[kind], target) for source, kind, target in links),
    )


def _check_ids(path: Path, graphs: Mapping[str, Graph], known: Sequence[str]) -> None:
    for study_id in graphs.keys() - set(known):
        close = nearest(study_id, known) if len(known) <= 10_000 else ""
        hint = close if "did you mean" in close else ""
        raise GraphError(
            f"{path}: has no study '{study_id}', the graphs belong to another study set{hint}"
        )
