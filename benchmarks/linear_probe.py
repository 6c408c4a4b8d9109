"""The probe's whole penalty sweep against scikit-learn, in one run.

Usage: python benchmarks/linear_probe.py [--studies 20000] [--dim 256] [--labels 5] [--threads 2]

Three figures: ours (labels x penalties x folds problems and the final fits, all together), one
scikit-learn fit per label at the penalty that our sweep chose, and the same sweep by a loop over
scikit-learn (timed on the first label, times the labels). Scored on the same unseen studies.
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

from radpair.evaluation.budgets import patient_folds
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
        looped = _looped_sweep(features[train], truth[train], patients) * options.labels
    scores = probe.score(features[test])
    gaps = [
        abs(roc_auc_score(truth[test, i], scores[:, i]) - roc_auc_score(truth[test, i], single[i]))
        for i in range(options.labels)
    ]
    problems = options.labels * (5 * len(PENALTIES) + 1)
    print(f"{options.studies:,} studies x {options.dim} features x {options.labels} labels")
    print(f"radpair, {problems} problems (sweep and fits)  {ours:8.2f} s")
    print(
        f"scikit-learn, {options.labels} fits without a sweep    {theirs:8.2f} s"
        f"  {ours / theirs:6.2f}"
    )
    print(f"scikit-learn, the same sweep by a loop  {looped:8.2f} s  {ours / looped:6.2f}")
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


def _looped_sweep(features: np.ndarray, truth: np.ndarray, patients: list[str]) -> float:
    """Seconds for one label's cross-validated sweep with scikit-learn."""
    started = time.perf_counter()
    scaled = StandardScaler().fit_transform(features)
    fold = patient_folds(truth[:, 0], patients, 5, 0)
    for penalty in PENALTIES:
        for held in range(5):
            fit = LogisticRegression(C=1 / penalty, max_iter=2000)
            fit.fit(scaled[fold != held], truth[fold != held, 0])
            fit.decision_function(scaled[fold == held])
    return time.perf_counter() - started


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
