"""Answers into the figures of ``results.json``, schema ``radpair.compare/1`` (docs/compare.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import combinations, permutations, product
from typing import Any

import numpy as np

from radpair import __version__
from radpair.comparison.bench import EVALUATED, Bench, described
from radpair.comparison.by_prompt import TASK as BY_PROMPT
from radpair.comparison.compare_models import MAP, Cell, Compared, prompts_hash
from radpair.comparison.kept import Unit
from radpair.comparison.measured import metrics_of, sample_of
from radpair.comparison.methods import Method
from radpair.comparison.needed import labels_needed
from radpair.comparison.pairs import correct_means, label_difference, retrieval_difference
from radpair.comparison.protocols import Plan
from radpair.comparison.retrieved import figure
from radpair.comparison.roc import roc_curve
from radpair.evaluation.bootstrap import interval, mean_over_labels
from radpair.evaluation.results import jsonable
from radpair.settings import plain

SCHEMA = "radpair.compare/1"
MAIN = {
    "retrieval": "recall_10",
    "likeness": "precision_10",
    BY_PROMPT: "precision_10",
    "8x200": "precision_10",
}
"""The metric that stands for a task; AUROC for all others."""
PROMPTED = ("zero-shot", BY_PROMPT)
"""Tasks that models without a tower in common are asked in by each one's own kind of prompts."""


def main_metric(task: str) -> str:
    """The metric that the table shows."""
    return MAIN.get(task, "auroc")


def result(compared: Compared) -> dict[str, Any]:
    """JSON values; NaN becomes None."""
    plan = compared.plan
    cells = [cell for cell in compared.cells if cell.task != MAP]
    found: dict[str, Any] = jsonable(
        {
            "schema": SCHEMA,
            "radpair": __version__,
            "settings": {**settings_of(plan), "evaluated": EVALUATED},
            "prompts": {
                "version": compared.prompts.version,
                "hash": prompts_hash(compared.prompts.labels),
                "labels": sorted(compared.prompts.labels),
            },
            "models": [_model(method) for method in compared.methods],
            "sets": [described(bench) for bench in compared.benches],
            "results": [_answer(cell, compared) for cell in cells],
            "differences": [
                one for bench in compared.benches for one in _differences(bench, compared)
            ],
            "lists": None,
            "labels_needed": [
                one for bench in compared.benches for one in _needed(bench, compared)
            ],
        }
    )
    return found


def _model(method: Method) -> dict[str, Any]:
    """A method with each of its runs; ``hash`` and ``origin`` are those of the first."""
    runs = [{"name": run.name, "hash": run.model.hash, "origin": run.origin} for run in method.runs]
    first = {key: runs[0][key] for key in ("hash", "origin")}
    return {"name": method.name, **first, "towers": method.towers, "runs": runs}


def settings_of(plan: Plan) -> dict[str, Any]:
    """A plan in JSON values."""
    told = asdict(plan)
    return told | {"fine_tune": None if plan.fine_tune is None else plain(plan.fine_tune)}


def _answer(cell: Cell, compared: Compared) -> dict[str, Any]:
    told: dict[str, Any] = {
        "set": cell.set,
        "model": cell.model,
        "task": cell.task,
        "title": cell.title,
        "setting": cell.setting,
        "why_not": cell.why_not,
        "key": cell.key,
    }
    if cell.unit is None:
        return told
    facts = {key: value for key, value in cell.unit.facts.items() if key not in ("notes",)}
    metrics = {
        name: _metric(cell.unit, name, compared.plan.level) for name in metrics_of(cell.unit)
    }
    told |= {"facts": facts, "metrics": metrics}
    bench = next(bench for bench in compared.benches if bench.name == cell.set)
    if cell.task == "zero-shot" or (
        cell.task == "linear" and cell.setting["fraction"] == max(compared.plan.fractions)
    ):
        told["roc"] = _curves(cell.unit, bench)
    return told


def _metric(unit: Unit, metric: str, level: float) -> dict[str, Any]:
    """METRIC of ``radpair.evaluation.results``, and each training run's mean where a model has
    several; retrieval has no labels."""
    found = _figure(unit, metric, level)
    if not unit.of_runs:
        return found
    each = np.stack([sample_of(one, metric).value for one in unit.of_runs])
    if found["draws"]:
        drawn = [one.arrays[f"{metric}.runs"] for one in unit.of_runs]
        found["draws"] = np.mean(drawn, axis=0).tolist()
    return {**found, "by_run": mean_over_labels(each).tolist()}


