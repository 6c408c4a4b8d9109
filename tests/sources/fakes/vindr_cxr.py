"""A tiny VinDr-CXR: three readers a training film, consensus for test, with no data of theirs."""

from __future__ import annotations

import random
from pathlib import Path

from sources.fakes.dicoms import dicom_file

LABELS = (
    "Aortic enlargement,Atelectasis,Calcification,Cardiomegaly,Clavicle fracture,Consolidation,"
    "Edema,Emphysema,Enlarged PA,ILD,Infiltration,Lung Opacity,Lung cavity,Lung cyst,"
    "Mediastinal shift,Nodule/Mass,Pleural effusion,Pleural thickening,Pneumothorax,"
    "Pulmonary fibrosis,Rib fracture,Other lesion,COPD,Lung tumor,Pneumonia,Tuberculosis,"
    "{other},No finding"
)
TRAIN = [f"{number:032x}" for number in range(0xA1, 0xA7)]
TEST = [f"{number:032x}" for number in range(0xB1, 0xB4)]


def votes(film: str, reader: int) -> list[int]:
    """What a reader says of a film, one number a label."""
    draw = random.Random(f"{film} {reader}")
    return [int(draw.random() < 0.5) for _ in range(28)]


def make(folder: Path) -> Path:
    train = [f"image_id,rad_id,{LABELS.format(other='Other diseases')}"]
    for reader in range(3):  # the readers of a film do not stand together
        for number, film in enumerate(TRAIN):
            who = f"R{1 + (number + reader * 5) % 17}"
            train.append(f"{film},{who},{','.join(map(str, votes(film, reader)))}")
    test = [f"image_id,{LABELS.format(other='Other disease')}"]
    test += [f"{film},{','.join(map(str, votes(film, 0)))}" for film in TEST]
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / "annotations" / "image_labels_train.csv").write_text("\n".join(train) + "\n")
    (folder / "annotations" / "image_labels_test.csv").write_text("\n".join(test) + "\n")
    for part, films in (("train", TRAIN), ("test", TEST)):
        for film in films:
            file = folder / part / f"{film}.dicom"
            dicom_file(file, bits=16, PatientID=None, PatientSex="M", PatientAge="061Y")
    return folder
