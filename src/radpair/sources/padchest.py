"""PadChest: 160,868 radiographs of 67,625 patients with Spanish reports.

109,931 studies (Bustos et al. 2020).

Obtained from BIMCV after a request that names the research, for research
alone, without sharing: https://bimcv.cipf.es/bimcv-projects/padchest/

    ROOT/
        PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv    (or .csv.gz)
        0/216840111366964012287393935572009252085846543_00-163-058.png
        1/... to 54/...         0.zip to 54.zip, each unpacked in its folder

The image folders may lie in ROOT/images too, and all images in one folder
(ROOT or ROOT/images) without theirs. Images are 16-bit PNG.

Report: Spanish, as published: words cut to their stems, no accents, most
punctuation gone. radpair's rules for graphs and labels read English; the
text encoders take any language. Labels: every name of the column Labels
(findings, differential diagnoses, and words such as unchanged or exclude), 1
or 0; blank where the column is. Attributes: sex, age (the difference of
years), labels_by (Physician or RNN_model). View: the column Projection (PA,
AP, AP_horizontal, L); COSTAL and EXCLUDE are not known; --projections keeps
only those named. Split: none is official. The images of a study share its
report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from radpair.errors import SourceError
from radpair.records import ABSENT, NOT_GIVEN, PRESENT, Study, View
from radpair.sources.dataset import Dataset, below, grouped
from radpair.sources.folders import check_choice
from radpair.sources.labels import is_blank
from radpair.sources.tabular import Row, iterate_rows
from radpair.sources.views import position

PAGE = "https://bimcv.cipf.es/bimcv-projects/padchest/"
TABLES = ("PADCHEST_chest_x_ray_images_labels_*.csv", "PADCHEST_chest_x_ray_images_labels_*.csv.gz")
PROJECTIONS = ("PA", "L", "AP", "AP_horizontal", "COSTAL", "EXCLUDE", "UNK")
COLUMNS = (
    *("ImageID", "ImageDir", "StudyID", "PatientID", "Projection", "Report", "Labels"),
    *("StudyDate_DICOM", "PatientBirth", "PatientSex_DICOM", "MethodLabel"),
)
LAYOUTS = ("{dir}/{name}", "images/{dir}/{name}", "{name}", "images/{name}", "{dir}/{dir}/{name}")
"""Where an image may lie below ROOT; the first that holds for some image holds for all."""
_NAMES = re.compile(r"'([^']*)'|\"([^\"]*)\"")


@dataclass(frozen=True, kw_only=True)
class PadChest(Dataset):
    """PadChest, see the module."""

    name: ClassVar[str] = "padchest"

    projections: tuple[str, ...] = ()
    """Keep images of these projections alone, such as PA AP AP_horizontal; all if not given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "projections", tuple(self.projections))
        for projection in self.projections:
            check_choice("a projection", projection, PROJECTIONS)

    def tables(self) -> list[Path]:
        """The release's table, the last by name of several. Raises ``SourceError``."""
        found = sorted(file for pattern in TABLES for file in self.root.glob(pattern))
        if not found:
            inner = [file for pattern in TABLES for file in sorted(self.root.glob(f"*/{pattern}"))]
            where = f"but {inner[0]} is there; move it up" if inner else f"get it from {PAGE}"
            raise SourceError(
                f"{self.root}: has no PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv; {where}"
            )
        return found[-1:]

    def studies(self) -> Iterator[Study]:
        """Every study, as soon as the last of its images was read from the table."""
        (table,) = self.tables()
        layout = self._layout(table)
        names = sorted({name for row in self._rows(table) for name in named(row) or ()})
        keys = (row.cells["StudyID"] for row in self._rows(table))
        for study_id, rows in grouped(keys, ((r.cells["StudyID"], r) for r in self._rows(table))):
            first = rows[0]
            told = [found for row in rows if (found := named(row)) is not None]
            given = {name for found in told for name in found}
            yield Study(
                study_id=study_id,
                patient_id=_patient(table, study_id, rows),
                views=tuple(
                    View(_path(table, row, layout), position(row.cells["Projection"]), row.number)
                    for row in rows
                ),
                report=next((row.cells["Report"] for row in rows if _text(row)), ""),
                labels={
                    name: (PRESENT if name in given else ABSENT) if told else NOT_GIVEN
                    for name in names
                },
                attributes=_attributes(first),
                row=first.number,
            )

    def _rows(self, table: Path) -> Iterator[Row]:
        for row in iterate_rows(table, COLUMNS):
            if not self.projections or row.cells["Projection"] in self.projections:
                yield row

    def _layout(self, table: Path) -> str:
        first = ""
        for row in self._rows(table):
            for layout in LAYOUTS:
                path = _path(table, row, layout)
                first = first or path
                if (self.root / path).is_file():
                    return layout
        if not first:
            raise SourceError(
                f"{table}: has no row{' of these projections' if self.projections else ''}; give "
                "the table as published"
            )
        archives = any(self.root.glob("*.zip")) or any(self.root.glob("images/*.zip"))
        remedy = "unpack 0.zip to 54.zip" if archives else f"get the images from {PAGE} and put"
        raise SourceError(
            f"{self.root}: not one image of the table is there, such as {first}; {remedy} "
            "into folders of their numbers there"
        )


def named(row: Row) -> list[str] | None:
    """The names in ``['normal', ' chronic changes']``, each once; None where the cell is blank."""
    text = row.cells["Labels"]
    if is_blank(text):
        return None
    found = (single or double for single, double in _NAMES.findall(text))
    return list(dict.fromkeys(name.strip() for name in found if name.strip()))


def _path(table: Path, row: Row, layout: str) -> str:
    folder, name = row.cells["ImageDir"].removesuffix(".0"), row.cells["ImageID"]
    path = layout.format(dir=folder, name=name)
    return below(f"{table}, row {row.number}, column 'ImageID'", path)


def _patient(table: Path, study_id: str, rows: list[Row]) -> str:
    patient = rows[0].cells["PatientID"]
    for row in rows:
        if is_blank(study_id) or is_blank(row.cells["PatientID"]):
            raise SourceError(
                f"{table}, row {row.number}: has no study or no patient id; give the table as "
                "published"
            )
        if row.cells["PatientID"] != patient:
            raise SourceError(
                f"{table}, row {row.number}: study '{study_id}' belongs to patient '{patient}' in "
                f"row {rows[0].number}; give the table as published"
            )
    return patient


def _text(row: Row) -> bool:
    return not is_blank(row.cells["Report"])


def _attributes(row: Row) -> dict[str, str]:
    date, birth = row.cells["StudyDate_DICOM"][:4], row.cells["PatientBirth"].removesuffix(".0")
    found = {"sex": row.cells["PatientSex_DICOM"], "labels_by": row.cells["MethodLabel"]}
    if date.isdecimal() and birth.isdecimal():
        found["age"] = str(int(date) - int(birth))
    return {name: value for name, value in found.items() if value}
