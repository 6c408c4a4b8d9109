"""What a probe gives on request: calibration of its probabilities, and its scores."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from evaluation.cohorts import NAMES, cohort
from radpair.evaluation.linear import linear_probe
from radpair.evaluation.metrics import DECIDED, RANKED
from radpair.evaluation.neighbours import knn_probe
from radpair.evaluation.tables import calibration_table

QUICK = {"draws": 2, "resamples": 100}


def test_calibration_is_that_of_the_scores_handed_over() -> None:
    features, truth, patients, splits = cohort()
    taken = {}
    results = linear_probe(
        *(features, truth, patients, splits, NAMES, [0.3]),
        **QUICK,
        penalties=[10.0],
        calibration=True,
        on_scores=lambda model, level, scores: taken.update({(model, level.fraction): scores}),
    )
    assert set(taken) == {("random", 0.3), ("good", 0.3)}
    scores = taken["good", 0.3]
    assert scores.shape == (2, 80, 3)
    row = results.row("good", 0.3)
    for place, name in enumerate(NAMES):
        expected = np.mean(
            [
                brier_score_loss(truth[100:, place], 1 / (1 + np.exp(-run[:, place])))
                for run in scores
            ]
        )
        assert row.metrics["brier"].labels[name].value == pytest.approx(expected)
    error = row.metrics["calibration_error"].macro
    assert 0 < error.value < 1
    assert row.metrics["brier"].total is not None
    told = calibration_table(results)
    assert told.splitlines()[3].endswith(f"  {error.value:.3f}")
    assert "15 bins" in told


def test_without_the_request_there_is_no_calibration() -> None:
    results = linear_probe(*cohort(), NAMES, [1.0], **QUICK, penalties=[10.0])
    assert set(results.rows[0].metrics) == {*RANKED, *DECIDED}


def test_neighbours_hand_over_their_votes() -> None:
    taken = []
    knn_probe(*(*cohort(), NAMES, [0.5]), **QUICK, on_scores=lambda *given: taken.append(given[2]))
    assert len(taken) == 2
    assert all(((votes >= 0) & (votes <= 1)).all() for votes in taken)
