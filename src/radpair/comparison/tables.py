"""The files of a comparison with readers, matched by study id and by column name, never by place.

The form is CheXpert's: a CSV file with one row a study, its id in the column ``Study`` and one
column a label. Truth and readers hold 1, 0, -1 (uncertain) or blank, predictions any finite number.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from radpair.errors import SourceError, nearest
from radpair.evaluation.statistics import Floats
from radpair.sources.labels import is_blank
from radpair.sources.tabular import Row, read_rows

FIVE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
"""The five labels of CheXpert's competition (Irvin et al. 2019, section 4)."""
ID_COLUMNS = ("Study",)

_PATIENT = re.compile(r"(?<![A-Za-z])patient\d+")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """One file as numbers."""

    file: Path
    labels: tuple[str, ...]
    ids: tuple[str, ...]
    rows: tuple[int, ...]
    """The row of each study as a spreadsheet counts it; the header is row 1."""
    values: Floats
    """``[studies, labels]``."""


def read_labels(file: Path, labels: Sequence[str], id_columns: Sequence[str] = ID_COLUMNS) -> Sheet:
    """The truth or a reader's answers: 1, 0, -1 (uncertain) or NaN (blank) ``[studies, labels]``.

    Raises ``SourceError`` naming the file and what is wrong in it: a missing column (with the
    nearest name), rows with another value, rows that share an id, no rows, no text in UTF-8.
    """
    return _read(file, labels, id_columns, _label, "label", "is none of 1, 0, -1 and blank")


def read_scores(file: Path, labels: Sequence[str], id_columns: Sequence[str] = ID_COLUMNS) -> Sheet:
    """Predictions: finite scores ``[studies, labels]`` of any range, higher for more likely.

    Raises ``SourceError`` as ``read_labels`` does, and for a column that says the same of every
    study: it ranks nothing, and an AUROC of 0.5 would hide that.
    """
    sheet = _read(file, labels, id_columns, _score, "score", "is no finite number")
    for place, name in enumerate(labels):
        column = sheet.values[:, place]
        if len(column) > 1 and (column == column[0]).all():
            raise SourceError(
                f"{file}, column '{name}': all {len(column):,} scores are {column[0]:g} (rows "
                f"{min(sheet.rows)} to {max(sheet.rows)}), so they rank no study above another; "
                "mend the predictions or leave the label out with --labels"
            )
    return sheet


def aligned(sheet: Sheet, truth: Sheet) -> Floats:
    """The values of ``sheet`` in the truth's order ``[studies, labels]``.

    Raises ``SourceError`` naming the studies, with their rows, that only one of the two has.
    """
    place = {study: number for number, study in enumerate(sheet.ids)}
    missing = [n for n, study in enumerate(truth.ids) if study not in place]
    known = set(truth.ids)
    extra = [n for n, study in enumerate(sheet.ids) if study not in known]
    if len(missing) == len(truth.ids):
        raise SourceError(
            f"{sheet.file}: none of its {len(sheet.ids):,} studies (row {sheet.rows[0]} "
            f"'{sheet.ids[0]}') is in {truth.file} (row {truth.rows[0]} '{truth.ids[0]}'); give "
            f"files about the same studies{_image_hint(sheet, known)}"
        )
    if missing:
        raise SourceError(
            f"{sheet.file}: lacks {_studies(truth, missing)} of {truth.file}; add "
            f"{_them(missing)}, or take {_them(missing)} out of every file"
        )
    if extra:
        raise SourceError(
            f"{sheet.file}: has {_studies(sheet, extra)} that {truth.file} lacks; remove "
            f"{_them(extra)} or give a truth that covers {_them(extra)}"
        )
    return sheet.values[[place[study] for study in truth.ids]]


def patients_of(ids: Sequence[str]) -> list[str]:
    """The patient in each study's path (``patient64741``), or the id itself where none is named."""
    return [found[0] if (found := _PATIENT.search(study)) else study for study in ids]


def read_thresholds(given: Sequence[str], labels: Sequence[str]) -> Floats:
    """Thresholds ``[labels]`` from one file, or from ``label=value`` texts.

    A JSON file is an object of labels to numbers; a CSV file has the columns ``label`` and
    ``threshold``. Labels that are not asked for are passed over. Raises ``SourceError`` naming a
    label without a finite threshold.
    """
    one = Path(given[0])
    if len(given) == 1 and (one.is_file() or "=" not in given[0]):
        where, found = str(one), _threshold_file(one)
    else:
        where, found = "--thresholds", _threshold_pairs(given)
    for name in labels:
        if name not in found:
            raise SourceError(
                f"{where}: has no threshold for '{name}'{nearest(name, found)}; add it, or leave "
                "the label out with --labels"
            )
    values = [_score(str(found[name])) for name in labels]
    for name, value in zip(labels, values, strict=True):
        if value is None:
            raise SourceError(
                f"{where}: the threshold of '{name}' is '{found[name]}', which is no finite number"
            )
    return np.array(values, dtype=np.float64)


