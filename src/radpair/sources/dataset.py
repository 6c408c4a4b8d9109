"""What the published datasets have in common: one folder as downloaded, tables in it, images."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, ClassVar, TypeVar

from radpair.errors import SourceError
from radpair.places import located
from radpair.records import ABSENT, NOT_GIVEN, PRESENT, UNCERTAIN, Study
from radpair.sources.labels import number
from radpair.sources.tabular import Row, column_names, iterate_rows

T = TypeVar("T")
GZIPPED = ".gz"


@dataclass(frozen=True, kw_only=True)
class Dataset(ABC):
    """A dataset in its own folder. A subclass names itself and gives its studies.

    Its fields are the options of ``radpair ingest NAME``, with their docstrings as help; the
    docstring of its module is the verb's help and shows the expected tree.
    """

    name: ClassVar[str]
    """The word that ``radpair ingest`` takes."""
    root: Path
    """The dataset's own folder, as downloaded."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", located(self.root))
        for field in fields(self):
            value = getattr(self, field.name, None)
            if isinstance(value, PurePath):
                object.__setattr__(self, field.name, located(value))
        if not self.root.is_dir():
            raise SourceError(f"{self.root}: is no folder; give the folder of {self.name}")

    @abstractmethod
    def studies(self) -> Iterator[Study]:
        """Every study, always in the same order. Raises ``SourceError``."""

    def tables(self) -> Iterable[Path]:
        """The tables that were read; their hashes stand in the manifest."""
        return ()

    def options(self) -> dict[str, Any]:
        """The options, and the hashes of the tables; of paths only the last name."""
        given = {
            field.name: _json(getattr(self, field.name))
            for field in fields(self)
            if field.name != "root"
        }
        return {**given, "tables": {file.name: _sha256(file) for file in self.tables()}}

    def path_of(self, study: Study, view: int) -> Path:
        """The file of one view."""
        return self.root / study.views[view].path


def find_table(folder: Path, *names: str) -> Path | None:
    """The first of ``names`` that lies in ``folder``, plain or gzipped; None if none does."""
    for name in names:
        for file in (folder / name, folder / (name + GZIPPED)):
            if file.is_file():
                return file
    return None


def need_table(folder: Path, *names: str, get: str) -> Path:
    """As ``find_table``. Raises ``SourceError`` that says with ``get`` where the table is got."""
    file = find_table(folder, *names)
    if file is None:
        raise SourceError(f"{folder}: has no {names[0]} (nor {names[0]}{GZIPPED}); {get}")
    return file


def grouped(keys: Iterable[str], items: Iterable[tuple[str, T]]) -> Iterator[tuple[str, list[T]]]:
    """Items with the same key together, each group as soon as its last item was read.

    ``keys`` are those of ``items``, read once before, so that only unfinished groups are in
    memory whatever the order of the rows.
    """
    left = Counter(keys)
    open_groups: dict[str, list[T]] = {}
    for key, item in items:
        group = open_groups.setdefault(key, [])
        group.append(item)
        if len(group) == left[key]:
            yield key, open_groups.pop(key)


def need_images(root: Path, paths: Iterable[str], advice: str) -> None:
    """Raises ``SourceError`` unless one of ``paths`` is a file below ``root``.

    A single missing image is left to the study set, which quarantines it with its path.
    """
    first = None
    for path in paths:
        if (root / path).is_file():
            return
        first = first or path
    named = f"not one image of the tables is there, such as {first}" if first else "has no rows"
    raise SourceError(f"{root}: {named}; {advice}")


def below(place: str, path: str) -> str:
    """A path of a table as it is; ``SourceError`` naming ``place`` where it leads outside."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path or "\\" in path:
        raise SourceError(
            f"{place}: the path '{path}' is not one below the dataset's folder; mend it there"
        )
    return path


def share_of(patient_id: str) -> float:
    """A number in [0, 1) that depends on the patient's id alone, to hold some patients out."""
    digest = hashlib.sha256(f"held out:{patient_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _json(value: Any) -> Any:
    if isinstance(value, PurePath):
        return value.name
    return [_json(part) for part in value] if isinstance(value, (tuple, list)) else value


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


class StudyLabels:
    """The labels of many studies by their ids, one byte a label."""

    _VALUES = (ABSENT, PRESENT, UNCERTAIN, NOT_GIVEN)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self._known: dict[str, bytes] = {}

    def __contains__(self, study_id: str) -> bool:
        return study_id in self._known

    def put(self, study_id: str, labels: Mapping[str, float]) -> None:
        """Keeps a study's labels: absent, present, uncertain, or NaN where none is given."""
        values = (labels[name] for name in self._names)
        self._known[study_id] = bytes(
            3 if value != value else self._VALUES.index(value) for value in values
        )

    def of(self, study_id: str) -> dict[str, float]:
        """The labels of a study, all NaN where nothing is known of it."""
        codes = self._known.get(study_id, bytes([3]) * len(self._names))
        return {name: self._VALUES[code] for name, code in zip(self._names, codes, strict=True)}


def labels_by_study(file: Path, key: str, beside: Iterable[str] = ()) -> StudyLabels:
    """A table with one row a study: ``key``, columns ``beside`` that are no labels, and labels.

    Raises ``SourceError`` naming the row of a second row for a study, and of an impossible label.
    """
    names = [name for name in column_names(file) if name and name not in {key, *beside}]
    labels = StudyLabels(names)
    for row in iterate_rows(file, [key, *names]):
        study_id = row.cells[key]
        if study_id in labels:
            raise SourceError(
                f"{file}, row {row.number}: study '{study_id}' stands here a second time; "
                "download the table again"
            )
        labels.put(study_id, label_row(file, row, names))
    return labels


def label_row(file: Path, row: Row, names: Sequence[str]) -> dict[str, float]:
    """The labels in one row: columns of 1, 0, -1 or blank. Raises ``SourceError``."""
    return {name: number(file, row, name) for name in names}
