"""A tiny MIMIC-CXR: the layout, names and quirks of the releases, with no data of theirs."""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from sources.fakes.pictures import picture

NAMES = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "No Finding",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)
POSITIONS = ("PA", "LATERAL", "AP", "LL", "", "XTABLE LATERAL", "LAO")
METADATA = (
    "dicom_id",
    "subject_id",
    "study_id",
    "PerformedProcedureStepDescription",
    "ViewPosition",
    "Rows",
    "Columns",
    "StudyDate",
    "StudyTime",
    "ProcedureCodeSequence_CodeMeaning",
    "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
)
REST = (3056, 2544, 21800506, 213014.531, "CHEST (PA AND LAT)", "postero-anterior", "Erect")


@dataclass(frozen=True)
class FakeStudy:
    patient: str
    study: str
    split: str
    images: tuple[tuple[str, str], ...]
    """DICOM id and ViewPosition."""
    report: str | None
    labels: tuple[str, ...] | None

    @property
    def folder(self) -> str:
        return f"files/p{self.patient[:2]}/p{self.patient}"


def fake_studies(patients: int = 12) -> Iterator[FakeStudy]:
    """Studies in the metadata's order; a few have no report, no labels, or several images."""
    draw = random.Random(5)
    for number in range(patients):
        patient = str(10_000_032 + number * 831_001 % 9_999_900)
        split = ("train", "train", "validate", "test")[number % 4]
        for exam in range(1 + number % 3):
            place = number * 3 + exam
            images = tuple(
                ("-".join(f"{draw.getrandbits(32):08x}" for _ in range(5)), draw.choice(POSITIONS))
                for _ in range(1 + place % 3)
            )
            labels = tuple(draw.choice(("", "1.0", "0.0", "-1.0")) for _ in NAMES)
            yield FakeStudy(
                patient=patient,
                study=str(50_414_267 + place * 61),
                split=split,
                images=images,
                report=None if place == 7 else _report(place),
                labels=None if place == 10 else labels,
            )


def make(
    folder: Path,
    suffix: str = ".jpg",
    reports: str = "tree",
    gzipped: bool = True,
    patients: int = 12,
) -> Path:
    """Writes the release whose images end in ``suffix``; reports as a ``tree`` or a ``zip``.

    The DICOM release has no tables of its own: they are written to ``folder/../tables``.
    """
    studies = list(fake_studies(patients))
    tables = folder if suffix == ".jpg" else folder.parent / "tables"
    for study in studies:
        for image, _ in study.images:
            picture(folder / study.folder / f"s{study.study}" / f"{image}{suffix}")
    _reports(folder, studies, reports)
    tables.mkdir(parents=True, exist_ok=True)
    for name, rows in _tables(studies).items():
        write_table(tables / name, rows, gzipped and "2.1.0" not in name)
    if suffix == ".dcm":
        rows = [(s.patient, s.study, i, f"{s.folder}/s{s.study}/{i}.dcm") for s, i in _all(studies)]
        header = ("subject_id", "study_id", "dicom_id", "path")
        write_table(folder / "cxr-record-list.csv", [header, *rows], True)
    return folder


def write_table(file: Path, rows: Sequence[Sequence[object]], gzipped: bool) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    content = text.getvalue().encode()
    if gzipped:
        file.with_name(file.name + ".gz").write_bytes(gzip.compress(content, mtime=0))
    else:
        file.write_bytes(content)


def _all(studies: Sequence[FakeStudy]) -> Iterator[tuple[FakeStudy, str]]:
    return ((study, image) for study in studies for image, _ in study.images)


def _tables(studies: Sequence[FakeStudy]) -> dict[str, list[Sequence[object]]]:
    metadata = [
        (image, s.patient, s.study, "CHEST (PA AND LAT)", view, *REST)
        for s in studies
        for image, view in s.images
    ]
    split = [(image, s.study, s.patient, s.split) for s, image in _all(studies)]
    labels = [(s.patient, s.study, *s.labels) for s in studies if s.labels]
    readers = [(s.study, *s.labels) for s in studies if s.labels and s.split == "test"]
    header = ("subject_id", "study_id", *NAMES)
    return {
        "mimic-cxr-2.0.0-metadata.csv": [METADATA, *metadata],
        "mimic-cxr-2.0.0-split.csv": [("dicom_id", "study_id", "subject_id", "split"), *split],
        "mimic-cxr-2.0.0-chexpert.csv": [header, *labels],
        "mimic-cxr-2.0.0-negbio.csv": [header, *labels[:-1]],
        "mimic-cxr-2.1.0-test-set-labeled.csv": [("study_id", *NAMES), *readers],
    }


def _reports(folder: Path, studies: Sequence[FakeStudy], kind: str) -> None:
    texts = {f"{s.folder}/s{s.study}.txt": s.report for s in studies if s.report is not None}
    if kind == "tree":
        for name, text in texts.items():
            (folder / name).write_text(text)
    if kind == "zip":
        with ZipFile(folder / "mimic-cxr-reports.zip", "w") as archive:
            for name, text in texts.items():
                archive.writestr(name, text)


def _report(place: int) -> str:
    return (
        "                                 FINAL REPORT\n"
        " EXAMINATION:  CHEST (PA AND LAT)\n \n INDICATION:  ___ with cough.\n \n"
        f" FINDINGS: \n \n Film {place} shows a small left pleural effusion.\n"
        " The heart is of normal size.\n \n IMPRESSION: \n \n Small left effusion.\n"
    )
