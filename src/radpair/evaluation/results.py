"""What an evaluation returns, and its JSON (NaN becomes null).

``Results.to_json`` of the linear probe, schema ``radpair.linear/1``::

    {"schema": "radpair.linear/1",
     "labels": ["Edema", ...],
     "reference": "random",              the encoder that differences are taken against
     "settings": {"fractions", "draws", "seed", "penalties", "folds", "resamples", "level",
                  "uncertain", "evaluated", "views", "operating_point", ...},
     "counts": {"train": {"studies", "patients", "positives": {label: n}}, "test": {...}},
     "rows": [{"model", "fraction", "studies", "draws",
               "metrics": {"auroc": METRIC, "average_precision", "mcc", "f1", "sensitivity",
                           "specificity"; of classes that exclude each other "accuracy" and
                           "top_2_accuracy", ... too; with calibration "brier" and
                           "calibration_error"},
               "differences": {"auroc": METRIC, ...},        empty for the reference
               "penalties": {label: [one a draw, null where constant]},
               "constant": [{"draw", "label", "reason"}],
               "shots": positives a class in few-shot evaluation, else null,
               "left_out": {label: why it is in no metric of the row}}]}

Few-shot evaluation (``radpair.few-shot/1``) and nearest neighbours (``radpair.knn/1``) have the
same form. ``fraction`` is then the share of the training studies that a draw learns from (the mean
over draws), and ``penalties`` of neighbours holds how many of them voted.

    METRIC = {"macro": INTERVAL, "labels": {label: INTERVAL}, "draws": [macro of each draw],
              "spread": standard deviation of "draws", null for one draw,
              "holm": {label: p of a difference, corrected over the labels},
              "total": {"macro": INTERVAL, "labels": {label: INTERVAL}, "holm": as above} or null}
    INTERVAL = {"value", "low", "high", "p", "undefined", "note"}

``value`` is the mean over draws; ``low`` and ``high`` come from resampling patients of the
evaluated split, the mean over draws taken inside each resample: they take the draws of labels as
given. ``total`` has the same values with intervals over patients and draws together
(``radpair.evaluation.over_draws``); null where labels were drawn once. ``p`` and ``holm`` belong to
differences (value minus the reference's); where labels were drawn several times they are in
``total`` alone, since a test that takes the draws as given calls equal models different far too
often. ``undefined`` counts resamples without one of the label's classes.
``note`` says why a value is undefined or an interval doubtful (null: neither).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from radpair.evaluation.bootstrap import Estimate, Interval


@dataclass(frozen=True, slots=True)
class Total:
    """A metric with intervals over patients and draws of labels together."""

    macro: Interval
    labels: dict[str, Interval]
    holm: dict[str, float | None] = field(default_factory=dict)
    """Of a difference: the labels' p corrected over all of them."""


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One metric of one model: the mean over labels, each label, and each draw's mean."""

    macro: Interval
    """Over patients alone, like ``labels``."""
    labels: dict[str, Interval]
    draws: list[float] = field(default_factory=list)
    spread: float | None = None
    """Standard deviation of ``draws``; None for one draw."""
    total: Total | None = None
    holm: dict[str, float | None] = field(default_factory=dict)
    """Of a difference: the labels' p corrected over all of them; None where there is no p."""


@dataclass(frozen=True, slots=True)
class Row:
    """One model at one label fraction."""

    model: str
    fraction: float
    studies: int
    draws: int
    metrics: dict[str, MetricResult]
    differences: dict[str, MetricResult]
    penalties: dict[str, list[float]]
    constant: list[dict[str, Any]]
    shots: int | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    """Why a label is in no metric of this row, by label."""


@dataclass(frozen=True, slots=True)
class Results:
    """Every model at every fraction, and what the numbers rest on."""

    schema: str
    labels: list[str]
    reference: str
    settings: dict[str, Any]
    counts: dict[str, Any]
    rows: list[Row]

    def row(self, model: str, fraction: float) -> Row:
        """The row of one model and fraction; raises ``KeyError`` when there is none."""
        for row in self.rows:
            if row.model == model and math.isclose(row.fraction, fraction):
                return row
        raise KeyError((model, fraction))

    def to_json(self) -> dict[str, Any]:
        """JSON values only; NaN and infinities become None."""
        found: dict[str, Any] = jsonable(asdict(self))
        return found


def metric_result(
    estimate: Estimate, names: Sequence[str], draws: Sequence[float] = ()
) -> MetricResult:
    """An estimate with its labels named."""
    labels = dict(zip(names, estimate.labels, strict=True))
    return MetricResult(estimate.macro, labels, [float(value) for value in draws])


def jsonable(value: Any) -> Any:
    """The same structure with plain JSON values, NaN and infinities as None."""
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
