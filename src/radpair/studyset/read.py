"""Reads a study set: tables in memory, pixels by memory map."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from radpair.errors import StudySetError, nearest
from radpair.places import Place, located
from radpair.records import SPLITS, Graph
from radpair.studyset.files import measure
from radpair.studyset.graphs import check_graphs_file, read_graphs
from radpair.studyset.manifest import (
    GRAPHS,
    GRAPHS_RECORD,
    IMAGES,
    LABEL_PREFIX,
    MANIFEST,
    QUARANTINE,
    SOURCE_GRAPHS,
    STUDIES,
    check_sizes,
    manifest_hash,
    read_manifest,
    shard_name,
)
from radpair.studyset.splits import check_disjoint
from radpair.studyset.store import check_objects, local_copy

_OF_STUDIES = ("study_id", "patient_id", "split", "report", "first_image", "images", "attributes")
_OF_IMAGES = ("study", "path", "position", "shard", "offset", "height", "width")
_OF_QUARANTINE = ("kind", "path", "study_id", "row", "reason")
OPEN_SHARDS = 256
"""Memory maps kept open at once; a system often allows 1,024 open files."""


class StudySet:
    """A finished study set, opened with ``StudySet.open``; it cannot be changed.

    It can be pickled (it is opened again by path) and used after a fork.
    """

    path: Path
    """The folder of this machine that is read."""
    place: Path
    """Where the set was opened: the same, or the URL that ``path`` is a copy of."""
    manifest: dict[str, Any]
    label_names: tuple[str, ...]
    study_ids: list[str]
    patient_ids: list[str]
    reports: list[str]
    """Empty where a study has no usable report."""
    splits: NDArray[np.str_]
    """``[studies]``, each one of ``radpair.records.SPLITS``."""
    labels: NDArray[np.float32]
    """``[studies, labels]``: 1 present, 0 absent, -1 uncertain, NaN not given."""
    first_image: NDArray[np.int64]
    """``[studies]``: the index of a study's first image; the others follow it."""
    image_count: NDArray[np.int64]
    """``[studies]``, at least 1."""
    image_study: NDArray[np.int64]
    """``[images]``: the index of the study that an image belongs to."""
    image_paths: list[str]
    positions: list[str]
    """``PA``, ``AP``, ``LATERAL`` or empty, per image."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path, self.place, self.manifest = path, path, manifest
        self.label_names = tuple(manifest["labels"])
        studies = _table(path / STUDIES, _OF_STUDIES)
        images = _table(path / IMAGES, _OF_IMAGES)
        _check_tables(path, manifest, studies, images)
        self.study_ids = studies["study_id"].to_pylist()
        self.patient_ids = studies["patient_id"].to_pylist()
        self.reports = studies["report"].to_pylist()
        self.splits = np.array(studies["split"].to_pylist(), dtype=str)
        self.labels = _labels(studies, self.label_names)
        self.first_image = _numbers(studies, "first_image")
        self.image_count = _numbers(studies, "images")
        self.image_study = _numbers(images, "study")
        self.image_paths = images["path"].to_pylist()
        self.positions = images["position"].to_pylist()
        self._attributes: list[str] = studies["attributes"].to_pylist()
        self._places = np.stack(
            [_numbers(images, name) for name in ("shard", "offset", "height", "width")], axis=1
        )
        self._shards: dict[int, NDArray[np.uint8]] = {}
        check_disjoint(str(path), self.patient_ids, self.splits.tolist())

    @classmethod
    def open(cls, path: Path | str) -> StudySet:
        """Opens the set at ``path`` after a look at the size of every file.

        A set in an object store, given by its URL, is copied to this machine once, and read there
        (``studyset.store``).

        Raises ``StudySetError`` when it is unfinished, a file is missing or has another size, or
        a patient is in two splits.
        """
        place = located(path)
        path = local_copy(place) if isinstance(place, Place) else place
        manifest = read_manifest(path)
        check_sizes(path, manifest)
        opened = cls(path, manifest)
        opened.place = place
        return opened

    def __len__(self) -> int:
        return len(self.study_ids)

    def __reduce__(self) -> tuple[Any, ...]:
        return StudySet.open, (self.path,)  # also a copy: the other process is on this machine

    def verify(self) -> int:
        """Reads every file, also those in a store, and compares hashes; returns their number.

        Raises ``StudySetError`` naming the first altered file.
        """
        if isinstance(self.place, Place):
            check_objects(self.place)
        for name, record in self.manifest["files"].items():
            if measure(self.path / name).as_json() != record:
                raise StudySetError(
                    f"{self.path / name}: was altered since it was written; restore it or "
                    "ingest again"
                )
        if self.has_graphs:
            check_graphs_file(self.path)
        return len(self.manifest["files"]) + self.has_graphs

    def pixels(self, image: int) -> NDArray[np.uint8]:
        """One image: uint8 ``[height, width]``, 0 black (air) to 255 white, read-only."""
        shard, offset, height, width = self._places[image].tolist()
        flat = self._shard(shard)[offset : offset + height * width]
        return flat.reshape(height, width)

    def films(self, images: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Several images one after the other, ``[bytes]`` uint8, and their shapes ``[images, 2]``.

        Each is row by row, 0 black (air) to 255 white; a shape is height and width. The bytes are
        a copy that may be written to.
        """
        places = self._places[images]
        counts = places[:, 2:].prod(axis=1)
        ends = np.cumsum(counts)
        flat = np.empty(int(counts.sum()), np.uint8)
        rows = np.column_stack([places[:, :2], ends - counts, ends]).tolist()
        for shard, offset, begin, end in rows:
            flat[begin:end] = self._shard(shard)[offset : offset + end - begin]
        return flat, places[:, 2:]

    def images_of(self, study: int) -> range:
        """The indices of a study's images."""
        first = int(self.first_image[study])
        return range(first, first + int(self.image_count[study]))

    def attributes(self, study: int) -> dict[str, str]:
        """Further facts of one study, such as ``sex`` and ``age``."""
        facts: dict[str, str] = json.loads(self._attributes[study])
        return facts

    def split(self, name: str) -> NDArray[np.int64]:
        """The indices of the studies of one split. Raises ``StudySetError``."""
        if name not in SPLITS:
            raise StudySetError(f"there is no split '{name}'{nearest(name, SPLITS)}")
        return np.flatnonzero(self.splits == name)

    def quarantine(self) -> pa.Table:
        """What was left out: columns kind (image, report), path, study_id, reason."""
        return _table(self.path / QUARANTINE, _OF_QUARANTINE)

    @property
    def has_graphs(self) -> bool:
        """Whether the set has taken its graphs in."""
        return (self.path / GRAPHS_RECORD).is_file()

    def graphs(self) -> list[Graph | None]:
        """The graph of every study, None where it has none. Raises ``StudySetError``."""
        if not self.has_graphs:
            raise StudySetError(f"{self.path}: has no graphs yet; run 'radpair graphs {self.path}'")
        check_graphs_file(self.path)
        return read_graphs(self.path / GRAPHS, self.study_ids)

    @property
    def graphs_hash(self) -> str:
        """Sixteen hex digits that stand for the graphs. Raises ``StudySetError``."""
        return str(check_graphs_file(self.path)["file"]["sha256"])[:16]

    def source_graphs(self) -> list[Graph | None]:
        """The graphs that came with the source, None where none did."""
        if SOURCE_GRAPHS not in self.manifest["files"]:
            return [None] * len(self)
        return read_graphs(self.path / SOURCE_GRAPHS, self.study_ids)

    @cached_property
    def content_hash(self) -> str:
        """Sixteen hex digits that stand for studies, pixels and options (not for graphs)."""
        return manifest_hash(self.manifest)

    def _shard(self, index: int) -> NDArray[np.uint8]:
        found = self._shards.get(index)
        if found is None:
            if len(self._shards) >= OPEN_SHARDS:
                self._shards.clear()
            path = self.path / shard_name(index)
            found = self._shards[index] = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
        return found


