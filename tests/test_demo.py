from __future__ import annotations

import json
from pathlib import Path

import pytest

from radpair.demo import run_demo, with_warmup


def test_a_short_demo_is_not_all_warm_up() -> None:
    """Where there is time for the recipe's own it is left alone."""
    (short,) = with_warmup("igc-small", ["training.epochs=2"], 280)[1:]
    assert short == "training.warmup=4"
    assert with_warmup("igc-small", [], 2100) == []


@pytest.mark.slow
def test_the_whole_main_job(tmp_path: Path) -> None:
    """Everything runs and stops in the same place when asked again; figures need a longer demo."""
    told = run_demo(tmp_path, studies=400, epochs=1)
    assert "AUROC, linear" in told
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["data"]["synthetic"] is True
    models = {row["model"] for row in found["linear"]["rows"]}
    assert models == {"random:igc-small", "igc-small", "convirt-small"}
    assert {row["kind"] for row in found["zero_shot"]} == {"text", "graph"}
    page = (tmp_path / "report.html").read_text()
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    again = run_demo(tmp_path, studies=400, epochs=1)
    assert "was complete already" in again
