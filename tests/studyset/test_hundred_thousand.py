"""The script of the hundred thousand, on a hundredth of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/hundred_thousand.py"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
def test_killed_on_the_way_a_fake_mimic_ends_the_same(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--folder", str(tmp_path), "--studies", "2000"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--kills", "2"], capture_output=True, text=True, timeout=200, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed 2 times" in done.stdout
    assert "the same files, byte for byte" in done.stdout
    peak = re.search(r"largest memory of one process: ([\d,]+) MB", done.stdout)
    assert peak
    assert 20 < int(peak[1].replace(",", "")) < 2000
