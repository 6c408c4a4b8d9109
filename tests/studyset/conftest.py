"""Lets tests, and the worker processes that they start, import the fake source."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight studies in a part, so that a small set has several."""
    from gradients import write_module

    monkeypatch.setattr(write_module(), "PART", 8)
