"""Several training runs of one method given as one model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from comparison.compare_case import Runs, answer
from discs import TINY
from radpair.cli import main
from radpair.comparison.kept import Unit
from radpair.comparison.measured import Scored, measure, sample_of
from radpair.comparison.methods import merged
from radpair.comparison.pairs import label_difference
from radpair.evaluation.bootstrap import interval, resample
from radpair.evaluation.differences import LONE_RUN
from radpair.evaluation.intervals import wilson_bounds
from radpair.evaluation.statistics import auroc

NAMES = ("Edema", "Mass")


@pytest.fixture(scope="module")
def second(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another training run of ``igc-small``."""
    out = tmp_path_factory.mktemp("again") / "igc-again"
    given = ["pretrain", "igc-small", "--data", str(runs.data), "--out", str(out)]
    main([*given, "--device", "cpu", "--set", *TINY, "training.epochs=1", "training.seed=5"])
    return out


def words(runs: Runs, second: Path, out: Path) -> list[str]:
    asked = runs.words(out)
    models = [f"igc={runs.igc},{second}", f"convirt={runs.convirt}"]
    return [asked[0], *models, *asked[4:]]


def test_runs_are_averaged_and_named(runs: Runs, second: Path, tmp_path: Path, capsys) -> None:
    main(words(runs, second, tmp_path / "out"))
    told = capsys.readouterr().out
    assert "Training runs averaged as metrics: 2 of igc." in told
    assert "convirt: a single run, which nothing says the luck of" in told
    assert "igc against convirt: not tested, because only one of the two has several" in told
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [model["name"] for model in found["models"]] == ["igc", "convirt"]
    assert [run["name"] for run in found["models"][0]["runs"]] == ["igc-small", "igc-again"]
    assert [run["origin"]["seed"] for run in found["models"][0]["runs"]] == [0, 5]
    for title in ("linear probe, 20", "image → graph", "image → image", "zero-shot, graph"):
        row = answer(found, "igc", title)
        for metric in row["metrics"].values():
            assert len(metric["by_run"]) == 2
            value = metric["macro"]["value"]
            assert value == pytest.approx(np.mean(metric["by_run"]))
        assert set(row["facts"]["by_run"]) == {"igc-small", "igc-again"}
        assert len(row["key"].split()) == 2
        if row["metrics"].get("auroc"):
            draws = row["metrics"]["auroc"]["draws"]
            assert len(draws) == (2 if row["task"] == "linear" else 1)
            assert np.mean(draws) == pytest.approx(row["metrics"]["auroc"]["macro"]["value"])
    assert "by_run" not in answer(found, "convirt", "k-NN")["metrics"]["auroc"]
    assert "igc: igc-again" in (tmp_path / "out" / "report.md").read_text()
    assert "igc: igc-again" in (tmp_path / "out" / "report.html").read_text()
    with (tmp_path / "out" / "results.csv").open() as handle:
        assert {row["model"] for row in csv.DictReader(handle)} == {"igc", "convirt"}


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (["igc=IGC,", "CONVIRT"], "write it as NAME=RUN"),
        (["IGC,CONVIRT", "CONVIRT"], "name runs of one method, as in NAME="),
        (["a=IGC", "a=CONVIRT"], "two models are called 'a'"),
        (["a=IGC,CONVIRT", "random:IGC"], "runs have different towers"),
        (["a=IGC,IGC", "CONVIRT"], "are the same weights"),
        (["a=IGC"], "at least two models"),
    ],
)
def test_mistakes_are_one_sentence(
    models: list[str], message: str, runs: Runs, tmp_path: Path, capsys
) -> None:
    places = {"CONVIRT": str(runs.convirt), "IGC": str(runs.igc)}
    for name, place in places.items():
        models = [model.replace(name, place) for model in models]
    with pytest.raises(SystemExit) as stopped:
        main(["compare", *models, "--data", str(runs.data), "--out", str(tmp_path / "out")])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


class _Bench:
    """What a difference needs of a study set: patients of one study each."""

    one_study_a_patient = True

    def __init__(self, truth: np.ndarray) -> None:
        self.tested_truth, self.tested_patients = truth, [f"p{i}" for i in range(len(truth))]

    def columns(self, names: tuple[str, ...]) -> list[int]:
        return [NAMES.index(name) for name in names]


