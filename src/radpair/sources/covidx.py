"""COVIDx CXR-2, CXR-3 and CXR-4: frontal films with and without COVID-19 (Wang et al. 2020, 2023).

Where: https://www.kaggle.com/datasets/andyczhao/covidx-cxr2 (its latest
version is CXR-4: 84,818 images of 45,342 patients, 67,863 / 8,473 / 8,482).
Terms: those of each part (RSNA, RICORD of MIDRC, BIMCV, Cohen's collection
and others), for research; see the list there.

Expected, as unpacked there::

    train.txt   val.txt   test.txt      "patient file class source" a line; CXR-2 has no val.txt
    train/      val/      test/         the images

The older lists of the COVID-Net repository, such as ``train_COVIDx9A.txt``,
are read in place of ``train.txt`` with ``--version COVIDx9A``.

Labels: ``COVID-19`` (class positive or COVID-19); lists of three classes
give ``Pneumonia`` (other than COVID-19) and ``Normal`` too. One image is one
study. Attribute: source. Patient: the source with its own number, since
sources number alike. Official splits, as listed; where there is no val.txt a
share of the training patients (``validate``) is held out by a hash of the
id. A line that is repeated word for word counts once. RSNA's films are NIH's
patients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from radpair.errors import SourceError, nearest
from radpair.records import SPLITS, Study, View
from radpair.sources.dataset import Dataset, below, find_table, need_table
from radpair.sources.folders import (
    OFFICIAL,
    SEEDED,
    check_choice,
    check_files,
    check_share,
    held_out,
    lines,
)

PLACE = "https://www.kaggle.com/datasets/andyczhao/covidx-cxr2"
FOLDERS = dict(zip(SPLITS, ("train", "val", "test"), strict=True))
COVID = "COVID-19"
TWO = {"positive": {COVID: 1.0}, "negative": {COVID: 0.0}}
THREE = {
    COVID: {COVID: 1.0, "Pneumonia": 0.0, "Normal": 0.0},
    "pneumonia": {COVID: 0.0, "Pneumonia": 1.0, "Normal": 0.0},
    "normal": {COVID: 0.0, "Pneumonia": 0.0, "Normal": 1.0},
}
CLASSES = {**TWO, **THREE}


@dataclass(frozen=True, kw_only=True)
class Covidx(Dataset):
    """COVIDx from its folder as downloaded; see the module for what is expected."""

    name: ClassVar[str] = "covidx"
    version: str = ""
    """Which of the older lists: COVIDx9A reads train_COVIDx9A.txt and test_COVIDx9A.txt."""
    splits: Literal["official", "seeded"] = "official"
    """official: as listed; seeded: every patient by the seeded split."""
    validate: float = 0.1
    """Share of the training patients to hold out for validation, where there is no val.txt."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("splits", self.splits, (OFFICIAL, SEEDED))
        check_share(self.validate)

    def tables(self) -> Sequence[Path]:
        """The list of each split."""
        return tuple(self._lists().values())

    def _lists(self) -> dict[str, Path]:
        """The list of each split."""
        tail = f"_{self.version}.txt" if self.version else ".txt"
        get = f"download it from {PLACE}, or name older lists with --version"
        train = need_table(self.root, f"train{tail}", get=get)
        validate = find_table(self.root, f"val{tail}")
        test = need_table(self.root, f"test{tail}", get=get)
        middle = {SPLITS[1]: validate} if validate else {}
        return {SPLITS[0]: train, **middle, SPLITS[2]: test}

    def studies(self) -> Iterator[Study]:
        """Every line of the lists, train first. Raises ``SourceError``."""
        lists = self._lists()
        check_files(self.root, [FOLDERS[split] for split in lists], f"download them from {PLACE}")
        first: dict[str, tuple[int, str]] = {}
        for split, file in lists.items():
            for number, line in lines(file):
                study = self._study(file, number, line, split, SPLITS[1] in lists)
                known = first.setdefault(study.study_id, (number, line))
                if known == (number, line):
                    yield study
                elif known[1] != line:
                    raise SourceError(
                        f"{file}, line {number}: the image '{study.study_id}' is described "
                        f"otherwise in line {known[0]}; remove one of the lines"
                    )

    def _study(self, file: Path, number: int, line: str, split: str, has_validate: bool) -> Study:
        words = line.split()
        if len(words) < 4:
            raise SourceError(
                f"{file}, line {number}: '{line[:60]}' is not 'patient file class source'; "
                f"download the list again from {PLACE}"
            )
        patient, image, kind, origin = words[0], " ".join(words[1:-2]), words[-2], words[-1].lower()
        if kind not in CLASSES:
            raise SourceError(
                f"{file}, line {number}: there is no class '{kind}'{nearest(kind, CLASSES)}"
            )
        path = f"{FOLDERS[split]}/{below(f'{file}, line {number}', image)}"
        patient = f"{origin}:{patient}"
        if self.splits == SEEDED:
            split = ""
        elif split == SPLITS[0] and not has_validate:
            split = held_out(patient, self.validate)
        return Study(
            study_id=path,
            patient_id=patient,
            views=(View(path, row=number),),
            labels=CLASSES[kind],
            split=split,
            attributes={"source": origin},
        )
