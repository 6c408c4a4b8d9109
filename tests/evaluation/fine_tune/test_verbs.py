"""The verbs as a user types them, on a study set on disk."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from radpair.cli import main
from radpair.errors import RecipeError
from radpair.evaluation.fine_tune import runs
from radpair.evaluation.fine_tune.settings import FineTuneConfig, read_settings
from radpair.evaluation.report import write_page
from radpair.studyset import StudySet
from squares import small_model

SETTINGS = ("batch=16", "warmup=4", "passes=0", "least_steps=6", "check=3", "learning_rate=1e-3")


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    message = capsys.readouterr().err.strip().splitlines()
    return message[-1]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    from radpair.models.folder import save_folder

    folder = tmp_path_factory.mktemp("runs") / "run" / "model"
    save_folder(folder, small_model().pair, None)
    return str(folder)


def test_fine_tune_continue_save_and_predict(
    disc_set: Path, model: str, tmp_path: Path, capsys, monkeypatch
) -> None:
    out, saved = tmp_path / "out", tmp_path / "saved"
    arguments = [
        *("evaluate", "fine-tune", "--model", model, "--data", str(disc_set)),
        *("--out", str(out), "--save", str(saved), "--fractions", "0.5", "--draws", "1"),
        *("--set", *SETTINGS),
    ]
    main(arguments)
    assert "AUROC, fine-tuned" in capsys.readouterr().out
    found = json.loads((out / "results.json").read_text())
    assert found["schema"] == "radpair.fine-tune/1"
    assert [row["model"] for row in found["rows"]] == ["random:run", "run"]
    assert found["rows"][1]["differences"]["auroc"]["macro"]["p"] is not None
    assert found["provenance"]["study_set"]["hash"] == StudySet.open(disc_set).content_hash
    page = {key: found[key] for key in ("provenance",)}
    page |= {"title": "t", "summary": "s", "data": {}, "linear": found}
    write_page(page, out / "page.html", [])
    assert "run" in (out / "page.html").read_text()

    monkeypatch.setattr(runs, "train", lambda *a: pytest.fail("trained again"))
    main(arguments)
    assert json.loads((out / "results.json").read_text()) == found

    table = tmp_path / "test.csv"
    folder = str(saved / "run-50pct-0")
    arguments = ["predict", "--model", folder, "--data", str(disc_set), "--out", str(table)]
    main([*arguments, "--split", "test"])
    studies = StudySet.open(disc_set)
    rows = list(csv.DictReader(table.open()))
    assert [row["study_id"] for row in rows] == [
        studies.study_ids[study] for study in studies.split("test")
    ]
    assert [row["patient_id"] for row in rows] == [
        studies.patient_ids[study] for study in studies.split("test")
    ]
    key = found["runs"][1]["key"]
    scores = runs._read(out / "runs" / f"{key}.safetensors").scores
    written = [[float(row[name]) for name in ("Disc", "Left")] for row in rows]
    assert np.allclose(written, scores, rtol=1e-6)
    beside_readers(studies, table, folder, tmp_path)
    capsys.readouterr()
    main(arguments)
    assert "from which this classifier learned" in capsys.readouterr().out
    assert len(table.read_text().splitlines()) == 97


def test_views_of_a_study(disc_set: Path, model: str, tmp_path: Path, capsys) -> None:
    saved = tmp_path / "saved"
    arguments = [
        *("evaluate", "fine-tune", "--model", model, "--data", str(disc_set)),
        *("--out", str(tmp_path / "out"), "--save", str(saved), "--fractions", "0.5"),
        *("--draws", "1", "--labels", "Disc", "--views", "max", "--set", *SETTINGS),
    ]
    main(arguments)
    told = capsys.readouterr().out
    assert "sensitivity, fine-tuned" in told
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["settings"]["views"] == found["settings"]["training"]["views"] == "max"
    assert {"sensitivity", "specificity", "mcc", "f1"} <= set(found["rows"][0]["metrics"])
    folder, tables = saved / "run-50pct-0", {}
    for views in (None, "mean", "max", "separate"):
        table = tmp_path / f"{views}.csv"
        given = ["predict", "--model", str(folder), "--data", str(disc_set), "--split", "test"]
        main([*given, "--out", str(table), *(["--views", views] if views else [])])
        tables[views] = list(csv.DictReader(table.open()))
    told = capsys.readouterr().out
    assert told.count("its thresholds and figures are for the max") == 2
    assert f"{len(tables['separate'])} images of {len(tables['max'])} studies" in told
    assert tables[None] == tables["max"]
    studies = StudySet.open(disc_set)
    paths = {row["image"] for row in tables["separate"]}
    assert paths <= set(studies.image_paths)
    for views, over in (("mean", np.mean), ("max", np.max)):
        for row in tables[views]:
            images = [
                float(one["Disc"])
                for one in tables["separate"]
                if one["study_id"] == row["study_id"]
            ]
            assert float(row["Disc"]) == pytest.approx(over(images), rel=1e-6)
    given = ["predict", "--model", str(folder), "--data", str(disc_set), "--out"]
    message = refused([*given, str(tmp_path / "x.csv"), "--views", "mea"], capsys)
    assert "did you mean 'mean'" in message
    arguments[arguments.index("max")] = "mx"
    assert "did you mean 'max'" in refused(arguments, capsys)


def beside_readers(studies: StudySet, table: Path, folder: str, place: Path) -> None:
    """The documented route: the predictions and thresholds of a classifier into 'readers'."""
    rows = [["Study", "Disc", "Left"]]
    for study in studies.split("test"):
        rows.append([studies.study_ids[study], *map(int, studies.labels[study])])
    for name in ("truth", "reader"):
        with (place / f"{name}.csv").open("w", newline="") as handle:
            csv.writer(handle).writerows(rows)
    main(
        [
            *("readers", "--truth", str(place / "truth.csv"), "--labels", "Disc", "Left"),
            *("--reader", str(place / "reader.csv"), "--predictions", str(table)),
            *("--thresholds", f"{folder}/thresholds.json", "--resamples", "100"),
            *("--id-column", "study_id", "Study", "--patient-column", "patient_id"),
            *("--out", str(place / "readers")),
        ]
    )
    found = json.loads((place / "readers" / "readers.json").read_text())
    people = {studies.patient_ids[study] for study in studies.split("test")}
    assert (found["patients"], found["own_patients"]) == (len(people), 0)
    assert found["model"]["thresholds"] is not None


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--set", "batc=3"], "unknown key 'batc'; did you mean 'batch'?"),
        (["--set", "batch"], "write it as key=value"),
        (["--task", "mura"], "takes one label, not 2"),
        (["--task", "multi-class"], "of the classes Disc, Left"),
        (["--labels", "Disk"], "did you mean 'Disc'"),
        (["--fractions", "0"], "must lie above 0"),
        (["--draws", "0"], "at least one fraction and one draw"),
        (["--uncertain", "one"], "did you mean 'ones'"),
        (["--device", "cuda:7"], "is not to be had here"),
    ],
)
def test_mistakes_are_one_sentence(
    extra: list[str], words: str, disc_set: Path, model: str, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "out"
    arguments = ["evaluate", "fine-tune", "--model", model, "--data", str(disc_set)]
    assert words in refused([*arguments, "--out", str(out), *extra], capsys)
    assert not out.exists()


def test_predict_refuses_what_is_no_classifier(
    disc_set: Path, model: str, tmp_path: Path, capsys
) -> None:
    arguments = ["predict", "--model", model, "--data", str(disc_set), "--out"]
    assert "--save FOLDER" in refused([*arguments, str(tmp_path / "x.csv")], capsys)
    assert "ending .csv" in refused([*arguments, str(tmp_path / "x.txt")], capsys)


def test_settings_are_convirts() -> None:
    config = FineTuneConfig()
    values = (config.batch, config.warmup, config.head_rate, config.dropout)
    assert values == (64, 200, 1e-3, 0.2)
    assert [(t.learning_rate, t.weight_decay) for t in config.trials] == [(1e-4, 1e-6)]


def test_lists_are_a_sweep() -> None:
    config = read_settings(["learning_rate=[3e-5, 1e-4]", "weight_decay=1e-2"])
    assert [(t.learning_rate, t.weight_decay) for t in config.trials] == [
        (3e-5, 1e-2),
        (1e-4, 1e-2),
    ]


@pytest.mark.parametrize(
    "setting",
    [
        "learning_rate=[]",
        "learning_rate=2",
        "head_rate=5",
        "dropout=1",
        "layer_decay=0",
        "selection=test",
        "statistics=frosen",
        "batch=0",
        "patience=0",
        "augmentation.crop=[0.5,2]",
    ],
)
def test_impossible_settings_are_refused(setting: str) -> None:
    with pytest.raises(RecipeError, match=setting.split("=")[0].split(".")[-1]):
        read_settings([setting])


def test_the_operating_point_and_the_resamples_are_asked_for(
    disc_set: Path, model: str, tmp_path: Path, capsys
) -> None:
    given = ["evaluate", "fine-tune", "--model", model, "--data", str(disc_set)]
    few = ["--fractions", "1.0", "--draws", "1", "--resamples", "100", "--set", *SETTINGS]
    found = {}
    for point in ("mcc", "sensitivity=1"):
        out = tmp_path / point
        main([*given, *few, "--out", str(out), "--operating-point", point])
        found[point] = json.loads((out / "results.json").read_text())
        told = found[point]["settings"]
        assert (told["operating_point"], told["resamples"]) == (point, 100)
    assert "at the best specificity at a sensitivity of 1 or more" in capsys.readouterr().out
    keys = [{run["key"] for run in one["runs"]} for one in found.values()]
    assert not keys[0] & keys[1]
    for words, said in (
        (["--task", "multi-class", "--operating-point", "f1"], "leave it out"),
        (["--set", "operating_point=f1"], "give --operating-point instead"),
        (["--resamples", "5"], "give 100 or more"),
        (["--operating-point", "sensitivity"], "say what to reach"),
    ):
        with pytest.raises(SystemExit):
            main([*given, "--out", str(tmp_path / "x"), *words])
        assert said in capsys.readouterr().err
