"""Operating points in words, and decisions by thresholds that validation studies chose.

A point is ``mcc``, ``f1`` or ``youden`` (the best of these), or ``sensitivity=0.9`` (the best
specificity that still finds 90 % of the positives), or ``specificity=0.9``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError, nearest
from radpair.evaluation.bootstrap import Resampled, resample
from radpair.evaluation.statistics import Floats, Metric, why_undefined
from radpair.evaluation.thresholds import OBJECTIVES, operating_points

STANDARD = "mcc"
VALIDATION = "validate"


def read_point(text: str, option: str = "--operating-point") -> tuple[str, float | None]:
    """The objective, and the share that it must reach where it needs one.

    Raises ``EvaluationError`` that names the ``option``.
    """
    name, equals, share = text.partition("=")
    if name not in OBJECTIVES:
        raise EvaluationError(f"{option} '{text}' is not known{nearest(name, OBJECTIVES)}")
    shared = name in ("sensitivity", "specificity")
    if shared != bool(equals):
        raise EvaluationError(
            f"{option} {text}: "
            + (f"say what to reach, as in {name}=0.9" if shared else f"write '{name}' alone")
        )
    if not shared:
        return name, None
    try:
        least = float(share)
    except ValueError:
        least = float("nan")
    if not 0 < least <= 1:
        raise EvaluationError(f"{option} {text}: the share must lie above 0, at most at 1")
    return name, least


def point_words(text: str) -> str:
    """``the best MCC``, ``the best specificity at a sensitivity of 0.9 or more``."""
    name, least = read_point(text)
    if least is None:
        known = {"mcc": "MCC", "f1": "F1", "youden": "sum of sensitivity and specificity"}
        return f"the best {known[name]}"
    other = {"sensitivity": "specificity", "specificity": "sensitivity"}[name]
    return f"the best {other} at a {name} of {least:g} or more"


@dataclass(frozen=True, slots=True)
class Validated:
    """Thresholds that validation studies chose, and what they decide of others."""

    values: Floats
    """``[labels]``; NaN where none could be chosen."""
    decisions: NDArray[np.bool_]
    """``[studies, labels]`` of the evaluated studies."""
    why_not: tuple[str | None, ...]
    """Why a label has no threshold, or None."""
    facts: dict[str, Any]
    """JSON values: where the thresholds come from."""


def from_validation(
    scores: NDArray[Any],
    truth: Floats,
    patients: NDArray[np.str_],
    validation: NDArray[np.int64],
    evaluated: NDArray[np.int64],
    names: Sequence[str],
    point: str = STANDARD,
) -> Validated | None:
    """Thresholds from the studies ``validation``, applied to ``evaluated`` (indices).

    ``scores, truth [studies, labels]`` and ``patients [studies]`` are of all studies. None without
    validation studies. Raises ``EvaluationError`` for a patient who is on both sides.
    """
    if not len(validation):
        return None
    known = np.asarray(truth[validation], dtype=np.float64)
    people = patients[validation].tolist()
    chosen = operating_points(scores[validation], known, people, *read_point(point))
    tested = scores[evaluated]
    decisions = chosen.decide(tested, patients[evaluated].tolist())
    lacks = why_undefined(known)
    why_not = tuple(
        f"no threshold: in the split '{VALIDATION}' {lack}" if lack else None for lack in lacks
    )
    facts = {
        "operating_point": point,
        "split": VALIDATION,
        "studies": len(validation),
        "patients": chosen.source,
        "thresholds": dict(zip(names, map(float, chosen.values), strict=True)),
        "missing": {name: why for name, why in zip(names, why_not, strict=True) if why},
    }
    return Validated(chosen.values, decisions, why_not, facts)


def resample_decided(
    metric: Metric,
    decisions: NDArray[Any],
    truth: Floats,
    why_not: Sequence[str | None],
    patients: Sequence[str],
    resamples: int,
    seed: int,
) -> Resampled:
    """``resample`` of decisions ``[runs, studies, labels]``, undefined where ``why_not`` tells."""
    found = resample(metric, decisions, known_truth(truth, why_not), patients, resamples, seed)
    notes = found.notes or (None,) * len(why_not)
    return replace(
        found, notes=tuple(why or note for why, note in zip(why_not, notes, strict=True))
    )


def known_truth(truth: Floats, why_not: Sequence[str | None]) -> Floats:
    """``truth [studies, labels]``, NaN throughout where ``why_not`` tells."""
    return np.where(np.array([why is not None for why in why_not]), np.nan, truth)


def undecided(why_not: Sequence[Sequence[str | None]]) -> tuple[str | None, ...]:
    """Why a label has no decisions ``[labels]``: a draw of labels without a threshold.

    ``why_not [draws][labels]``: each draw's reason, or None. A mean over the other draws would be
    one over easier draws.
    """
    told: list[str | None] = []
    for reasons in zip(*why_not, strict=True):
        given = [reason for reason in reasons if reason is not None]
        where = "" if len(reasons) == 1 else f" in {len(given)} of {len(reasons)} draws"
        told.append(f"no threshold{where}: {given[0]}" if given else None)
    return tuple(told)


def chosen_line(point: str) -> str:
    """Where the operating point of a probe comes from, for people."""
    return (
        f"Operating point: {point_words(point)} on out-of-fold scores of the training labels, "
        "chosen in each draw."
    )
