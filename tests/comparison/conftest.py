"""The comparison that this room's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparison.chexpert_form import Case, small_case


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Files of 120 studies of 80 patients, two readers and a synthetic model."""
    return small_case(tmp_path)
