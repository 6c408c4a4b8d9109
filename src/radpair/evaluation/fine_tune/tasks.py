"""Binary, multi-label and multi-class targets, and MURA's study-level form: loss and probability.

Targets are ``[studies, outputs]`` with 1, 0 or NaN (not given, never learned from). A multi-class
study has exactly one 1 among its classes, or is NaN throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from radpair.errors import EvaluationError, nearest
from radpair.evaluation.probe import why_constant
from radpair.evaluation.statistics import Floats, given_labels

BINARY, MULTI_LABEL, MULTI_CLASS, MURA = "binary", "multi-label", "multi-class", "mura"
TASKS = (BINARY, MULTI_LABEL, MULTI_CLASS, MURA)


@dataclass(frozen=True, slots=True)
class Task:
    """What is learned from which labels."""

    kind: str
    """``binary`` and ``multi-label`` draw one image of a study a pass; ``mura`` learns from every
    image with its study's label (Rajpurkar et al. 2018). All of them, and ``multi-class``, score a
    study by the mean of its images' probabilities."""
    names: tuple[str, ...]

    @property
    def exclusive(self) -> bool:
        """Whether exactly one class holds."""
        return self.kind == MULTI_CLASS

    @property
    def every_image(self) -> bool:
        """Whether a pass visits every image instead of one image of each study."""
        return self.kind == MURA


def task_of(kind: str, names: Sequence[str]) -> Task:
    """The task of this kind; ``auto`` is binary for one label and multi-label for several.

    Raises ``EvaluationError`` where the number of labels does not fit.
    """
    if kind == "auto":
        kind = BINARY if len(names) == 1 else MULTI_LABEL
    if kind not in TASKS:
        raise EvaluationError(f"--task '{kind}' is not known{nearest(kind, (*TASKS, 'auto'))}")
    if kind in (BINARY, MURA) and len(names) != 1:
        raise EvaluationError(
            f"--task {kind} takes one label, not {len(names)}: choose it with --labels"
        )
    if kind == MULTI_CLASS and len(names) < 2:
        raise EvaluationError("--task multi-class takes two labels or more: one for each class")
    return Task(kind, tuple(names))


def targets(task: Task, labels: NDArray[Any], ids: Sequence[str], uncertain: str) -> Floats:
    """Targets ``[studies, outputs]`` of ``labels [studies, labels]`` (1, 0, -1, NaN).

    Raises ``EvaluationError`` naming a study that is of no class or of several.
    """
    truth = given_labels(labels, ids, task.names, uncertain)
    if not task.exclusive:
        return truth
    ones = (truth == 1).sum(axis=1)
    wrong = np.flatnonzero((ones > 1) | ((truth == 0).all(axis=1)))
    if len(wrong):
        row = int(wrong[0])
        raise EvaluationError(
            f"study '{ids[row]}' is of {ones[row]} of the classes {', '.join(task.names)} "
            f"({len(wrong)} such studies): --task multi-class takes exactly one, so mend the "
            "labels or use --task multi-label"
        )
    return np.where((ones == 1)[:, None], np.nan_to_num(truth), np.nan)


def loss(exclusive: bool, logits: Tensor, truth: Tensor) -> Tensor:
    """Mean over what is given: cross-entropy per label, or over exclusive classes.

    ``logits, truth [items, outputs]``; where ``truth`` is NaN the gradient is 0. An item without a
    finding has a gradient like any other (softmax over labels would give it none).
    """
    given = ~torch.isnan(truth)
    target = torch.nan_to_num(truth)
    if exclusive:
        each = -(target * F.log_softmax(logits, dim=1).clamp(min=-1e4)).sum(dim=1)
        rows = given.all(dim=1)
        return (each * rows).sum() / rows.sum().clamp(min=1)
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return torch.where(given, each, 0.0).sum() / given.sum().clamp(min=1)


def held_out_loss(exclusive: bool, scores: Floats, truth: Floats) -> float:
    """The loss of study probabilities ``scores [studies, outputs]``; NaN where nothing is given."""
    p = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    given = ~np.isnan(truth)
    if exclusive:
        rows = given.all(axis=1)
        each = -np.log((p * np.nan_to_num(truth)).sum(axis=1)[rows])
    else:
        each = -np.log(np.where(truth == 1, p, 1 - p))[given]
    return float(each.mean()) if len(each) else float("nan")


def one_class(truth: Floats) -> tuple[str | None, ...]:
    """Why an output cannot be learned from ``truth [studies, outputs]``, or None, for each."""
    return tuple(map(why_constant, truth.T))
