"""The probe's whole penalty sweep against one scikit-learn fit per label, in one run.

Usage: python benchmarks/linear_probe.py [--studies 20000] [--dim 256] [--labels 5] [--threads 2]

The sweep is labels x penalties x folds problems and the final fit; scikit-learn fits each label
once, at the penalty that the sweep chose. Both are scored on the same unseen studies.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from radpair.evaluation.probe import PENALTIES, Probe, fit_probe


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    features, truth = _studies(options)
    train, test = slice(0, options.studies), slice(options.studies, None)
    patients = [f"p{index // 2}" for index in range(options.studies)]
    with threadpool_limits(options.threads):
        started = time.perf_counter()
        probe = fit_probe(features[train], truth[train], patients)
        ours = time.perf_counter() - started
        theirs, single = _one_fit_per_label(features, truth, probe, options)
    scores = probe.score(features[test])
    gaps = [
        abs(roc_auc_score(truth[test, i], scores[:, i]) - roc_auc_score(truth[test, i], single[i]))
        for i in range(options.labels)
    ]
    problems = options.labels * (5 * len(PENALTIES) + 1)
    print(f"{options.studies:,} studies x {options.dim} features x {options.labels} labels")
    print(f"radpair, {problems} problems (sweep and fit): {ours:7.2f} s")
    print(f"scikit-learn, {options.labels} fits, no sweep:       {theirs:7.2f} s")
    print(
        f"ratio {ours / theirs:.2f}; per problem {theirs / options.labels * problems / ours:.0f} x"
    )
    print(f"largest AUROC difference {max(gaps):.1e}; penalties {probe.penalties.tolist()}")


def _one_fit_per_label(
    features: np.ndarray, truth: np.ndarray, probe: Probe, options: argparse.Namespace
) -> tuple[float, list[np.ndarray]]:
    """Seconds, and the scores of the unseen studies per label."""
    started = time.perf_counter()
    scaler = StandardScaler().fit(features[: options.studies])
    scaled = scaler.transform(features[: options.studies])
    fits = [
        LogisticRegression(C=1 / penalty, max_iter=2000).fit(scaled, truth[: options.studies, i])
        for i, penalty in enumerate(probe.penalties)
    ]
    seconds = time.perf_counter() - started
    unseen = scaler.transform(features[options.studies :])
    return seconds, [fit.decision_function(unseen) for fit in fits]


def _studies(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features of a few hidden causes, as encoders give them, and rare labels."""
    rng = np.random.default_rng(0)
    count, causes = options.studies + 4000, 40
    hidden = rng.normal(size=(count, causes))
    mixed = hidden @ rng.normal(size=(causes, options.dim)) / np.sqrt(causes)
    features = np.maximum(mixed + 0.5 * rng.normal(size=(count, options.dim)), 0)
    drive = hidden @ rng.normal(size=(causes, options.labels)) / np.sqrt(causes)
    truth = (drive + rng.normal(size=drive.shape) > 1.5).astype(float)
    return features.astype(np.float32), truth


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("studies", 20_000), ("dim", 256), ("labels", 5), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


if __name__ == "__main__":
    main()
