"""The parts of a comparison on made-up scores: labels needed, words, names, maps."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.comparison.compare_words import ahead, listed
from radpair.comparison.kept import Kept, Unit, unit_key
from radpair.comparison.maps import MOST, draw_map
from radpair.comparison.measured import Scored, measure, sample_of
from radpair.comparison.methods import merged
from radpair.comparison.needed import _crossing, labels_needed, told
from radpair.comparison.p_values import p_text
from radpair.comparison.pairs import correct_means, label_difference
from radpair.comparison.partners import _nearest
from radpair.comparison.runs import _distinct
from radpair.evaluation.bootstrap import bootstrap, interval
from radpair.evaluation.differences import difference
from radpair.evaluation.statistics import auroc

SIZES = np.array([10.0, 100.0, 1000.0])


def slow_crossing(sizes, curve, target) -> float:
    """The first of 20,001 sizes, evenly spaced over the logarithm, that reaches the target."""
    logs = np.linspace(np.log(sizes[0]), np.log(sizes[-1]), 20001)
    heights = np.interp(logs, np.log(sizes), curve)
    reached = np.flatnonzero(heights >= target - 1e-12)
    return float(np.exp(logs[reached[0]])) if len(reached) else np.inf


@settings(deadline=None)
@given(
    st.lists(st.floats(0.5, 1), min_size=3, max_size=3),
    st.floats(0.5, 1),
)
def test_the_crossing_is_the_first_of_a_fine_search(curve, target) -> None:
    mine = _crossing(SIZES, np.array(curve)[:, None], np.array([target]))[0]
    slow = slow_crossing(SIZES, curve, target)
    if np.isinf(slow) or np.isinf(mine):
        assert np.isinf(mine) == np.isinf(slow) or abs(max(curve) - target) < 1e-9
    else:
        assert mine == pytest.approx(slow, rel=2e-3) or abs(curve[0] - target) < 1e-9


def scored(shift: float, runs: int, seed: int) -> tuple[Scored, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    truth = (np.random.default_rng(7).random((150, 2)) < 0.4).astype(float)
    scores = rng.normal(size=(runs, 150, 2)) + shift * truth
    people = [f"p{row // 2}" for row in range(150)]
    return Scored(("a", "b"), scores, None, {"studies": 0}), truth, people


def unit(shift: float, studies: int, runs: int = 3, seed: int = 0) -> Unit:
    made, truth, people = scored(shift, runs, seed)
    found = measure(made, truth, people, 300, 0)
    return Unit(found.arrays, {**found.facts, "studies": studies})


def test_measured_figures_are_the_bootstrap_of_all_runs() -> None:
    made, truth, people = scored(1.0, 3, 0)
    mine = interval(sample_of(measure(made, truth, people, 300, 4), "auroc"))
    slow = bootstrap(auroc, made.scores, truth, people, 300, 4)
    for one, other in zip([mine.macro, *mine.labels], [slow.macro, *slow.labels], strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))
    kept = sample_of(measure(made, truth, people, 300, 4), "auroc", ["b"])
    assert kept.value == pytest.approx([slow.labels[1].value])


def test_a_better_encoder_needs_fewer_labels() -> None:
    better = [unit(0.6, 10), unit(1.2, 100, seed=1), unit(1.8, 1000, runs=1, seed=2)]
    worse = [unit(0.2, 10, seed=3), unit(0.5, 100, seed=4), unit(1.0, 1000, runs=1, seed=5)]
    found = labels_needed(better, worse[-1], seed=0)
    assert 10 < found["studies"] < 300
    assert found["low"] <= found["studies"] <= (found["high"] or np.inf)
    back = labels_needed(worse, better[-1], seed=0)
    assert back["studies"] is None
    assert back["reached"] < 0.1
    assert told(back).startswith("not reached")
    assert labels_needed(better, unit(0.0, 1000, runs=1, seed=6), 0)["studies"] == 10
    assert told({"studies": 10.0, "low": 10.0, "high": None, "budgets": [10, 100]}) == (
        "10 or fewer [10 or fewer, not reached]"
    )


def test_training_runs_are_resampled_whole_and_at_every_budget_alike() -> None:
    """Two runs of several draws each that scatter by the run: rows of runs times draws, taken as
    independent, would say that the mean is known four times as well."""

    def one(worth: float, studies: int, seed: int) -> Unit:
        return unit(worth + 0.3 * np.log10(studies), studies, runs=8, seed=seed)

    def curve(worths: tuple[float, ...]) -> list[Unit]:
        return [
            merged([one(worth, n, 10 + k) for k, worth in enumerate(worths)], list("ab"))
            for n in (10, 100, 1000)
        ]

    target = unit(1.2, 1000, runs=1, seed=6)
    apart, alike = (labels_needed(curve(w), target, 0) for w in ((0.1, 1.1), (0.6, 0.6)))
    assert apart["reached"] < 0.9 < alike["reached"]


def noisy_pair(seed: int, spread: float) -> list[Unit]:
    """Two models of equal worth whose figures vary by the draw of labels."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((120, 2)) < 0.4).astype(float)
    people, base = [f"p{row // 2}" for row in range(120)], rng.normal(size=(120, 2))
    found = []
    for _ in range(2):
        noise = 0.7 * rng.normal(size=(5, 120, 2)) + 0.7 * base
        scores = noise + truth * (1 + spread * rng.normal(size=(5, 1, 2)))
        found.append(measure(Scored(("a", "b"), scores, None, {}), truth, people, 200, 0))
    return found


