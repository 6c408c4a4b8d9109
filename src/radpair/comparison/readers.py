"""A model beside radiologists: F1, MCC and operating points on the same studies.

The comparison of Khanna et al. 2023 (IGC, section 4) and Tiu et al. 2022: every reader's decisions
are measured against the truth, a model's scores by their ROC curve, and a model's decisions at
thresholds that come from elsewhere. All intervals and differences use the same resamples of
patients, so differences are paired.

``compare`` returns JSON values, schema ``radpair.readers/1`` (NaN is null)::

    {"schema": "radpair.readers/1",
     "labels": ["Atelectasis", ...],
     "averaging": how means are taken, in words,
     "settings": {"resamples", "seed", "level"},
     "studies", "patients",
     "own_patients": studies that count as a patient of their own, because none is named,
     "counts": {label: {"studies", "positives", "open_in_truth", "open_in_readers"}},
     "readers": [{"name", "metrics": {"f1": METRIC, "mcc", "tpr", "fpr"}}],
     "readers_mean": {"metrics": {...}},       the mean over readers, inside each resample
     "model": null or
        {"name",
         "thresholds": null or {label: value}, "thresholds_from": where they come from, in words,
         "metrics": {"auroc": METRIC, and with thresholds "f1", "mcc", "tpr", "fpr"},
         "curves": {label: {"fpr": [...], "tpr": [...]}}},
     "differences": [{"reader", "metrics": {"f1": METRIC, "mcc": METRIC}}],
                                        model minus reader, the last minus the readers' mean;
                                        empty without thresholds
     "points": [{"reader", "sensitivity_gap": METRIC,
                 "labels": {label: {"fpr", "tpr", "side", "distance"}}}],
     "under_curve": null or {"points", "of", "hold": of these points, how many after Holm},
     "warnings": [what may be wrong with the files],
     "notes": [what a reader of the figures should know]}

    METRIC = {"macro": INTERVAL, "labels": {label: INTERVAL}, "draws": []}
    INTERVAL = {"value", "low", "high", "p", "undefined", ...}

INTERVAL is that of ``radpair.evaluation.bootstrap``. ``sensitivity_gap`` is the model's true
positive rate at the reader's false positive rate, minus the reader's. ``side`` is where the
reader's point lies to the curve at that rate: "under", "on", "above", or null; ``distance`` is the
shortest one in the ROC plane, negative for a point above. ``p`` (differences and gaps) is that of
``radpair.evaluation.differences``, one comparison at a time; differences and gaps also have
``holm``, corrected over the labels of that reader and metric, for the mean over labels over the
readers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from radpair.comparison.p_values import with_holm
from radpair.comparison.readers_notes import (
    FIXED,
    of_answers,
    of_counts,
    of_figures,
    of_patients,
    of_scores,
    of_thresholds,
)
from radpair.comparison.roc import (
    ON_THE_CURVE,
    distance,
    false_positive_rate,
    roc_curve,
    sensitivity_at,
    true_positive_rate,
)
from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import Estimate, Resampled, interval, resample
from radpair.evaluation.differences import difference
from radpair.evaluation.results import jsonable, metric_result
from radpair.evaluation.statistics import Floats, Metric, auroc, f1, given_labels, mcc
from radpair.evaluation.thresholds import decide

SCHEMA = "radpair.readers/1"
LEVEL = 0.95
MEAN = "mean of readers"
AVERAGING = (
    "Each reader and label alone; a reader's mean is over labels, the mean of readers is over "
    "readers for one label, and over readers and labels in its mean over labels. Inside every "
    "resample the same means are taken."
)
METRICS: dict[str, Metric] = {
    "f1": f1,
    "mcc": mcc,
    "tpr": true_positive_rate,
    "fpr": false_positive_rate,
}
COMPARED = ("f1", "mcc")


@dataclass(frozen=True, eq=False)
class Panel:
    """Truth and the readers' answers on the same studies, in one order."""

    labels: Sequence[str]
    ids: Sequence[str]
    patients: Sequence[str]
    truth: Floats
    """``[studies, labels]``: 1, 0, -1 (uncertain) or NaN."""
    answers: Mapping[str, Floats]
    """The same of each reader."""
    patients_named: bool = False
    """Whether a column names the patients, so that one called like its study is meant so."""

    @property
    def own_patients(self) -> int:
        """Studies that stand for a patient of their own, because their id names none."""
        if self.patients_named:
            return 0
        return sum(who == study for who, study in zip(self.patients, self.ids, strict=True))

    @cached_property
    def given_truth(self) -> Floats:
        """The truth as 1, 0 or NaN. Raises ``EvaluationError`` for any other value."""
        return given_labels(self.truth, self.ids, self.labels)

    @cached_property
    def given_answers(self) -> dict[str, Floats]:
        """Each reader's answers as 1, 0 or NaN."""
        return {
            name: given_labels(values, self.ids, self.labels)
            for name, values in self.answers.items()
        }

    @cached_property
    def shared_truth(self) -> Floats:
        """The truth ``[studies, labels]``, NaN also where any reader leaves the answer open.

        So readers and model are measured on the same studies.
        """
        open_cells = np.any([np.isnan(found) for found in self.given_answers.values()], axis=0)
        return np.where(open_cells, np.nan, self.given_truth)


