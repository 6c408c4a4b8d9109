"""Label budgets: which training studies may be learned from, drawn by patient and by seed.

A draw orders the patients at random and takes their studies in that order until the budget is
met exactly, so a smaller budget of the same draw lies inside every larger one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError

Indices = NDArray[np.int64]


def label_budget(patients: Sequence[str], fraction: float, seed: int = 0, draw: int = 0) -> Indices:
    """Sorted positions of ``round(fraction * studies)`` studies (at least one), by patient.

    ``patients`` holds the patient of every training study. Raises ``EvaluationError`` for a
    fraction outside (0, 1].
    """
    if not 0 < fraction <= 1:
        raise EvaluationError(f"a label fraction must lie above 0 and at most 1, not {fraction:g}")
    if len(patients) == 0:
        raise EvaluationError("the split 'train' holds no studies: nothing can be learned from it")
    size = max(1, round(fraction * len(patients)))
    return np.sort(_by_patient(patients, seed, draw)[:size])


def too_few(truth: NDArray[Any], patients: NDArray[Any], shots: int) -> str:
    """Whether a label has ``shots`` patients of either class, whoever is drawn first.

    ``truth, patients [studies]``. In words how many there are where that is too few, else empty.
    """
    positive, negative = (set(patients[truth == value].tolist()) for value in (1, 0))
    spent = min(shots, len(positive & negative))
    if len(positive) >= shots and len(negative) - spent >= shots:
        return ""
    return f"{len(positive):,} training patients with it and {len(negative):,} without"


def few_shot(
    labels: NDArray[Any],
    patients: Sequence[str],
    names: Sequence[str],
    shots: int,
    seed: int = 0,
    draw: int = 0,
) -> NDArray[np.float64]:
    """Labels ``[studies, labels]`` with all but ``shots`` positives and negatives set to NaN.

    Every label gets one study each of ``shots`` patients with the finding and ``shots`` others
    without. Raises ``EvaluationError`` naming a label with too few patients.
    """
    if shots < 1:
        raise EvaluationError(f"few-shot needs at least 1 study a class, not {shots}")
    order = _by_patient(patients, seed, draw)
    people = np.asarray(patients, dtype=str)
    kept = np.full(labels.shape, np.nan)
    for label, name in enumerate(names):
        taken: set[str] = set()
        for value in (1.0, 0.0):
            rows = _one_each(order[labels[order, label] == value], people, taken)[:shots]
            if len(rows) < shots:
                raise EvaluationError(
                    f"label '{name}' has {len(rows)} training patients of class {value:g}, "
                    f"fewer than the {shots} asked for: lower the shots or leave the label out"
                )
            taken.update(people[rows])
            kept[rows, label] = value
    return kept


def assert_disjoint(
    learned: Sequence[str], evaluated: Sequence[str], what: str = "the training studies"
) -> None:
    """Raises ``EvaluationError`` naming a patient who stands on both sides."""
    shared = sorted(set(map(str, learned)) & set(map(str, evaluated)))
    if shared:
        raise EvaluationError(
            f"patient '{shared[0]}' is among both {what} and the evaluated ones "
            f"({len(shared)} such patients): split the studies again by patient"
        )


def patient_folds(truth: NDArray[Any], patients: Sequence[str], folds: int, seed: int) -> Indices:
    """The fold of each study ``[studies]``, whole patients, the positives dealt out evenly.

    ``truth [studies]`` holds 1, 0 or NaN for one label. There are as many folds, up to ``folds``,
    as can each hold both classes: one that holds a single class would be scored by a probe that saw
    too much of the other, and its scores would lie apart from those of the rest. All studies are in
    fold 0 where not even two can.
    """
    names, member = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    order = np.random.default_rng([seed, 1]).permutation(len(names))
    has = np.zeros(len(names), dtype=np.int64)
    np.maximum.at(has, member, np.nan_to_num(truth + 1.0).astype(np.int64))
    dealt = order[np.argsort(-has[order], kind="stable")]
    place = np.empty(len(names), dtype=np.int64)
    place[dealt] = np.arange(len(names))
    for count in range(min(folds, len(names)), 1, -1):
        fold = (place % count)[member]
        if all(np.bincount(fold[truth == value], minlength=count).all() for value in (1, 0)):
            return fold
    return np.zeros(len(member), dtype=np.int64)


def why_no_folds(truth: NDArray[Any], patients: Sequence[str]) -> str | None:
    """Why no study of a label can be scored by a probe that knows both classes without its patient.

    ``truth [studies]`` of the label; None where two patients or more have each class.
    """
    people = np.asarray(patients, dtype=str)
    for value, words in ((1, "with it"), (0, "without it")):
        if len(set(people[truth == value].tolist())) < 2:
            return f"only one training patient {words}"
    return None


def sample_by_patient(patients: Sequence[str], size: int) -> Indices:
    """Sorted rows of patients drawn at random, the same in every call: about ``size``, no more.

    A patient's rows come all or not at all, so that a study's images are never told apart by how
    many they are. Two patients are always drawn.
    """
    _, member, counts = np.unique(
        np.asarray(patients, dtype=str), return_inverse=True, return_counts=True
    )
    order = np.random.default_rng(0).permutation(len(counts))
    taken = np.zeros(len(counts), dtype=bool)
    taken[order[np.cumsum(counts[order]) <= size]] = True
    taken[order[:2]] = True
    return np.flatnonzero(taken[member]).astype(np.int64)


def _by_patient(patients: Sequence[str], seed: int, draw: int) -> Indices:
    """All positions, patients in random order, each patient's studies together."""
    names, member = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    rng = np.random.default_rng([seed, draw])
    place = np.empty(len(names), dtype=np.int64)
    place[rng.permutation(len(names))] = np.arange(len(names))
    within = rng.random(len(member))
    return np.lexsort((within, place[member])).astype(np.int64)


def _one_each(rows: Indices, people: NDArray[Any], taken: set[str]) -> Indices:
    """The first row of each patient who is not taken yet."""
    _, first = np.unique(people[rows], return_index=True)
    firsts = rows[np.sort(first)]
    return np.array([row for row in firsts if people[row] not in taken], dtype=np.int64)
