"""NIH ChestX-ray14: 112,120 frontal chest radiographs of 30,805 patients (Wang et al. 2017).

Where: https://nihcc.app.box.com/v/ChestXray-NIHCC (also on Kaggle,
``nih-chest-xrays/data``). Terms: free to use, with a link to the NIH site,
the citation of the paper, and an acknowledgement of the NIH Clinical Center.

Expected, as unpacked there::

    Data_Entry_2017_v2020.csv      or the older Data_Entry_2017.csv
    train_val_list.txt             86,524 names of images
    test_list.txt                  25,596 names
    images_001/images/00000001_000.png ... images_012/images/  (or images/, or images_001/*.png)

Labels: the 14 of ``LABELS``, mined from reports that are not published; 0
where not named. The csv joins them by ``|``; ``No Finding`` is 0 for all.
One image is one study. Attributes: sex, age, follow_up. Official splits:
test is the official test list; of the patients of train_val a share
(``validate``) is held out by a hash of the patient's id. RSNA Pneumonia and
SIIM Pneumothorax are films of the same patients: do not train on one and
test on another without removing them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from radpair.errors import SourceError, nearest
from radpair.records import SPLITS, Study, View
from radpair.sources.dataset import Dataset, below, need_table
from radpair.sources.folders import (
    OFFICIAL,
    SEEDED,
    check_choice,
    check_share,
    held_out,
    lines,
    walk,
)
from radpair.sources.headers import years
from radpair.sources.tabular import Row, column_names, iterate_rows

LABELS = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)
NO_FINDING = "No Finding"
ENTRIES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
TRAIN_VAL, TEST = "train_val_list.txt", "test_list.txt"
PLACE = "https://nihcc.app.box.com/v/ChestXray-NIHCC"
IMAGE, NAMED, PATIENT, VIEW = "Image Index", "Finding Labels", "Patient ID", "View Position"


@dataclass(frozen=True, kw_only=True)
class NihChestXray14(Dataset):
    """NIH ChestX-ray14 from its folder as downloaded; see the module for what is expected."""

    name: ClassVar[str] = "nih-chestxray14"
    splits: Literal["official", "seeded"] = "official"
    """official: the published test list; seeded: every patient by the seeded split."""
    validate: float = 0.1
    """Share of the official training patients that are held out for validation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("splits", self.splits, (OFFICIAL, SEEDED))
        check_share(self.validate)

    def tables(self) -> Sequence[Path]:
        """The entries and, for the official splits, their two lists. Raises ``SourceError``."""
        entries = need_table(self.root, *ENTRIES, get=f"download it from {PLACE}")
        if self.splits == SEEDED:
            return (entries,)
        get = f"download it from {PLACE}, or give --splits seeded"
        return (entries, *(need_table(self.root, name, get=get) for name in (TRAIN_VAL, TEST)))

    def studies(self) -> Iterator[Study]:
        """Every row of the table, in its order. Raises ``SourceError``."""
        entries, *lists = self.tables()
        known = column_names(entries)
        sex = next((c for c in ("Patient Sex", "Patient Gender") if c in known), None)
        if IMAGE not in known or NAMED not in known or sex is None:
            raise SourceError(
                f"{entries}: is not NIH's table ('{IMAGE}', '{NAMED}', 'Patient Sex' are its "
                f"columns); download {ENTRIES[0]} from {PLACE}"
            )
        images = self._images()
        official = _official(lists)
        first: dict[str, int] = {}
        columns = [IMAGE, NAMED, PATIENT, VIEW, "Patient Age", "Follow-up #", sex]
        for row in iterate_rows(entries, columns):
            if row.cells[IMAGE] in first:
                raise SourceError(
                    f"{entries}, row {row.number}: the image '{row.cells[IMAGE]}' stands in row "
                    f"{first[row.cells[IMAGE]]} already; download the table again"
                )
            first[row.cells[IMAGE]] = row.number
            yield self._study(entries, row, sex, images, official)

    def _images(self) -> dict[str, str]:
        """The folder of each image, relative to the root."""
        found = {
            name: folder
            for folder, names in walk(self.root)
            for name in names
            if name.endswith(".png")
        }
        if not found:
            raise SourceError(
                f"{self.root}: holds no images; download images_001.tar.gz to images_012.tar.gz "
                f"from {PLACE} and unpack them there"
            )
        return found

    def _study(
        self, file: Path, row: Row, sex: str, images: dict[str, str], official: dict[str, str]
    ) -> Study:
        cells = row.cells
        image, patient = cells[IMAGE], cells[PATIENT]
        if not image or not patient:
            raise SourceError(f"{file}, row {row.number}: has no image or patient; mend the row")
        below(f"{file}, row {row.number}, column '{IMAGE}'", image)
        if official and image not in official:
            raise SourceError(
                f"{file}, row {row.number}: the image '{image}' is neither in {TRAIN_VAL} nor in "
                f"{TEST}; download the lists again, or give --splits seeded"
            )
        split = official.get(image, "")
        if split == SPLITS[0]:
            split = held_out(patient, self.validate)
        folder = images.get(image, "")
        return Study(
            study_id=Path(image).stem,
            patient_id=patient,
            views=(View(f"{folder}/{image}".lstrip("/"), cells[VIEW].upper(), row.number),),
            labels=_labels(file, row),
            split=split,
            attributes={
                "sex": cells[sex],
                "age": years(cells["Patient Age"]),
                "follow_up": cells["Follow-up #"],
            },
        )


def _official(lists: Sequence[Path]) -> dict[str, str]:
    """Train or test for each image of the two lists."""
    official: dict[str, str] = {}
    for file, split in zip(lists, (SPLITS[0], SPLITS[2]), strict=False):
        for number, name in lines(file):
            if official.setdefault(name, split) != split:
                raise SourceError(
                    f"{file}, line {number}: the image '{name}' is in {TRAIN_VAL} too; download "
                    f"both lists again from {PLACE}"
                )
    return official


def _labels(file: Path, row: Row) -> dict[str, float]:
    names = {name.strip() for name in row.cells[NAMED].split("|")} - {NO_FINDING}
    for name in sorted(names):
        if name not in LABELS:
            raise SourceError(
                f"{file}, row {row.number}, column '{NAMED}': there is no label "
                f"'{name}'{nearest(name, (*LABELS, NO_FINDING))}"
            )
    return {name: float(name in names) for name in LABELS}