def method(rng: np.random.Generator, bench: _Bench, runs: int, luck: float, worth: float) -> Unit:
    """``runs`` training runs whose worth scatters by ``luck``."""
    units = []
    for number in range(runs):
        own = worth + luck * rng.normal()
        scores = own * bench.tested_truth + rng.normal(size=bench.tested_truth.shape)
        found = Scored(NAMES, scores[None], None, {"run": number})
        units.append(measure(found, bench.tested_truth, bench.tested_patients, 100, 0))
    return merged(units, [str(number) for number in range(runs)])


def test_the_mean_is_of_metrics_inside_each_resample() -> None:
    rng = np.random.default_rng(1)
    bench = _Bench((rng.random((80, 2)) < 0.4).astype(float))
    unit = method(rng, bench, 3, 0.3, 1.0)
    runs = np.concatenate([one.arrays["scores"] for one in unit.of_runs])
    whole = resample(auroc, runs, bench.tested_truth, bench.tested_patients, 100, 0)
    np.testing.assert_allclose(unit.arrays["auroc.value"], whole.value)
    np.testing.assert_allclose(unit.arrays["auroc.draws"], whole.draws)
    pooled = np.concatenate(list(runs))
    again = auroc(pooled, np.tile(bench.tested_truth, (3, 1)), None)
    assert not np.allclose(again, whole.value, atol=1e-4)


@pytest.mark.parametrize("count", [2, 3])
def test_lucky_seeds_are_not_called_a_better_method(count: int) -> None:
    """Methods of equal worth whose runs scatter: with their spread the test errs seldom, while
    runs taken one for one would be called different in most cases."""
    rng = np.random.default_rng(0)
    called, alone = [], []
    for _ in range(200):
        bench = _Bench((rng.random((300, 2)) < 0.4).astype(float))
        pair = [method(rng, bench, count, 0.5, 1.0) for _ in range(2)]
        gap = label_difference(*pair, bench, 0.95)
        called.append(gap["metrics"]["auroc"]["macro"]["p"] < 0.05)
        assert gap["no_delong"] == "the figures are means over several training runs"
        single = [unit.of_runs[0] for unit in pair]
        one = label_difference(*single, bench, 0.95)["metrics"]["auroc"]["macro"]
        alone.append(one["p"] < 0.05)
    assert 0.02 <= np.mean(called) <= 0.08
    assert np.mean(alone) > 0.4


def test_one_run_is_not_tested_against_several() -> None:
    rng = np.random.default_rng(2)
    bench = _Bench((rng.random((300, 2)) < 0.4).astype(float))
    strong, lone = method(rng, bench, 4, 0.05, 2.0), method(rng, bench, 1, 0.05, 1.0)
    for pair in ((strong, lone), (lone, strong)):
        metrics = label_difference(*pair, bench, 0.95)["metrics"]
        for found in metrics.values():
            assert found["macro"]["p"] is None
            assert found["macro"]["note"] == LONE_RUN
            assert {one["holm"] for one in found["labels"].values()} == {None}


def test_a_better_method_is_found_over_its_seeds() -> None:
    rng = np.random.default_rng(2)
    bench = _Bench((rng.random((300, 2)) < 0.4).astype(float))
    strong, weak = method(rng, bench, 4, 0.05, 2.0), method(rng, bench, 3, 0.05, 1.0)
    gap = label_difference(strong, weak, bench, 0.95)["metrics"]["auroc"]["macro"]
    assert gap["value"] > 0
    assert gap["p"] < 0.01


def test_a_share_does_not_depend_on_the_order_of_runs() -> None:
    """Two runs without one miss, whose hits are films of 10 and of 200 patients."""

    def run(patients: float) -> Unit:
        arrays = {
            "precision_10.value": np.ones(1),
            "precision_10.draws": np.ones((50, 1)),
            "precision_10.left_out": np.empty((0, 0)),
            "precision_10.support": np.array([[patients, np.inf]]),
        }
        return Unit(arrays, {"labels": ["all"], "notes": {}})

    found = [
        interval(sample_of(merged([run(a), run(b)], ["a", "b"]), "precision_10")).macro
        for a, b in ((10.0, 200.0), (200.0, 10.0))
    ]
    assert found[0] == found[1]
    between = [interval(sample_of(run(n), "precision_10")).macro.low for n in (10.0, 200.0)]
    assert between[0] < found[0].low < between[1]
    assert found[0].low == pytest.approx(wilson_bounds(1.0, 2 / (1 / 10 + 1 / 200), 0.95)[0])
