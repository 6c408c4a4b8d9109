"""A tiny MURA v1.1: tables without header, labels in folder names, with no data of theirs."""

from __future__ import annotations

from pathlib import Path

from sources.fakes.pictures import picture

STUDIES = {
    "train": [
        ("XR_SHOULDER/patient00001/study1_positive", 3),
        ("XR_SHOULDER/patient00002/study1_negative", 1),
        ("XR_WRIST/patient00002/study1_positive", 2),
        ("XR_WRIST/patient00002/study2_negative", 1),
        ("XR_HAND/patient00003/study1_negative", 2),
    ],
    "valid": [
        ("XR_WRIST/patient11185/study1_positive", 2),
        ("XR_ELBOW/patient11186/study1_negative", 1),
    ],
}


def make(folder: Path) -> Path:
    """Writes ``folder/MURA-v1.1``; paths in the tables begin with that name. Returns it."""
    root = folder / "MURA-v1.1"
    for part, studies in STUDIES.items():
        images, labels = [], []
        for study, count in studies:
            place = f"{part}/{study}"
            labels.append(f"MURA-v1.1/{place}/,{int(study.endswith('positive'))}")
            for number in range(1, count + 1):
                images.append(f"MURA-v1.1/{place}/image{number}.png")
                picture(root / place / f"image{number}.png")
        (root / f"{part}_image_paths.csv").write_text("\n".join(images) + "\n")
        (root / f"{part}_labeled_studies.csv").write_text("\n".join(labels) + "\n")
    return root
