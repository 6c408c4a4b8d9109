"""Bootstrap over patients against a loop over scikit-learn, in one run and at equal values.

Usage: python benchmarks/bootstrap.py [--resamples 1000] [--studies 500] [--labels 5] [--looped 100]

The loop is timed on ``--looped`` resamples and its time scaled up to all of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from radpair.evaluation.bootstrap import patient_weights, resample
from radpair.evaluation.statistics import Metric, auroc, average_precision, f1

PAIRS: dict[str, tuple[Metric, Callable[..., float]]] = {
    "auroc": (auroc, roc_auc_score),
    "average_precision": (average_precision, average_precision_score),
    "f1": (f1, f1_score),
}


def main() -> None:
    options = _options()
    rng = np.random.default_rng(0)
    shape = (options.studies, options.labels)
    truth = (rng.random(shape) < 0.3).astype(float)
    scores = np.round(truth + rng.normal(size=shape), 2)
    patients = [f"p{index // 2}" for index in range(options.studies)]
    ours, theirs = 0.0, 0.0
    for name, (metric, reference) in PAIRS.items():
        values = scores if name != "f1" else (scores > 0.5).astype(float)
        started = time.perf_counter()
        draws = resample(metric, values, truth, patients, options.resamples).draws
        fast = time.perf_counter() - started
        slow, worst = _loop(reference, values, truth, patients, options, draws)
        ours, theirs = ours + fast, theirs + slow
        print(f"{name:18} {fast:8.3f} s  loop {slow:8.1f} s  {slow / fast:6.0f} x  gap {worst:.1e}")
    print(f"{'all':18} {ours:8.3f} s  loop {theirs:8.1f} s  {theirs / ours:6.0f} x")


def _loop(
    reference: Callable[..., float],
    scores: np.ndarray,
    truth: np.ndarray,
    patients: list[str],
    options: argparse.Namespace,
    draws: np.ndarray,
) -> tuple[float, float]:
    """Seconds that the loop needs for all resamples, and the largest difference of values."""
    chunks = list(patient_weights(patients, options.resamples, 0))
    weights = np.concatenate(chunks, axis=1)[:, : options.looped].astype(int)
    found = np.empty((weights.shape[1], truth.shape[1]))
    started = time.perf_counter()
    for draw in range(weights.shape[1]):
        rows = np.repeat(np.arange(len(truth)), weights[:, draw])
        for label in range(truth.shape[1]):
            found[draw, label] = reference(truth[rows, label], scores[rows, label])
    seconds = (time.perf_counter() - started) * options.resamples / weights.shape[1]
    return seconds, float(np.abs(found - draws[: len(found)]).max())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("resamples", 1000), ("studies", 500), ("labels", 5), ("looped", 100)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


if __name__ == "__main__":
    main()
