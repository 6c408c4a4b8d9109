"""Runs of pretraining: that one ends well, whether it went on, whether two are one and the same."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from radpair.pretraining.run import read_metrics

LOSS = 1e-5
"""Largest relative difference of a loss, from sums in another order in float32."""
WEIGHT = 1e-4
"""Largest difference of a weight after twelve steps of AdamW at a rate of at most 1e-4. Both are
about ten times what was seen where the run of one process had two threads, the others one."""


def ended_well(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Gives the command ``words`` and shows what it said where it did not end with code 0."""
    quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=quiet, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def gone_on(said: str) -> list[int]:
    """The steps after which runs went on, by what they ``said``; those from step 0 have none."""
    return [int(step.replace(",", "")) for step in re.findall(r"goes on after step ([\d,]+)", said)]


def same_run(found: Path, expected: Path) -> None:
    """``found`` wrote the lines of ``expected``, with its losses, and ended with its weights."""
    one, other = (read_metrics(run / "metrics.jsonl") for run in (expected, found))
    assert [(line["step"], line["split"], {*line}) for line in one] == [
        (line["step"], line["split"], {*line}) for line in other
    ]
    curves = [[line["loss"] for line in lines] for lines in (one, other)]
    assert curves[1] == pytest.approx(curves[0], rel=LOSS)
    before, after = (load_file(run / "model" / "model.safetensors") for run in (expected, found))
    assert before.keys() == after.keys()
    for key, value in before.items():
        torch.testing.assert_close(after[key], value, rtol=LOSS, atol=WEIGHT)
