"""The benchmark of training steps on a GPU runs its whole path on the processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from by_path import benchmark

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


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def figures() -> ModuleType:
    return benchmark("figures")


def test_it_runs_on_the_processor(tmp_path: Path) -> None:
    out = tmp_path / "figures.jsonl"
    printed = run("--device", "cpu", "--tiny", *SMALL, "--out", str(out))
    lines = [line for line in printed if "studies/s" in line]
    assert [line.partition(":")[0] for line in lines] == [
        "igc, test_vit, batch 4 in 1 shards",
        "igc, test_vit, batch 8 in 2 shards",
        "convirt, test_resnet, batch 4 in 1 shards",
        "convirt, test_resnet, batch 8 in 2 shards",
    ]
    assert all("of the peak" in line for line in lines)
    kept = [line for line in lines_of(out) if "studies_a_second" in line]
    assert [(line["recipe"], line["batch"]) for line in kept] == [
        ("igc", 4), ("igc", 8), ("convirt", 4), ("convirt", 8),
    ]  # fmt: skip
    assert all(line["of_peak"] > 0 for line in kept)


def test_what_has_no_memory_or_no_time_is_said_and_the_next_measured(
    figures: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def too_large() -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 TiB.")

    device, out = torch.device("cpu"), tmp_path / "figures.jsonl"
    kept = figures.Figures(device, out, 60)
    kept.take("a", {"batch": 4096}, too_large)
    kept.take("b", {"batch": 1}, lambda: ("3 studies/s", {"rate": 3}))
    figures.Figures(device, out, -1).take("c", {"batch": 2}, too_large)
    assert capsys.readouterr().out.splitlines() == [
        "a: out of memory (CUDA out of memory)",
        "b: 3 studies/s",
        "c: left out, the time is up",
    ]
    found = [(line["batch"], line.get("left_out"), line.get("rate")) for line in lines_of(out)]
    assert found == [(4096, "memory", None), (1, None, 3), (2, "time", None)]


@pytest.mark.skipif(torch.cuda.is_available(), reason="says so only where there is no CUDA device")
def test_without_a_gpu_it_says_so() -> None:
    (line,) = run()
    assert line.startswith("no CUDA device here")
