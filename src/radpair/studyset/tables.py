"""The last step of writing: the parts' records become Parquet tables and a manifest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from radpair import __version__
from radpair.errors import StudySetError
from radpair.records import SPLITS
from radpair.studyset.files import FileRecord, atomic, write_json
from radpair.studyset.graphs import graph_columns, graph_from_json, graph_schema
from radpair.studyset.manifest import (
    FORMAT,
    IMAGES,
    LABEL_PREFIX,
    MANIFEST,
    NEAR_DUPLICATES,
    PIXEL_RANGE,
    QUARANTINE,
    SOURCE_GRAPHS,
    STUDIES,
    shard_name,
)
from radpair.studyset.parts import IMAGE, REPORT
from radpair.studyset.settled import Settled

GROUP = 16
"""Parts in one Parquet row group."""

IMAGE_SCHEMA = pa.schema(
    [
        ("study", pa.int64()),
        ("path", pa.string()),
        ("position", pa.string()),
        ("shard", pa.int32()),
        ("offset", pa.int64()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("content", pa.string()),
        ("likeness", pa.string()),
    ]
)
"""``content`` and ``likeness`` are as ``radpair.studyset.duplicates`` makes them."""
TRIMMED = pa.field("trimmed", pa.float32())
"""In a set with trimmed borders: the share of the picture's area that was cut."""
NEAR_SCHEMA = pa.schema(
    [
        ("split", pa.string()),
        ("study_id", pa.string()),
        ("path", pa.string()),
        ("like_split", pa.string()),
        ("like_study_id", pa.string()),
        ("like_path", pa.string()),
        ("bits", pa.int32()),
    ]
)
"""An image, and the first of an earlier split that is like it."""
QUARANTINE_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("path", pa.string()),
        ("study_id", pa.string()),
        ("row", pa.int64()),
        ("reason", pa.string()),
    ]
)
"""``row`` is that of the source's table, null where the source is none."""


def finish(bodies: Settled, plan: dict[str, Any], remarks: Sequence[str] = ()) -> dict[str, Any]:
    """Writes tables and manifest from the parts' records; returns the manifest.

    ``remarks`` are the source's, kept for whoever reads the set later.
    """
    out = bodies.out
    survey = _Survey(bodies)
    files: dict[str, FileRecord] = {shard_name(i): r for i, r in enumerate(survey.shards)}
    files[STUDIES] = _write_table(
        out / STUDIES, study_schema(survey.labels), _study_rows(bodies, survey.labels)
    )
    trimmed = plan["options"].get("trim_borders", False)
    schema = IMAGE_SCHEMA.append(TRIMMED) if trimmed else IMAGE_SCHEMA
    files[IMAGES] = _write_table(out / IMAGES, schema, _image_rows(bodies, schema.names))
    files[QUARANTINE] = _write_table(
        out / QUARANTINE, QUARANTINE_SCHEMA, _quarantine_rows(bodies, survey.has_reports)
    )
    if survey.graphs:
        files[SOURCE_GRAPHS] = _write_table(
            out / SOURCE_GRAPHS, graph_schema(), _graph_rows(bodies)
        )
    across = bodies.across()
    if across:
        rows = {name: [row[name] for row in across] for name in NEAR_SCHEMA.names}
        files[NEAR_DUPLICATES] = _write_table(out / NEAR_DUPLICATES, NEAR_SCHEMA, iter([rows]))
    counts = survey.counts() | bodies.counts() | {"near_across_splits": len(across)}
    if trimmed:
        counts["trimmed_images"] = survey.trimmed
    manifest = {
        "format": FORMAT,
        "radpair": __version__,
        **plan,
        "pixels": PIXEL_RANGE,
        "labels": survey.labels,
        "counts": counts,
        **({"remarks": list(remarks)} if remarks else {}),
        "files": {name: record.as_json() for name, record in sorted(files.items())},
    }
    write_json(out / MANIFEST, manifest)
    return manifest


def study_schema(labels: Sequence[str]) -> pa.Schema:
    """The columns of the table of studies, a column a label at the end."""
    fields = [(name, pa.string()) for name in ("study_id", "patient_id", "split", "report")]
    fields += [("first_image", pa.int64()), ("images", pa.int32()), ("attributes", pa.string())]
    return pa.schema(fields + [(LABEL_PREFIX + name, pa.float32()) for name in labels])


