"""The benchmark for GPUs runs its whole path on the processor, so that it works where one is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu_images.py"
SMALL = ("--studies", "6", "--stored", "64", "--size", "32", "--batch", "4", "--batches", "3")


def run(*options: str) -> str:
    done = subprocess.run(
        [sys.executable, SCRIPT, *options],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_it_runs_on_the_processor(tmp_path: Path) -> None:
    out = tmp_path / "figures.jsonl"
    printed = run("--device", "cpu", *SMALL, "--workers", "0", "--out", str(out))
    assert "64-pixel films to 32, batches of 4, 0 workers" in printed
    assert printed.count("images/s") == 6
    assert "ratio" in printed
    kept = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(kept) == 6
    assert all(line["images_a_second"] > 0 for line in kept)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says so only where there is no CUDA device")
def test_without_a_gpu_it_says_so() -> None:
    assert run(*SMALL).startswith("no CUDA device here")
