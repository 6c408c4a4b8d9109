"""``radpair compare`` as a user types it, every figure held against the library's own verbs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from comparison.compare_case import PROMPTS, Runs, answer
from radpair.cli import main
from radpair.comparison.bench import Seen
from radpair.comparison.compare_models import name_sets
from radpair.evaluation.bootstrap import resample
from radpair.evaluation.differences import difference
from radpair.evaluation.few_shot import few_shot_probe
from radpair.evaluation.linear import linear_probe
from radpair.evaluation.neighbours import knn_probe
from radpair.evaluation.paired import holm
from radpair.evaluation.prompts import read_prompt_set
from radpair.evaluation.run import Encoded, retrieval_rows, zero_shot_rows
from radpair.evaluation.statistics import auroc
from radpair.models import load, open_model
from radpair.studyset import StudySet

MODELS = ["random:igc-small", "igc-small", "convirt-small"]


@pytest.fixture
def found(compared: Path) -> dict:
    return json.loads((compared / "results.json").read_text())


def features(runs: Runs, model: str) -> np.ndarray:
    places = {"igc-small": runs.igc, "convirt-small": runs.convirt}
    name = f"random:{runs.igc}/model" if model.startswith("random") else f"{places[model]}/model"
    return Encoded(open_model(name), StudySet.open(runs.data)).features


def test_probes_equal_those_of_evaluate(runs: Runs, found: dict) -> None:
    studies = StudySet.open(runs.data)
    seen = {model: features(runs, model) for model in MODELS}
    data = (studies.labels, studies.patient_ids, studies.splits, studies.label_names)
    same = {"draws": 2, "resamples": 200}
    for title, results in {
        "linear probe": linear_probe(seen, *data, (0.2, 1.0), **same),
        "few-shot": few_shot_probe(seen, *data, (2,), **same),
        "k-NN": knn_probe(seen, *data, (1.0,), **same),
    }.items():
        for row in results.rows:
            share = f", {100 * row.fraction:g} %" if title == "linear probe" else ""
            mine = answer(found, row.model, title + share)["metrics"]
            for metric, value in row.metrics.items():
                theirs = asdict(value)
                for part in ("value", "low", "high"):
                    assert mine[metric]["macro"][part] == pytest.approx(theirs["macro"][part])
                    for label in studies.label_names:
                        got = mine[metric]["labels"][label][part]
                        assert got == pytest.approx(theirs["labels"][label][part])
                assert mine[metric]["draws"] == pytest.approx(theirs["draws"])


def test_prompts_and_retrieval_equal_those_of_evaluate(runs: Runs, compared: Path) -> None:
    found = json.loads((compared / "results.json").read_text())
    studies, prompts = StudySet.open(runs.data), read_prompt_set(runs.prompts).labels
    for folder, kind, tower in ((runs.igc, "graph", "graph"), (runs.convirt, "report", "text")):
        one = Encoded(load(folder / "model"), studies)
        (asked,) = zero_shot_rows(one, studies, prompts, [0])
        mine = answer(found, folder.name, f"zero-shot, {tower}")
        value = asked["metrics"]["auroc"]["macro"]["value"]
        assert mine["metrics"]["auroc"]["macro"]["value"] == pytest.approx(value)
        (matched,) = retrieval_rows(one, studies)
        ways = (f"image → {kind}", f"{kind} → image")
        for title, theirs in zip(ways, matched["directions"].values(), strict=True):
            metrics = answer(found, folder.name, title)
            for k in ("1", "5", "10"):
                recall = theirs["recall"].get(k) or theirs["recall"][int(k)]
                got = metrics["metrics"][f"recall_{k}"]["macro"]["value"]
                assert got == pytest.approx(recall["value"])
                chance = metrics["facts"]["chance"][f"recall_{k}"]
                assert chance == pytest.approx(recall["chance"])
            rank = metrics["metrics"]["median_rank"]["macro"]["value"]
            assert rank == theirs["median_rank"]["value"]


def test_like_films_equal_those_of_evaluate(runs: Runs, found: dict) -> None:
    studies = StudySet.open(runs.data)
    for model, name in ((runs.igc, "igc-small"), (runs.convirt, "convirt-small")):
        codes = Encoded(load(model / "model"), studies).study_projections
        test = studies.split("test")
        people = np.array([studies.patient_ids[study] for study in test])
        slow = []
        for label in range(2):
            for query in np.flatnonzero(studies.labels[test, label] == 1):
                others = np.flatnonzero(people != people[query])
                near = codes[test[others]] @ codes[test[query]]
                near = near / np.linalg.norm(codes[test[others]], axis=1)
                best = others[np.argsort(-near)[:10]]
                slow.append((studies.labels[test[best], label] == 1).mean())
        mine = answer(found, name, "image → image")
        assert mine["metrics"]["precision_10"]["macro"]["value"] == pytest.approx(np.mean(slow))
        assert mine["facts"]["queries"] == len(slow)
    gaps = [gap for gap in found["differences"] if gap["task"] == "likeness"]
    assert len(gaps) == 3
    assert all(gap["metrics"]["precision_10"]["macro"]["holm"] is not None for gap in gaps)


def test_differences_are_those_of_the_same_resamples(
    runs: Runs, found: dict, tmp_path: Path
) -> None:
    studies = StudySet.open(runs.data)
    test = studies.split("test")
    gap = next(
        gap
        for gap in found["differences"]
        if [end["model"] for end in gap["ends"]] == ["igc-small", "convirt-small"]
        and gap["ends"][0]["title"] == "linear probe, 100 % of labels"
    )
    from radpair.comparison.bench import open_bench
    from radpair.comparison.protocols import Plan, label_protocols
    from radpair.comparison.runs import open_runs

    bench = open_bench("discs", runs.data, (), {})
    protocol = label_protocols(Plan(fractions=(1.0,), shots=()))[0]
    both = [
        protocol.score(Seen(runner, bench, tmp_path)).scores[0]
        for runner in open_runs([str(runs.igc), str(runs.convirt)])
    ]
    people = [studies.patient_ids[study] for study in test]
    truth, resampled = studies.labels[test], []
    for scores in both:
        resampled.append(resample(auroc, scores, truth, people, 200))
    slow = difference(*resampled, 0.95)
    corrected = holm([one.p for one in slow.labels])
    mine = gap["metrics"]["auroc"]
    assert mine["macro"]["value"] == pytest.approx(slow.macro.value)
    assert mine["macro"]["p"] == pytest.approx(slow.macro.p)
    for label, one, p in zip(studies.label_names, slow.labels, corrected, strict=True):
        assert mine["labels"][label]["low"] == pytest.approx(one.low)
        assert mine["labels"][label]["holm"] == pytest.approx(p)
    assert "no_delong" in gap  # patients have two studies


def test_every_protocol_is_answered_or_says_why_not(found: dict) -> None:
    assert found["schema"] == "radpair.compare/1"
    titles = {row["title"] for row in found["results"]}
    assert len(found["results"]) == len(MODELS) * len(titles)
    for row in found["results"]:
        assert (row["why_not"] is None) == ("metrics" in row)
    text = answer(found, "igc-small", "zero-shot, text")
    assert text["why_not"] == "the model has no text tower"
    crossed = [gap for gap in found["differences"] if gap["task"] == "zero-shot"]
    assert [[end["title"] for end in gap["ends"]] for gap in crossed] == [
        ["zero-shot, graph prompts", "zero-shot, text prompts"]
    ]
    assert {one["name"]: one["towers"] for one in found["models"]} == {
        "random:igc-small": [],
        "igc-small": ["graph"],
        "convirt-small": ["text"],
    }


def test_finished_protocols_are_not_computed_again(
    runs: Runs, compared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: (compared / name).read_bytes() for name in ("results.json", "report.html")}

    def refuse(self: Seen) -> None:
        raise AssertionError("a finished comparison encoded images again")

    monkeypatch.setattr(Seen, "encoded", property(refuse))
    runs.compare(compared)
    assert {name: (compared / name).read_bytes() for name in before} == before


def test_only_what_is_missing_is_computed(runs: Runs, compared: Path) -> None:
    before = (compared / "results.json").read_bytes()
    units = sorted((compared / "cache" / "units").iterdir())
    written = {unit: unit.stat().st_mtime_ns for unit in units}
    units[3].unlink()
    runs.compare(compared)
    assert (compared / "results.json").read_bytes() == before
    again = [unit for unit in units if unit.stat().st_mtime_ns != written[unit]]
    assert again == [units[3]]


def test_other_prompts_change_what_asks_by_them(runs: Runs, compared: Path, tmp_path: Path) -> None:
    first = json.loads((compared / "results.json").read_text())
    other = tmp_path / "other.yaml"
    other.write_text(PROMPTS.replace("There is a bright no disc.", "The heart is normal."))
    words = runs.words(compared)
    words[words.index("--prompts") + 1] = str(other)
    main([*words[:-1], str(tmp_path / "out")])
    second = json.loads((tmp_path / "out" / "results.json").read_text())
    for one, two in zip(first["results"], second["results"], strict=True):
        if one["why_not"] is None:
            asked = one["title"] in ("zero-shot, text prompts", "text prompts → images")
            assert (one["key"] != two["key"]) == asked, one["title"]


def test_a_damaged_unit_is_named(runs: Runs, compared: Path, tmp_path: Path, capsys) -> None:
    unit = sorted((compared / "cache" / "units").iterdir())[0]
    content = unit.read_bytes()
    try:
        unit.write_bytes(content[: len(content) // 2])
        with pytest.raises(SystemExit) as stopped:
            main(runs.words(compared))
    finally:
        unit.write_bytes(content)
    assert stopped.value.code == 2
    assert "delete it and run again" in capsys.readouterr().err


def test_fine_tuning_on_request(runs: Runs, tmp_path: Path) -> None:
    short = ("passes=1", "least_steps=4", "warmup=1", "batch=32", "check=2")
    words = runs.words(tmp_path, "--fine-tune", "--labels", "Disc", "--set", *short)
    words.remove("0.2")
    words[words.index("--draws") + 1] = "1"
    main(words)
    found = json.loads((tmp_path / "results.json").read_text())
    row = answer(found, "igc-small", "fine-tuned, 100 %")
    assert 0 <= row["metrics"]["auroc"]["macro"]["value"] <= 1
    assert row["setting"]["training"]["least_steps"] == 4
    assert {run["model"] for run in row["facts"]["runs"]} == {"igc-small"}
    assert len(list((tmp_path / "cache" / "fine-tune").iterdir())) == 3


def one_study_each(path: Path) -> Path:
    """A set whose patients have one study each, labels alone."""
    from discs import DiscSource
    from radpair.records import Study
    from radpair.studyset import write

    class Single(DiscSource):
        def studies(self):
            for study in super().studies():
                yield Study(
                    study.study_id, f"q{study.study_id}", study.views, "", study.labels, None
                )

    write(Single(), path, size=48, processes=1)
    return path


def test_nothing_to_compare_is_said(runs: Runs, tmp_path: Path, capsys) -> None:
    from discs import DiscSource
    from radpair.records import Study
    from radpair.studyset import write

    class Bare(DiscSource):
        def studies(self):
            for study in super().studies():
                yield Study(study.study_id, study.patient_id, study.views, "", {}, None)

    write(Bare(), tmp_path / "bare", size=48, processes=1)
    words = runs.words(tmp_path / "out")
    words[words.index("--data") + 1] = str(tmp_path / "bare")
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert "nothing can be compared" in capsys.readouterr().err


def test_delong_where_rows_are_independent(runs: Runs, tmp_path: Path) -> None:
    from sklearn.metrics import roc_auc_score

    data = one_study_each(tmp_path / "single")
    words = runs.words(tmp_path / "out")
    words[words.index("--data") + 1] = str(data)
    main(words)
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    gaps = {gap["ends"][0]["title"]: gap for gap in found["differences"]}
    whole = gaps["linear probe, 100 % of labels"]
    assert set(whole["delong"]) == set(whole["labels"])
    assert "draws" in gaps["linear probe, 20 % of labels"]["no_delong"]
    studies = StudySet.open(data)
    test = studies.split("test")
    row = answer(found, "igc-small", "linear probe, 100 %")
    curve = row["roc"]["Disc"]
    area = float(np.trapezoid(curve["tpr"], curve["fpr"]))
    value = row["metrics"]["auroc"]["labels"]["Disc"]["value"]
    assert area == pytest.approx(value, abs=0.01)
    assert roc_auc_score(studies.labels[test, 0], studies.labels[test, 0]) == 1.0
    assert answer(found, "convirt-small", "image → report")["why_not"] == (
        "fewer than two tested studies have a report"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda words, runs: [*words[:2], *words[4:]], "at least two models"),
        (lambda words, runs: [words[0], words[2], words[2], *words[4:]], "same weights"),
        (lambda words, runs: ["compare", "nowhere", *words[1:]], "no folder nowhere"),
        (lambda words, runs: ["compare", str(runs.data), *words[1:]], "this is a study set"),
        (lambda words, runs: [*words, "--labels", "Disk"], "did you mean 'Disc'"),
        (lambda words, runs: [*words, "--no-images", "disks"], "did you mean 'discs'"),
        (lambda words, runs: [*words, "--data", str(runs.data), str(runs.data)], "named twice"),
        (lambda words, runs: [w.replace("200", "9") for w in words], "100 or more"),
        (lambda words, runs: [*words, "--fractions", "0"], "above 0"),
        (lambda words, runs: [*words, "--shots", "0"], "at least 1 study"),
        (lambda words, runs: [*words, "--seed", "-1"], "0 or more"),
        (lambda words, runs: [*words, "--set", "passes=2"], "give --fine-tune too"),
        (lambda words, runs: [*words[:-1], str(runs.prompts)], "is a file"),
        (lambda words, runs: [*words[:-1], str(runs.data)], "is a study set"),
    ],
)
def test_mistakes_are_one_sentence(change, message, runs, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(change(runs.words(tmp_path / "out"), runs))
    assert stopped.value.code == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("radpair: ")
    assert message in told


def test_sets_are_named_by_folder_or_as_asked(tmp_path: Path) -> None:
    for name in ("one/set", "two/set"):
        (tmp_path / name).mkdir(parents=True)
    one, two = tmp_path / "one" / "set", tmp_path / "two" / "set"
    assert name_sets([str(one), f"other={two}"]) == {"set": one, "other": two}
    with pytest.raises(Exception, match="both called 'set'; give one as NAME="):
        name_sets([str(one), str(two)])
