"""CheXpert: 224,316 radiographs of 65,240 patients, 14 labels, no reports.

Obtained from Stanford AIMI after registration and a research use agreement
(no commercial use, no sharing, no re-identification):
https://aimi.stanford.edu/datasets/chexpert-chest-x-rays

Version 1.0 and its small copy, each in a folder of that name:

    CheXpert-v1.0-small/                        (ROOT; or CheXpert-v1.0)
        train.csv
        valid.csv
        train/patient00001/study1/view1_frontal.jpg
        valid/patient64541/study1/view1_frontal.jpg

or as the download unpacks, in batches:

    ROOT/
        CheXpert-v1.0 batch 1 (validate & csv)/train.csv, valid.csv
        CheXpert-v1.0 batch 1 (validate & csv)/valid/patient64541/...
        CheXpert-v1.0 batch 2 (train 1)/patient00001/...
        CheXpert-v1.0 batch 3 (train 2)/..., batch 4 (train 3)/...

The test set came later (500 studies, with CheXlocalize). Where it is added,
it is read too:

    ROOT/
        test_labels.csv     (or test.csv; or groundtruth.csv, a row a study)
        test/patient64741/study1/view1_frontal.jpg

Labels: the 14 of train.csv, made from the reports (1, 0, -1, blank), and of
three radiologists in valid.csv, five in the test set. The images of a study
share its labels; a label that they do not agree on is -1. View: lateral, or
the frontal's AP or PA. Attributes: sex, age.

Splits: train is train. The official valid (200 studies) is validate where
the test set is there. Where it is not, valid is the test set, as in ConVIRT
(Zhang et al. 2022, section 4), and --validate says which share of the
training patients is held out instead, by a hash of the patient's id.
--valid-as decides otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from radpair.errors import SourceError
from radpair.records import SPLITS, UNCERTAIN, Study, View
from radpair.sources.dataset import Dataset, below, find_table, grouped, label_row, need_images
from radpair.sources.folders import check_choice, check_share, held_out
from radpair.sources.tabular import Row, check_columns, column_names, iterate_rows
from radpair.sources.views import position

NAMES = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
"""The labels, in the order of train.csv."""
PAGE = "https://aimi.stanford.edu/datasets/chexpert-chest-x-rays"
TRAIN, VALID, TEST = PARTS = ("train", "valid", "test")
TEST_TABLES = ("test_labels.csv", "test.csv", "groundtruth.csv")
BATCHES = "CheXpert-v1.0 batch *"
FRONTAL, PROJECTION, SEX, AGE = "Frontal/Lateral", "AP/PA", "Sex", "Age"
AUTO, VALIDATE = "auto", "validate"


@dataclass(frozen=True, kw_only=True)
class CheXpert(Dataset):
    """CheXpert, see the module."""

    name: ClassVar[str] = "chexpert"

    train_table: str = "train.csv"
    """The table of training labels; train_cheXbert.csv and train_visualCheXbert.csv are others."""
    valid_as: Literal["auto", "validate", "test"] = "auto"
    """What the official valid is; auto: test where ROOT has no test set, else validate."""
    validate: float = 0.05
    """Share of training patients held out as validate where the official valid is the test."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("valid_as", self.valid_as, (AUTO, VALIDATE, TEST))
        check_share(self.validate)
        if self.valid_as == TEST and self._test_table() is not None:
            raise SourceError(
                f"{self.root}: has the test set, so the official valid cannot be the test; leave "
                "out --valid-as test, or move the test set's table away"
            )

    def tables(self) -> list[Path]:
        """The training table, valid.csv, and the test set's table where it is there."""
        files = [self._table(self.train_table), self._table("valid.csv")]
        test = self._test_table()
        return files if test is None else [*files, test]

    def studies(self) -> Iterator[Study]:
        """The studies of train, valid and test, each in the order of its table."""
        files = dict(zip((TRAIN, VALID, TEST), self.tables(), strict=False))
        places = self._places()
        rows = {part: list_images(self.root, file) for part, file in files.items()}
        need_images(
            self.root,
            (placed(path, places) for part in rows.values() for path, _ in part),
            f"download the images from {PAGE}",
        )
        for part, file in files.items():
            yield from self._part(part, file, places)

    def _part(self, part: str, file: Path, places: dict[str, str]) -> Iterator[Study]:
        keys = (study_of(file, path, row) for path, row in list_images(self.root, file))
        items = (
            (study_of(file, path, row), (path, row)) for path, row in list_images(self.root, file)
        )
        for study_id, images in grouped(keys, items):
            patient = study_id.partition("/")[0]
            rows = [row for _, row in images]
            yield Study(
                study_id=study_id,
                patient_id=patient,
                views=tuple(
                    View(placed(path, places), _position(path, row), row.number)
                    for path, row in images
                ),
                labels=agreed([label_row(file, row, NAMES) for row in rows]),
                split=self._split(part, patient),
                attributes={
                    name: rows[0].cells[column]
                    for name, column in (("sex", SEX), ("age", AGE))
                    if rows[0].cells.get(column)
                },
                row=rows[0].number,
            )

    def _split(self, part: str, patient: str) -> str:
        as_test = self.valid_as == TEST or (self.valid_as == AUTO and self._test_table() is None)
        return official_split(part, patient, as_test, self.validate)

    def _table(self, name: str) -> Path:
        """A table of version 1.0. Raises ``SourceError`` that says what this folder is instead."""
        folders = [self.root, *sorted(self.root.glob(BATCHES))]
        for folder in folders:
            file = find_table(folder, name)
            if file is not None:
                return file
        inner = [path.parent for path in sorted(self.root.glob(f"*/{name}"))]
        if inner:
            raise SourceError(f"{self.root}: has no {name}, but {inner[0]} has; give that folder")
        if list(self.root.glob("df_chexpert_plus_*.csv")):
            raise SourceError(f"{self.root}: is CheXpert Plus; give radpair ingest chexpert-plus")
        raise SourceError(f"{self.root}: has no {name}; download CheXpert from {PAGE}")

    def _test_table(self) -> Path | None:
        file = find_table(self.root, *TEST_TABLES)
        if file is None and (self.root / TEST).is_dir():
            raise SourceError(
                f"{self.root / TEST}: has no table of its labels beside it; put "
                f"{TEST_TABLES[0]} there (it comes with CheXlocalize) or move the folder away"
            )
        return file

    def _places(self) -> dict[str, str]:
        """Where patients lie whose batch the tables do not name, by ``train/PATIENT``."""
        places: dict[str, str] = {}
        for batch in sorted(self.root.glob(BATCHES)):
            for part in (TRAIN, VALID):
                for patient in sorted((batch / part).glob("patient*")):
                    places[f"{part}/{patient.name}"] = f"{batch.name}/{part}/{patient.name}"
            for patient in sorted(batch.glob("patient*")):
                places[f"{TRAIN}/{patient.name}"] = f"{batch.name}/{patient.name}"
        return places