def _figure(unit: Unit, metric: str, level: float) -> dict[str, Any]:
    sample = sample_of(unit, metric)
    if f"{metric}.runs" not in unit.arrays:
        macro = figure(metric, sample, unit.facts["patients"], level)
        return {"macro": asdict(macro), "labels": {}, "draws": []}
    found = interval(sample, level)
    names = unit.facts["labels"] if len(sample.value) == len(unit.facts["labels"]) else []
    labels = dict(zip(names, map(asdict, found.labels), strict=False))
    draws = unit.arrays[f"{metric}.runs"].tolist()
    return {"macro": asdict(found.macro), "labels": labels, "draws": draws}


def _curves(unit: Unit, bench: Bench) -> dict[str, Any]:
    """The ROC curve of every label, of the first draw where there are several."""
    names = unit.facts["labels"]
    truth = bench.tested_truth[:, bench.columns(names)]
    found = {}
    for place, name in enumerate(names):
        fpr, tpr = roc_curve(unit.arrays["scores"][0][:, place], truth[:, place])
        kept = _thinned(fpr, tpr)
        found[name] = {
            "fpr": np.round(fpr[kept], 4).tolist(),
            "tpr": np.round(tpr[kept], 4).tolist(),
        }
    return found


def _thinned(fpr: Any, tpr: Any, apart: float = 0.004) -> list[int]:
    """Points at least so far apart along either axis, the first and last among them."""
    if not len(fpr):
        return []
    kept = [0]
    for place in range(1, len(fpr) - 1):
        gap = max(fpr[place] - fpr[kept[-1]], tpr[place] - tpr[kept[-1]])
        if gap >= apart:
            kept.append(place)
    return [*kept, len(fpr) - 1]


def _differences(bench: Bench, compared: Compared) -> list[dict[str, Any]]:
    """Every pair of models by every protocol that both answered."""
    level = compared.plan.level
    found = []
    for first, second in _pairs(bench, compared):
        if first.unit is None or second.unit is None:
            continue
        if first.task in MAIN:
            patients = first.unit.facts["patients"]
            gap = retrieval_difference(first.unit, second.unit, patients, level)
        else:
            gap = label_difference(first.unit, second.unit, bench, level)
            if not gap["labels"]:
                continue
        ends = [{"model": cell.model, "title": cell.title} for cell in (first, second)]
        found.append({"set": bench.name, "task": first.task, "ends": ends, **gap})
    for family in dict.fromkeys(map(_family, found)):
        mine = [one for one in found if _family(one) == family]
        correct_means(mine, main_metric(mine[0]["task"]))
    return found


def _family(gap: dict[str, Any]) -> str:
    """What Holm's correction of the means is over: one protocol, or all kinds of prompts."""
    return str(gap["task"] if gap["task"] in PROMPTED else gap["ends"][0]["title"])


def _pairs(bench: Bench, compared: Compared) -> Iterator[tuple[Cell, Cell]]:
    """Cells to hold against each other: of the same protocol, and where two models share no tower
    to be prompted by, each by its own kind of prompts."""
    cells = [c for c in compared.cells if c.set == bench.name and c.task != MAP and c.unit]
    by_model = {
        method.name: [cell for cell in cells if cell.model == method.name]
        for method in compared.methods
    }
    trained_first = sorted(by_model, key=lambda name: name.startswith("random:"))
    for one, other in combinations((by_model[name] for name in trained_first), 2):
        same = [(a, b) for a, b in product(one, other) if a.title == b.title]
        yield from same
        for task in PROMPTED:
            if not any(a.task == task for a, _ in same):
                yield from ((a, b) for a, b in product(one, other) if a.task == b.task == task)


def _needed(bench: Bench, compared: Compared) -> list[dict[str, Any]]:
    """For every ordered pair: the labels with which the first does as well as the second."""
    curves = {
        method.name: _budgets(bench.name, method.name, compared.cells)
        for method in compared.methods
    }
    if max(compared.plan.fractions, default=0) < 1:
        return []
    found = []
    for model, other in permutations(curves, 2):
        whole = curves[other][-1:]
        alike = [one for one in curves[model] if whole and _same_labels(one, whole[0])]
        if len(alike) > 1:
            told = labels_needed(alike, whole[0], compared.plan.seed, compared.plan.level)
            found.append({"set": bench.name, "model": model, "other": other, **told})
    return found


def _same_labels(one: Unit, other: Unit) -> bool:
    """Whether the means of both are over the same labels: not all budgets teach every label."""
    there, too = (~np.isnan(unit.arrays["auroc.value"]) for unit in (one, other))
    return bool(there.any() and np.array_equal(there, too))


def _budgets(name: str, model: str, cells: Sequence[Cell]) -> list[Unit]:
    """The linear probe's units, the smallest budget first."""
    mine = [
        cell
        for cell in cells
        if cell.set == name and cell.model == model and cell.task == "linear" and cell.unit
    ]
    ordered = sorted(mine, key=lambda cell: float(cell.setting["fraction"]))
    return [cell.unit for cell in ordered if cell.unit is not None]
