"""The verbs of neighbours, few-shot and retrieval as a user types them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score

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


def test_calibration_scores_policy_and_resamples(
    model: str, disc_set: Path, tmp_path: Path, capsys
) -> None:
    run = str(Path(model).parent)
    out, scores, votes = (tmp_path / name for name in ("found.json", "s.csv", "v.csv"))
    given = ["--model", run, "--data", str(disc_set), "--labels", "Disc", "--fractions", "0.5"]
    given += ["--draws", "2", "--uncertain", "ones", "--resamples", "200", "--out", str(out)]
    main(["evaluate", "linear", *given, "--calibration", "--scores", str(scores)])
    found = json.loads(out.read_text())
    assert (found["settings"]["uncertain"], found["settings"]["resamples"]) == ("ones", 200)
    assert {"brier", "calibration_error"} <= set(found["rows"][0]["metrics"])
    told = capsys.readouterr().out
    assert "Brier" in told
    assert "sd of draws" in told
    main(["evaluate", "knn", *given, "--scores", str(votes)])
    tested = found["counts"]["test"]["studies"]
    for path, protocol in ((scores, "linear 0.5"), (votes, "knn 0.5")):
        with path.open(newline="") as handle:
            rows = list(csv.DictReader(handle))
        assert len(rows) == 2 * 2 * tested
        assert {row["protocol"] for row in rows} == {protocol}
        mine = [row for row in rows if row["model"] == "run" and row["draw"] == "1"]
        area = roc_auc_score([int(r["truth"]) for r in mine], [float(r["score"]) for r in mine])
        kept = json.loads(out.read_text())["rows"][1]["metrics"]["auroc"]["draws"][1]
        assert protocol.startswith("linear") or area == pytest.approx(kept)
    for wrong, message in (
        (["--resamples", "5"], "give 100 or more"),
        (["--scores", str(tmp_path / "s.txt")], "ending .csv"),
        (["--uncertain", "one"], "did you mean 'ones'"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(["evaluate", "linear", *given[:6], *wrong])
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err


def test_views_operating_point_and_few_shot_scores(
    model: str, disc_set: Path, tmp_path: Path, capsys
) -> None:
    out, scores = tmp_path / "found.json", tmp_path / "s.csv"
    given = ["--model", model, "--data", str(disc_set), "--out", str(out), "--draws", "2"]
    further = ["--views", "max", "--operating-point", "sensitivity=0.9"]
    for verb in (["linear", "--fractions", "0.5"], ["knn", "--fractions", "0.5"], ["few-shot"]):
        shots = ["--shots", "2"] if verb == ["few-shot"] else []
        main(["evaluate", *verb, *given, *shots, *further, "--scores", str(scores)])
        found = json.loads(out.read_text())
        assert found["settings"]["views"] == "max"
        assert found["settings"]["operating_point"] == "sensitivity=0.9"
        assert {"sensitivity", "specificity"} <= set(found["rows"][0]["metrics"])
        told = capsys.readouterr().out
        assert "the best specificity at a sensitivity of 0.9 or more" in told
    with scores.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {row["protocol"] for row in rows} == {"few-shot 2"}
    for wrong, message in (
        (["--views", "separate"], "--views 'separate' is not known"),
        (["--operating-point", "mc"], "did you mean 'mcc'"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(["evaluate", "linear", *given, *wrong])
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err


def test_zero_shot_tells_what_it_asked(model: str, disc_set: Path, tmp_path: Path, capsys) -> None:
    prompts, out, scores = (tmp_path / name for name in ("p.yaml", "found.json", "s.csv"))
    prompts.write_text("version: disc/1\nlabels:\n  Disc:\n    graph: nodule in the big toe\n")
    given = ["--model", model, "--data", str(disc_set), "--prompts", str(prompts)]
    main(["evaluate", "zero-shot", *given, "--out", str(out), "--scores", str(scores)])
    told = capsys.readouterr().out
    assert "nodule (OBS-DP)" in told
    assert "the rules know nothing of 'toe'" in told
    (found,) = json.loads(out.read_text())
    assert "studies of the split 'validate'." in told
    assert found["thresholds"]["missing"] == {}
    assert 0 <= found["metrics"]["sensitivity"]["macro"]["value"] <= 1
    assert found["graphs"]["Disc"]["present"][0]["not_understood"] == ["toe"]
    assert scores.read_text().count("zero-shot graph") == found["studies"]
    asked = ["--uncertain", "zeros", "--resamples", "150", "--operating-point", "f1"]
    main(["evaluate", "zero-shot", *given, "--out", str(out), *asked])
    (found,) = json.loads(out.read_text())
    settings = {"seed": 0, "resamples": 150, "uncertain": "zeros", "views": "mean"}
    assert found["provenance"]["settings"] == {**settings, "operating_point": "f1"}
    prompts.write_text("Disc: {graph: no nodule}\n")
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "zero-shot", *given])
    assert stopped.value.code == 2
    assert "both present and absent" in capsys.readouterr().err


def test_retrieval_by_partner_and_by_label(
    model: str, disc_set: Path, tmp_path: Path, capsys
) -> None:
    prompts, out = tmp_path / "prompts.yaml", tmp_path / "found.json"
    prompts.write_text("version: disc/1\nlabels:\n  Disc:\n    graph: nodule in the right lung\n")
    arguments = ["evaluate", "retrieval", "--model", model, "--data", str(disc_set)]
    main([*arguments, "--prompts", str(prompts), "--resamples", "150", "--out", str(out)])
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