def official_split(part: str, patient: str, valid_as_test: bool, validate: float) -> str:
    """The split of a patient of CheXpert's train, valid or test."""
    if part == TEST or (part == VALID and valid_as_test):
        return SPLITS[2]
    if part == VALID:
        return SPLITS[1]
    return held_out(patient, validate) if valid_as_test else SPLITS[0]


def agreed(labels: Sequence[dict[str, float]]) -> dict[str, float]:
    """The labels of a study whose images each give them; uncertain where they differ."""
    merged = {}
    for name in labels[0]:
        given = {row[name] for row in labels if row[name] == row[name]}
        merged[name] = labels[0][name] if not given else UNCERTAIN
        if len(given) == 1:
            merged[name] = given.pop()
    return merged


def list_images(root: Path, file: Path) -> Iterator[tuple[str, Row]]:
    """Every image of a table, its path from ``train``, ``valid`` or ``test`` on, with its row.

    Of a table with one row a study the images are those in the study's folder.
    """
    known = column_names(file)
    column = "Study" if "Study" in known and "Path" not in known else "Path"
    check_columns(file, known, (column, *NAMES))
    rest = [name for name in (FRONTAL, PROJECTION, SEX, AGE) if name in known]
    for row in iterate_rows(file, (column, *NAMES, *rest)):
        path = below(f"{file}, row {row.number}, column '{column}'", row.cells[column])
        parts = path.split("/")
        begin = next((place for place, name in enumerate(parts) if name in PARTS), 0)
        path = "/".join(parts[begin:])
        if column == "Path":
            yield path, row
        else:
            folder = root / path
            names = sorted(image.name for image in folder.glob("view*")) or ["view1_frontal.jpg"]
            yield from ((f"{path}/{name}", row) for name in names)


def study_of(file: Path, path: str, row: Row) -> str:
    """``patient00001/study1`` of ``train/patient00001/study1/view1_frontal.jpg``."""
    parts = path.split("/")
    if len(parts) != 4 or not parts[1].startswith("patient"):
        raise SourceError(
            f"{file}, row {row.number}: '{path}' is no path of CheXpert such as "
            "train/patient00001/study1/view1_frontal.jpg; download the table again"
        )
    return "/".join(parts[1:3])


def placed(path: str, places: dict[str, str]) -> str:
    """The path below ROOT, also where the patient lies in a batch."""
    if not places:
        return path
    patient = "/".join(path.split("/")[:2])
    return places.get(patient, patient) + path.removeprefix(patient)


def _position(path: str, row: Row) -> str:
    kind = row.cells.get(FRONTAL) or path.rpartition("_")[2]
    if kind.lower().startswith("lat"):
        return "LATERAL"
    word = position(row.cells.get(PROJECTION, ""))
    return "" if word == "LATERAL" else word
