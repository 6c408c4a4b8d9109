"""MIMIC-CXR's reports, one text file a study: in a folder, or in the archive as downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from zipfile import BadZipFile, ZipFile

from radpair.errors import SourceError
from radpair.places import here

LONGEST = 1 << 20
"""Bytes of a report; the longest real one is far below."""


class Reports(Protocol):
    """Where reports come from."""

    def text(self, patient: str, study: str) -> str:
        """The report of a study, empty where it has none. Raises ``SourceError``."""
        ...


def report_path(patient: str, study: str) -> str:
    """Below the release's folder."""
    return f"files/p{patient[:2]}/p{patient}/s{study}.txt"


class ReportTree:
    """Reports in the folder that holds ``p10`` to ``p19``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, patient: str, study: str) -> Path:
        """Where the report of a study lies, whether it is there or not."""
        return self._folder / report_path(patient, study).removeprefix("files/")

    def text(self, patient: str, study: str) -> str:
        """The report of a study, empty where it has none. Raises ``SourceError``."""
        file = self.file(patient, study)
        if not file.is_file():
            return ""
        try:
            return _decoded(str(file), file.read_bytes())
        except OSError as error:
            raise SourceError(f"{file}: cannot be read ({error}); check the file") from error


class ReportArchive:
    """Reports in mimic-cxr-reports.zip, read where they are."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._archive = ZipFile(here(file))
        except (BadZipFile, OSError) as error:
            raise SourceError(
                f"{file}: cannot be read as a zip archive ({error}); download it again"
            ) from error
        texts = (name for name in self._archive.namelist() if name.endswith(".txt"))
        first = next((name for name in texts if "files/p" in name), None)
        if first is None:
            raise SourceError(
                f"{file}: holds no files/p10/.../s50414267.txt, so it is not the archive of "
                "MIMIC-CXR's reports; give mimic-cxr-reports.zip"
            )
        self._prefix = first[: first.index("files/p")]

    def text(self, patient: str, study: str) -> str:
        """The report of a study, empty where it has none. Raises ``SourceError``."""
        name = self._prefix + report_path(patient, study)
        try:
            entry = self._archive.getinfo(name)
        except KeyError:
            return ""
        if entry.file_size > LONGEST:
            raise SourceError(
                f"{self._file}: {name} has {entry.file_size:,} bytes, too many for a report; "
                "download the archive again"
            )
        try:
            return _decoded(f"{self._file}: {name}", self._archive.read(entry))
        except (BadZipFile, OSError) as error:
            raise SourceError(
                f"{self._file}: {name} is damaged ({error}); download the archive again"
            ) from error


def _decoded(place: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{place}: is not UTF-8 text (byte {error.start}); download it again"
        ) from error
