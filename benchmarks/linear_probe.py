"""The probe with its whole penalty sweep against scikit-learn, in one run.

Usage: python benchmarks/linear_probe.py [--full] [--features independent] [--rounds 3]

Ours is everything from raw features to fitted weights: standardising, the sweep of all penalties,
the final fits. Beside it stands one scikit-learn ``LogisticRegression`` fit a label, on features
standardised beforehand, at the penalty that our sweep chose. Both take turns, and the ratio of each
round is printed, as wall time and as processor time. Scored on the same unseen studies.

--full is 224,000 studies x 768 features x 5 labels in float32 (CheXpert's training set and a ViT).
Without it, 20,000 x 256, and the same sweep is also run as a loop over scikit-learn.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from radpair.evaluation.budgets import patient_folds
from radpair.evaluation.probe import PENALTIES, Probe, fit_probe

UNSEEN = 20_000
CAUSES = 40


def main() -> None:
    options = _options()
    features, truth = _studies(options)
    seen, unseen = slice(0, options.studies), slice(options.studies, None)
    patients = [f"p{index // 2}" for index in range(options.studies)]
    with threadpool_limits(options.threads):
        scaler = StandardScaler().fit(features[seen])
        ratios = []
        for _ in range(options.rounds):
            probe, *ours = _timed(fit_probe, features[seen], truth[seen], patients)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            scaled = scaler.transform(features[seen])
            fits, *theirs = _timed(_one_fit_a_label, scaled, truth[seen], probe)
            ratios.append((ours[0] / theirs[0], ours[1] / theirs[1]))
            print(
                f"radpair {ours[0]:.1f} s wall, {ours[1]:.1f} s processor;  scikit-learn "
                f"{theirs[0]:.1f} s, {theirs[1]:.1f} s;  ratio {ratios[-1][0]:.2f}, "
                f"{ratios[-1][1]:.2f}",
                flush=True,
            )
        scores = probe.score(features[unseen])
        expected = np.stack(
            [fit.decision_function(scaler.transform(features[unseen])) for fit in fits], axis=1
        )
        if not options.full:
            _against_a_loop(features[seen], truth[seen], patients, ours[0], options.labels)
    areas = [
        [roc_auc_score(truth[unseen, i], table[:, i]) for i in range(options.labels)]
        for table in (scores, expected)
    ]
    wall, processor = (float(np.median(column)) for column in zip(*ratios, strict=True))
    print(
        f"{options.studies:,} x {options.dim} x {options.labels} labels, {len(PENALTIES)} "
        f"penalties, {options.features} features, {options.threads} threads: median ratio "
        f"{wall:.2f} wall, {processor:.2f} processor"
    )
    gap = np.abs(np.subtract(*areas)).max()
    print(f"AUROC {np.mean(areas[0]):.4f} against {np.mean(areas[1]):.4f}, largest gap {gap:.1e}")
    print(f"penalties {probe.penalties.tolist()}; peak memory when ours first ended {peak:.1f} GiB")


def _timed(work: Callable[..., Any], *given: Any) -> tuple[Any, float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    found = work(*given)
    return found, time.perf_counter() - wall, time.process_time() - processor


def _one_fit_a_label(scaled: np.ndarray, truth: np.ndarray, probe: Probe) -> list:
    return [
        LogisticRegression(C=1 / penalty, max_iter=2000).fit(scaled, truth[:, label])
        for label, penalty in enumerate(probe.penalties)
    ]


def _against_a_loop(
    features: np.ndarray, truth: np.ndarray, patients: list[str], ours: float, labels: int
) -> None:
    """The same sweep by scikit-learn, in as many folds: timed on a label, times the labels."""
    started = time.perf_counter()
    scaled = StandardScaler().fit_transform(features)
    fold = patient_folds(truth[:, 0], patients, 5, 0)
    for penalty in PENALTIES:
        for held in range(5):
            fit = LogisticRegression(C=1 / penalty, max_iter=2000)
            fit.fit(scaled[fold != held], truth[fold != held, 0])
            fit.decision_function(scaled[fold == held])
    looped = (time.perf_counter() - started) * labels
    print(f"scikit-learn, a sweep over 5 folds by a loop: {looped:.1f} s, {looped / ours:.0f} x")


def _studies(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Features and rare labels; made in parts, so that memory is the features' alone."""
    rng = np.random.default_rng(0)
    count = options.studies + UNSEEN
    features = np.empty((count, options.dim), dtype=np.float32)
    drive = np.empty((count, options.labels))
    mixing = rng.normal(size=(CAUSES, options.dim)) / np.sqrt(CAUSES)
    causes = rng.normal(size=(CAUSES, options.labels)) / np.sqrt(CAUSES)
    weights = rng.normal(size=(options.dim, options.labels)) / np.sqrt(options.dim)
    for start in range(0, count, 10_000):
        rows = slice(start, min(start + 10_000, count))
        noise = rng.normal(size=(rows.stop - start, options.dim))
        if options.features == "independent":
            features[rows], drive[rows] = noise, noise @ weights
        else:
            hidden = rng.normal(size=(len(noise), CAUSES))
            features[rows] = np.maximum(hidden @ mixing + 0.5 * noise, 0)
            drive[rows] = hidden @ causes
    truth = (drive + rng.normal(size=drive.shape) > 1.5).astype(float)
    return features, truth


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("studies", 20_000), ("dim", 256), ("labels", 5), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rounds", type=int, default=3, help="turns that both sides take")
    parser.add_argument("--full", action="store_true", help="224,000 studies x 768 features")
    parser.add_argument(
        "--features",
        choices=("encoder", "independent"),
        default="encoder",
        help="correlated as an encoder's, or independent, which is easiest for scikit-learn",
    )
    options = parser.parse_args()
    if options.full:
        options.studies, options.dim = 224_000, 768
    return options


if __name__ == "__main__":
    main()