def test_luck_in_the_draw_of_labels_is_no_difference() -> None:
    """Resampling patients alone would call equal models different in two of three cases."""
    bench = SimpleNamespace(one_study_a_patient=False)
    over_draws, patients_alone = [], []
    for seed in range(60):
        pair = noisy_pair(seed, 0.8)
        over_draws.append(label_difference(*pair, bench, 0.95)["metrics"]["auroc"]["macro"]["p"])
        patients_alone.append(difference(*(sample_of(one, "auroc") for one in pair)).macro.p)
    assert np.mean(np.array(over_draws) < 0.05) <= 0.12
    assert np.mean(np.array(patients_alone) < 0.05) > 0.4


def test_a_real_difference_shows_over_draws() -> None:
    bench = SimpleNamespace(one_study_a_patient=False)
    strong, worse = (measure(*scored(shift, 5, seed), 200, 0) for shift, seed in ((1.5, 1), (0, 3)))
    gap = label_difference(strong, worse, bench, 0.95)["metrics"]["auroc"]
    assert gap["macro"]["p"] < 0.01
    assert gap["macro"]["low"] < gap["macro"]["value"] < gap["macro"]["high"]
    back = label_difference(worse, strong, bench, 0.95)["metrics"]["auroc"]["macro"]
    assert (back["value"], back["low"]) == pytest.approx(
        (-gap["macro"]["value"], -gap["macro"]["high"])
    )


def gap(value: float, p: float | None) -> dict:
    mean = {"value": value, "low": value - 0.1, "high": value + 0.1, "p": p}
    return {"task": "linear", "metrics": {"auroc": {"macro": mean, "labels": {}}}}


def test_words_hold_after_correction_alone() -> None:
    gaps = [gap(0.2, 0.01), gap(-0.2, 0.02), gap(0.2, 0.04), gap(0.0, None)]
    correct_means(gaps, "auroc")
    assert [one["metrics"]["auroc"]["macro"]["holm"] for one in gaps] == [
        pytest.approx(0.03),
        pytest.approx(0.04),
        pytest.approx(0.04),
        None,
    ]
    assert [ahead(one, 0.95) for one in gaps] == [1, -1, 1, 0]
    correct_means(more := [*gaps[:3], gap(0.2, 0.9), gap(0.2, 0.9)], "auroc")
    assert [ahead(one, 0.95) for one in more] == [1, 0, 0, 0, 0]
    assert [p_text(0.0004), p_text(0.04), p_text(None)] == ["< 0.001", "0.040", "–"]  # noqa: RUF001
    assert [listed(["a"]), listed(["a", "b", "c"])] == ["a", "a, b and c"]


def test_units_are_read_as_written_and_keyed_by_every_part(tmp_path: Path) -> None:
    kept, key = Kept(tmp_path), unit_key({"model": "a", "set": "b"})
    assert kept.read(key) is None
    made = Unit({"x": np.arange(6.0).reshape(2, 3), "empty": np.empty((0, 0))}, {"labels": ["é"]})
    kept.write(key, made)
    back = kept.read(key)
    assert back is not None
    assert back.facts == made.facts
    assert all(np.array_equal(back.arrays[name], made.arrays[name]) for name in made.arrays)
    assert unit_key({"set": "b", "model": "a"}) == key
    assert unit_key({"model": "a", "set": "c"}) != key


def test_names_grow_until_they_differ() -> None:
    places = ["/x/one/igc/model", "/x/two/igc/model", "random:/x/one/igc/model", "/x/one/convirt"]
    names = ["igc", "igc", "random:igc", "convirt"]
    assert _distinct(names, places) == ["one/igc", "two/igc", "random:igc", "convirt"]
    assert _distinct(["random:a", "random:a"], ["random:/b/a", "random:/c/a"]) == [
        "random:b/a",
        "random:c/a",
    ]


def test_the_nearest_are_those_of_a_full_sort() -> None:
    rng = np.random.default_rng(0)
    queries, candidates = rng.normal(size=(9, 4)), rng.normal(size=(30, 4))
    found = _nearest(queries, candidates)
    for query, top in zip(queries, found, strict=True):
        assert top.tolist() == np.argsort(-(candidates @ query))[:5].tolist()


def test_maps_keep_neighbours_and_repeat_by_seed() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 40)
    features = rng.normal(size=(80, 6)) + 8 * group[:, None]
    seen = SimpleNamespace(
        bench=SimpleNamespace(test=np.arange(80)), features=features.astype(np.float32)
    )
    one, two = draw_map(seen, 3), draw_map(seen, 3)
    assert np.array_equal(one.arrays["points"], two.arrays["points"])
    points = one.arrays["points"]
    assert points.min() >= -1e-9
    assert points.max() <= 1 + 1e-9
    apart = np.linalg.norm(points[:, None] - points[None], axis=2) + 9 * np.eye(80)
    assert (group[apart.argmin(axis=1)] == group).all()
    assert len(one.arrays["places"]) <= MOST
