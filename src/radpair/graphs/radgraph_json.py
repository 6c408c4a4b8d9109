"""Graphs in RadGraph's JSON: read with every entity checked against its text, and written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from radpair.errors import GraphError, nearest
from radpair.graphs.files import write_json
from radpair.graphs.json_file import once, parsed, parsed_lines, shown
from radpair.graphs.radgraph_spans import spans_to_json
from radpair.graphs.schema import ENTITY_LABELS, RELATION_TYPES, SHORT_LABELS
from radpair.records import Entity, Graph, Relation

_SPLITS = frozenset({"train", "dev", "valid", "validate", "val", "test", "inference"})
_REPORTS = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".txt", ".xml", ".gz"})
"""Endings of files that hold reports; also of graphs, if their content says so."""
_LINES = frozenset({".jsonl", ".ndjson"})
_OF_RECORDS = ("text", "ner", "sentences")
"""Fields of one record, whose values are no graphs."""
_ID_KEYS = ("id", "report_id", "study_id", "doc_key", "path_to_image")


def read(path: Path | str) -> dict[str, Graph]:
    """The graphs of a RadGraph JSON file by report id, in the file's order.

    Takes

    - RadGraph 1.0: an object of reports, also one level down under ``train`` and the like; the
      test file's two annotators give ``ID/labeler_1`` and ``ID/labeler_2``;
    - RadGraph-XL: records of ``sentences``, ``ner`` and ``relations``, as a list or one a line;
    - CheXpert Plus: a list of ``{"0": graph}``, keyed by the position in the list, which is the
      row of its table;
    - a list of records, each with an id and either ``text`` and ``entities`` or one such graph
      under its section's name (``findings``, ``impression``: keyed ``ID/section``); one such
      record may be the whole file, and is ``0`` where it has no id.

    Labels may be long or short (``OBS-DP``). Raises ``GraphError`` naming file, report, entity
    and field, also for a report, an entity or a field that appears twice.
    """
    path = Path(path)
    data = _parsed(path)
    graphs: dict[str, Graph] = {}
    for report_id, report in _reports(data, path):
        if report_id in graphs:
            raise GraphError(f"'{path}': report '{report_id}' appears twice; keep one of them.")
        graphs[report_id] = from_json(report, f"'{path}', report '{report_id}'")
    return graphs


def write(path: Path | str, graphs: Mapping[str, Graph]) -> None:
    """Writes graphs as RadGraph 1.0 JSON; a file already there is replaced as a whole.

    Raises ``GraphError`` for a graph that does not fit its own text, or where the file cannot be
    written.
    """
    path = Path(path)
    data = {report_id: to_json(graph) for report_id, graph in graphs.items()}
    for report_id, report in data.items():
        from_json(report, f"'{path}', report '{report_id}'")
    write_json(path, data)


def from_json(report: Any, place: str) -> Graph:
    """One graph from RadGraph's JSON value; ``GraphError`` names ``place``, entity and field."""
    return _Reader(place).graph(report)


def to_json(graph: Graph) -> dict[str, Any]:
    """One graph as RadGraph's JSON value; entities are numbered from ``"1"``."""
    outgoing: dict[int, list[list[str]]] = {}
    for link in graph.relations:
        outgoing.setdefault(link.source, []).append([link.type, str(link.target + 1)])
    entities = {
        str(index + 1): {
            "tokens": entity.text,
            "label": entity.label,
            "start_ix": entity.start,
            "end_ix": entity.end,
            "relations": outgoing.get(index, []),
        }
        for index, entity in enumerate(graph.entities)
    }
    return {"text": graph.text, "entities": entities}


