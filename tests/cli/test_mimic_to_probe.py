"""The documented commands, from the folders of MIMIC-CXR as downloaded to a linear probe."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from radpair.cli import main
from sources.fakes.mimic_cxr import fake_studies, make

PAGE = Path(__file__).parents[2] / "docs/datasets.md"
PATIENTS = 60


def documented() -> list[list[str]]:
    """The words of the block's commands, without ``radpair``."""
    text = PAGE.read_text()
    block = re.search(r"to a measured encoder:\n\n```sh\n(.*?)```", text, re.DOTALL)
    assert block, f"{PAGE.name} has no such block"
    commands = [shlex.split(line) for line in block[1].splitlines()]
    assert all(words[0] == "radpair" for words in commands)
    return [words[1:] for words in commands]


def nearly_complete_releases(folder: Path) -> None:
    """Two releases beside each other; one image is missing and one was cut off."""
    root = make(folder / "mimic-cxr-jpg/2.1.0", reports="zip", patients=PATIENTS)
    reports = folder / "mimic-cxr/2.1.0/mimic-cxr-reports.zip"
    reports.parent.mkdir(parents=True)
    (root / reports.name).rename(reports)
    first, second, *_ = sorted(root.rglob("*.jpg"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:300])


@pytest.mark.slow
def test_documented_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: tuple[str, ...], capsys
) -> None:
    nearly_complete_releases(tmp_path)
    monkeypatch.chdir(tmp_path)
    verbs = []
    for words in documented():
        verbs.append(words[0])
        if words[0] == "pretrain":
            words += ["--device", "cpu", "--set", *tiny, "training.epochs=1"]
        main(words)
    assert verbs == ["ingest", "verify", "graphs", "pretrain", "evaluate"]
    told = capsys.readouterr().out
    studies = sum(1 for _ in fake_studies(PATIENTS))
    assert f"{pq.read_metadata('sets/mimic/studies.parquet').num_rows} studies" in told
    assert studies - 2 <= pq.read_metadata("sets/mimic/studies.parquet").num_rows <= studies
    reasons = pq.read_table("sets/mimic/quarantine.parquet")["reason"].to_pylist()
    assert sum("no such file" in reason for reason in reasons) == 1
    assert sum("damaged or truncated" in reason for reason in reasons) == 1
    assert re.search(r"^mimic +100% \(\d+ studies\) +0\.\d{3} ", told, re.MULTILINE)
