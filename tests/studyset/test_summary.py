"""The summary in words: numbers with their nouns, and the labels by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from radpair.studyset import Summary


def summary(**given: Any) -> str:
    counts = dict.fromkeys(
        (
            *("quarantined_images", "unusable_reports", "studies_left_out", "source_graphs"),
            *("pixel_bytes", "exact_duplicates", "near_duplicates", "near_across_splits"),
        ),
        0,
    )
    values = {"studies": 1, "images": 1, "patients": 1, "labels": (), **counts, **given}
    splits = {"train": values["studies"], "validate": 0, "test": 0}
    return str(Summary(path=Path("set"), splits=splits, was_complete=False, **values))


def test_one_of_each_is_no_plural() -> None:
    assert "1 study of 1 patient, 1 image (" in summary()
    told = summary(quarantined_images=1, unusable_reports=2, studies_left_out=1, studies=3)
    assert "3 studies of 1 patient, 1 image (" in told
    assert "Quarantined: 1 image and 2 reports; 1 study left out" in told


def test_labels_are_counted_and_named() -> None:
    assert "label" not in summary()
    assert "\n1 label: Edema." in summary(labels=("Edema",))
    many = tuple(f"L{number}" for number in range(25))
    told = summary(labels=many)
    assert "\n25 labels: L0, L1, " in told
    assert "L19, ..." in told
    assert "L20" not in told
