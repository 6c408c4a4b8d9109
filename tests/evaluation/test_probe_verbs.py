"""The verbs of neighbours, few-shot and retrieval as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radpair.cli import main


@pytest.fixture
def model(disc_set: Path, tiny: tuple[str, ...], tmp_path: Path) -> str:
    run = tmp_path / "run"
    arguments = ["pretrain", "igc-small", "--data", str(disc_set), "--out", str(run)]
    main([*arguments, "--device", "cpu", "--set", *tiny, "training.epochs=1"])
    return str(run / "model")


def test_neighbours_and_few_shot(model: str, disc_set: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "found.json"
    given = ["--model", model, "--data", str(disc_set), "--labels", "Disc", "--out", str(out)]
    main(["evaluate", "knn", *given, "--fractions", "0.5", "1.0", "--draws", "2"])
    found = json.loads(out.read_text())
    assert [row["model"] for row in found["rows"]] == ["random:run", "run"] * 2
    assert found["schema"] == "radpair.knn/1"
    assert "AUROC, neighbours" in capsys.readouterr().out
    main(["evaluate", "few-shot", *given, "--shots", "1", "4"])
    found = json.loads(out.read_text())
    assert [row["shots"] for row in found["rows"]] == [1, 1, 4, 4]
    assert all(row["draws"] == 5 for row in found["rows"])
    assert set(found["provenance"]["models"]) == {"run", "random:run"}
    assert "K = 4" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "few-shot", *given, "--shots", "900"])
    assert stopped.value.code == 2
    assert "lower the shots" in capsys.readouterr().err


def test_retrieval_by_partner_and_by_label(
    model: str, disc_set: Path, tmp_path: Path, capsys
) -> None:
    prompts, out = tmp_path / "prompts.yaml", tmp_path / "found.json"
    prompts.write_text("version: disc/1\nlabels:\n  Disc:\n    graph: nodule in the right lung\n")
    arguments = ["evaluate", "retrieval", "--model", model, "--data", str(disc_set)]
    main([*arguments, "--prompts", str(prompts), "--out", str(out)])
    found = json.loads(out.read_text())
    assert {(row.get("kind"), row.get("query")) for row in found} == {
        ("graph", None),
        ("view", None),
        (None, "image"),
        (None, "graph"),
    }
    assert {row["prompts_version"] for row in found} == {"disc/1"}
    by_graph = next(row for row in found if row.get("query") == "graph")
    assert 0 < by_graph["precision"]["10"]["chance"] < 1
    printed = capsys.readouterr().out
    assert "image → graph" in printed
    assert "precision" in printed
