"""The command for a GPU goes its whole way on the processor, with towers of a few weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[1] / "scripts" / "paper_size.py"
SMALL = (
    *("--studies", "100", "--batch", "16", "--epochs", "1", "--steps", "2", "--device", "cpu"),
    *("--set", "image.name=test_resnet", "image.size=32", "text.layers=1", "text.width=32"),
    *("text.heads=2", "graph.width=16", "graph.feed_forward=16"),
)


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *options],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_from_phantoms_to_tables_and_on(tmp_path: Path) -> None:
    done = run("--out", str(tmp_path), *SMALL)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "tables/results.json").read_text())
    told = (tmp_path / "tables/report.md").read_text()
    for model in ("random:igc", "random:convirt", "igc", "convirt"):
        assert f" {model} |" in told
        assert (tmp_path / model.removeprefix("random:") / "profile.json").is_file()
    assert found["sets"]
    asked = json.loads((tmp_path / "igc/run.json").read_text())["settings"]
    assert asked["image"]["weights"] == asked["text"]["weights"] == "none"
    assert asked["training"]["schedule"] == "cosine"
    again = run("--out", str(tmp_path), *SMALL)
    assert again.returncode == 0, again.stderr
    assert "was complete already" in again.stdout
    assert (tmp_path / "tables/report.md").read_text() == told


def test_mistakes_end_it_with_their_sentence(tmp_path: Path) -> None:
    done = run("--out", str(tmp_path), "--studies", "0", "--device", "cpu")
    assert done.returncode == 2
    assert "studies = 0" in done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="says so only where there is no CUDA device")
def test_without_a_gpu_it_says_so_before_it_begins(tmp_path: Path) -> None:
    done = run("--out", str(tmp_path / "out"))
    assert done.returncode
    assert "no CUDA device here" in done.stderr
    assert not (tmp_path / "out").exists()