def _parsed(path: Path) -> Any:
    """The file's JSON value; for JSON lines the list of their values."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise GraphError(f"Cannot read '{path}': {error.strerror}; check the path.") from error
    except UnicodeDecodeError as error:
        raise _no_json(path, f"'{path}'", error) from error
    try:
        return parsed(text)
    except ValueError as error:
        extra = isinstance(error, json.JSONDecodeError) and error.msg == "Extra data"
        if not extra and path.suffix.lower() not in _LINES:
            raise _no_json(path, f"'{path}'", error) from error
    records, number, fault = parsed_lines(text)
    if fault:
        raise _no_json(path, f"'{path}', line {number}:", fault) from fault
    return records


def _no_json(path: Path, place: str, fault: ValueError) -> GraphError:
    if path.suffix.lower() in _REPORTS - _LINES:
        return GraphError(f"'{path}': {_graphs_first(path)}")
    return GraphError(f"{place} is no JSON that can be read ({fault}); give a RadGraph JSON file.")


def _is_report(record: Mapping[str, Any]) -> bool:
    return any(isinstance(value, str) and " " in value for value in record.values()) or isinstance(
        record.get("text"), str
    )


def _graphs_first(path: Path) -> str:
    if path.suffix.lower() == ".json":
        return (
            "it holds reports, not graphs; save them as JSON lines (.jsonl) or as a table and make "
            "their graphs with radpair graphs"
        )
    graphs = path.name.split(".")[0] + ".json"
    return (
        f"holds reports, not graphs; make their graphs first: radpair graphs {path} --out {graphs}"
    )


def _reports(data: Any, path: Path) -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict) and _is_record(data, path):
        data = [data]
    if isinstance(data, list):
        for index, record in enumerate(data):
            yield from _records(record, index, path)
        return
    if not isinstance(data, dict):
        raise GraphError(f"'{path}' holds neither an object of reports nor a list of records.")
    repeats_split = getattr(data, "repeated", None) in _SPLITS
    once(data, f"'{path}':", " split" if repeats_split else " report")
    for key, value in data.items():
        if key in _SPLITS and isinstance(value, dict) and "entities" not in value:
            once(value, f"'{path}':", " report")
            for inner, report in value.items():
                yield from _annotations(inner, report, path)
        else:
            yield from _annotations(key, value, path)


def _is_record(data: Mapping[str, Any], path: Path) -> bool:
    """Whether an object that is the whole file is one record, and no object of reports."""
    if any(field in data and not isinstance(data[field], dict) for field in _OF_RECORDS):
        return True
    named = any(key in data and not isinstance(data[key], dict) for key in _ID_KEYS)
    return path.suffix.lower() in _LINES and (named or _is_report(data))


def _annotations(key: str, report: Any, path: Path) -> Iterator[tuple[str, Any]]:
    """The report's graph, or one for each annotator of RadGraph 1.0's test file."""
    once(report, f"'{path}', report '{key}',", " field")
    if isinstance(report, dict) and "entities" not in report:
        labelers = [name for name in report if name.startswith("labeler_")]
        for name in labelers:
            part = report[name]
            once(part, f"'{path}', report '{key}/{name}',", " field")
            graph = {"text": report.get("text"), **part} if isinstance(part, dict) else part
            yield f"{key}/{name}", graph
        if labelers:
            return
    yield key, report


def _records(record: Any, index: int, path: Path) -> Iterator[tuple[str, Any]]:
    if not isinstance(record, dict):
        raise GraphError(f"'{path}': record {index} is no object; each needs 'text', 'entities'.")
    once(record, f"'{path}': record {index},", " field")
    given = _id_of(record, index, path)
    if "entities" in record:
        yield given, record
        return
    if "ner" in record:
        yield given, spans_to_json(record, f"'{path}', report '{given}'")
        return
    parts = {k: v for k, v in record.items() if isinstance(v, dict) and "entities" in v}
    if not parts:
        hint = "is it RadGraph's output?"
        if _is_report(record):
            hint = _graphs_first(path)
        raise GraphError(f"'{path}': record {index} has no 'entities'; {hint}")
    for name, part in parts.items():
        yield given if name == "0" else f"{given}/{name}", part


def _id_of(record: Mapping[str, Any], index: int, path: Path) -> str:
    """A record's id, or its place in the list."""
    field = next((key for key in _ID_KEYS if key in record), None)
    given = index if field is None else record[field]
    if not isinstance(given, (str, int)) or isinstance(given, bool):
        raise GraphError(
            f"'{path}': record {index}, field '{field}': {shown(given)} is no id; give text or a "
            "whole number."
        )
    return str(given)


