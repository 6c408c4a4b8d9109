"""How many labels does a model need to do as well as another with all of them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.comparison.kept import Unit
from radpair.evaluation.bootstrap import mean_over_labels
from radpair.evaluation.statistics import Floats


def labels_needed(
    budgets: Sequence[Unit], other: Unit, seed: int, level: float = 0.95
) -> dict[str, Any]:
    """Where the label-efficiency curve of one model reaches another's mean AUROC with all labels.

    ``budgets`` are one model's units of the linear probe, the smallest budget first; ``other`` the
    other model's unit with all labels. Between budgets the curve is straight over the logarithm of
    the studies; the first crossing counts. The interval repeats this in every resample of the
    patients, with the draws of labels and a method's training runs resampled too, each by itself:
    all runs learned from the same draws, and the same runs stand at every budget. Returns
    ``target`` (the other's AUROC),
    ``studies`` (None: not reached), ``low``, ``high`` (None: not reached at that end of the
    interval), ``reached`` (the share of resamples) and ``budgets`` (studies; a value at the
    smallest means that it or fewer do).
    """
    sizes = np.array([unit.facts["studies"] for unit in budgets], dtype=np.float64)
    curve = np.array([[_mean(unit)] for unit in budgets])
    target = np.array([_mean(other)])
    value = _crossing(sizes, curve, target)[0]
    rng = np.random.default_rng([seed, 3])
    mine, theirs = (_chosen_runs(unit, rng) for unit in (budgets[0], other))
    draws = np.stack([_drawn(unit, mine, rng) for unit in budgets])
    crossings = _crossing(sizes, draws, _drawn(other, theirs, rng))
    shares = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(crossings, shares, method="inverted_cdf")
    return {
        "target": float(target[0]),
        "studies": _finite(value),
        "low": _finite(low),
        "high": _finite(high),
        "reached": float(np.isfinite(crossings).mean()),
        "budgets": sizes.astype(int).tolist(),
    }


def told(found: Mapping[str, Any]) -> str:
    """``1,240 [820, not reached]``; the smallest budget is ``22 or fewer``."""
    value, low, high = (_studies(found, key) for key in ("studies", "low", "high"))
    return value if value == low == high else f"{value} [{low}, {high}]"


def _studies(found: Mapping[str, Any], key: str) -> str:
    value = found[key]
    if value is None:
        return "not reached"
    return f"{value:,.0f}" + (" or fewer" if value <= found["budgets"][0] else "")


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(unit: Unit) -> float:
    return float(np.mean(unit.arrays["auroc.runs"]))


def _chosen_runs(unit: Unit, rng: np.random.Generator) -> NDArray[np.int64]:
    """Training runs taken with replacement ``[runs, resamples]``."""
    runs = len(unit.of_runs or (unit,))
    return rng.integers(0, runs, size=(runs, unit.arrays["auroc.run_draws"].shape[1]))


def _drawn(unit: Unit, runs: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """The mean AUROC in each resample of patients, over the chosen ``runs [runs, resamples]`` and
    as many draws of labels, the same for all runs, taken with replacement."""
    each = [one.arrays["auroc.run_draws"] for one in unit.of_runs or (unit,)]
    drawn = np.stack([[mean_over_labels(one) for one in run] for run in each])
    draws = rng.integers(0, drawn.shape[1], size=drawn.shape[1:])
    at = np.arange(drawn.shape[2])
    found: Floats = drawn[runs[:, None], draws[None], at].mean(axis=(0, 1))
    return found


def _crossing(sizes: Floats, curves: Floats, targets: Floats) -> Floats:
    """The fewest studies at which ``curves [budgets, n]`` reach ``targets [n]``; infinity: none.

    ``sizes [budgets]`` rise.
    """
    found = np.full(len(targets), np.inf)
    for place in range(len(sizes) - 1, 0, -1):
        low, high = curves[place - 1], curves[place]
        rise = high - low
        within = (low < targets) & (high >= targets)
        share = np.divide(targets - low, rise, out=np.zeros_like(rise), where=within)
        logs = np.log(sizes[place - 1]) + share * np.log(sizes[place] / sizes[place - 1])
        found = np.where(within, np.exp(logs), found)
    return np.where(curves[0] >= targets, sizes[0], found)
