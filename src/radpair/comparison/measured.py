"""Scores into figures that can be compared: the metric, its resamples, and each run's mean.

Everything that a paired test, an interval or a label-efficiency curve needs later is kept as
arrays, so that comparing one more model never scores the others again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.comparison.kept import Unit
from radpair.evaluation.bootstrap import Resampled, combined, resample
from radpair.evaluation.statistics import Floats, Metric, auroc, average_precision, f1, mcc

RANKED: dict[str, Metric] = {"auroc": auroc, "average_precision": average_precision}
DECIDED: dict[str, Metric] = {"mcc": mcc, "f1": f1}


@dataclass(frozen=True)
class Scored:
    """One protocol's scores of the tested studies, of every draw of labels."""

    labels: tuple[str, ...]
    scores: Floats
    """``[runs, studies, labels]``."""
    decisions: NDArray[np.bool_] | None
    """The same shape, by thresholds chosen inside the budget; None where there are none."""
    facts: dict[str, Any]
    """JSON values: studies learned from, what was chosen."""


def measure(
    scored: Scored, truth: Floats, patients: Sequence[str], resamples: int, seed: int
) -> Unit:
    """Every metric of ``scored`` with its resamples over ``patients``; ``truth [studies, labels]``.

    Arrays: ``scores``; per metric ``M.value [labels]``, ``M.draws [resamples, labels]``,
    ``M.left_out [groups, labels]``, ``M.runs [runs]`` (each run's mean over labels) and for the
    ranked ones each run's own ``M.run_values [runs, labels]`` and ``M.run_draws [runs, resamples,
    labels]``.
    """
    arrays: dict[str, NDArray[Any]] = {"scores": scored.scores}
    notes: dict[str, list[str | None]] = {}
    inputs: list[tuple[dict[str, Metric], NDArray[Any]]] = [(RANKED, scored.scores)]
    if scored.decisions is not None:
        inputs.append((DECIDED, scored.decisions))
    for metrics, runs in inputs:
        for name, metric in metrics.items():
            each = [resample(metric, run, truth, patients, resamples, seed) for run in runs]
            whole = combined(each, [1 / len(each)] * len(each))
            arrays |= {
                f"{name}.value": whole.value,
                f"{name}.draws": whole.draws,
                f"{name}.left_out": whole.left_out,
                f"{name}.runs": np.array([mean_over_labels(one.value[None])[0] for one in each]),
            }
            notes[name] = list(whole.notes)
            if name in RANKED:
                arrays[f"{name}.run_values"] = np.stack([one.value for one in each])
                drawn = np.stack([one.draws for one in each])
                arrays[f"{name}.run_draws"] = drawn.astype(np.float32)
    facts = {"labels": list(scored.labels), "notes": notes, **scored.facts}
    return Unit(arrays, facts)


def metrics_of(unit: Unit) -> list[str]:
    """The names of the metrics that ``unit`` holds, the main one of labels first."""
    held = [name.removesuffix(".value") for name in unit.arrays if name.endswith(".value")]
    first = [*RANKED, *DECIDED]
    return sorted(held, key=lambda name: (first.index(name) if name in first else 9, name))


def sample_of(unit: Unit, metric: str, labels: Sequence[str] | None = None) -> Resampled:
    """A metric of a unit for pairing and intervals, of some of its labels if they are named."""
    known = unit.facts["labels"]
    places = [known.index(name) for name in (known if labels is None else labels)]
    value, draws, left_out = (
        unit.arrays[f"{metric}.{part}"] for part in ("value", "draws", "left_out")
    )
    notes = unit.facts["notes"].get(metric) or [None] * len(known)
    return Resampled(
        value[places],
        draws[:, places],
        left_out[:, places] if left_out.size else np.empty((0, 0)),
        notes=tuple(notes[place] for place in places),
    )


def mean_over_labels(values: Floats) -> Floats:
    """The mean of the defined labels of each row ``[rows, labels]``; NaN where none is."""
    there = ~np.isnan(values)
    counts = there.sum(axis=1)
    total = np.where(there, values, 0.0).sum(axis=1)
    found: Floats = np.divide(total, counts, out=np.full(len(values), np.nan), where=counts > 0)
    return found
