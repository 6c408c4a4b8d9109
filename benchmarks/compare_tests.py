"""How often are equal models called different that learned from five draws of labels?

Usage: python benchmarks/compare_tests.py [--simulations 1000] [--scenario rare]

The populations of ``benchmarks/coverage.py``, whose ``--part tests`` has one draw; two models of
equal worth share half of the variance of their scores. In ``luck`` 0.3 the worth of a model varies
by draw with that deviation, in ``luck`` 0 only its noise does. Values outside 3.5 to 6.5 % are
marked with ``!``.
"""

from __future__ import annotations

import argparse

import numpy as np

from coverage import SCENARIOS, Floats, Scenario
from radpair.evaluation.bootstrap import Estimate, resample
from radpair.evaluation.differences import difference, runs_of
from radpair.evaluation.statistics import auroc

DRAWS = 5


def main() -> None:
    options = _options()
    print(f"{options.simulations} simulations, {options.resamples} resamples, at the 5 % level")
    for scenario in SCENARIOS:
        if options.scenario not in (None, scenario.name):
            continue
        print(f"  {scenario.words}", flush=True)
        numbers = range(options.simulations)
        for luck in (0.0, 0.3):
            calls = [_drawn(scenario, n, luck, options.resamples) for n in numbers]
            _show(f"auroc, {DRAWS} draws, luck {luck:g}", calls)


def _drawn(scenario: Scenario, number: int, luck: float, resamples: int) -> Floats:
    rng = np.random.default_rng([2, number])
    truth, patients = scenario.labels(rng)
    common, pair = scenario.noise(rng), []
    for _ in range(2):
        own, runs = scenario.noise(rng), []
        for _ in range(DRAWS):
            worth = scenario.effect + luck * rng.normal(size=truth.shape[1])
            noise = common + np.sqrt(0.5) * (own + scenario.noise(rng))
            runs.append(worth * truth + np.sqrt(0.5) * noise)
        pair.append(resample(auroc, np.stack(runs), truth, patients, resamples, number))
    return _called(difference(*pair, 0.95, runs_of(*pair)))


def _called(gap: Estimate) -> Floats:
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
