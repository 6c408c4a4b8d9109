"""Any dataset that comes as a table with one image a row."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from radpair.errors import SourceError
from radpair.places import located
from radpair.records import SPLITS, Study, View
from radpair.sources.labels import is_blank, row_labels
from radpair.sources.tabular import Row, read_rows
from radpair.sources.views import position

UTF8 = "utf-8"
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), SPLITS[0]),
    **dict.fromkeys(("validate", "validation", "valid", "val", "dev"), SPLITS[1]),
    **dict.fromkeys(("test", "testing"), SPLITS[2]),
}


@dataclass(frozen=True, kw_only=True)
class Table:
    """Studies from a CSV, TSV, JSON lines or Parquet file; one row is one image.

    The table is read whole and checked before the first study is given. Errors name the file,
    the row as a spreadsheet counts it (the header is row 1), and the column.
    """

    @property
    def name(self) -> str:
        """What the manifest calls the source."""
        return "table"

    file: Path
    """The table: .csv, .tsv, .jsonl or .ndjson (also with .gz), or .parquet."""
    root: Path
    """The folder that image paths start from; none may lead out of it."""
    image_column: str
    """Paths of the images."""
    patient_column: str
    """The unit that a split keeps together: a patient, or a wider group."""
    text_column: str | None = None
    """Reports; leave it out for a set of images only."""
    label_columns: tuple[str, ...] = ()
    """Columns of 1, 0, -1 or blank, or one column of label names joined by label_separator."""
    label_separator: str = "|"
    """What joins the names in a single label column."""
    study_column: str | None = None
    """Rows with the same value are one study of several images; without it, one row a study."""
    split_column: str | None = None
    """Official splits: train, validate (val, valid, validation, dev) or test; blank leaves the
    patient to the seeded split."""
    view_column: str | None = None
    """PA, AP or lateral; other values are kept as not known, but refused where none is a view."""
    attribute_columns: tuple[str, ...] = ()
    """Further columns to keep, such as sex and age."""
    frame: int | None = None
    """Of DICOM files with several frames, the one to take, counted from 1."""
    encoding: str = UTF8
    """Of a table that is text."""

    def __post_init__(self) -> None:
        if not self.label_separator:
            raise SourceError("the label separator is empty; give one such as '|'")
        if self.frame is not None and self.frame < 1:
            raise SourceError(f"frame is {self.frame}; frames are counted from 1")
        for field in ("label_columns", "attribute_columns"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        object.__setattr__(self, "file", located(self.file))
        object.__setattr__(self, "root", located(self.root))

    def __getstate__(self) -> dict[str, Any]:
        """Worker processes get the options and not the rows."""
        return {key: value for key, value in self.__dict__.items() if key != "_studies"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __len__(self) -> int:
        return len(self._studies)

    def options(self) -> dict[str, Any]:
        """How the table was opened, with the hash of its content."""
        if not self.file.is_file():
            raise SourceError(f"{self.file}: there is no such file; check the path of the table")
        given = asdict(self)
        if self.encoding == UTF8:  # as in the manifests of sets from before there was a choice
            del given["encoding"]
        for field in ("label_columns", "attribute_columns"):
            given[field] = list(given[field])
        with self.file.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        return {**given, "file": str(self.file), "root": str(self.root), "sha256": digest}

    def studies(self) -> Iterator[Study]:
        """Every study, in the order of its first row. Raises ``SourceError``."""
        yield from self._studies

    def path_of(self, study: Study, view: int) -> Path:
        """The file of one view."""
        return self.root / study.views[view].path

    @cached_property
    def _studies(self) -> list[Study]:
        if not self.root.is_dir():
            raise SourceError(
                f"{self.root}: is no folder; give the one that image paths start from"
            )
        rows = read_rows(self.file, self._columns(), self.encoding)
        if not rows:
            raise SourceError(f"{self.file}: has no rows; give a table of studies")
        paths = self._paths(rows)
        self._check_patients(rows)
        self._check_views(rows)
        splits = self._splits(rows)
        labels = row_labels(self.file, rows, self.label_columns, self.label_separator)
        groups = self._groups(rows, paths)
        return [
            self._study(study_id, [(rows[i], paths[i], labels[i]) for i in members], splits)
            for study_id, members in groups.items()
        ]

    def _columns(self) -> list[str]:
        single = (self.text_column, self.study_column, self.split_column, self.view_column)
        columns = [self.image_column, self.patient_column, *(name for name in single if name)]
        return [*columns, *self.label_columns, *self.attribute_columns]

    def _where(self, row: Row, column: str) -> str:
        return f"{self.file}, row {row.number}, column '{column}'"

    def _paths(self, rows: Sequence[Row]) -> list[str]:
        """Paths below the root, each only once; empty where a row has no image."""
        first: dict[str, Row] = {}
        paths = []
        for row in rows:
            text = row.cells[self.image_column]
            path = self._inside(row, text) if text else ""
            if path and path in first:
                raise SourceError(
                    f"{self._where(row, self.image_column)}: the image '{path}' stands in row "
                    f"{first[path].number} already; remove one of the rows"
                )
            first[path] = row
            paths.append(path)
        return paths

    def _inside(self, row: Row, text: str) -> str:
        path = posixpath.normpath(text)
        absolute = path.startswith("/") or PureWindowsPath(text).is_absolute()
        if absolute or path == ".." or path.startswith("../") or "\0" in path:
            raise SourceError(
                f"{self._where(row, self.image_column)}: the path '{text}' leads out of the root "
                f"{self.root}; give paths relative to --root"
            )
        return path

    def _check_patients(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if is_blank(row.cells[self.patient_column]):
                raise SourceError(
                    f"{self._where(row, self.patient_column)}: is blank, so the row could stand "
                    "in any split; fill it in (a value of its own will do)"
                )

    def _check_views(self, rows: Sequence[Row]) -> None:
        """Raises ``SourceError`` where the column holds values and none of them is a view."""
        name = self.view_column
        given = [row for row in rows if name and not is_blank(row.cells[name])]
        if name and given and not any(position(row.cells[name]) for row in given):
            raise SourceError(
                f"{self._where(given[0], name)}: '{given[0].cells[name][:40]}' and all other "
                "values are none of PA, AP and lateral; give the column of views, or none"
            )

    def remarks(self) -> list[str]:
        """What may be a mistake of the table; names rows, since ids may have to stay secret."""
        rows = {study.patient_id: study.row for study in reversed(self._studies)}
        first: dict[str, int | None] = {}
        alike = []
        for patient in dict.fromkeys(study.patient_id for study in self._studies):
            earlier = first.setdefault(_form(patient), rows[patient])
            if earlier != rows[patient]:
                alike.append((earlier, rows[patient]))
        if not alike:
            return []
        more = "" if len(alike) == 1 else f", and {len(alike) - 1:,} more"
        return [
            "Patients whose ids differ only in case or leading zeros are kept apart: those of "
            f"rows {alike[0][0]} and {alike[0][1]}{more}. If they are one, mend the column "
            f"'{self.patient_column}'."
        ]

    def _splits(self, rows: Sequence[Row]) -> dict[str, str]:
        """The official split of each patient that has one."""
        if self.split_column is None:
            return {}
        first: dict[str, tuple[str, Row]] = {}
        for row in rows:
            text, patient = row.cells[self.split_column], row.cells[self.patient_column]
            if is_blank(text):
                continue
            split = SPLIT_NAMES.get(text.lower())
            if split is None:
                raise SourceError(
                    f"{self._where(row, self.split_column)}: the split '{text[:40]}' is none of "
                    f"{', '.join(SPLIT_NAMES)}; mend the value"
                )
            before, earlier = first.setdefault(patient, (split, row))
            if before != split:
                raise SourceError(
                    f"{self.file}: patient '{patient}' is in two splits, {before} (row "
                    f"{earlier.number}) and {split} (row {row.number}); mend the table, give "
                    "another patient column, or leave out the split column"
                )
        return {patient: split for patient, (split, _) in first.items()}

    def _groups(self, rows: Sequence[Row], paths: Sequence[str]) -> dict[str, list[int]]:
        """Study ids, each with the places of its rows."""
        if self.study_column is None:
            ids = _ids(paths, [row.number for row in rows])
            return {study_id: [place] for place, study_id in enumerate(ids)}
        groups: dict[str, list[int]] = defaultdict(list)
        for place, row in enumerate(rows):
            study_id = row.cells[self.study_column]
            if is_blank(study_id):
                raise SourceError(
                    f"{self._where(row, self.study_column)}: is blank; fill in the study's id"
                )
            groups[study_id].append(place)
        return groups

    def _study(
        self,
        study_id: str,
        rows: Sequence[tuple[Row, str, dict[str, float]]],
        splits: dict[str, str],
    ) -> Study:
        patient = self._one(study_id, [row for row, _, _ in rows], self.patient_column)
        views = tuple(
            View(
                path,
                position(row.cells[self.view_column]) if self.view_column else "",
                row.number,
                self.frame,
            )
            for row, path, _ in rows
            if path
        )
        return Study(
            study_id=study_id,
            patient_id=patient,
            views=views,
            report=self._one(study_id, [row for row, _, _ in rows], self.text_column),
            labels=self._merged(study_id, rows),
            split=splits.get(patient, ""),
            attributes={name: rows[0][0].cells[name] for name in self.attribute_columns},
            row=self._report_row([row for row, _, _ in rows]).number,
        )

    def _report_row(self, rows: Sequence[Row]) -> Row:
        """The first row of a study that holds its report; the first of all where none does."""
        if self.text_column is None:
            return rows[0]
        return next((row for row in rows if row.cells[self.text_column]), rows[0])

    def _one(self, study_id: str, rows: Sequence[Row], column: str | None) -> str:
        """The value that the rows of a study agree on; blank rows do not count."""
        if column is None:
            return ""
        given = [row for row in rows if row.cells[column]]
        for row in given[1:]:
            if row.cells[column] != given[0].cells[column]:
                raise SourceError(
                    f"{self.file}: rows {given[0].number} and {row.number} of study "
                    f"'{study_id}' differ in column '{column}'; give a study column whose ids "
                    "are unique, or mend the rows"
                )
        return given[0].cells[column] if given else ""

    def _merged(
        self, study_id: str, rows: Sequence[tuple[Row, str, dict[str, float]]]
    ) -> dict[str, float]:
        merged = dict(rows[0][2])
        for row, _, labels in rows[1:]:
            for name, value in labels.items():
                if merged[name] != merged[name]:
                    merged[name] = value
                elif value == value and value != merged[name]:
                    raise SourceError(
                        f"{self.file}: rows {rows[0][0].number} and {row.number} of study "
                        f"'{study_id}' differ in label '{name}'; mend the rows"
                    )
        return merged


def _ids(paths: Sequence[str], numbers: Sequence[int]) -> list[str]:
    """Unique study ids: file stems, or paths where two stems are alike; rows without image last."""
    for shorten in (_stem, _without_suffix, str):
        ids = [
            shorten(path) if path else f"row-{number}"
            for path, number in zip(paths, numbers, strict=True)
        ]
        if max(Counter(ids).values()) == 1:
            return ids
    return [f"row-{number}" for number in numbers]


def _form(patient: str) -> str:
    """What ids of one patient may have in common: small letters, numbers without leading zeros."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", patient.casefold())


def _stem(path: str) -> str:
    return PurePosixPath(path).stem


def _without_suffix(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))
