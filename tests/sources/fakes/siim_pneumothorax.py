"""A tiny SIIM-ACR challenge: nested folders, a header with a blank, with no data of theirs."""

from __future__ import annotations

from pathlib import Path

from sources.fakes.dicoms import dicom_file

STEM = "1.2.276.0.7230010.3.1.4.8323329"
FILMS = [
    (f"{STEM}.6904.1", ("175349 7 1013 12", "-200 3"), "p-1", "AP"),
    (f"{STEM}.6905.2", ("-1",), "p-2", "PA"),
    (f"{STEM}.6906.3", ("-1", "-1"), "", "PA"),
    (f"{STEM}.6907.4", ("407576 2",), "p-1", "PA"),
]
UNLABELLED = f"{STEM}.6908.5"


def make(folder: Path, table: str = "train-rle.csv") -> Path:
    """Writes the challenge's folder; the last film lies among those of the test."""
    blank = " " if table == "train-rle.csv" else ""
    rows = [f"ImageId,{blank}EncodedPixels"]
    for number, (film, masks, patient, view) in enumerate([*FILMS, (UNLABELLED, (), "", "PA")]):
        rows += [f"{film},{blank}{mask}" for mask in masks]
        top = "dicom-images-test" if number == 3 else "dicom-images-train"
        file = folder / top / f"{film[:-1]}8" / f"{film[:-1]}9" / f"{film}.dcm"
        dicom_file(file, PatientID=patient, PatientSex="F", PatientAge="28", ViewPosition=view)
    (folder / table).write_text("\n".join(rows) + "\n")
    return folder
