"""Do the 95 % intervals hold the truth 95 % of the time, and do the paired tests err 5 % of it?

Usage: python benchmarks/coverage.py [--simulations 2000] [--part intervals] [--scenario rare]

Scores are normal, a deviation ``effect`` higher where the finding is present; half of their
variance is shared by the studies of a patient where there are several. So the true value of every
metric is known by integration. The paired tests compare two models of equal worth whose scores
share half of their variance. ``--part retrieval`` is about recall, median rank and precision at K
in the populations of ``coverage_retrieval.py``, ``--part retrieval-tests`` about the differences of
two equal models there. Values outside 93 to 97 % and 3.5 to 6.5 % are
marked with ``!``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from coverage_retrieval import POPULATIONS, Alike, Classes, Pairs, called, coverage
from radpair.evaluation.bootstrap import Estimate, Resampled, interval, resample
from radpair.evaluation.calibration import brier
from radpair.evaluation.delong import delong_intervals, delong_test
from radpair.evaluation.differences import difference
from radpair.evaluation.statistics import (
    Metric,
    auroc,
    average_precision,
    f1,
    mcc,
    sensitivity,
    specificity,
)

Floats = NDArray[np.float64]
CUT = 0.8
PARTS = ("intervals", "tests", "retrieval", "retrieval-tests")
METRICS: Mapping[str, Metric] = {
    "auroc": auroc,
    "average_precision": average_precision,
    "brier": brier,
    "f1": f1,
    "mcc": mcc,
    "sensitivity": sensitivity,
    "specificity": specificity,
}
DECIDED = ("f1", "mcc", "sensitivity", "specificity")


@dataclass(frozen=True)
class Scenario:
    """A population: ``patients`` with ``each`` studies, labels of these prevalences."""

    name: str
    patients: int
    each: int
    prevalence: Sequence[float]
    effect: float

    def labels(self, rng: np.random.Generator) -> tuple[Floats, list[str]]:
        """Truth ``[studies, labels]`` (a patient's studies alike) and patient ids."""
        drawn = rng.random((self.patients, len(self.prevalence))) < np.asarray(self.prevalence)
        truth = np.repeat(drawn, self.each, axis=0).astype(np.float64)
        return truth, [str(row // self.each) for row in range(len(truth))]

    def noise(self, rng: np.random.Generator) -> Floats:
        """Unit normals ``[studies, labels]``, half shared inside a patient who has several."""
        shape = (self.patients, len(self.prevalence))
        own = rng.normal(size=(self.patients * self.each, shape[1]))
        if self.each == 1:
            return own
        return np.sqrt(0.5) * (np.repeat(rng.normal(size=shape), self.each, axis=0) + own)

    @property
    def words(self) -> str:
        studies = f"{self.patients * self.each} studies of {self.patients} patients"
        shares = ", ".join(f"{share:.0%}" for share in self.prevalence)
        return f"{self.name}: {studies}, prevalence {shares}, effect {self.effect:g}"


SCENARIOS = (
    Scenario("common", 500, 1, (0.3,), 1.5),
    Scenario("rare", 500, 1, (0.06,), 1.5),
    Scenario("small", 100, 1, (0.2,), 1.0),
    Scenario("clustered", 100, 3, (0.3,), 1.0),
    Scenario("five labels", 200, 1, (0.5, 0.3, 0.2, 0.15, 0.1), 1.2),
    Scenario("ten positives", 100, 1, (0.1,), 1.0),
    Scenario("twenty patients", 20, 3, (0.3,), 1.0),
)


def main() -> None:
    options = _options()
    chosen = [one for one in SCENARIOS if options.scenario in (None, one.name)]
    parts: dict[str, Callable[..., None]] = {"intervals": _intervals, "tests": _tests}
    for name, part in parts.items():
        if options.part in (None, name):
            print(f"\n{name}: {options.simulations} simulations, {options.resamples} resamples")
            for scenario in chosen:
                part(scenario, options)
    if options.part in (None, "retrieval"):
        print(f"\nretrieval: {options.simulations} simulations, {options.resamples} resamples")
        for population in POPULATIONS:
            if options.scenario in (None, population.name):
                _retrieval(population, options.simulations, options.resamples, options.seed)
    if options.part in (None, "retrieval-tests"):
        print(
            f"\nretrieval-tests: {options.simulations} simulations, {options.resamples} resamples"
        )
        for population in POPULATIONS:
            if isinstance(population, Pairs) and options.scenario in (None, population.name):
                _retrieval_tests(population, options)


@cache
def true_values(prevalence: float, effect: float) -> dict[str, float]:
    """Every metric of infinitely many studies, decisions being ``score >= CUT``."""
    tpr, fpr = float(norm.sf(CUT - effect)), float(norm.sf(CUT))
    tp, fp = prevalence * tpr, (1 - prevalence) * fpr
    fn, tn = prevalence - tp, 1 - prevalence - fp
    at = np.linspace(-9.0, 9.0 + effect, 200_001)
    present, absent = norm.pdf(at - effect), norm.pdf(at)
    above = prevalence * norm.sf(at - effect)
    precision = above / (above + (1 - prevalence) * norm.sf(at))
    squares = prevalence * present * (1 - _probability(at)) ** 2
    squares += (1 - prevalence) * absent * _probability(at) ** 2
    return {
        "auroc": float(norm.cdf(effect / np.sqrt(2))),
        "average_precision": float(np.trapezoid(present * precision, at)),
        "brier": float(np.trapezoid(squares, at)),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "mcc": (tp * tn - fp * fn) / float(np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))),
        "sensitivity": tpr,
        "specificity": 1 - fpr,
    }


def covered(
    scenario: Scenario, simulation: int, resamples: int, seed: int, metrics: Sequence[str]
) -> dict[str, Floats]:
    """Whether each interval of one simulated set holds the truth: ``[mean of labels, labels]``."""
    rng = np.random.default_rng([seed, simulation])
    truth, patients = scenario.labels(rng)
    scores = scenario.effect * truth + scenario.noise(rng)
    true = [true_values(share, scenario.effect) for share in scenario.prevalence]
    found: dict[str, Floats] = {}
    for name in metrics:
        metric = METRICS[name]
        sample = resample(metric, _given(name, scores), truth, patients, resamples, simulation)
        found[name] = _holds(interval(sample), np.array([one[name] for one in true]))
        if name == "auroc":
            found["auroc, percentiles"] = _plainly(sample, np.array([one[name] for one in true]))
    if scenario.each == 1 and "auroc" in metrics:
        intervals = delong_intervals(scores, truth, patients)
        hits = [
            np.nan if np.isnan(one.low) else one.low <= values["auroc"] <= one.high
            for one, values in zip(intervals, true, strict=True)
        ]
        found["auroc, DeLong"] = np.array([np.nan, *hits], dtype=np.float64)
    return found


def rejected(
    scenario: Scenario, simulation: int, resamples: int, seed: int, metrics: Sequence[str]
) -> dict[str, Floats]:
    """Whether two models of equal worth are called different at 5 %: ``[mean, labels]``."""
    rng = np.random.default_rng([seed, simulation, 1])
    truth, patients = scenario.labels(rng)
    common = scenario.noise(rng)
    pair = [
        scenario.effect * truth + np.sqrt(0.5) * (common + scenario.noise(rng)) for _ in range(2)
    ]
    found: dict[str, Floats] = {}
    for name in metrics:
        metric = METRICS[name]
        samples = [
            resample(metric, _given(name, scores), truth, patients, resamples, simulation)
            for scores in pair
        ]
        gap = difference(*samples)
        values = [np.nan if one.p is None else one.p < 0.05 for one in (gap.macro, *gap.labels)]
        found[name] = np.array(values, dtype=np.float64)
    if scenario.each == 1 and "auroc" in metrics:
        tests = delong_test(*pair, truth, patients)
        calls = [np.nan if one.p is None else one.p < 0.05 for one in tests]
        found["auroc, DeLong"] = np.array([np.nan, *calls], dtype=np.float64)
    return found


def _intervals(scenario: Scenario, options: argparse.Namespace) -> None:
    given = (options.resamples, options.seed, options.metric)
    runs = [covered(scenario, index, *given) for index in range(options.simulations)]
    _show(scenario, runs, (0.93, 0.97))


def _tests(scenario: Scenario, options: argparse.Namespace) -> None:
    given = (options.resamples, options.seed, options.metric)
    runs = [rejected(scenario, index, *given) for index in range(options.simulations)]
    _show(scenario, runs, (0.035, 0.065))


def _retrieval(
    population: Pairs | Classes | Alike, simulations: int, resamples: int, seed: int
) -> None:
    print(f"  {population.words}", flush=True)
    for name, true, held in coverage(population, simulations, resamples, seed):
        mark = " " if 0.93 <= held <= 0.97 else "!"
        print(f"    {name:20} {held:6.1%}{mark} of the true {true:.4g}", flush=True)


def _retrieval_tests(population: Pairs, options: argparse.Namespace) -> None:
    print(f"  {population.words}", flush=True)
    for name, share in called(population, options.simulations, options.resamples, options.seed):
        mark = " " if 0.035 <= share <= 0.065 else "!"
        print(f"    {name:20} {share:6.1%}{mark}", flush=True)


def _show(scenario: Scenario, runs: list[dict[str, Floats]], bounds: tuple[float, float]) -> None:
    print(f"  {scenario.words}", flush=True)
    for name in runs[0]:
        table = np.stack([run[name] for run in runs])
        shares = [float(np.nanmean(column)) for column in table.T if not np.isnan(column).all()]
        shown = shares[:1] if len(scenario.prevalence) == 1 else shares
        words = [f"{s:6.1%}{' ' if bounds[0] <= s <= bounds[1] else '!'}" for s in shown]
        left_out = int(np.isnan(table[:, 1:]).sum())
        print(f"    {name:18}", *words, f"({left_out} undefined)" if left_out else "", flush=True)


def _given(name: str, scores: Floats) -> Floats:
    """What the metric takes: decisions, probabilities or scores."""
    if name in DECIDED:
        return (scores >= CUT).astype(np.float64)
    return _probability(scores) if name == "brier" else scores


def _probability(scores: Floats) -> Floats:
    return 1 / (1 + np.exp(0.5 - scores))


def _holds(estimate: Estimate, true: Floats) -> Floats:
    pairs = zip((estimate.macro, *estimate.labels), (true.mean(), *true), strict=True)
    hits = [
        np.nan if np.isnan(one.value) else one.low - 1e-12 <= value <= one.high + 1e-12
        for one, value in pairs
    ]
    return np.array(hits, dtype=np.float64)


def _plainly(sample: Resampled, true: Floats) -> Floats:
    """As ``_holds`` for the percentiles of the resamples as they are."""
    hits = np.full(len(true) + 1, np.nan)
    columns = np.column_stack([sample.draws.mean(axis=1), sample.draws]).T
    for place, (value, column) in enumerate(zip((true.mean(), *true), columns, strict=True)):
        kept = column[~np.isnan(column)]
        if len(kept):
            low, high = np.quantile(kept, [0.025, 0.975])
            hits[place] = low <= value <= high
    return hits


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("simulations", 2000), ("resamples", 1000), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--metric", nargs="+", choices=[*METRICS], default=[*METRICS])
    names = [one.name for one in (*SCENARIOS, *POPULATIONS)]
    parser.add_argument("--scenario", choices=names)
    return parser.parse_args()


if __name__ == "__main__":
    main()