class _Survey:
    """One pass over the records for what the tables and the manifest need to know before."""

    def __init__(self, bodies: Settled) -> None:
        self.labels: list[str] = []
        self.shards: list[FileRecord] = []
        self.graphs = self.images = self.left_out = self.trimmed = 0
        self.has_reports = False
        self._entries: Counter[str] = Counter()
        self._splits: Counter[str] = Counter()
        self._patients: set[str] = set()
        for body in bodies:
            self._add(body)
        if not self._splits:
            raise StudySetError(self._nothing_left(bodies))

    def _add(self, body: dict[str, Any]) -> None:
        self.shards.append(FileRecord(**body["shard"]))
        self.images += len(body["images"])
        self.trimmed += sum(image["trimmed"] > 0 for image in body["images"])
        self.left_out += body["left_out"]
        self._entries.update(entry["kind"] for entry in body["quarantine"])
        for study in body["studies"]:
            self.labels += [name for name in study["labels"] if name not in self.labels]
            self._splits[study["split"]] += 1
            self._patients.add(study["patient_id"])
            self.graphs += study["graph"] is not None
            self.has_reports |= bool(study["report"])

    def counts(self) -> dict[str, Any]:
        """The counts that the manifest keeps."""
        return {
            "studies": sum(self._splits.values()),
            "images": self.images,
            "patients": len(self._patients),
            "splits": {name: self._splits[name] for name in SPLITS},
            "quarantined_images": self._entries[IMAGE],
            "unusable_reports": self._entries[REPORT] if self.has_reports else 0,
            "studies_left_out": self.left_out,
            "source_graphs": self.graphs,
            "pixel_bytes": sum(record.bytes for record in self.shards),
        }

    @staticmethod
    def _nothing_left(bodies: Settled) -> str:
        for body in bodies:
            for entry in body["quarantine"]:
                return (
                    f"{bodies.out}: no study has a usable image; the first reason: "
                    f"{entry['reason']}; check where the source looks for its images"
                )
        return f"{bodies.out}: the source holds no study; check what was given to it"


def _write_table(path: Path, schema: pa.Schema, rows: Iterator[dict[str, Any]]) -> FileRecord:
    with atomic(path) as draft, pq.ParquetWriter(draft.file, schema, compression="zstd") as writer:
        for group in rows:
            writer.write_table(pa.table(group, schema=schema))
    return draft.record


def _grouped(bodies: Settled) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Records in groups, each with the index of its first part."""
    group: list[dict[str, Any]] = []
    first = 0
    for index, body in enumerate(bodies):
        group.append(body)
        if len(group) == GROUP or index == bodies.parts - 1:
            yield first, group
            first, group = index + 1, []


def _study_rows(bodies: Settled, labels: Sequence[str]) -> Iterator[dict[str, Any]]:
    first_image = 0
    for _, group in _grouped(bodies):
        studies = [study for body in group for study in body["studies"]]
        columns: dict[str, list[Any]] = {
            name: [study[name] for study in studies]
            for name in ("study_id", "patient_id", "split", "report", "images")
        }
        columns["attributes"] = [
            json.dumps(study["attributes"], ensure_ascii=False) for study in studies
        ]
        columns["first_image"] = []
        for study in studies:
            columns["first_image"].append(first_image)
            first_image += study["images"]
        for name in labels:
            columns[LABEL_PREFIX + name] = [study["labels"].get(name) for study in studies]
        yield columns


def _image_rows(bodies: Settled, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    before = 0
    for first, group in _grouped(bodies):
        columns: dict[str, list[Any]] = {name: [] for name in names}
        for shard, body in enumerate(group, first):
            for image in body["images"]:
                row = {**image, "study": image["study"] + before, "shard": shard}
                for name in columns:
                    columns[name].append(row[name])
            before += len(body["studies"])
        yield columns


def _quarantine_rows(bodies: Settled, has_reports: bool) -> Iterator[dict[str, Any]]:
    for _, group in _grouped(bodies):
        entries = [
            entry
            for body in group
            for entry in body["quarantine"]
            if has_reports or entry["kind"] == IMAGE
        ]
        yield {name: [entry[name] for entry in entries] for name in QUARANTINE_SCHEMA.names}


def _graph_rows(bodies: Settled) -> Iterator[dict[str, Any]]:
    for _, group in _grouped(bodies):
        yield graph_columns(
            (study["study_id"], graph_from_json(study["graph"]))
            for body in group
            for study in body["studies"]
            if study["graph"] is not None
        )
