"""A tiny stage 2 of the RSNA challenge: one row a box, films as DICOM, with no data of theirs."""

from __future__ import annotations

import json
from pathlib import Path

from sources.fakes.dicoms import dicom_file

OPACITY, NORMAL, OTHER = "Lung Opacity", "Normal", "No Lung Opacity / Not Normal"
FILMS = [
    ("0004cfab-14fd-4e49-80ba-63a80b6bddd6", OTHER, "00000021_003.png", "F", "51", "PA", 0),
    ("00313ee0-9eaa-42f4-b0ab-c148ed3241cd", OPACITY, "00000022_000.png", "M", "48", "AP", 2),
    ("00322d4d-1c29-4943-afc9-b6754be640eb", NORMAL, "00000021_004.png", "F", "52", "PA", 0),
    ("00704310-78a8-4b38-8475-49f4573b2dbb", OPACITY, "00000023_001.png", "M", "75", "PA", 1),
]


def make(folder: Path, mappings: bool = True) -> Path:
    """Writes the challenge's folder, with or without the table of NIH's names."""
    targets, classes = ["patientId,x,y,width,height,Target"], ["patientId,class"]
    for film, kind, _, sex, age, view, boxes in FILMS:
        for box in range(max(boxes, 1)):
            place = f"{264.0 + box},152.0,213.0,379.0,1" if boxes else ",,,,0"
            targets.append(f"{film},{place}")
            classes.append(f"{film},{kind}")
        file = folder / "stage_2_train_images" / f"{film}.dcm"
        tags = {"PatientID": film, "PatientSex": sex, "PatientAge": age, "ViewPosition": view}
        dicom_file(file, Modality="CR", **tags)
    (folder / "stage_2_train_labels.csv").write_text("\n".join(targets) + "\n")
    (folder / "stage_2_detailed_class_info.csv").write_text("\n".join(classes) + "\n")
    if mappings:
        rows = [{"subset_img_id": f[0], "img_id": f[2], "orig_labels": []} for f in FILMS]
        name = "pneumonia-challenge-dataset-mappings_2018.json"
        (folder / name).write_text(json.dumps(rows))
    return folder
