"""A tiny NIH ChestX-ray14: its folders, unquoted brackets in the header, lists, with no data."""

from __future__ import annotations

from pathlib import Path

from sources.fakes.pictures import picture

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient {sex},View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
FILMS = [
    ("00000001_000.png", "Cardiomegaly", 0, 1, "57", "M", "PA"),
    ("00000001_001.png", "Cardiomegaly|Emphysema", 1, 1, "58", "M", "PA"),
    ("00000002_000.png", "No Finding", 0, 2, "80", "M", "AP"),
    ("00000003_000.png", "Hernia", 0, 3, "74", "F", "PA"),
    ("00000003_001.png", "Hernia|Infiltration|Pleural_Thickening", 1, 3, "75", "F", "PA"),
    ("00000004_000.png", "Mass|Nodule", 0, 4, "411", "F", "AP"),
    ("00000005_000.png", "No Finding", 0, 5, "69", "F", "PA"),
    ("00000006_000.png", "Edema|Effusion", 0, 6, "070Y", "M", "AP"),
]
TESTED = (3, 6)


def make(folder: Path, table: str = "Data_Entry_2017_v2020.csv", flat: bool = False) -> Path:
    """Writes the release in two image folders, or as one folder ``images``."""
    sex = "Sex" if "v2020" in table else "Gender"
    rows = [HEADER.format(sex=sex)]
    rows += [f"{','.join(map(str, film))},2682,2749,0.143,0.143," for film in FILMS]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / table).write_text("\n".join(rows) + "\n")
    for number, film in enumerate(FILMS):
        part = "images" if flat else f"images_{1 + number // 5:03d}/images"
        picture(folder / part / film[0])
    lists = {"train_val_list.txt": False, "test_list.txt": True}
    for name, tested in lists.items():
        names = [film[0] for film in FILMS if (film[3] in TESTED) == tested]
        (folder / name).write_text("\n".join(names) + ("\n" if tested else ""))
    return folder
