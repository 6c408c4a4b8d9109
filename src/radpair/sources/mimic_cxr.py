"""MIMIC-CXR: 377,110 radiographs of 227,835 studies, 65,379 patients, reports.

Obtained from PhysioNet, after training and a signed agreement (PhysioNet
Credentialed Health Data License 1.5.0; no sharing, no re-identification):
https://physionet.org/content/mimic-cxr-jpg/ (2.0.0 or 2.1.0: images, tables)
https://physionet.org/content/mimic-cxr/     (reports; or DICOM images)

The JPG release, with the reports of the other release beside it:

    ROOT/
        mimic-cxr-2.0.0-metadata.csv.gz
        mimic-cxr-2.0.0-split.csv.gz
        mimic-cxr-2.0.0-chexpert.csv.gz     (or -negbio)
        mimic-cxr-2.1.0-test-set-labeled.csv        (only for --labels readers)
        files/p10/p10000032/s50414267/02aa804e-bde0afdd-....jpg
        mimic-cxr-reports.zip   (or unpacked: files/p10/p10000032/s50414267.txt)

The DICOM release, with the tables of the JPG release in --metadata FOLDER or
in ROOT, since it has neither views nor splits nor labels of its own:

    ROOT/
        files/p10/p10000032/s50414267/02aa804e-bde0afdd-....dcm
        mimic-cxr-reports.zip   (or unpacked: files/p10/p10000032/s50414267.txt)

Reports elsewhere: --reports FOLDER or FILE.zip. Tables may be gzipped or
plain. A part of the files (files/p10 alone) will do.

Labels: 14 of CheXpert (--labels chexpert, the default) or of NegBio, made
from the reports, or those that a radiologist gave to 687 reports (--labels
readers, release 2.1.0). Split: the official one; studies: train 222,758,
validate 1,808, test 3,269. View: ViewPosition of the metadata; projections
other than PA, AP and lateral are not known. A study that has no label row or
no report keeps its images; the empty report stands in the quarantine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from radpair.errors import SourceError
from radpair.places import located
from radpair.records import SPLITS, Study, View
from radpair.sources.dataset import (
    Dataset,
    StudyLabels,
    find_table,
    grouped,
    labels_by_study,
    need_table,
)
from radpair.sources.folders import check_choice
from radpair.sources.mimic_reports import ReportArchive, Reports, ReportTree, report_path
from radpair.sources.tabular import Row, iterate_rows
from radpair.sources.views import position

METADATA, SPLIT = "mimic-cxr-2.0.0-metadata.csv", "mimic-cxr-2.0.0-split.csv"
LABELS = {
    "chexpert": "mimic-cxr-2.0.0-chexpert.csv",
    "negbio": "mimic-cxr-2.0.0-negbio.csv",
    "readers": "mimic-cxr-2.1.0-test-set-labeled.csv",
}
ARCHIVE, DICOM_LIST = "mimic-cxr-reports.zip", "cxr-record-list.csv"
JPG_PAGE = "https://physionet.org/content/mimic-cxr-jpg/"
REPORT_PAGE = "https://physionet.org/content/mimic-cxr/"
SUFFIXES = (".jpg", ".dcm")
INNER = ("*", "*/*", "files/mimic-cxr-jpg/*", "physionet.org/files/mimic-cxr-jpg/*")
"""Where the tables lie in a folder too high up, such as one that wget filled."""


@dataclass(frozen=True, kw_only=True)
class MimicCxr(Dataset):
    """MIMIC-CXR as JPEG or DICOM, see the module."""

    name: ClassVar[str] = "mimic-cxr"

    labels: Literal["chexpert", "negbio", "readers", "none"] = "chexpert"
    """Whose labels."""
    metadata: Path | None = None
    """The folder of MIMIC-CXR-JPG's tables; ROOT if not given."""
    reports: Path | None = None
    """mimic-cxr-reports.zip, or the folder that holds its files/; looked for in ROOT if not
    given."""
    images_only: bool = False
    """Leave the reports out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("labels", self.labels, (*LABELS, "none"))
        for option in ("metadata", "reports"):
            if getattr(self, option) is not None:
                object.__setattr__(self, option, located(getattr(self, option)))

    def tables(self) -> list[Path]:
        """Metadata, split and, unless there are to be none, labels. Raises ``SourceError``."""
        folder = self.metadata or self.root
        files = [self._table(METADATA), self._table(SPLIT)]
        if self.labels != "none":
            get = f"download it from {JPG_PAGE} or give --labels none"
            files.append(need_table(folder, LABELS[self.labels], get=get))
        return files

    def studies(self) -> Iterator[Study]:
        """Every study in the order of the metadata, its images as the metadata lists them."""
        metadata, split_file, *label_files = self.tables()
        suffix = self._suffix(metadata)
        reports = None if self.images_only else self._reports(metadata)
        splits = _splits(split_file)
        labels = StudyLabels(())
        if label_files:
            labels = labels_by_study(label_files[0], "study_id", beside=("subject_id",))
        ids = (row.cells["study_id"] for row in _rows(metadata))
        rows = ((row.cells["study_id"], row) for row in _rows(metadata))
        for study_id, images in grouped(ids, rows):
            patient = _patient(metadata, study_id, images)
            if patient not in splits:
                raise SourceError(
                    f"{metadata}, row {images[0].number}: patient '{patient}' is not in "
                    f"{split_file}; download both tables from the same release"
                )
            yield Study(
                study_id=study_id,
                patient_id=patient,
                views=tuple(_view(row, suffix) for row in images),
                report=reports.text(patient, study_id) if reports else "",
                labels=labels.of(study_id),
                split=splits[patient],
                row=images[0].number,
            )

    def _table(self, name: str) -> Path:
        folder = self.metadata or self.root
        if find_table(folder, name) is None:
            raise SourceError(f"{folder}: {self._why_missing(folder, name)}")
        return need_table(folder, name, get="")

    def _why_missing(self, folder: Path, name: str) -> str:
        """What folder this is instead, and what to do."""
        get = f"download {name}.gz from {JPG_PAGE}"
        if (folder / "train.csv").is_file() and (folder / "valid.csv").is_file():
            return f"has train.csv and valid.csv, so it is version 1 or another dataset; {get}"
        if self.metadata is None and find_table(self.root, DICOM_LIST) is not None:
            return (
                f"is the DICOM release, which has no table of views and splits; {get} and give "
                "its folder with --metadata"
            )
        for depth in INNER:
            for inner in sorted(folder.glob(f"{depth}/{name}*")):
                option = "with --metadata" if self.metadata else "as ROOT"
                return f"has no {name}, but {inner.parent} has; give that folder {option}"
        return f"has no {name} (nor {name}.gz); {get}"

    def _suffix(self, metadata: Path) -> str:
        """Of the release that is there. Raises ``SourceError`` where no image is."""
        first = None
        for row in _rows(metadata):
            for suffix in SUFFIXES:
                path = _image_path(row, suffix)
                first = first or path
                if (self.root / path).is_file():
                    return suffix
        if first is None:
            raise SourceError(f"{metadata}: has no rows; download it again from {JPG_PAGE}")
        raise SourceError(
            f"{self.root}: not one image of the metadata is there, such as {first} (or .dcm); "
            f"download the files folder from {JPG_PAGE} or {REPORT_PAGE}, or give its parent"
        )

    def _reports(self, metadata: Path) -> Reports:
        place = self.reports or self.root
        for archive in (place, place / ARCHIVE):
            if archive.is_file():
                return ReportArchive(archive)
        for base in (place, place / "files", place / "mimic-cxr-reports/files"):
            tree = ReportTree(base)
            rows = _rows(metadata) if any(base.glob("p1[0-9]")) else ()
            if any(tree.file(*_ids(row)).is_file() for row in rows):
                return tree
        example = report_path("10000032", "50414267")
        raise SourceError(
            f"{place}: has no reports (neither {ARCHIVE} nor {example}); download {ARCHIVE} from "
            f"{REPORT_PAGE} into it, give --reports with its place, or give --images-only"
        )


def _rows(metadata: Path) -> Iterator[Row]:
    return iterate_rows(metadata, ("dicom_id", "subject_id", "study_id", "ViewPosition"))


def _ids(row: Row) -> tuple[str, str]:
    return row.cells["subject_id"], row.cells["study_id"]


def _image_path(row: Row, suffix: str) -> str:
    patient, study = _ids(row)
    return f"files/p{patient[:2]}/p{patient}/s{study}/{row.cells['dicom_id']}{suffix}"


def _view(row: Row, suffix: str) -> View:
    return View(_image_path(row, suffix), position(row.cells["ViewPosition"]), row.number)


def _patient(metadata: Path, study_id: str, images: list[Row]) -> str:
    patient = images[0].cells["subject_id"]
    for row in images:
        ids = (row.cells["subject_id"], study_id, row.cells["dicom_id"])
        if not all(part.replace("-", "").isalnum() for part in ids):
            raise SourceError(
                f"{metadata}, row {row.number}: the ids {', '.join(ids)} are not those of "
                f"MIMIC-CXR; download the table again from {JPG_PAGE}"
            )
        if row.cells["subject_id"] != patient:
            raise SourceError(
                f"{metadata}, row {row.number}: study '{study_id}' belongs to patient '{patient}' "
                f"in row {images[0].number}; download the table again from {JPG_PAGE}"
            )
    return patient


def _splits(file: Path) -> dict[str, str]:
    """The official split of each patient."""
    splits: dict[str, str] = {}
    known = {name: name for name in SPLITS}
    for row in iterate_rows(file, ("subject_id", "split")):
        patient, split = row.cells["subject_id"], row.cells["split"]
        if split not in known:
            raise SourceError(
                f"{file}, row {row.number}: the split '{split[:40]}' is none of "
                f"{', '.join(SPLITS)}; download the table again from {JPG_PAGE}"
            )
        if splits.setdefault(patient, known[split]) != split:
            raise SourceError(
                f"{file}, row {row.number}: patient '{patient}' is in {splits[patient]} and in "
                f"{split}; download the table again from {JPG_PAGE}"
            )
    return splits
