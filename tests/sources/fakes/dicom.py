"""A small export: studies across folders, other modalities, damage, a table of reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sources.fakes.dicoms import dicom_file

FILES: dict[str, dict[str, Any]] = {
    "a/IM0001": {"StudyInstanceUID": "1.2.1", "PatientID": "P1", "ViewPosition": "PA"},
    "a/IM0002": {"StudyInstanceUID": "1.2.1", "PatientID": "P1", "ViewPosition": "LL"},
    "b/x.jpg": {"StudyInstanceUID": "1.2.1", "PatientID": "", "SeriesDescription": "CHEST AP"},
    "b/y.dcm": {"StudyInstanceUID": "1.2.2", "PatientID": "P2", "SeriesDescription": "PA and LAT"},
    "c/1.dcm": {"StudyInstanceUID": "1.2.3", "PatientID": "P1", "Modality": "CR"},
    "c/2.dcm": {"StudyInstanceUID": "1.2.4", "PatientID": "P3", "Modality": "CT"},
    "c/3.dcm": {"StudyInstanceUID": "1.2.5", "PatientID": "P3", "Modality": None},
    "d/1.dcm": {"StudyInstanceUID": "1.2.6"},
    "d/2.dcm": {},
    "e/1.dcm": {"StudyInstanceUID": "1.2.2", "PatientID": "P9"},
}
ACCESSIONS = {"1.2.1": "A1", "1.2.2": "A2", "1.2.3": "A3"}
PRIVATE = {
    "PatientName": "Nobody^Real",
    "PatientBirthDate": "19500101",
    "InstitutionName": "Nowhere",
    "StudyDate": "20200102",
}


def make(folder: Path) -> Path:
    for name, tags in FILES.items():
        number = ACCESSIONS.get(tags.get("StudyInstanceUID", ""))
        more = {"PatientSex": "F", "PatientAge": "093Y", "AccessionNumber": number}
        dicom_file(folder / name, **{**PRIVATE, **more, **tags})
    (folder / "d" / "truncated.dcm").write_bytes((folder / "a" / "IM0001").read_bytes()[:150])
    (folder / "d" / "words.dcm").write_text("not a film")
    (folder / "d" / "empty.dcm").touch()
    (folder / "README.txt").write_text("an export")
    (folder / "._IM0001").write_bytes(b"hidden")
    reports = "AccessionNumber,text\nA1,Clear lungs.\nA2,Small left effusion.\nA7,Nobody's.\n"
    (folder.parent / "reports.csv").write_text(reports)
    return folder
