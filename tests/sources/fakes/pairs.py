"""A few films with their texts beside them."""

from __future__ import annotations

from pathlib import Path

from sources.fakes.dicoms import dicom_file
from sources.fakes.pictures import picture

TEXTS = {
    "p1/a": "Clear lungs.",
    "p1/b": "Small effusion.",
    "p2/deep/a": "Ünïcode 漢字.",
    "p3/gone": "A text without a film.",
}


def make(folder: Path) -> Path:
    for stem, text in TEXTS.items():
        file = folder / f"{stem}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")
    picture(folder / "p1" / "a.png")
    picture(folder / "p1" / "b.jpg")
    dicom_file(folder / "p1" / "b.dcm")
    dicom_file(folder / "p2" / "deep" / "a")
    picture(folder / "p2" / "alone.png")
    (folder / "p2" / "damaged.png").write_bytes(b"no picture")
    (folder / "p2" / "notes.csv").write_text("x\n")
    return folder
