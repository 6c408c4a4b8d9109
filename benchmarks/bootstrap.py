"""Bootstrap over patients against a loop over scikit-learn, in one run and at equal values.

Usage: OMP_NUM_THREADS=1 python benchmarks/bootstrap.py [--resamples 1000] [--studies 500]
                                                        [--labels 5]

Both sides do all of the resamples and take turns: values are compared in one, two are measured;
medians of processor time. Weights, which later metrics of the same patients are spared, are drawn
for each. About a minute.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from radpair.evaluation.bootstrap import Resampled, _kept, patient_weights, resample
from radpair.evaluation.statistics import Metric, auroc, average_precision, f1
from turns import turns

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
    chunks = list(patient_weights(patients, options.resamples, 0))
    weights = np.concatenate(chunks, axis=1).astype(int)
    ours, theirs = 0.0, 0.0
    for name, (metric, reference) in PAIRS.items():
        values = scores if name != "f1" else (scores > 0.5).astype(float)
        mine = partial(anew, metric, values, truth, patients, options.resamples)
        loop = partial(looped, reference, values, truth, weights)
        gap = float(np.abs(loop() - mine().draws).max())
        found = turns({"radpair": mine, "loop": loop}, count=2)
        fast, slow = (median(times.processor) for times in found.values())
        _show(name, fast, slow, f"  gap {gap:.1e}")
        ours, theirs = ours + fast, theirs + slow
    _show("all", ours, theirs)


def _show(name: str, fast: float, slow: float, more: str = "") -> None:
    print(f"{name:18} {fast:8.3f} s  loop {slow:8.1f} s  {slow / fast:6.0f} x{more}", flush=True)


def anew(
    metric: Metric, scores: np.ndarray, truth: np.ndarray, patients: list[str], resamples: int
) -> Resampled:
    """``resample`` with weights of its own."""
    _kept.cache_clear()
    return resample(metric, scores, truth, patients, resamples)


def looped(
    reference: Callable[..., float], scores: np.ndarray, truth: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Values ``[resamples, labels]`` of the resamples ``weights [studies, resamples]``."""
    found = np.empty((weights.shape[1], truth.shape[1]))
    for draw in range(weights.shape[1]):
        rows = np.repeat(np.arange(len(truth)), weights[:, draw])
        for label in range(truth.shape[1]):
            found[draw, label] = reference(truth[rows, label], scores[rows, label])
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("resamples", 1000), ("studies", 500), ("labels", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


if __name__ == "__main__":
    main()
