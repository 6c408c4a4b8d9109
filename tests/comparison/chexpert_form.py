"""Files in CheXpert's form: a simulated test set, two readers and a synthetic model."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LABELS = ("Edema", "Pleural Effusion", "Atelectasis")


@dataclass(frozen=True)
class Case:
    """The numbers behind the files."""

    folder: Path
    ids: list[str]
    patients: list[str]
    truth: np.ndarray
    readers: dict[str, np.ndarray]
    scores: np.ndarray

    def arguments(self, *more: str) -> list[str]:
        files = [str(self.folder / f"{name}.csv") for name in self.readers]
        start = ["readers", "--truth", str(self.folder / "truth.csv"), "--reader", *files]
        return [*start, "--labels", *LABELS, "--resamples", "200", *more]

    def with_model(self, *more: str) -> list[str]:
        return self.arguments("--predictions", str(self.folder / "synthetic.csv"), *more)


def write(
    file: Path,
    ids: Sequence[str],
    values: Any,
    labels: Sequence[str] = LABELS,
    column: str = "Study",
) -> Path:
    """A CSV file in CheXpert's form."""
    with file.open("w", newline="", encoding="utf-8") as handle:
        out = csv.writer(handle)
        out.writerow([column, *labels])
        out.writerows(
            [study, *row] for study, row in zip(ids, np.asarray(values).tolist(), strict=True)
        )
    return file


def simulated(
    seed: int, first: int, studies: int = 120
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Ids of two studies for every second patient, truth, and noisy scores with ties."""
    rng = np.random.default_rng(seed)
    numbers = [first + i - i // 3 for i in range(studies)]
    ids = [f"set/patient{n}/study{1 + numbers[:i].count(n)}" for i, n in enumerate(numbers)]
    truth = (rng.random((studies, len(LABELS))) < [0.1, 0.4, 0.6]).astype(int)
    scores = np.round(rng.normal(size=truth.shape) + 1.3 * truth, 1)
    return ids, truth, scores


def small_case(folder: Path) -> Case:
    """120 studies, readers who err in 15 and 30 percent, and a synthetic model."""
    ids, truth, scores = simulated(0, 1000)
    rng = np.random.default_rng(1)
    readers = {
        name: np.where(rng.random(truth.shape) < wrong, 1 - truth, truth)
        for name, wrong in (("careful", 0.15), ("hasty", 0.3))
    }
    write(folder / "truth.csv", ids, truth)
    write(folder / "synthetic.csv", ids, scores)
    for name, answers in readers.items():
        write(folder / f"{name}.csv", ids, answers)
    patients = [study.split("/")[1] for study in ids]
    return Case(folder, ids, patients, truth, readers, scores)
