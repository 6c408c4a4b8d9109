"""Several training runs of one method as one: metrics averaged over runs, rows never pooled.

Each run is measured by itself. A method's figure is the mean of its runs', also inside each
resample of the patients, and what its runs differ by beyond their common patients widens every
difference from another method (``radpair.evaluation.differences``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.comparison.kept import Unit
from radpair.comparison.measured import metrics_of, sample_of
from radpair.comparison.runs import Runner, open_runs
from radpair.errors import ModelError
from radpair.evaluation.bootstrap import combined
from radpair.evaluation.differences import Runs


@dataclass(frozen=True)
class Method:
    """One or several runs that are compared as one model."""

    name: str
    runs: tuple[Runner, ...]

    @property
    def towers(self) -> list[str]:
        """Those of its runs, which have the same."""
        return self.runs[0].towers


def open_methods(asked: Sequence[str], device: str = "cpu") -> list[Method]:
    """``RUN``, ``NAME=RUN`` or ``NAME=RUN,RUN,...`` each, in this order.

    A run is a run folder, a model folder or ``random:LIKE``. Raises ``ModelError`` for fewer than
    two, for two of one name, for weights that stand twice, and for runs of one method that differ
    in their towers.
    """
    if len(asked) < 2:
        raise ModelError(
            "a comparison needs at least two models; give run folders, model folders or random:LIKE"
        )
    split = [_split(text) for text in asked]
    opened = iter(open_runs([place for _, places in split for place in places], device))
    found = []
    for name, places in split:
        runs = tuple(next(opened) for _ in places)
        found.append(Method(name or runs[0].name, runs))
    names = [method.name for method in found]
    for method, text in zip(found, asked, strict=True):
        if names.count(method.name) > 1:
            raise ModelError(f"two models are called '{method.name}'; give {text} another NAME=")
        if any(run.towers != method.towers for run in method.runs):
            raise ModelError(
                f"{text}: its runs have different towers ("
                + "; ".join(
                    f"{run.name}: {' and '.join(run.towers) or 'none'}" for run in method.runs
                )
                + "); give runs of one method"
            )
    return found


def _split(text: str) -> tuple[str, list[str]]:
    """The name, empty where none is given, and the places."""
    if Path(text).exists():
        return "", [text]
    name, equals, places = text.rpartition("=")
    found = [place.strip() for place in places.split(",")]
    if equals and (not name.strip() or not all(found)):
        raise ModelError(f"{text}: write it as NAME=RUN, or NAME=RUN,RUN for runs of one method")
    if len(found) > 1 and not equals:
        raise ModelError(f"{text}: name runs of one method, as in NAME={text}")
    return name.strip(), found


def merged(units: Sequence[Unit], names: Sequence[str]) -> Unit:
    """One unit of the runs ``names``: figures are means; pictures and curves are the first's."""
    first = units[0]
    if len(units) == 1:
        return first
    arrays: dict[str, NDArray[Any]] = dict(first.arrays)
    notes = {}
    for metric in metrics_of(first):
        whole = combined([sample_of(unit, metric) for unit in units], [1 / len(units)] * len(units))
        arrays |= {
            f"{metric}.value": whole.value,
            f"{metric}.draws": whole.draws,
            f"{metric}.left_out": whole.left_out,
            f"{metric}.support": _support([sample_of(unit, metric).support for unit in units]),
        }
        notes[metric] = list(whole.notes)
        for part in ("runs", "run_values", "run_draws"):
            if f"{metric}.{part}" in first.arrays:
                each = [unit.arrays[f"{metric}.{part}"] for unit in units]
                arrays[f"{metric}.{part}"] = np.concatenate(each)
    told = ("labels", "notes")
    by_run = {
        name: {key: value for key, value in unit.facts.items() if key not in told}
        for name, unit in zip(names, units, strict=True)
    }
    return Unit(arrays, {**first.facts, "notes": notes, "by_run": by_run}, tuple(units))


def _support(each: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """What the runs' shares rest on, together: their harmonic mean, so that a share of as many
    patients has the mean of the runs' variances."""
    if len({one.shape for one in each}) > 1 or not each[0].size:
        return np.empty((0, 0))
    with np.errstate(divide="ignore"):
        return np.asarray(1 / np.mean(1 / np.stack(each), axis=0))


def own_spread(unit: Unit, metric: str, names: Sequence[str] | None = None) -> Runs | None:
    """What the runs of one method differ by, for the tests; None of one run."""
    if not unit.of_runs:
        return None
    samples = [sample_of(one, metric, names) for one in unit.of_runs]
    return Runs(np.stack([one.value for one in samples]), np.stack([one.draws for one in samples]))