def _read(
    file: Path,
    labels: Sequence[str],
    id_columns: Sequence[str],
    convert: Callable[[str], float | None],
    what: str,
    wrong: str,
) -> Sheet:
    id_column = id_column_of(file, id_columns)
    header = header_of(file)
    for name in labels:
        if name not in header:
            raise SourceError(
                f"{file}: has no column '{name}'{nearest(name, header)}; add it, or name the "
                "labels that every file has with --labels"
            )
    rows = read_rows(file, (id_column, *labels))
    if not rows:
        raise SourceError(f"{file}: has no rows below its header; give one row a study")
    _check_ids(file, rows, id_column)
    values = [[convert(row.cells[name]) for name in labels] for row in rows]
    bad = [
        f"row {row.number} '{name}' has '{row.cells[name][:40]}'"
        for row, found in zip(rows, values, strict=True)
        for name, value in zip(labels, found, strict=True)
        if value is None
    ]
    if bad:
        count = f"{len(bad):,} {what}s are each" if len(bad) > 1 else f"one {what} is"
        ending = wrong.removeprefix("is ")
        raise SourceError(f"{file}: {count} {ending}: {_listed(bad)}; mend the file")
    ids = tuple(row.cells[id_column] for row in rows)
    numbers = tuple(row.number for row in rows)
    return Sheet(file, tuple(labels), ids, numbers, np.array(values, dtype=np.float64))


def header_of(file: Path) -> list[str]:
    """The names of a table's columns. Raises ``SourceError`` for a file that is no table."""
    delimiter = _DELIMITERS.get(file.suffix.lower())
    if delimiter is None:
        raise SourceError(f"{file}: give a table that ends in .csv or .tsv")
    read_rows(file, ())  # refuses a file that is missing, empty, ragged or no UTF-8
    with file.open(encoding="utf-8-sig", newline="") as handle:
        return [name.strip() for name in next(csv.reader(handle, delimiter=delimiter))]


def id_column_of(file: Path, names: Sequence[str]) -> str:
    """The first of the names that the file's header has. Raises ``SourceError`` for none."""
    header = header_of(file)
    for name in names:
        if name in header:
            return name
    wanted = " or ".join(f"'{name}'" for name in names)
    shown = ", ".join(f"'{name}'" for name in header[:_SHOWN])
    raise SourceError(
        f"{file}: has no column {wanted} with the ids of the studies; name it with --id-column "
        f"(the first columns are {shown})"
    )


def _check_ids(file: Path, rows: Sequence[Row], column: str) -> None:
    first: dict[str, int] = {}
    twice = []
    for row in rows:
        study = row.cells[column]
        if not study:
            raise SourceError(
                f"{file}, row {row.number}, column '{column}': is blank; fill in the study's id"
            )
        if study in first:
            twice.append(f"'{study}' in rows {first[study]} and {row.number}")
        first.setdefault(study, row.number)
    if twice:
        raise SourceError(
            f"{file}: has {_count(len(twice), 'study', 'studies')} more than once: "
            f"{_listed(twice)}; keep one row a study"
        )


def _label(text: str) -> float | None:
    if is_blank(text):
        return math.nan
    value = _score(text)
    return value if value in (1.0, 0.0, -1.0) else None


def _score(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _threshold_pairs(given: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in given:
        name, sign, value = pair.rpartition("=")
        if not sign:
            raise SourceError(
                f"--thresholds: '{pair}' is neither a file nor label=value; quote a label that has "
                "a space, as in 'Pleural Effusion=0.4'"
            )
        if name.strip() in found:
            raise SourceError(f"--thresholds: gives '{name.strip()}' twice; keep one")
        found[name.strip()] = value.strip()
    return found


def _threshold_file(file: Path) -> dict[str, Any]:
    if file.suffix.lower() != ".json":
        found: dict[str, Any] = {}
        for row in read_rows(file, ("label", "threshold")):
            if row.cells["label"] in found:
                raise SourceError(
                    f"{file}, row {row.number}: gives '{row.cells['label']}' again; keep one row"
                )
            found[row.cells["label"]] = row.cells["threshold"]
        return found
    if not file.is_file():
        raise SourceError(f"{file}: there is no such file; check the path of the thresholds")
    try:
        value = json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise SourceError(f"{file}: is not JSON in UTF-8 ({error}); mend the file") from error
    if not isinstance(value, dict):
        raise SourceError(f'{file}: must hold one JSON object such as {{"Edema": 0.4}}')
    return value


def _image_hint(sheet: Sheet, known: set[str]) -> str:
    if any(study.rpartition("/")[0] in known for study in sheet.ids):
        return ": these ids are images, so give one row a study (the mean over its images)"
    return ""


def _studies(sheet: Sheet, places: Sequence[int]) -> str:
    named = _listed([f"'{sheet.ids[n]}' (row {sheet.rows[n]})" for n in places])
    return f"{_count(len(places), 'study', 'studies')}, {named},"


def _them(places: Sequence[int]) -> str:
    return "them" if len(places) > 1 else "it"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _listed(items: Sequence[str]) -> str:
    more = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
