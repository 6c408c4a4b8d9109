"""Any folder tree of DICOM files, with or without a table of reports.

Files are known by their content, whatever their names; other files are
passed over and counted. A study is a StudyInstanceUID, wherever its files
lie (a file without one is a study of its own); a patient is a PatientID.
Where that is blank the study stands for the patient, or the folder where
there is no study either. Where it is the same placeholder for everyone, tell
the patient from the path: ``--patient-pattern '(PAT[0-9]+)/'``.

Only the modalities CR and DX are taken unless told otherwise. What is left
out is counted with the reason. Files that cannot be read go to the
quarantine with the reason, and so does a file whose PatientID is not that of
its study. Of the header these are kept as attributes and nothing else: sex,
age (in years, above 90 as 90), modality, body_part, manufacturer, model. The
view comes from ViewPosition, ViewCodeSequence or SeriesDescription.

Reports: a table (CSV, TSV, JSONL, Parquet) with one row a report, or a
folder of .txt files that bear the key as their name. The key is the
accession number or the StudyInstanceUID::

    radpair ingest dicom /export --out sets/ours --reports reports.csv \\
        --report-key accession --key-column acc_no --text-column findings impression

A file of several frames is quarantined unless ``--frame`` says which one is
meant.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from radpair.errors import SourceError
from radpair.processes import check_count, cpus
from radpair.records import Study, View
from radpair.sources.dataset import Dataset
from radpair.sources.folders import matched, path_pattern
from radpair.sources.header_scan import Found, scan
from radpair.sources.headers import Header
from radpair.sources.reports import read_reports
from radpair.sources.tabular import READERS, column_names

ACCESSION, STUDY_UID = "accession", "study-uid"
KEY_COLUMNS = {
    ACCESSION: ("accession", "accessionnumber", "accessionno", "accessionid"),
    STUDY_UID: ("studyinstanceuid", "studyuid"),
}
"""Column names that are taken as the key, without case and punctuation."""
EVERY = "all"
NAMES = (".dcm", ".dicom", ".dic")
"""Endings that promise DICOM: where the content is not, the file is quarantined."""
MANY, LARGE = 20, 0.2
"""A PatientID of more than this share of so many studies is told to be a placeholder."""


@dataclass(slots=True)
class _Group:
    """The files of one study, as they are found."""

    study_id: str
    patient: str = ""
    folder: str = ""
    accession: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    views: list[View] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Dicom(Dataset):
    """A folder tree of DICOM files; see the module for how studies and patients are told."""

    name: ClassVar[str] = "dicom"
    root: Path
    """The topmost folder of the DICOM files."""
    modalities: tuple[str, ...] = ("CR", "DX")
    """Modalities to take, such as CR DX MG; all takes every one."""
    reports: Path | None = None
    """A table of reports, or a folder of .txt files named by their key."""
    report_key: Literal["accession", "study-uid"] = "accession"
    """What the reports are keyed by: accession or study-uid."""
    key_column: str | None = None
    """The column of the key, where its name does not say so."""
    text_column: tuple[str, ...] = ()
    """The column of the report, or several that are joined under headings from their names."""
    patient_pattern: str | None = None
    """A regular expression whose first group finds the patient in a file's path below the root."""
    frame: int | None = None
    """Of files with several frames, the one to take, counted from 1."""
    header_processes: int | None = None
    """Processes that read headers; every core if not given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        taken = tuple(name.strip().upper() for name in self.modalities)
        object.__setattr__(self, "modalities", taken)
        if not taken:
            raise SourceError(f"{self.root}: no modality was named; give such as CR DX, or all")
        if self.report_key not in KEY_COLUMNS:
            raise SourceError(f"report-key is '{self.report_key}'; give {ACCESSION} or {STUDY_UID}")
        if self.reports is None and (self.key_column or self.text_column):
            raise SourceError("columns of reports were named without a table; give --reports too")
        if self.frame is not None and self.frame < 1:
            raise SourceError(f"frame is {self.frame}; frames are counted from 1")
        check_count("--header-processes", self.header_processes)
        path_pattern(self.patient_pattern)

    def __getstate__(self) -> dict[str, Any]:
        """Worker processes get the options and nothing that was read."""
        return {key: value for key, value in self.__dict__.items() if not key.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def tables(self) -> Sequence[Path]:
        """The table of reports, where it is one and no folder."""
        return (self.reports,) if self.reports is not None and self.reports.is_file() else ()

    def options(self) -> dict[str, Any]:
        """As of every source, less the number of processes, which changes nothing."""
        given = super().options()
        return {key: value for key, value in given.items() if key != "header_processes"}

    def studies(self) -> Iterator[Study]:
        """Every study, in the order of its first file's path. Raises ``SourceError``."""
        groups, reports = self._tree()
        for group in groups.values():
            yield Study(
                study_id=group.study_id,
                patient_id=group.patient,
                views=tuple(group.views),
                report=reports.get(self._key(group), ""),
                attributes=group.attributes,
            )

    @contextmanager
    def kept(self) -> Iterator[None]:
        """While this holds, headers and reports are read once, however often studies are asked."""
        self.__dict__["_kept"] = []
        try:
            yield
        finally:
            del self.__dict__["_kept"]

    def _tree(self) -> tuple[dict[str, _Group], dict[str, str]]:
        """The studies and the reports by their key, with their remarks. Raises ``SourceError``."""
        kept: list[tuple[dict[str, _Group], dict[str, str]]] | None = self.__dict__.get("_kept")
        if kept:
            return kept[0]
        self._skipped.clear()
        self._remarks.clear()
        reports = self._reports()
        groups = self._groups()
        taken = any(not view.fault for group in groups.values() for view in group.views)
        if not groups or (self._skipped and not taken):
            raise SourceError(f"{self.root}: {self._nothing()}")
        self._name_patients(groups.values())
        if self.reports is not None:
            self._remark_reports(reports, {self._key(group) for group in groups.values()})
        if kept is not None:
            kept.append((groups, reports))
        return groups, reports

    def _key(self, group: _Group) -> str:
        return group.accession if self.report_key == ACCESSION else group.study_id

    def remarks(self) -> list[str]:
        """What a user should know of the last reading: what was left out and why."""
        lines = list(self._remarks)
        if self._skipped:
            lines.insert(0, f"Left out {self._skipped.total():,} files: {self._told()}.")
        return lines

    def _told(self) -> str:
        """What was left out, most first."""
        most = sorted(self._skipped.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{count:,} {why}" for why, count in most)

    @cached_property
    def _skipped(self) -> Counter[str]:
        return Counter()

    @cached_property
    def _remarks(self) -> list[str]:
        return []

    def _groups(self) -> dict[str, _Group]:
        """Studies by their UID (or the path of a file without one), in order of appearance."""
        groups: dict[str, _Group] = {}
        pattern = path_pattern(self.patient_pattern)
        for found in scan(self.root, self.header_processes or cpus()):
            why = self._left_out(found)
            if why:
                self._skipped[why] += 1
            elif found.fault or found.header is None:
                fault = found.fault or f"{found.path}: is not DICOM although its name says so"
                view = View(found.path, fault=fault)
                groups[found.path] = _Group(found.path, found.path, views=[view])
            else:
                self._add(groups, found.path, found.header, pattern)
        return groups

    def _left_out(self, found: Found) -> str:
        """Why a file is passed over; empty for one that is taken or quarantined."""
        header = found.header
        if found.fault:
            return ""
        if header is None:
            return "" if found.path.lower().endswith(NAMES) else "not DICOM"
        if header.directory:
            return "DICOMDIR"
        if EVERY.upper() in self.modalities or header.modality in self.modalities:
            return ""
        return f"of modality {header.modality[:16]}" if header.modality else "without modality"

    def _add(
        self,
        groups: dict[str, _Group],
        path: str,
        header: Header,
        pattern: re.Pattern[str] | None,
    ) -> None:
        group = groups.setdefault(header.study or path, _Group(header.study or path))
        patient = matched(pattern, path) if pattern else header.patient
        fault = ""
        if patient and group.patient and patient != group.patient:
            fault = (
                f"{path}: its patient is not that of the other files of its study; mend the tag, "
                "or tell patients by --patient-pattern"
            )
        group.views.append(View(path, header.position, frame=self.frame, fault=fault))
        if not fault:
            group.patient = group.patient or patient
            group.accession = group.accession or header.accession
            for name, value in header.attributes:
                group.attributes.setdefault(name, value)

    def _nothing(self) -> str:
        """What to say of a tree without a study."""
        if not self._skipped:
            return "holds no files; give the folder of the DICOM files"
        wanted = " or ".join(self.modalities)
        return f"holds no DICOM file of modality {wanted} (but {self._told()}); give --modalities"

    def _reports(self) -> dict[str, str]:
        """The reports by their key. Raises ``SourceError``."""
        if self.reports is None:
            return {}
        column = self.key_column
        table = self.reports.is_file() and any(
            suffix.lower() in READERS for suffix in self.reports.suffixes
        )
        if table and column is None:
            column = _key_column(self.reports, self.report_key)
        return {
            report.id: report.text
            for report in read_reports(self.reports, column, self.text_column)
        }

    def _name_patients(self, groups: Collection[_Group]) -> None:
        """Lets the study or the folder stand for a patient who is not told, and says so."""
        told = Counter(group.patient for group in groups if group.patient)
        instead: Counter[str] = Counter()
        for group in groups:
            if not group.patient:
                path = group.views[0].path
                whole = group.study_id != path
                folder = path.rpartition("/")[0] or "."
                group.patient = f"study {group.study_id}" if whole else f"folder {folder}"
                instead["study" if whole else "folder"] += 1
        for unit, count in instead.items():
            self._remarks.append(
                f"{count:,} studies have no PatientID: their {unit} stands for the patient."
            )
        most = max(told.values(), default=0)
        if len(groups) >= MANY and most > LARGE * len(groups):
            self._remarks.append(
                f"One PatientID is that of {most:,} of {len(groups):,} studies, which will be in "
                "one split; if it is a placeholder, tell patients by --patient-pattern."
            )

    def _remark_reports(self, reports: dict[str, str], keys: set[str]) -> None:
        unused = len(reports.keys() - keys)
        if reports and unused == len(reports):
            raise SourceError(
                f"{self.reports}: none of its {unused:,} reports has the {self.report_key} of a "
                f"study in {self.root}; check --report-key and --key-column"
            )
        if unused:
            self._remarks.append(
                f"{unused:,} of {len(reports):,} reports belong to no study that was found (by "
                f"{self.report_key})."
            )


def _key_column(file: Path, key: str) -> str:
    """The column whose name says that it is the key. Raises ``SourceError``."""
    known = column_names(file)
    for name in known:
        if re.sub(r"[\W_]+", "", name).lower() in KEY_COLUMNS[key]:
            return name
    raise SourceError(
        f"{file}: no column's name says that it is the {key}; name it with --key-column, one of "
        f"{', '.join(known)}"
    )
