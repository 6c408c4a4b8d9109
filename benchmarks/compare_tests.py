"""How often are equal models called different of five draws of labels, or of several training runs?

Usage: python benchmarks/compare_tests.py [--simulations 1000] [--scenario rare] [--part runs]

The populations of ``benchmarks/coverage.py``, whose ``--part tests`` has one draw; two models of
equal worth share half of the variance of their scores. In ``luck`` 0.3 the worth of a model varies
by draw, or by training run, with that deviation, in ``luck`` 0 only its noise does. ``draws`` are
the same for both models, ``runs`` each model's own. Values outside 3.5 to 6.5 % are marked with
``!``.
"""

from __future__ import annotations

import argparse

import numpy as np

from coverage import SCENARIOS, Floats, Scenario
from radpair.evaluation.bootstrap import Estimate, Resampled, resample
from radpair.evaluation.differences import difference, own_runs, runs_of
from radpair.evaluation.statistics import auroc

DRAWS = 5
RUNS = (2, 3, 5)


def main() -> None:
    options = _options()
    print(f"{options.simulations} simulations, {options.resamples} resamples, at the 5 % level")
    for scenario in SCENARIOS:
        if options.scenario not in (None, scenario.name):
            continue
        print(f"  {scenario.words}", flush=True)
        for luck in (0.0, 0.3):
            if options.part != "runs":
                _show(f"auroc, {DRAWS} draws, luck {luck:g}", _calls(scenario, luck, options, None))
            for runs in RUNS if options.part != "draws" else ():
                calls = _calls(scenario, luck, options, runs)
                _show(f"auroc, {runs} runs each, luck {luck:g}", calls)


def _calls(
    scenario: Scenario, luck: float, options: argparse.Namespace, runs: int | None
) -> list[Floats]:
    """Whether the models are called different, set by set; ``runs`` None: draws of labels."""
    found = []
    for number in range(options.simulations):
        pair = _pair(scenario, number, luck, options.resamples, runs or DRAWS)
        own = (None, None) if runs is None else (own_runs(pair[0]), own_runs(pair[1]))
        drawn = runs_of(*pair) if runs is None else None
        found.append(_called(difference(*pair, 0.95, drawn, own=own)))
    return found


def _pair(
    scenario: Scenario, number: int, luck: float, resamples: int, count: int
) -> tuple[Resampled, Resampled]:
    rng = np.random.default_rng([2, number])
    truth, patients = scenario.labels(rng)
    common, pair = scenario.noise(rng), []
    for _ in range(2):
        own, runs = scenario.noise(rng), []
        for _ in range(count):
            worth = scenario.effect + luck * rng.normal(size=truth.shape[1])
            noise = common + np.sqrt(0.5) * (own + scenario.noise(rng))
            runs.append(worth * truth + np.sqrt(0.5) * noise)
        pair.append(resample(auroc, np.stack(runs), truth, patients, resamples, number))
    return pair[0], pair[1]


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
    parser.add_argument("--part", choices=("draws", "runs"))
    parser.add_argument("--scenario", choices=[one.name for one in SCENARIOS])
    return parser.parse_args()


if __name__ == "__main__":
    main()
