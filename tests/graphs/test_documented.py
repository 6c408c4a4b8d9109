"""Every Python block of docs/graphs.md runs alone and prints what stands beneath it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "graphs.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
FILES = dict(re.findall(r"```toml\n# (\S+)\n(.*?)```", TEXT, re.DOTALL))


def test_there_are_blocks() -> None:
    assert len(BLOCKS) >= 2
    assert "mine.toml" in FILES


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_runs_alone(number: int, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", BLOCKS[number]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = re.findall(r"^# (\{.*)$", BLOCKS[number], re.MULTILINE)
    assert done.stdout.splitlines() == told


def test_no_finding_says_that_no_finding_is_stated() -> None:
    from radpair.graphs import extract, finding_labels

    assert 'nothing but "No pneumothorax." has it' in TEXT
    assert finding_labels(extract("No pneumothorax."), "chexpert14")["No Finding"] == 1
