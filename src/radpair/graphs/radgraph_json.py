"""Graphs in RadGraph's JSON: read with every entity checked against its text, and written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from radpair.errors import GraphError, nearest
from radpair.graphs.schema import ENTITY_LABELS, RELATION_TYPES, SHORT_LABELS
from radpair.records import Entity, Graph, Relation

_SPLITS = frozenset({"train", "dev", "valid", "validate", "val", "test", "inference"})
_REPORTS = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".txt", ".xml", ".gz"})
"""Endings of files that hold reports; also of graphs, if their content says so."""
_LINES = frozenset({".jsonl", ".ndjson"})
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
      under its section's name (``findings``, ``impression``: keyed ``ID/section``).

    Labels may be long or short (``OBS-DP``). Raises ``GraphError`` naming file, report, entity
    and field.
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
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise GraphError(f"Cannot write '{path}': {error.strerror}.") from error


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
        text = path.read_text(encoding="utf-8")
        try:
            data = json.loads(text)
            alone = path.suffix.lower() in _LINES and isinstance(data, dict)
            return [data] if alone and ("ner" in data or _is_report(data)) else data
        except json.JSONDecodeError as error:
            if error.msg != "Extra data":
                raise
            return _parsed_lines(text, path)
    except OSError as error:
        raise GraphError(f"Cannot read '{path}': {error.strerror}; check the path.") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        if path.suffix.lower() in _REPORTS:
            raise GraphError(f"'{path}': {_graphs_first(path)}") from error
        raise GraphError(f"'{path}' is no JSON ({error}); give a RadGraph JSON file.") from error


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


def _parsed_lines(text: str, path: Path) -> list[Any]:
    records = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError as error:
                fault = f"no JSON ({error}); give one record a line."
                if path.suffix.lower() in _REPORTS - _LINES:
                    fault = _graphs_first(path)
                raise GraphError(f"'{path}', line {number}: {fault}") from error
    return records


def _reports(data: Any, path: Path) -> Iterator[tuple[str, Any]]:
    if isinstance(data, list):
        for index, record in enumerate(data):
            yield from _records(record, index, path)
        return
    if not isinstance(data, dict):
        raise GraphError(f"'{path}' holds neither an object of reports nor a list of records.")
    for key, value in data.items():
        if key in _SPLITS and isinstance(value, dict) and "entities" not in value:
            for inner, report in value.items():
                yield from _annotations(inner, report)
        else:
            yield from _annotations(key, value)


def _annotations(key: str, report: Any) -> Iterator[tuple[str, Any]]:
    """The report's graph, or one for each annotator of RadGraph 1.0's test file."""
    if isinstance(report, dict) and "entities" not in report:
        labelers = [name for name in report if name.startswith("labeler_")]
        for name in labelers:
            part = report[name]
            graph = {"text": report.get("text"), **part} if isinstance(part, dict) else part
            yield f"{key}/{name}", graph
        if labelers:
            return
    yield key, report


def _records(record: Any, index: int, path: Path) -> Iterator[tuple[str, Any]]:
    if not isinstance(record, dict):
        raise GraphError(f"'{path}': record {index} is no object; each needs 'text', 'entities'.")
    given = next((record[key] for key in _ID_KEYS if key in record), index)
    if "entities" in record:
        yield str(given), record
        return
    if "ner" in record:
        yield str(given), _spans_to_json(record, f"'{path}', report '{given}'")
        return
    parts = {k: v for k, v in record.items() if isinstance(v, dict) and "entities" in v}
    if not parts:
        hint = "is it RadGraph's output?"
        if _is_report(record):
            hint = _graphs_first(path)
        raise GraphError(f"'{path}': record {index} has no 'entities'; {hint}")
    for name, part in parts.items():
        yield str(given) if name == "0" else f"{given}/{name}", part


def _spans_to_json(record: Mapping[str, Any], place: str) -> dict[str, Any]:
    """RadGraph-XL's record of ``sentences``, ``ner`` and ``relations`` as RadGraph 1.0's JSON.

    Spans count tokens over all sentences; an entity is ``[start, end, label]`` and a relation
    ``[start, end, start, end, type]``. Raises ``GraphError`` naming the field at fault.
    """
    words = [str(word) for words in _lists(record, "sentences", place) for word in words]
    entities: dict[str, Any] = {}
    keys: dict[tuple[int, int], str] = {}
    for start, end, label in _spans(record, "ner", 3, place):
        key = keys[start, end] = str(len(entities) + 1)
        tokens = " ".join(words[start : end + 1])
        span = {"tokens": tokens, "label": label, "start_ix": start, "end_ix": end}
        entities[key] = {**span, "relations": []}
    for *ends, kind in _spans(record, "relations", 5, place):
        source, target = keys.get((ends[0], ends[1])), keys.get((ends[2], ends[3]))
        if source is None or target is None:
            raise GraphError(f"{place}, field 'relations': {[*ends, kind]} joins no two entities.")
        entities[source]["relations"].append([kind, target])
    return {"text": " ".join(words), "entities": entities}


def _lists(record: Mapping[str, Any], field: str, place: str) -> list[list[Any]]:
    value = record.get(field)
    if not isinstance(value, list) or not all(isinstance(part, list) for part in value):
        raise GraphError(f"{place}, field '{field}': must be a list of lists, one a sentence.")
    return value


def _spans(record: Mapping[str, Any], field: str, length: int, place: str) -> Iterator[list[Any]]:
    for span in (span for sentence in _lists(record, field, place) for span in sentence):
        if not isinstance(span, list) or len(span) < length:
            raise GraphError(f"{place}, field '{field}': {span!r} needs {length} parts.")
        if not all(isinstance(at, int) and at >= 0 for at in span[: length - 1]):
            raise GraphError(f"{place}, field '{field}': {span!r} must begin with whole numbers.")
        yield span[:length]


class _Reader:
    """Checks one report; its messages name where the fault lies."""

    def __init__(self, place: str) -> None:
        self.place = place

    def graph(self, report: Any) -> Graph:
        if not isinstance(report, dict):
            raise GraphError(f"{self.place}: must be an object with 'text' and 'entities'.")
        text, entities = report.get("text"), report.get("entities")
        if not isinstance(text, str):
            raise GraphError(f"{self.place}: 'text' is missing or no string; add the report text.")
        if not isinstance(entities, dict):
            raise GraphError(f"{self.place}: 'entities' is missing or no object; add it.")
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
                f"says {given!r} but the text has {span!r} at {start}-{end}; tokens are the text "
                f"split at single spaces, counted from 0",
            )
        return Entity(span, self._label(key, value.get("label")), start, end)

    def _index(self, key: str, value: Mapping[str, Any], field: str, count: int) -> int:
        index = value.get(field)
        if not isinstance(index, int) or isinstance(index, bool):
            raise self._fault(key, field, f"must be a whole number, not {index!r}")
        if not 0 <= index < count:
            raise self._fault(key, field, f"{index} lies outside the text's {count} tokens")
        return index

    def _label(self, key: str, label: Any) -> str:
        known = SHORT_LABELS.get(label, label) if isinstance(label, str) else None
        if known not in ENTITY_LABELS:
            hint = nearest(str(label), [*ENTITY_LABELS, *SHORT_LABELS])
            raise self._fault(key, "label", f"unknown label {label!r}{hint}")
        return str(known)

    def _relations(
        self, key: str, value: Mapping[str, Any], places: Mapping[str, int]
    ) -> Iterator[Relation]:
        listed = value.get("relations")
        if not isinstance(listed, list):
            raise self._fault(key, "relations", "must be a list of [type, entity id]; [] for none")
        for link in listed:
            if not (isinstance(link, list) and len(link) == 2):
                raise self._fault(key, "relations", f"{link!r} is no [type, entity id]")
            kind, target = link
            if kind not in RELATION_TYPES:
                hint = nearest(str(kind), RELATION_TYPES)
                raise self._fault(key, "relations", f"unknown type {kind!r}{hint}")
            if not isinstance(target, str) or target not in places:
                raise self._fault(
                    key, "relations", f"points at entity {target!r}, not in 'entities'"
                )
            yield Relation(places[key], kind, places[target])
