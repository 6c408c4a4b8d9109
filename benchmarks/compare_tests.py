"""How often does the test of ``radpair compare`` and ``readers`` call equal models different?

Usage: python benchmarks/compare_tests.py [--simulations 1000] [--scenario rare]

The populations of ``benchmarks/coverage.py``; two models of equal worth share half of the variance
of their scores. ``5 draws`` are models that learned from five draws of labels: in ``luck`` 0.3 the
worth of a model varies by draw with that deviation, in ``luck`` 0 only its noise does. Values
outside 3.5 to 6.5 % are marked with ``!``.
"""

from __future__ import annotations

import argparse

import numpy as np

from coverage import CUT, METRICS, SCENARIOS, Floats, Scenario
from radpair.comparison.measured import Scored, measure, sample_of
from radpair.comparison.pairs import runs_of
from radpair.evaluation.bootstrap import resample
from radpair.evaluation.differences import difference

SHOWN = ("auroc", "average_precision", "f1", "mcc", "sensitivity")
DRAWS = 5


def main() -> None:
    options = _options()
    print(f"{options.simulations} simulations, {options.resamples} resamples, at the 5 % level")
    for scenario in SCENARIOS:
        if options.scenario not in (None, scenario.name):
            continue
        print(f"  {scenario.words}", flush=True)
        numbers = range(options.simulations)
        for metric in SHOWN:
            _show(metric, [_single(scenario, n, metric, options.resamples) for n in numbers])
        for luck in (0.0, 0.3):
            calls = [_drawn(scenario, n, luck, options.resamples) for n in numbers]
            _show(f"auroc, {DRAWS} draws, luck {luck:g}", calls)


def _single(scenario: Scenario, number: int, metric: str, resamples: int) -> Floats:
    rng = np.random.default_rng([1, number])
    truth, patients = scenario.labels(rng)
    common = scenario.noise(rng)
    samples = []
    for _ in range(2):
        scores = scenario.effect * truth + np.sqrt(0.5) * (common + scenario.noise(rng))
        given = scores if metric in SHOWN[:2] else (scores >= CUT).astype(np.float64)
        samples.append(resample(METRICS[metric], given, truth, patients, resamples, number))
    return _called(difference(*samples, 0.95))


def _drawn(scenario: Scenario, number: int, luck: float, resamples: int) -> Floats:
    rng = np.random.default_rng([2, number])
    truth, patients = scenario.labels(rng)
    common, pair = scenario.noise(rng), []
    names = tuple(map(str, range(truth.shape[1])))
    for _ in range(2):
        own, runs = scenario.noise(rng), []
        for _ in range(DRAWS):
            worth = scenario.effect + luck * rng.normal(size=truth.shape[1])
            noise = common + np.sqrt(0.5) * (own + scenario.noise(rng))
            runs.append(worth * truth + np.sqrt(0.5) * noise)
        scored = Scored(names, np.stack(runs), None, {})
        pair.append(measure(scored, truth, patients, resamples, number))
    samples = [sample_of(unit, "auroc") for unit in pair]
    return _called(difference(*samples, 0.95, runs_of(*pair, "auroc", names)))


def _called(gap) -> Floats:  # type: ignore[no-untyped-def]
    calls = [np.nan if one.p is None else one.p < 0.05 for one in (gap.macro, *gap.labels)]
    return np.array(calls, dtype=np.float64)


def _show(name: str, calls: list[Floats]) -> None:
    shares = np.nanmean(np.stack(calls), axis=0)
    words = [f"{s:6.1%}{' ' if 0.035 <= s <= 0.065 else '!'}" for s in shares]
    print(f"    {name:26}", *(words[:1] if len(words) == 2 else words), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--scenario", choices=[one.name for one in SCENARIOS])
    return parser.parse_args()


if __name__ == "__main__":
    main()
