"""The comparison that this room's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparison.chexpert_form import Case, small_case
from comparison.compare_case import Runs, train
from discs import TINY


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Files of 120 studies of 80 patients, two readers and a synthetic model."""
    return small_case(tmp_path)


@pytest.fixture(scope="session")
def runs(disc_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """``igc-small`` and ``convirt-small``, tiny, on the disc set."""
    return train(disc_set, TINY, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def compared(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished comparison of both with random weights."""
    out = tmp_path_factory.mktemp("compared") / "out"
    runs.compare(out)
    return out
