"""The projection's arithmetic against sums by hand, and its printed table."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from by_path import BENCHMARKS, benchmark


@pytest.fixture(scope="module")
def scaling() -> ModuleType:
    return benchmark("scaling")


@pytest.fixture
def assumed(scaling: ModuleType) -> Any:
    """A device of 1 TFLOP/s, links of 1 GB/s, a network of 0.1 GB/s."""
    return scaling.Assumed(
        fraction=(0.5,), peak=1e12, single=1e12, memory=1e12, link=1e9, network=1e8, reached=1.0,
        hop=0.0, overlap=0.0, launch=0.0, cores=1,
    )  # fmt: skip


def test_a_ring_moves_all_but_ones_own_part(scaling: ModuleType, assumed: Any) -> None:
    assert scaling.reduced(8e9, 1, assumed) == 0
    assert scaling.reduced(8e9, 8, assumed) == pytest.approx(2 * 7)
    assert scaling.gathered(8e9, 8, assumed) == pytest.approx(7)
    between = 2 * 7 * (1e9 / 8) / 1e8
    assert scaling.reduced(8e9, 64, assumed) == pytest.approx(2 * 7 + between)
    slow = replace(assumed, hop=1.0)
    assert scaling.reduced(0.0, 8, slow) == pytest.approx(14)


def test_a_step_waits_for_what_does_not_hide(scaling: ModuleType, assumed: Any) -> None:
    cost = scaling.Cost(1e9, 100, 10**9, 0, 0, 0.0, 0.0)
    alone = scaling.step(cost, assumed, 1, 100, 0.5)
    assert alone.device == pytest.approx(100 * 1e9 / 0.5e12 + 28e9 / 1e12)
    assert alone.waited == 0
    assert alone.whole == alone.device
    several = scaling.step(cost, assumed, 8, 100, 0.5)
    assert several.waited == pytest.approx(7 + 7 * 100 * 24 / 1e9)
    hidden = scaling.step(cost, replace(assumed, overlap=1.0), 8, 100, 0.5)
    assert several.waited - hidden.waited == pytest.approx(0.2 * 2 / 3)
    started = scaling.step(cost, replace(assumed, launch=1.0), 1, 100, 0.5)
    assert started.whole == pytest.approx(100)


def test_attention_is_counted_on_a_processor_too(scaling: ModuleType, tmp_path: Path) -> None:
    """Done by matrix products it has no fewer operations; they are counted in any case."""
    gpu = scaling.gpu
    studies = scaling.study_set(tmp_path / "set", 8)
    model, data = gpu.made(gpu.sized("igc", 8, 1, tiny=True), studies)
    batch = data.batch(np.arange(len(data)), 0)
    found = gpu.operations(model, batch, torch.device("cpu"))
    with sdpa_kernel(SDPBackend.MATH):
        products = gpu.operations(model, batch, torch.device("cpu"))
    assert products <= found < 1.1 * products


def test_what_is_prepared_is_a_step_of_a_whole_pass(scaling: ModuleType, tmp_path: Path) -> None:
    recipe = scaling.gpu.sized("igc", 8, 1, tiny=True)
    _, data = scaling.gpu.made(recipe, scaling.study_set(tmp_path / "set", 8))
    assert len(scaling.repeated(data)) == scaling.STUDIES
    assert (scaling.prepared(data, recipe) > 0).all()


def test_the_table_says_what_it_is() -> None:
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "scaling.py", "--tiny", "--fraction", "0.4"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("PROJECTION")
    assert done.stdout.count("| 40% |") == 10
