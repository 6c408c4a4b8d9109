"""RSNA Pneumonia Detection Challenge 2018, stage 2: 26,684 labelled frontal films in DICOM.

Where: https://www.kaggle.com/c/rsna-pneumonia-detection-challenge (also
linked from https://www.rsna.org/artificial-intelligence/ai-image-challenge).
Terms: the competition's rules, for research and education; the films are
from NIH ChestX-ray14 (see there).

Expected, as unpacked there::

    stage_2_train_labels.csv           patientId, x, y, width, height, Target; one row a box
    stage_2_detailed_class_info.csv    patientId, class
    stage_2_train_images/<patientId>.dcm
    pneumonia-challenge-dataset-mappings_2018.json   (optional, from rsna.org)

Labels: ``Pneumonia`` (Target: an opacity that may be pneumonia; 6,012 films)
and ``Normal`` (class Normal; 8,851); 11,821 are neither. Attributes: class,
sex, age. The view is read from each header. There are no official splits:
the competition's test films have no public labels and are left out.

A ``patientId`` is a film, not a person. With the mappings file the patient
is NIH's (the number before ``_`` in ``img_id``), so that no person is in two
splits; without it each film counts as a patient of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from radpair.errors import SourceError
from radpair.records import Study, View
from radpair.sources.dataset import Dataset, below, need_table
from radpair.sources.folders import check_files
from radpair.sources.headers import header_of
from radpair.sources.tabular import iterate_rows

TARGETS, CLASSES = "stage_2_train_labels.csv", "stage_2_detailed_class_info.csv"
IMAGES = "stage_2_train_images"
MAPPINGS = "pneumonia-challenge-dataset-mappings_2018.json"
PLACE = "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge"
OPACITY, NORMAL, OTHER = "Lung Opacity", "Normal", "No Lung Opacity / Not Normal"


@dataclass(frozen=True, kw_only=True)
class RsnaPneumonia(Dataset):
    """The challenge's folder as downloaded; see the module for what is expected."""

    name: ClassVar[str] = "rsna-pneumonia"

    def tables(self) -> Sequence[Path]:
        """Targets, classes and, where it is there, the mapping. Raises ``SourceError``."""
        if (self.root / "stage_1_train_labels.csv").is_file():
            raise SourceError(
                f"{self.root}: holds stage 1 of the challenge; download stage 2 from {PLACE}"
            )
        get = f"download the data of stage 2 from {PLACE}"
        files = tuple(need_table(self.root, name, get=get) for name in (TARGETS, CLASSES))
        mappings = self.root / MAPPINGS
        return (*files, mappings) if mappings.is_file() else files

    def studies(self) -> Iterator[Study]:
        """Every film of the labels, in their order. Raises ``SourceError``."""
        targets, classes, *mappings = self.tables()
        check_files(self.root, (IMAGES,), f"download {IMAGES} from {PLACE} and unpack it there")
        patients = _patients(mappings[0]) if mappings else {}
        named = _classes(classes)
        for film, (target, row) in _targets(targets).items():
            if film not in named:
                raise SourceError(
                    f"{classes}: has no row of the film '{film}'; download it again from {PLACE}"
                )
            if target != (named[film] == OPACITY):
                raise SourceError(
                    f"{targets}: the film '{film}' has Target {int(target)} where {CLASSES} says "
                    f"'{named[film]}'; download both again from {PLACE}"
                )
            yield self._study(film, target, named[film], patients.get(film, film), row)

    def _study(self, film: str, target: bool, kind: str, patient: str, row: int) -> Study:
        path = f"{IMAGES}/{film}.dcm"
        header = header_of(self.root / path)
        kept = dict(header.attributes)
        return Study(
            study_id=film,
            patient_id=patient,
            views=(View(path, header.position, row),),
            labels={"Pneumonia": float(target), "Normal": float(kind == NORMAL)},
            attributes={"class": kind, "sex": kept.get("sex", ""), "age": kept.get("age", "")},
        )


def _targets(file: Path) -> dict[str, tuple[bool, int]]:
    """Film, target and first row, in the order of the rows; a film has one row a box."""
    found: dict[str, tuple[bool, int]] = {}
    for row in iterate_rows(file, ("patientId", "Target")):
        film, target = row.cells["patientId"], row.cells["Target"]
        below(f"{file}, row {row.number}, column 'patientId'", film)
        if target not in ("0", "1"):
            raise SourceError(
                f"{file}, row {row.number}, column 'Target': '{target[:20]}' is neither 0 nor 1; "
                "mend the value"
            )
        if found.setdefault(film, (target == "1", row.number))[0] != (target == "1"):
            raise SourceError(
                f"{file}, row {row.number}: the film '{film}' has both targets; download the "
                f"file again from {PLACE}"
            )
    if not found:
        raise SourceError(f"{file}: has no rows; download it again from {PLACE}")
    return found


def _classes(file: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in iterate_rows(file, ("patientId", "class")):
        kind = row.cells["class"]
        if kind not in (OPACITY, NORMAL, OTHER):
            raise SourceError(
                f"{file}, row {row.number}, column 'class': '{kind[:40]}' is none of '{OPACITY}', "
                f"'{NORMAL}' and '{OTHER}'; mend the value"
            )
        found[row.cells["patientId"]] = kind
    return found


def _patients(file: Path) -> dict[str, str]:
    """NIH's patient of each film."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        return {
            str(entry["subset_img_id"]): f"nih-{str(entry['img_id']).partition('_')[0]}"
            for entry in entries
        }
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{file}: is not the challenge's table of mappings (a list with subset_img_id and "
            "img_id); download it again from rsna.org, or remove it"
        ) from error
