"""The benchmark of a run's start: each recipe's batch compared, and its three lines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "start.py"


def test_what_is_kept_is_what_is_made_anew() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--studies", "40"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" of 40 studies:") == 3
    assert done.stdout.count("made anew") == done.stdout.count("to a worker") == 3
