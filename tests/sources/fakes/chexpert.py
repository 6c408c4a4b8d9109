"""A tiny CheXpert: version 1.0, its small copy, the batches of the download, the test set."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sources.fakes.pictures import picture

NAMES = (
    *("No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion"),
    *("Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion"),
    *("Pleural Other", "Fracture", "Support Devices"),
)
FIRST = {"train": 1, "valid": 64541, "test": 64741}
BATCH = "CheXpert-v1.0 batch "


@dataclass(frozen=True)
class FakeImage:
    part: str
    patient: str
    study: str
    file: str
    cells: tuple[str, ...]
    """Sex, Age, Frontal/Lateral, AP/PA."""
    labels: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"{self.part}/{self.patient}/{self.study}/{self.file}"


def fake_images(part: str, patients: int = 8) -> Iterator[FakeImage]:
    """The images of one part in the order of its table."""
    draw = random.Random(part)
    values = ("", "1.0", "0.0", "-1.0") if part == "train" else ("0.0", "1.0")
    for number in range(patients if part == "train" else 3):
        sex, age = draw.choice(("Female", "Male")), str(draw.randrange(18, 90))
        for study in range(1, 2 + number % 3):
            labels = tuple(draw.choice(values) for _ in NAMES)
            for view in range(1, 2 + (number + study) % 2):
                lateral = view == 2
                side = "lateral" if lateral else "frontal"
                projection = "" if lateral else ("AP", "PA", "LL", "")[(number + study) % 4]
                yield FakeImage(
                    part=part,
                    patient=f"patient{FIRST[part] + number:05d}",
                    study=f"study{study}",
                    file=f"view{view}_{side}.jpg",
                    cells=(sex, age, side.title(), projection),
                    labels=labels,
                )


def make(folder: Path, batches: bool = False, test: str = "") -> Path:
    """Writes a folder named as the release; ``test`` is the name of the test set's table."""
    tables = folder / f"{BATCH}1 (validate & csv)" if batches else folder
    tables.mkdir(parents=True, exist_ok=True)
    prefix = "CheXpert-v1.0" if batches else "CheXpert-v1.0-small"
    for part in ("train", "valid"):
        images = list(fake_images(part))
        header = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *NAMES)
        rows = [(f"{prefix}/{image.path}", *image.cells, *image.labels) for image in images]
        write_csv(tables / f"{part}.csv", [header, *rows])
        for image in images:
            place = folder / image.path
            if batches:
                place = tables / image.path
                if part == "train":
                    number = 2 + int(image.patient[7:]) % 3
                    batch = f"{BATCH}{number} (train {number - 1})"
                    place = folder / batch / image.patient / image.study / image.file
            picture(place)
    if test:
        _test_set(folder, test)
    return folder


def _test_set(folder: Path, table: str) -> None:
    images = list(fake_images("test"))
    for image in images:
        picture(folder / image.path)
    if table == "groundtruth.csv":
        rows = {
            f"CheXpert-v1.0/test/{image.patient}/{image.study}": tuple(
                value.split(".")[0] for value in image.labels
            )
            for image in images
        }
        write_csv(folder / table, [("Study", *NAMES), *((key, *v) for key, v in rows.items())])
    else:
        write_csv(
            folder / table,
            [("Path", *NAMES), *((image.path, *image.labels) for image in images)],
        )


def write_csv(file: Path, rows: Sequence[Sequence[object]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows(rows)
