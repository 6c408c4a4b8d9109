"""Nearest neighbours as a probe: what lies near a study in the encoder's features, with no fit.

A study's score is the vote of its k nearest labelled studies by cosine similarity, each weighted by
exp(similarity / 0.07) (Wu et al. 2018, section 3.4). k is chosen inside the label budget. It costs
one product of features, so that it can also watch a pretraining (``knn_auroc``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.budgets import sample_by_patient, why_no_folds
from radpair.evaluation.features import unit_length
from radpair.evaluation.linear import fraction_probe
from radpair.evaluation.probe import check_training, why_constant
from radpair.evaluation.protocol import Features, make_task
from radpair.evaluation.results import Results
from radpair.evaluation.statistics import Floats, auroc

SCHEMA = "radpair.knn/1"
NEIGHBOURS = (1, 3, 5, 10, 20, 50, 100, 200)
TEMPERATURE = 0.07
_CHUNK = 1024
_SWEPT = 4096
"""Labelled rows, at most, whose votes by the others choose k."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Labelled studies that vote; labels with one class in the budget score 0 everywhere."""

    codes: NDArray[np.float32]
    """``[studies, dim]``, unit vectors."""
    truth: Floats
    """``[studies, labels]``: 1, 0, NaN not given."""
    chosen: Floats
    """How many vote, for each label; NaN for a constant label."""
    constant: tuple[str | None, ...]
    """Why a label has a constant score, or None, for each label."""
    cross_fitted: Floats
    """Votes of other patients on each labelled study ``[studies, labels]``."""

    def score(self, features: NDArray[Any]) -> Floats:
        """Votes ``[studies, labels]`` in 0 to 1 on ``features [studies, dim]``."""
        queries, found = unit_length(features), np.zeros((len(features), self.truth.shape[1]))
        for label in np.flatnonzero(~np.isnan(self.chosen)):
            given = np.flatnonzero(~np.isnan(self.truth[:, label]))
            counts = np.array([int(self.chosen[label])])
            found[:, label] = _votes(queries, self.codes[given], self.truth[given, label], counts)[
                :, 0
            ]
        return found


def fit_neighbours(
    features: NDArray[Any],
    truth: NDArray[Any],
    patients: Sequence[str],
    neighbours: Sequence[int] = NEIGHBOURS,
) -> Neighbours:
    """Keeps ``features [studies, dim]`` with ``truth [studies, labels]``, and chooses k a label.

    Each labelled study is voted on by the others, its own patient's left out; the k with the
    highest AUROC of these votes wins, the larger of equals. More than 4,096 labelled rows choose k
    on those of some patients, as many as fit. The votes on a label whose rarer class is one
    patient's can choose no threshold and are not kept. Raises ``EvaluationError`` for features that
    are not finite or counts below 1.
    """
    check_training(features, truth)
    if not len(neighbours) or min(neighbours) < 1:
        raise EvaluationError("the numbers of neighbours must be one or more, each 1 or more")
    codes = unit_length(features)
    counts = np.unique(np.asarray(neighbours, dtype=np.int64))
    people = np.asarray(patients, dtype=str)
    _, person = np.unique(people, return_inverse=True)
    constant = tuple(why_constant(column) for column in truth.T)
    chosen, cross_fitted = np.full(truth.shape[1], np.nan), np.full(truth.shape, np.nan)
    for label in np.flatnonzero([reason is None for reason in constant]):
        given = np.flatnonzero(~np.isnan(truth[:, label]))
        asked = given
        if len(given) > _SWEPT:
            asked = given[sample_by_patient(people[given].tolist(), _SWEPT)]
        votes = _votes(
            codes[asked], codes[given], truth[given, label], counts, person[asked], person[given]
        )
        wanted = np.repeat(truth[asked, label][:, None], len(counts), axis=1)
        areas = np.nan_to_num(auroc(votes, wanted), nan=0.5)
        best = len(counts) - 1 - int(areas[::-1].argmax())
        chosen[label] = counts[best]
        if why_no_folds(truth[:, label], patients) is None:
            cross_fitted[asked, label] = votes[:, best]
    return Neighbours(codes, np.asarray(truth, dtype=np.float64), chosen, constant, cross_fitted)


