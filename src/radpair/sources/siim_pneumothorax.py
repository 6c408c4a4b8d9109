"""SIIM-ACR Pneumothorax Segmentation 2019: 12,047 labelled frontal films in DICOM.

Where: https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation (stage 1
through its links to the Cloud Healthcare API; stage 2 as
``stage_2_train.csv``). Terms: the competition's rules, for research and
education; the films are from NIH ChestX-ray14 (see there).

Expected::

    train-rle.csv           ImageId, EncodedPixels (the header has a blank before the second name)
    dicom-images-train/<study uid>/<series uid>/<ImageId>.dcm
    dicom-images-test/...   (its films are labelled in stage_2_train.csv, else left out)

``stage_2_train.csv`` is taken where there is no ``train-rle.csv``. A film
has one row a region; ``-1`` says that there is none. Label:
``Pneumothorax``, 1 for a film with a region, 0 for -1. About 37 films have
no row: they are left out. Attributes: sex, age. View and patient are read
from each header; a film whose header names no patient is a patient of its
own. No official splits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from radpair.errors import SourceError
from radpair.records import Study, View
from radpair.sources.dataset import Dataset, below, need_table
from radpair.sources.folders import check_files, walk
from radpair.sources.headers import header_of
from radpair.sources.tabular import iterate_rows

MASKS = ("train-rle.csv", "stage_2_train.csv")
FOLDERS = ("dicom-images-train", "dicom-images-test")
PLACE = "https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation"
NONE = "-1"


@dataclass(frozen=True, kw_only=True)
class SiimPneumothorax(Dataset):
    """The challenge's folder as downloaded; see the module for what is expected."""

    name: ClassVar[str] = "siim-pneumothorax"

    def tables(self) -> Sequence[Path]:
        """The table of masks. Raises ``SourceError`` where it is not there."""
        return (need_table(self.root, *MASKS, get=f"download it from {PLACE}"),)

    def studies(self) -> Iterator[Study]:
        """Every film of the table, in its order. Raises ``SourceError``."""
        (masks,) = self.tables()
        check_files(self.root, FOLDERS, f"download the films as {PLACE} says")
        paths = self._paths()
        for film, (present, row) in _films(masks).items():
            path = paths.get(film, f"{FOLDERS[0]}/{film}.dcm")
            header = header_of(self.root / path)
            kept = dict(header.attributes)
            yield Study(
                study_id=film,
                patient_id=header.patient or film,
                views=(View(path, header.position, row),),
                labels={"Pneumothorax": float(present)},
                attributes={"sex": kept.get("sex", ""), "age": kept.get("age", "")},
            )

    def _paths(self) -> dict[str, str]:
        """Where each film lies; its name is its id."""
        return {
            name.removesuffix(".dcm"): f"{top}/{folder}/{name}".replace("//", "/")
            for top in FOLDERS
            for folder, names in walk(self.root / top)
            for name in names
            if name.endswith(".dcm")
        }


def _films(file: Path) -> dict[str, tuple[bool, int]]:
    """Film, whether it has a region, and its first row, in the order of the rows."""
    found: dict[str, tuple[bool, int]] = {}
    for row in iterate_rows(file, ("ImageId", "EncodedPixels")):
        film, mask = row.cells["ImageId"], row.cells["EncodedPixels"]
        if not film or not mask or not all(_is_whole(part) for part in mask.split()):
            raise SourceError(
                f"{file}, row {row.number}: holds no film with run lengths or {NONE}; download "
                f"it again from {PLACE}"
            )
        below(f"{file}, row {row.number}, column 'ImageId'", film)
        if found.setdefault(film, (mask != NONE, row.number))[0] != (mask != NONE):
            raise SourceError(
                f"{file}, row {row.number}: the film '{film}' has a region and {NONE}; download "
                f"the table again from {PLACE}"
            )
    if not found:
        raise SourceError(f"{file}: has no rows; download it again from {PLACE}")
    return found


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal()