def content_hash(study_set: StudySet) -> str:
    """Sixteen hex digits that stand for the content of a study set, for runs and results."""
    return study_set.content_hash


def _table(file: Path, columns: Sequence[str]) -> pa.Table:
    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise StudySetError(
            f"{file}: cannot be read ({type(error).__name__}); restore it or ingest again"
        ) from error
    for name in columns:
        if name not in table.column_names:
            raise StudySetError(
                f"{file}: has no column '{name}', which every study set has; restore it or ingest "
                "again"
            )
    return table


def _check_tables(
    path: Path, manifest: dict[str, Any], studies: pa.Table, images: pa.Table
) -> None:
    """Raises ``StudySetError`` where the manifest is not that of these tables."""
    named = [name for name in studies.column_names if name.startswith(LABEL_PREFIX)]
    if named != [LABEL_PREFIX + name for name in manifest["labels"]]:
        raise StudySetError(
            f"{path / MANIFEST}: its labels are not those of {STUDIES}; restore both or ingest "
            "again"
        )
    for name, table in (("studies", studies), ("images", images)):
        if manifest["counts"][name] != table.num_rows:
            raise StudySetError(
                f"{path / MANIFEST}: counts {manifest['counts'][name]:,} {name} where the table "
                f"has {table.num_rows:,}; restore both or ingest again"
            )
    for shard in images["shard"].unique().to_pylist():
        if shard_name(shard) not in manifest["files"]:
            raise StudySetError(
                f"{path / MANIFEST}: does not name {shard_name(shard)}, which holds images of "
                f"{IMAGES}; restore both or ingest again"
            )


def _numbers(table: pa.Table, name: str) -> NDArray[np.int64]:
    return np.asarray(table[name].to_numpy(), dtype=np.int64)


def _labels(studies: pa.Table, names: tuple[str, ...]) -> NDArray[np.float32]:
    """``[studies, labels]``, with NaN for what was not given."""
    found = np.full((studies.num_rows, len(names)), np.nan, dtype=np.float32)
    for column, name in enumerate(names):
        found[:, column] = studies[LABEL_PREFIX + name].to_numpy()
    return found