@dataclass(frozen=True, eq=False)
class Model:
    """A model's scores for the panel's studies."""

    name: str
    scores: Floats
    """``[studies, labels]``, finite, higher for more likely."""
    thresholds: Floats | None = None
    """``[labels]``; present is a score of at least this. Never chosen on the panel's truth."""
    thresholds_from: str = ""


def compare(
    panel: Panel, model: Model | None = None, resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Readers, and a model beside them, as the JSON values that the module describes.

    Raises ``EvaluationError`` where nothing can be measured: no readers, a label without a study
    that truth and readers all answer, or a model called like a reader.
    """
    _check(panel, model, resamples, seed)
    measured = _Measured(panel, resamples, seed)
    readers = {
        name: measured.metrics(METRICS, answers) for name, answers in panel.given_answers.items()
    }
    mean = measured.metrics(METRICS, np.stack([*panel.given_answers.values()]))
    alone, counts = panel.own_patients, _counts(panel)
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "labels": list(panel.labels),
        "averaging": AVERAGING,
        "settings": {"resamples": resamples, "seed": seed, "level": LEVEL},
        "studies": len(panel.ids),
        "patients": len(set(panel.patients)),
        "own_patients": alone,
        "counts": counts,
        "readers": [{"name": n, "metrics": measured.shown(v)} for n, v in readers.items()],
        "readers_mean": {"metrics": measured.shown(mean)},
        "model": None,
        "differences": [],
        "points": [],
        "under_curve": None,
        "warnings": of_patients(len(panel.ids), alone),
        "notes": [FIXED, *of_counts(len(panel.ids), counts)],
    }
    if model is not None:
        found.update(_model_part(measured, model, {**readers, MEAN: mean}))
        found["warnings"] = _warnings(measured, model) + found["warnings"]
    found["notes"] += of_answers(panel.labels, panel.given_answers, panel.shared_truth)
    found["notes"] += of_figures(_figures(found))
    plain: dict[str, Any] = jsonable(found)
    return plain


@dataclass(frozen=True)
class _Measured:
    """Metrics of one panel, always on the same resamples."""

    panel: Panel
    resamples: int
    seed: int

    def metric(self, metric: Metric, scores: Floats) -> Resampled:
        """Of ``[studies, labels]``, or the mean over ``[readers, studies, labels]``.

        A NaN answer has NaN as its truth, so what stands in its place is not read.
        """
        panel = self.panel
        return resample(
            metric,
            np.nan_to_num(scores),
            panel.shared_truth,
            panel.patients,
            self.resamples,
            self.seed,
        )

    def metrics(self, metrics: Mapping[str, Metric], scores: Floats) -> dict[str, Resampled]:
        """Every metric of the same scores, as ``metric``."""
        return {name: self.metric(metric, scores) for name, metric in metrics.items()}

    def shown(self, found: Mapping[str, Resampled]) -> dict[str, Any]:
        """JSON values of resampled metrics, with intervals."""
        return {name: self.result(interval(sample, LEVEL)) for name, sample in found.items()}

    def result(self, estimate: Estimate) -> dict[str, Any]:
        """JSON values of one estimate, its labels named."""
        return asdict(metric_result(estimate, self.panel.labels))


def _model_part(
    measured: _Measured, model: Model, readers: Mapping[str, Mapping[str, Resampled]]
) -> dict[str, Any]:
    """The keys of the result that speak of the model; ``readers`` ends with their mean."""
    panel = measured.panel
    curves = [
        roc_curve(model.scores[:, i], panel.shared_truth[:, i]) for i in range(len(panel.labels))
    ]
    metrics = {"auroc": measured.metric(auroc, model.scores)}
    differences: list[dict[str, Any]] = []
    if model.thresholds is not None:
        decided = decide(model.scores, model.thresholds).astype(np.float64)
        metrics |= measured.metrics(METRICS, decided)
        differences = [
            {"reader": name, "metrics": _minus(measured, metrics, theirs)}
            for name, theirs in readers.items()
        ]
    points = [
        _point(measured, model, curves, name, theirs)
        for name, theirs in readers.items()
        if name != MEAN
    ]
    for name in COMPARED if differences else ():
        _correct([one["metrics"][name] for one in differences])
    _correct([point["sensitivity_gap"] for point in points])
    sides = [at["side"] for point in points for at in point["labels"].values()]
    return {
        "model": {
            "name": model.name,
            "thresholds": _by_label(panel, model.thresholds),
            "thresholds_from": model.thresholds_from,
            "metrics": measured.shown(metrics),
            "curves": {
                label: {"fpr": fpr.tolist(), "tpr": tpr.tolist()}
                for label, (fpr, tpr) in zip(panel.labels, curves, strict=True)
            },
        },
        "differences": differences,
        "points": points,
        "under_curve": {
            "points": sides.count("under"),
            "of": len(sides) - sides.count(None),
            "hold": sum(map(_under_after_correction, points)),
        },
    }


def _figures(found: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Every METRIC with whose it is."""
    made = [(one["name"], one["metrics"]) for one in found["readers"]]
    made.append((MEAN, found["readers_mean"]["metrics"]))
    if found["model"]:
        name = found["model"]["name"]
        made.append((name, found["model"]["metrics"]))
        made += [(f"{name} minus {one['reader']}", one["metrics"]) for one in found["differences"]]
        made += [
            (f"{name} beside {one['reader']}", {"sensitivity_gap": one["sensitivity_gap"]})
            for one in found["points"]
        ]
    return made


def _warnings(measured: _Measured, model: Model) -> list[str]:
    labels = measured.panel.labels
    area = interval(measured.metric(auroc, model.scores), LEVEL)
    told = of_scores(labels, model.scores, area)
    if model.thresholds is not None:
        told += of_thresholds(labels, model.scores, model.thresholds)
    return told


def _correct(metrics: Sequence[dict[str, Any]]) -> None:
    """Adds ``holm``: over the labels of each metric, for means over all of these."""
    for metric in metrics:
        with_holm(metric["labels"])
    with_holm({str(place): metric["macro"] for place, metric in enumerate(metrics)})


def _under_after_correction(point: Mapping[str, Any]) -> int:
    """How many of a reader's points lie under the curve, corrected over labels."""
    gaps = point["sensitivity_gap"]["labels"].values()
    return sum(
        one["holm"] is not None and one["holm"] <= 1 - LEVEL and one["value"] > 0 for one in gaps
    )


def _minus(
    measured: _Measured, mine: Mapping[str, Resampled], theirs: Mapping[str, Resampled]
) -> dict[str, Any]:
    return {name: measured.result(difference(mine[name], theirs[name], LEVEL)) for name in COMPARED}


def _point(
    measured: _Measured,
    model: Model,
    curves: Sequence[tuple[Floats, Floats]],
    name: str,
    theirs: Mapping[str, Resampled],
) -> dict[str, Any]:
    """Where one reader's operating points lie to the model's curves."""
    answers = measured.panel.given_answers[name]
    height = measured.metric(sensitivity_at(model.scores), answers)
    gap = difference(height, theirs["tpr"], LEVEL)
    labels = {}
    for place, label in enumerate(measured.panel.labels):
        fpr, tpr = (float(theirs[rate].value[place]) for rate in ("fpr", "tpr"))
        labels[label] = {"fpr": fpr, "tpr": tpr, "side": None, "distance": float("nan")}
        above = gap.labels[place].value
        if not np.isnan(above):
            labels[label] |= _side(above, distance(fpr, tpr, curves[place]))
    return {"reader": name, "sensitivity_gap": measured.result(gap), "labels": labels}


def _side(gap: float, far: float) -> dict[str, Any]:
    if abs(gap) <= ON_THE_CURVE:
        return {"side": "on", "distance": 0.0}
    return {"side": "under", "distance": far} if gap > 0 else {"side": "above", "distance": -far}


def _check(panel: Panel, model: Model | None, resamples: int, seed: int) -> None:
    if not panel.answers:
        raise EvaluationError("no reader was given; give at least one file with --reader")
    if resamples < 100:
        raise EvaluationError(
            f"{resamples} resamples are too few for an interval; give 100 or more"
        )
    if seed < 0:
        raise EvaluationError(f"the seed is {seed}; it must be 0 or more")
    if MEAN in panel.answers or (model is not None and model.name in (*panel.answers, MEAN)):
        raise EvaluationError(
            f"two of the readers, the model and the '{MEAN}' share a name; rename a file"
        )
    silent = np.isnan(panel.shared_truth).all(axis=0)
    if silent.any():
        label = panel.labels[int(np.flatnonzero(silent)[0])]
        raise EvaluationError(
            f"no study has an answer for '{label}' from the truth and every reader; leave the "
            "label out with --labels, or the reader who does not give it"
        )


def _counts(panel: Panel) -> dict[str, dict[str, int]]:
    found = {}
    for place, label in enumerate(panel.labels):
        shared, truth = panel.shared_truth[:, place], panel.given_truth[:, place]
        found[label] = {
            "studies": int((~np.isnan(shared)).sum()),
            "positives": int((shared == 1).sum()),
            "open_in_truth": int(np.isnan(truth).sum()),
            "open_in_readers": int((np.isnan(shared) & ~np.isnan(truth)).sum()),
        }
    return found


def _by_label(panel: Panel, values: Floats | None) -> dict[str, float] | None:
    if values is None:
        return None
    return dict(zip(panel.labels, values.tolist(), strict=True))
