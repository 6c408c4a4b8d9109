"""The benchmark of training steps on a GPU runs its whole path on the processor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu.py"
SMALL = ("--batches", "4", "8", "--shard", "4", "--steps", "1", "--studies", "12")


def run(*options: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, SCRIPT, *options],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_it_runs_on_the_processor() -> None:
    printed = run("--device", "cpu", "--tiny", *SMALL)
    lines = [line for line in printed if "studies/s" in line]
    assert [line.partition(":")[0] for line in lines] == [
        "igc, test_vit, batch 4 in 1 shards",
        "igc, test_vit, batch 8 in 2 shards",
        "convirt, test_resnet, batch 4 in 1 shards",
        "convirt, test_resnet, batch 8 in 2 shards",
    ]
    assert all("of the peak" in line for line in lines)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says so only where there is no CUDA device")
def test_without_a_gpu_it_says_so() -> None:
    (line,) = run()
    assert line.startswith("no CUDA device here")
