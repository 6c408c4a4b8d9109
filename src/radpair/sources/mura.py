"""MURA v1.1: radiographs of the upper limb, normal or not (Rajpurkar et al. 2018).

Where: https://stanfordmlgroup.github.io/competitions/mura (now at Stanford
AIMI). Terms: the Stanford research use agreement: no redistribution, no
commercial use. The paper counts 40,561 images in 14,863 studies of 12,173
patients, with the hidden test set.

Expected, as unpacked (its parent folder will do too)::

    MURA-v1.1/train_image_paths.csv       one path a line, no header
    MURA-v1.1/train_labeled_studies.csv   "study folder/,0 or 1" a line, no header
    MURA-v1.1/valid_image_paths.csv       and valid_labeled_studies.csv
    MURA-v1.1/train/XR_WRIST/patient00006/study1_positive/image1.png

Label: ``Abnormal``, of the whole study. Several images are one study; a
patient may have several, also of different body parts. Attribute: body_part
(ELBOW, FINGER, FOREARM, HAND, HUMERUS, SHOULDER, WRIST). Official parts:
train (36,808 images), valid (3,197) and a test set that is not public, so
results are reported on valid: it is the test split here (``valid_as``), and
a share of the training patients (``validate``) is held out by a hash of the
patient's id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from radpair.errors import SourceError
from radpair.records import SPLITS, Study, View
from radpair.sources.dataset import Dataset, below, grouped, need_table
from radpair.sources.folders import check_choice, check_files, check_share, held_out, lines

RELEASE = "MURA-v1.1"
PLACE = "https://stanfordmlgroup.github.io/competitions/mura"
PARTS = ("train", "valid")
STUDY = re.compile(
    r"(?P<part>train|valid)/XR_(?P<body>[A-Z]+)/(?P<patient>patient\d+)/"
    r"(?P<study>study\d+)_(?P<label>positive|negative)"
)


@dataclass(frozen=True, kw_only=True)
class Mura(Dataset):
    """MURA from its folder as downloaded; see the module for what is expected."""

    name: ClassVar[str] = "mura"
    valid_as: Literal["test", "validate"] = "test"
    """The split that the public valid part becomes: test or validate."""
    validate: float = 0.1
    """Share of the training patients to hold out for validation, where valid is the test split."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("valid-as", self.valid_as, SPLITS[1:])
        check_share(self.validate)
        if not (self.root / "train_image_paths.csv").is_file() and (self.root / RELEASE).is_dir():
            object.__setattr__(self, "root", self.root / RELEASE)

    def tables(self) -> Sequence[Path]:
        """Paths and labels of train, then of valid. Raises ``SourceError``, also for MURA v1.0."""
        if (self.root / "train.csv").is_file() and not (
            self.root / "train_image_paths.csv"
        ).is_file():
            raise SourceError(f"{self.root}: holds MURA v1.0; download {RELEASE} from {PLACE}")
        get = f"download {RELEASE} from {PLACE}"
        return tuple(
            need_table(self.root, f"{part}_{kind}.csv", get=get)
            for part in PARTS
            for kind in ("image_paths", "labeled_studies")
        )

    def studies(self) -> Iterator[Study]:
        """Every labelled study of train and valid. Raises ``SourceError``."""
        files = self.tables()
        check_files(self.root, PARTS, f"download {RELEASE} from {PLACE} and unpack it there")
        for paths, labels in (files[:2], files[2:]):
            labelled = _labelled(labels)
            keys = (folder for folder, _ in _images(paths))
            for folder, images in grouped(keys, _images(paths)):
                if folder not in labelled:
                    raise SourceError(
                        f"{labels}: has no row of the study '{folder}' of {paths.name}; download "
                        f"both again from {PLACE}"
                    )
                yield self._study(folder, images, labelled[folder])

    def _study(self, folder: str, images: Sequence[tuple[str, int]], label: float) -> Study:
        found = STUDY.fullmatch(folder)
        assert found, "folders were matched when they were read"
        patient = found["patient"]
        split: str = self.valid_as
        if found["part"] == "train":
            split = held_out(patient, self.validate) if split == SPLITS[2] else SPLITS[0]
        return Study(
            study_id=f"{found['body'].lower()}-{patient}-{found['study']}",
            patient_id=patient,
            views=tuple(View(f"{folder}/{name}", row=row) for name, row in images),
            labels={"Abnormal": label},
            split=split,
            attributes={"body_part": found["body"]},
        )


def _folder(place: str, text: str) -> str:
    """A study's folder relative to the release, checked."""
    folder = below(place, text).removeprefix(f"{RELEASE}/").rstrip("/")
    if not STUDY.fullmatch(folder):
        raise SourceError(
            f"{place}: '{text[:80]}' is no study of {RELEASE}, such as "
            "train/XR_WRIST/patient00006/study1_positive/; download the table again"
        )
    return folder


def _images(file: Path) -> Iterator[tuple[str, tuple[str, int]]]:
    """Study folder of each image, and its name and row."""
    for number, line in lines(file):
        folder, _, name = line.rpartition("/")
        if not name:
            raise SourceError(f"{file}, line {number}: '{line[:80]}' names no image; mend the line")
        yield _folder(f"{file}, line {number}", folder), (name, number)


def _labelled(file: Path) -> dict[str, float]:
    """The label of each study folder, which the folder's own name says too."""
    found: dict[str, float] = {}
    for number, line in lines(file):
        text, _, label = line.rpartition(",")
        folder = _folder(f"{file}, line {number}", text)
        if label.strip() not in ("0", "1") or folder.endswith("positive") != (label.strip() == "1"):
            raise SourceError(
                f"{file}, line {number}: the label '{label[:20]}' is not what the folder's name "
                f"says ({folder.rpartition('_')[2]}); download the table again from {PLACE}"
            )
        found[folder] = float(label)
    return found
