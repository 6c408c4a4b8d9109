"""Open-i, the Indiana University chest X-ray collection: films and reports.

3,955 reports, 7,470 images (Demner-Fushman et al. 2016).

Obtained from the National Library of Medicine, CC BY-NC-ND 4.0 (the reports
say so themselves: share no changed copy), without registration:
https://openi.nlm.nih.gov/faq#collection
NLMCXR_reports.tgz, and NLMCXR_png.tgz or NLMCXR_dcm.tgz, all unpacked in one
folder:

    ROOT/
        ecgen-radiology/1.xml                       reports
        NLMCXR_png/CXR1_1_IM-0001-3001.png          images (they may lie
                                                    in ROOT itself too)
        NLMCXR_dcm/1/1_IM-0001-3001.dcm             or these

Images are found by the number and the IM-... of their names, so copies with
other folders or endings will do (1_IM-0001-3001.dcm.png). Where PNG and DICOM
files are both there, PNG is read.

Report: its parts (comparison, indication, findings, impression) under their
headings. Labels: the first words of the codes that people gave (MeSH and
others, such as Cardiomegaly of Cardiomegaly/mild), 1 or 0; blank for reports
that were not indexed. Attribute codes: all codes in full. View: not told.
Split: none is official. Patient: the report, since no patient is told.
Reports without an image (104) are left out, with a line in the quarantine;
reports alone are for radpair labels ROOT and radpair graphs ROOT.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar
from xml.etree import ElementTree

from radpair.errors import SourceError
from radpair.records import ABSENT, NOT_GIVEN, PRESENT, Study, View
from radpair.sources.dataset import Dataset, below
from radpair.sources.folders import walk
from radpair.sources.reports import XML_FILE, under_headings

PAGE = "https://openi.nlm.nih.gov/faq#collection"
NOT_INDEXED = "No Indexing"
SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm")
"""In the order of preference."""
_NAME = re.compile(r"(?:CXR)?([0-9]+)_(?:[0-9]+_)?(IM-[-0-9A-Za-z]+)")
_BARE = re.compile(r"IM-[-0-9A-Za-z]+")

Key = tuple[str, str]
"""The number of the report, and the image's name from ``IM-`` on."""


@dataclass(frozen=True, slots=True)
class Report:
    """One XML file, as far as a study needs it."""

    uid: str
    text: str
    images: tuple[str, ...]
    codes: tuple[str, ...]

    @property
    def findings(self) -> frozenset[str]:
        """The codes without their qualifiers: ``Opacity`` of ``Opacity/lung/left``."""
        return frozenset(code.split("/")[0].strip() for code in self.codes)


@dataclass(frozen=True, kw_only=True)
class OpenI(Dataset):
    """Open-i's chest X-ray collection, see the module."""

    name: ClassVar[str] = "open-i"

    def studies(self) -> Iterator[Study]:
        """Every report in the order of its file's number."""
        reports = self._reports()
        images = self._images()
        self._check_images(reports, images)
        names = sorted({name for report in reports for name in report.findings} - {NOT_INDEXED})
        for report in reports:
            indexed = bool(report.findings) and NOT_INDEXED not in report.findings
            yield Study(
                study_id=report.uid,
                patient_id=report.uid,
                views=tuple(View(_place(image, images)) for image in report.images),
                report=report.text,
                labels={
                    name: (PRESENT if name in report.findings else ABSENT) if indexed else NOT_GIVEN
                    for name in names
                },
                attributes={"codes": "; ".join(report.codes)} if report.codes else {},
            )

    def options(self) -> dict[str, Any]:
        """As of every dataset, with the hash of all reports."""
        digest = hashlib.sha256()
        for file in self._files():
            digest.update(file.read_bytes())
        return {**super().options(), "reports": digest.hexdigest()}

    def _files(self) -> list[Path]:
        files = [file for file in self.root.rglob(f"[!.]*{XML_FILE}") if file.is_file()]
        if not files:
            raise SourceError(
                f"{self.root}: holds no report such as ecgen-radiology/1.xml; unpack "
                f"NLMCXR_reports.tgz from {PAGE} there"
            )
        return sorted(files, key=lambda file: (len(file.stem), file.as_posix()))

    def _reports(self) -> list[Report]:
        reports: list[Report] = []
        first: dict[str, Path] = {}
        for file in self._files():
            report = _report(file)
            if report.uid in first:
                raise SourceError(
                    f"{file}: the report '{report.uid}' stands in {first[report.uid]} too; remove "
                    "one of the copies"
                )
            first[report.uid] = file
            reports.append(report)
        return reports

    def _images(self) -> dict[Key, str]:
        """Where each image lies below ROOT."""
        found: dict[Key, str] = {}
        for folder, names in walk(self.root):
            for name in names:
                key = _key(name, PurePosixPath(folder).name)
                path = f"{folder}/{name}".lstrip("/")
                if key and (key not in found or _rank(path) < _rank(found[key])):
                    found[key] = path
        return found

    def _check_images(self, reports: list[Report], images: dict[Key, str]) -> None:
        named = [image for report in reports for image in report.images]
        if not named or not any(_key(image, "") in images for image in named):
            raise SourceError(
                f"{self.root}: holds {len(reports):,} reports and none of their {len(named):,} "
                f"images; unpack NLMCXR_png.tgz from {PAGE} there (reports alone are for radpair "
                f"labels {self.root} and radpair graphs {self.root})"
            )


def _key(name: str, folder: str) -> Key | None:
    """The key of an image's name; a name without a number takes its folder's."""
    if "." in name and PurePosixPath(name).suffix.lower() not in SUFFIXES:
        return None
    found = _NAME.match(name)
    if found:
        return found.group(1), found.group(2)
    bare = _BARE.match(name)
    return (folder, bare.group()) if bare and folder.isdecimal() else None


def _rank(path: str) -> tuple[int, str]:
    return SUFFIXES.index(PurePosixPath(path).suffix.lower()), path


def _place(image: str, images: dict[Key, str]) -> str:
    """Where an image lies, or where it would lie, for the quarantine to name it."""
    key = _key(image, "")
    return images.get(key, f"{image}.png") if key else f"{image}.png"


def _report(file: Path) -> Report:
    try:
        root = ElementTree.fromstring(file.read_bytes())
    except (ElementTree.ParseError, ValueError, LookupError, OSError) as error:
        raise SourceError(
            f"{file}: is not well-formed XML ({error}); unpack it from the archive again"
        ) from error
    given = root.find(".//uId")
    uid = given.get("id", "").strip() if given is not None else ""
    if not uid:
        raise SourceError(f"{file}: has no uId, so it is no Open-i report; move it away")
    parts = ((e.get("Label") or "", "".join(e.itertext())) for e in root.iter("AbstractText"))
    codes = ((code.text or "").strip() for code in root.iterfind(".//MeSH/major"))
    named = (image.get("id", "").strip() for image in root.iter("parentImage"))
    images = (below(f"{file}, parentImage", image) for image in named if image)
    return Report(
        uid=uid,
        text=under_headings(parts),
        images=tuple(dict.fromkeys(images)),
        codes=tuple(code for code in codes if code),
    )
