"""What an uncertain label counts as, and what a study's score is when it has several images.

CheXpert's labels are 1 present, 0 absent, -1 uncertain, blank not given. Irvin et al. 2019,
section 3, compare three treatments of -1: leave it out (U-Ignore), count it present (U-Ones) or
absent (U-Zeros). ConVIRT (Zhang et al. 2022, appendix on CheXpert) uses one treatment per label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError, nearest
from radpair.records import UNCERTAIN

CONVIRT: Mapping[str, float] = MappingProxyType(
    {
        "Atelectasis": 1.0,
        "Cardiomegaly": 1.0,
        "Consolidation": 0.0,
        "Edema": 1.0,
        "Pleural Effusion": 1.0,
    }
)
"""ConVIRT's map of the five CheXpert labels that it is evaluated on."""

POLICIES = ("ignore", "ones", "zeros", "convirt")
_SIMPLE = {"ignore": float("nan"), "ones": 1.0, "zeros": 0.0}
AGGREGATIONS = ("mean", "max")

Policy = str | Mapping[str, float]
"""A name of ``POLICIES``; or the value (1, 0 or NaN) of an uncertain label by label name; or that
as text, ``Edema=ones,Mass=zeros``."""


def given_labels(
    labels: NDArray[Any], ids: Sequence[str], names: Sequence[str], uncertain: Policy = "ignore"
) -> NDArray[np.float64]:
    """Labels as 1, 0 or NaN ``[studies, labels]``, uncertain ones (-1) by the policy.

    ``ignore`` makes them NaN, ``ones`` 1, ``zeros`` 0; ``convirt`` and a map decide label by label.
    Raises ``EvaluationError`` naming the study and label of any value but 1, 0, -1 and NaN, and
    for an uncertain label that the map does not name.
    """
    found = np.asarray(labels, dtype=np.float64)
    wrong = ~(np.isnan(found) | np.isin(found, (0.0, 1.0, UNCERTAIN)))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise EvaluationError(
            f"study '{ids[row]}' has {found[row, column]:g} for '{names[column]}': "
            "labels are 1, 0, -1 (uncertain) or blank"
        )
    doubtful = found == UNCERTAIN
    return np.where(doubtful, _values(uncertain, names, doubtful.any(axis=0)), found)


def study_scores(
    scores: NDArray[Any],
    image_study: NDArray[Any] | Sequence[int],
    studies: Sequence[str],
    how: str = "mean",
) -> NDArray[np.float64]:
    """Scores of studies ``[studies, labels]`` from those of their images ``[images, labels]``.

    ``image_study [images]`` is each image's place in ``studies`` (ids), in any order. ``max`` is a
    finding's score in the view that shows it best (Irvin et al. 2019, section 5); ``mean`` the
    average over views (MURA; Rajpurkar et al. 2018). Raises ``EvaluationError`` for a study
    without images, a place outside the studies, and a score that is not a finite number.
    """
    if how not in AGGREGATIONS:
        raise EvaluationError(f"unknown aggregation of views '{how}': use {AGGREGATIONS}")
    values = np.asarray(scores, dtype=np.float64)
    places = np.asarray(image_study, dtype=np.int64)
    counts = _images_per_study(values, places, studies)
    order = np.argsort(places, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    if how == "max":
        return np.asarray(np.maximum.reduceat(values[order], starts, axis=0))
    return np.asarray(np.add.reduceat(values[order], starts, axis=0) / counts[:, None])


def check_policy(uncertain: str) -> None:
    """Raises ``EvaluationError`` for an unknown policy."""
    if uncertain in POLICIES:
        return
    if "=" not in uncertain:
        raise EvaluationError(
            f"unknown policy '{uncertain}' for uncertain labels{nearest(uncertain, POLICIES)}"
        )
    for part in uncertain.split(","):
        name, _, word = part.rpartition("=")
        if not name.strip() or word.strip() not in _SIMPLE:
            raise EvaluationError(
                f"--uncertain: '{part}' is not a rule; write label={'|'.join(_SIMPLE)}, and commas "
                "between rules, as in Edema=ones,Mass=zeros"
            )


def _by_label(uncertain: str) -> Mapping[str, float]:
    """The map that a policy which decides label by label stands for."""
    if uncertain == "convirt":
        return CONVIRT
    pairs = [part.rpartition("=") for part in uncertain.split(",")]
    return {name.strip(): _SIMPLE[word.strip()] for name, _, word in pairs}


def _values(
    uncertain: Policy, names: Sequence[str], needed: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The value of an uncertain label, per label ``[labels]``; NaN leaves it out."""
    if isinstance(uncertain, str):
        check_policy(uncertain)
        if uncertain in _SIMPLE:
            return np.full(len(names), _SIMPLE[uncertain])
    chosen = _by_label(uncertain) if isinstance(uncertain, str) else uncertain
    for name, value in chosen.items():
        if not (np.isnan(value) or value in (0.0, 1.0)):
            raise EvaluationError(
                f"the policy makes an uncertain '{name}' {value:g}: use 1, 0 or NaN (leave out)"
            )
    missing = [
        name for name, used in zip(names, needed, strict=True) if used and name not in chosen
    ]
    if missing:
        raise EvaluationError(
            f"'{missing[0]}' has uncertain labels and the policy has no rule for it "
            f"(rules: {', '.join(chosen)}): name a value for it or use 'ignore', 'ones' or 'zeros'"
        )
    return np.array([chosen.get(name, np.nan) for name in names])


def _images_per_study(
    scores: NDArray[np.float64], places: NDArray[np.int64], studies: Sequence[str]
) -> NDArray[np.int64]:
    if scores.ndim != 2 or places.shape != scores.shape[:1]:
        raise EvaluationError(
            f"scores are {list(scores.shape)} but {places.size} images were given their study: "
            "score every image once"
        )
    bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if len(bad):
        raise EvaluationError(
            f"{len(bad)} images have a score that is not a finite number, first rows "
            f"{bad[:5].tolist()}: mend the predictions"
        )
    outside = np.flatnonzero((places < 0) | (places >= len(studies)))
    if len(outside):
        raise EvaluationError(
            f"image row {outside[0]} belongs to study {places[outside[0]]}, but there are only "
            f"{len(studies)} studies: give each image its place among them"
        )
    counts = np.bincount(places, minlength=len(studies))
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        raise EvaluationError(
            f"study '{studies[empty[0]]}' has no scored image ({len(empty)} such studies): "
            "score its images or leave the study out of the truth"
        )
    return counts
