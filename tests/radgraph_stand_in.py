"""An environment whose ``radgraph`` package is the stand-in of ``stand_ins``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest


def make_weights(folder: Path) -> Path:
    """A folder with the parts that are asked for; the stand-in reads none of them."""
    model = folder / "radgraph-xl"
    (model / "vocabulary").mkdir(parents=True)
    bert = {"model_name": "some/bert"}
    config = {"model": {"embedder": {"token_embedders": {"bert": bert}}}}
    (model / "config.json").write_text(json.dumps(config))
    (model / "weights.th").write_bytes(b"no weights")
    return folder


def stand_in_python(marks: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An interpreter that finds the stand-in, which leaves its marks in a folder."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).with_name("stand_ins")))
    monkeypatch.setenv("MARKS", str(marks))
    return Path(sys.executable)