def _votes(
    queries: NDArray[np.float32],
    codes: NDArray[np.float32],
    truth: Floats,
    counts: NDArray[np.int64],
    asking: NDArray[np.int64] | None = None,
    voting: NDArray[np.int64] | None = None,
) -> Floats:
    """Weighted shares of positives ``[queries, counts]`` among the nearest ``codes``.

    Where given, ``asking [queries]`` and ``voting [codes]`` are patients, and one's own studies
    have no vote; a study that no other patient can vote on gets the base rate.
    """
    most = min(int(counts.max()), len(codes))
    found = np.empty((len(queries), len(counts)))
    for start in range(0, len(queries), _CHUNK):
        rows = slice(start, start + _CHUNK)
        near = queries[rows] @ codes.T
        if asking is not None and voting is not None:
            near[asking[rows][:, None] == voting[None, :]] = -np.inf
        order = np.argpartition(-near, most - 1, axis=1)[:, :most]
        close = np.take_along_axis(near, order, axis=1).astype(np.float64)
        place = np.argsort(-close, axis=1, kind="stable")
        order = np.take_along_axis(order, place, axis=1)
        close = np.take_along_axis(close, place, axis=1)
        weights = np.exp((close - np.maximum(close[:, :1], -1)) / TEMPERATURE)
        total, positive = np.cumsum(weights, axis=1), np.cumsum(weights * truth[order], axis=1)
        ends = np.minimum(counts, most) - 1
        share = np.divide(
            positive[:, ends],
            total[:, ends],
            out=np.full((len(near), len(counts)), truth.mean()),
            where=total[:, ends] > 0,
        )
        found[rows] = share
    return found


def knn_probe(
    features_by_name: Mapping[str, Features],
    labels: NDArray[Any],
    patients: Sequence[str],
    splits: Sequence[str] | NDArray[Any],
    label_names: Sequence[str],
    fractions: Sequence[float] = (0.01, 0.1, 1.0),
    draws: int = 5,
    seed: int = 0,
    *,
    neighbours: Sequence[int] = NEIGHBOURS,
    **asked: Any,
) -> Results:
    """As ``linear_probe``, on the same draws, with nearest neighbours in place of a regression."""
    fit = partial(fit_neighbours, neighbours=neighbours)
    swept = {"neighbours": list(neighbours), "temperature": TEMPERATURE}
    given = (features_by_name, labels, patients, splits, label_names, fractions, draws, seed)
    return fraction_probe(SCHEMA, fit, swept, *given, **asked)


def knn_auroc(
    features: NDArray[Any],
    labels: NDArray[Any],
    patients: Sequence[str],
    splits: Sequence[str] | NDArray[Any],
    label_names: Sequence[str],
    *,
    evaluated: str = "validate",
    neighbours: int = 20,
) -> dict[str, float]:
    """AUROC a label, and their mean as ``mean``, with a fixed k and no intervals.

    Meant for a schedule during pretraining: ``features [studies, dim]`` of the training split vote
    on the split ``evaluated``, which should be validation. NaN where a label lacks a class.
    """
    task = make_task(labels, patients, splits, label_names, evaluated, "ignore")
    check_training(features, task.truth)
    codes, found = unit_length(features), {}
    for label, name in enumerate(task.names):
        given = task.train[~np.isnan(task.truth[task.train, label])]
        truth = task.truth[given, label]
        if why_constant(truth) is not None:
            found[name] = float("nan")
            continue
        votes = _votes(codes[task.test], codes[given], truth, np.array([neighbours]))
        found[name] = float(auroc(votes, task.truth[task.test, label : label + 1])[0])
    known = [value for value in found.values() if not np.isnan(value)]
    return {**found, "mean": float(np.mean(known)) if known else float("nan")}
