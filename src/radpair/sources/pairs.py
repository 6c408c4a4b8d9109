"""A folder of image files, each with its report in a .txt file of the same name beside it.

Expected, however deep::

    films/patient-17/2019-03-01.png      films/patient-17/2019-03-01.txt
    films/patient-17/lateral.dcm         films/patient-17/lateral.txt

Images are JPEG, PNG, TIFF or DICOM, known by their content. Images with the
same name and other endings are one study, the report belongs to all. An
image without a .txt file is a study without a report; a .txt file without an
image goes to the quarantine, and so do images whose .txt file is not UTF-8 or
whose patient is not told. The patient is the folder that a file lies in,
unless ``--patient-pattern`` finds another in its path: ``'^([^/]+)/'`` is
the topmost folder, ``'([0-9]+)_'`` a number in a name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from radpair.errors import SourceError
from radpair.formats import DICOM_HEAD, is_marked, raster_kind
from radpair.places import beginning
from radpair.records import Study, View
from radpair.sources.dataset import Dataset
from radpair.sources.folders import matched, path_pattern, walk
from radpair.sources.tabular import bad_byte

TEXT = ".txt"
NO_FOLDER = (
    "lies in no folder, so its patient is not told; give each patient a folder, or tell patients "
    "by --patient-pattern"
)
ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".dcm", ".dicom")
"""Names that promise an image: where the content is none, the file is quarantined."""


@dataclass(frozen=True, kw_only=True)
class Pairs(Dataset):
    """Images and texts of the same name; see the module for how studies and patients are told."""

    name: ClassVar[str] = "pairs"
    root: Path
    """The topmost folder of the images and their texts."""
    patient_pattern: str | None = None
    """A regular expression whose first group finds the patient in a file's path below the root;
    without it the patient is the folder that holds the file."""

    def __post_init__(self) -> None:
        super().__post_init__()
        path_pattern(self.patient_pattern)

    def studies(self) -> Iterator[Study]:
        """Every study, folder by folder in the order of their names. Raises ``SourceError``."""
        images = 0
        for folder, names in walk(self.root):
            for stem, views, text in _together(self.root / folder, names):
                images += len(views)
                yield self._study(f"{folder}/{stem}".lstrip("/"), folder, views, text)
        if not images:
            raise SourceError(
                f"{self.root}: holds no image; give the folder of images with their .txt files"
            )

    def _study(self, stem: str, folder: str, names: Sequence[str], text: str | None) -> Study:
        paths = [f"{folder}/{name}".lstrip("/") for name in names]
        shown = paths[0] if paths else f"{stem}{TEXT}"
        patient = self._patient(shown, folder)
        report, fault = _read(self.root / folder / text) if text else ("", "")
        if not patient:
            patient, fault = stem, NO_FOLDER
        return Study(
            study_id=stem,
            patient_id=patient,
            views=tuple(View(path, fault=fault and f"{path}: {fault}") for path in paths),
            report="" if fault else report,
            no_report="" if text else f"no {TEXT} file beside it",
        )

    def _patient(self, path: str, folder: str) -> str:
        """Empty where nothing tells it."""
        pattern = path_pattern(self.patient_pattern)
        return matched(pattern, path) if pattern else folder


def _together(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, list[str], str | None]]:
    """Name without ending, images, and text file, for every name in the folder that has either."""
    images: dict[str, list[str]] = defaultdict(list)
    texts: dict[str, str] = {}
    for name in names:
        stem, dot, ending = name.rpartition(".")
        if dot and f".{ending}".lower() == TEXT:
            texts[stem] = name
        elif name.lower().endswith(ENDINGS) or _is_image(folder / name):
            images[stem if dot else name].append(name)
    for stem in sorted(images.keys() | texts.keys()):
        yield stem, images.get(stem, []), texts.get(stem)


def _is_image(file: Path) -> bool:
    try:
        with beginning(file) as handle:
            head = handle.read(DICOM_HEAD)
    except OSError:  # with an image's name it would be quarantined; as it is, nobody knows
        return False
    return raster_kind(head) is not None or is_marked(head)


def _read(file: Path) -> tuple[str, str]:
    """The text, and why it cannot be used."""
    try:
        return file.read_text(encoding="utf-8-sig").strip(), ""
    except UnicodeDecodeError:
        return "", f"its {TEXT} file is not UTF-8 ({bad_byte(file)}); save that with UTF-8 encoding"
