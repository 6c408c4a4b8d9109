"""A tiny COVIDx: three lists of four words a line, with no data of theirs."""

from __future__ import annotations

from pathlib import Path

from sources.fakes.pictures import picture

LINES = {
    "train": [
        "419639-003251 MIDRC-RICORD-1C-419639-003251-46647-0.png positive ricord",
        "419639-003251 MIDRC-RICORD-1C-419639-003251-46647-1.png positive ricord",
        "379 1e64990d1b40c1758a2aaa9c7f7a85_jumbo.jpeg negative cohen",
        "379 COVID (12).png positive sirm",
        "8f1c 8f1c.png negative rsna",
        "8f1c 8f1c.png negative rsna",
    ],
    "val": ["S03044 sub-S03044_ses-E07985_run-1.png positive bimcv", "9a 9a.png negative rsna"],
    "test": ["S11 sub-S11.png negative bimcv", "379 x.png negative RSNA"],
}
"""One line stands twice, and 379 is a number of three sources."""
OLDER = {
    "train": ["1 a.png pneumonia cohen", "2 b.png normal rsna", "3 c.png COVID-19 sirm"],
    "test": ["4 d.png normal rsna"],
}


def make(folder: Path, parts: tuple[str, ...] = ("train", "val", "test")) -> Path:
    """Writes CXR-4, or CXR-2 and CXR-3 with the parts train and test only."""
    for part in parts:
        write(folder, part, LINES[part], f"{part}.txt")
    return folder


def make_older(folder: Path) -> Path:
    """Writes lists of three classes as COVID-Net's repository names them."""
    for part, lines in OLDER.items():
        write(folder, part, lines, f"{part}_COVIDx9A.txt")
    return folder


def write(folder: Path, part: str, lines: list[str], name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")
    for line in lines:
        picture(folder / part / " ".join(line.split()[1:-2]))
