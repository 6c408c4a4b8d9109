"""Features that are the same for all studies are refused, not ranked by their rounding."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.cohorts import NAMES, cohort
from radpair.errors import EvaluationError
from radpair.evaluation.linear import linear_probe
from radpair.evaluation.neighbours import knn_probe


@pytest.mark.parametrize("probe", [linear_probe, knn_probe])
def test_rounding_ranks_nothing(probe) -> None:
    features, *rest = cohort()
    name, table = next(iter(features.items()))
    rng = np.random.default_rng(0)
    same = np.full(table.shape, 3.0, dtype=np.float32)
    same += rng.normal(size=table.shape).astype(np.float32) * 1e-6
    with pytest.raises(EvaluationError, match="the same features, which rank nothing"):
        probe({name: same}, *rest, NAMES, [1.0], draws=1, resamples=100)
