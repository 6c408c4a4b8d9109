"""Writes a tiny stand-in for CheXpert with retrieval lists in the published form.

Usage: python tests/evaluation/fake_chexpert.py OUT

``OUT/CheXpert-v1.0-small`` holds films of random noise in which each class has a bright bar at its
own height; ``OUT/lists`` holds ``image-retrieval`` and ``text-retrieval``.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import cv2
import numpy as np

CLASSES = ("Atelectasis", "Edema", "No Finding")
COLUMNS = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *CLASSES, "Fracture")
SIDE = 64


def write_fake_chexpert(out: Path, candidates: int = 20, queries: int = 3, seed: int = 0) -> None:
    """``candidates`` and ``queries`` a class; every patient has two films."""
    rng = np.random.default_rng(seed)
    rows, asked, told = [], [], []
    for place, name in enumerate(CLASSES):
        for number in range(candidates + queries):
            patient = 1000 * place + number // 2
            path = (
                f"CheXpert-v1.0-small/train/patient{patient:05d}/study1/"
                f"view{1 + number % 2}_frontal.jpg"
            )
            _film(out / path, place, rng)
            if number < candidates:
                values = [f"{float(other == name)}" for other in CLASSES]
                rows.append((path, "Male", "60", "Frontal", "AP", *values, "0.0"))
            else:
                asked.append((name, path))
        told.append((name, f"{name} is present."))
    for kind, header, lines in (
        ("image-retrieval", ("Variable", "Path"), asked),
        ("text-retrieval", ("Variable", "Text"), told),
    ):
        folder = out / "lists" / kind
        folder.mkdir(parents=True, exist_ok=True)
        _table(folder / "query.csv", header, lines)
        _table(folder / "candidate.csv", COLUMNS, rows)


def _film(path: Path, place: int, rng: np.random.Generator) -> None:
    pixels = rng.integers(60, 120, size=(SIDE, SIDE), dtype=np.uint8)
    top = 8 + place * SIDE // len(CLASSES)
    pixels[top : top + 8] = 240
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


def _table(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    write_fake_chexpert(Path(sys.argv[1]))