class _Reader:
    """Checks one report; its messages name where the fault lies."""

    def __init__(self, place: str) -> None:
        self.place = place

    def graph(self, report: Any) -> Graph:
        """The graph of one JSON value. Raises ``GraphError``."""
        if not isinstance(report, dict):
            raise GraphError(f"{self.place}: must be an object with 'text' and 'entities'.")
        once(report, f"{self.place},", " field")
        text, entities = report.get("text"), report.get("entities")
        if not isinstance(text, str):
            raise GraphError(f"{self.place}: 'text' is missing or no string; add the report text.")
        if not isinstance(entities, dict):
            raise GraphError(f"{self.place}: 'entities' is missing or no object; add it.")
        once(entities, f"{self.place},", " entity")
        words = text.split(" ")
        places = {key: index for index, key in enumerate(entities)}
        found = tuple(self._entity(key, value, words) for key, value in entities.items())
        related = tuple(
            relation
            for key, value in entities.items()
            for relation in self._relations(key, value, places)
        )
        return Graph(text, found, related)

    def _fault(self, key: str, field: str, problem: str) -> GraphError:
        return GraphError(f"{self.place}, entity '{key}', field '{field}': {problem}.")

    def _entity(self, key: str, value: Any, words: list[str]) -> Entity:
        if not isinstance(value, dict):
            raise self._fault(
                key, "(all)", "must be an object with tokens, label, start_ix, end_ix"
            )
        once(value, f"{self.place}, entity '{key}',", " field")
        start = self._index(key, value, "start_ix", len(words))
        end = self._index(key, value, "end_ix", len(words))
        if end < start:
            raise self._fault(key, "end_ix", f"{end} is before start_ix {start}; swap them")
        span = " ".join(words[start : end + 1])
        if value.get("tokens") != span:
            given = value.get("tokens")
            raise self._fault(
                key,
                "tokens",
                f"says {shown(given)} but the text has {shown(span)} at {start}-{end}; tokens are "
                "the text split at single spaces, counted from 0",
            )
        return Entity(span, self._label(key, value.get("label")), start, end)

    def _index(self, key: str, value: Mapping[str, Any], field: str, count: int) -> int:
        index = value.get(field)
        if not isinstance(index, int) or isinstance(index, bool):
            raise self._fault(key, field, f"must be a whole number, not {shown(index)}")
        if not 0 <= index < count:
            raise self._fault(key, field, f"{index} lies outside the text's {count} tokens")
        return index

    def _label(self, key: str, label: Any) -> str:
        known = SHORT_LABELS.get(label, label) if isinstance(label, str) else None
        if known not in ENTITY_LABELS:
            hint = nearest(shown(label).strip("'"), [*ENTITY_LABELS, *SHORT_LABELS])
            raise self._fault(key, "label", f"unknown label {shown(label)}{hint}")
        return str(known)

    def _relations(
        self, key: str, value: Mapping[str, Any], places: Mapping[str, int]
    ) -> Iterator[Relation]:
        listed = value.get("relations")
        if not isinstance(listed, list):
            raise self._fault(key, "relations", "must be a list of [type, entity id]; [] for none")
        for link in listed:
            if not (isinstance(link, list) and len(link) == 2):
                raise self._fault(key, "relations", f"{shown(link)} is no [type, entity id]")
            kind, target = link
            if kind not in RELATION_TYPES:
                hint = nearest(shown(kind).strip("'"), RELATION_TYPES)
                raise self._fault(key, "relations", f"unknown type {shown(kind)}{hint}")
            if not isinstance(target, str) or target not in places:
                raise self._fault(
                    key, "relations", f"points at entity {shown(target)}, not in 'entities'"
                )
            yield Relation(places[key], kind, places[target])
