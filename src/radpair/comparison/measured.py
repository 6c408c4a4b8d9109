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
from radpair.evaluation.bootstrap import Resampled, mean_over_labels, resample
from radpair.evaluation.metrics import DECIDED, RANKED, accuracies
from radpair.evaluation.operating import resample_decided
from radpair.evaluation.statistics import Floats
from radpair.evaluation.untaught import first_reasons
from radpair.evaluation.untaught import untaught as untaught_labels


@dataclass(frozen=True)
class Scored:
    """One protocol's scores of the tested studies, of every draw of labels."""

    labels: tuple[str, ...]
    scores: Floats
    """``[runs, studies, labels]``."""
    decisions: NDArray[np.bool_] | None
    """The same shape, by thresholds that no tested study chose; None where there are none."""
    facts: dict[str, Any]
    """JSON values: studies learned from, what was chosen."""
    why_not: tuple[str | None, ...] | None = None
    """Why a label has no threshold; None: each has one."""


def measure(
    scored: Scored, truth: Floats, patients: Sequence[str], resamples: int, seed: int
) -> Unit:
    """Every metric of ``scored`` with its resamples over ``patients``; ``truth [studies, labels]``.

    Arrays: ``scores``; per metric ``M.value [labels]``, ``M.draws [resamples, labels]``,
    ``M.left_out [groups, labels]``, ``M.support`` (of shares, else empty), ``M.runs [runs]`` (each
    run's mean over labels) and for the ranked ones each run's own ``M.run_values [runs, labels]``
    and ``M.run_draws [runs, resamples, labels]``. Accuracies have one column for all classes.
    """
    among = (patients, resamples, seed)
    untaught = untaught_labels(scored.facts.get("constant", []), scored.labels, len(scored.scores))
    sampled = {
        name: resample_decided(metric, scored.scores, truth, untaught, *among)
        for name, metric in RANKED.items()
    }
    sampled |= {
        name: resample(metric, scored.scores, truth, *among)
        for name, metric in accuracies(truth).items()
    }
    if scored.decisions is not None:
        why_not = first_reasons(untaught, scored.why_not or (None,) * len(scored.labels))
        given = (scored.decisions, truth, why_not, *among)
        sampled |= {name: resample_decided(metric, *given) for name, metric in DECIDED.items()}
    arrays: dict[str, NDArray[Any]] = {"scores": scored.scores}
    for name, found in sampled.items():
        several = len(found.run_values) > 0
        values = found.run_values if several else found.value[None]
        arrays |= {
            f"{name}.value": found.value,
            f"{name}.draws": found.draws,
            f"{name}.left_out": found.left_out,
            f"{name}.support": found.support,
            f"{name}.runs": mean_over_labels(values),
        }
        if name in RANKED:
            drawn = found.run_draws if several else found.draws[None]
            arrays[f"{name}.run_values"] = values
            arrays[f"{name}.run_draws"] = drawn.astype(np.float32)
    notes = {name: list(found.notes) for name, found in sampled.items()}
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
    parts = ("value", "draws", "left_out")
    value, draws, left_out = (unit.arrays[f"{metric}.{part}"] for part in parts)
    support = unit.arrays.get(f"{metric}.support", np.empty((0, 0)))
    notes = unit.facts["notes"].get(metric) or [None] * len(value)
    if len(value) != len(known):  # of all classes together
        return Resampled(value, draws, left_out, support, notes=tuple(notes))
    places = [known.index(name) for name in (known if labels is None else labels)]
    return Resampled(
        value[places],
        draws[:, places],
        left_out[:, places] if left_out.size else np.empty((0, 0)),
        support[places] if len(support) else np.empty((0, 0)),
        notes=tuple(notes[place] for place in places),
    )
