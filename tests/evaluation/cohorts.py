"""Small cohorts for tests of probes."""

from __future__ import annotations

import numpy as np

NAMES = ["Edema", "Mass", "Nodule"]


def cohort(seed: int = 0, studies: int = 180, train: int = 100):
    """Two studies a patient; the encoder 'good' sees the findings, 'random' does not."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(studies, 8))
    features = hidden @ rng.normal(size=(8, 16)) + 0.5 * rng.normal(size=(studies, 16))
    truth = (hidden @ rng.normal(size=(8, 3)) + 0.5 * rng.normal(size=(studies, 3)) > 1) * 1.0
    patients = [f"p{i // 2}" for i in range(studies)]
    splits = np.where(np.arange(studies) < train, "train", "test")
    noise = np.random.default_rng(9).normal(size=(studies, 16))
    return {"random": noise, "good": features}, truth, patients, splits
