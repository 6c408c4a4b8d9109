"""ConVIRT's 8x200 retrieval of every model, tested in pairs (Zhang et al. 2022, section 4.2).

The lists are no study set: they name images of their own, so they are asked beside the sets, as
``radpair evaluate retrieval-8x200`` asks them, by their images and by their sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.comparison.compared_figures import main_metric
from radpair.comparison.kept import Kept, Unit, unit_key
from radpair.comparison.measured import metrics_of, sample_of
from radpair.comparison.methods import Method, merged
from radpair.comparison.pairs import correct_means, retrieval_difference
from radpair.comparison.protocols import Plan
from radpair.comparison.retrieved import figure, parts
from radpair.comparison.runs import Runner
from radpair.evaluation.class_retrieval import ask
from radpair.evaluation.results import jsonable
from radpair.evaluation.retrieval_lists import (
    AT,
    FOLDERS,
    Lists,
    encode_lists,
    files_hash,
    locate,
    patient_of,
    read_lists,
)

TASK = "8x200"


@dataclass(frozen=True)
class Listed:
    """One kind of lists with the files that they name."""

    lists: Lists
    files: list[Path]
    hash: str
    """Of the lists and of every image."""

    @property
    def title(self) -> str:
        """What the protocol is called."""
        return f"8x200, by {self.lists.kind}"

    @property
    def patients(self) -> list[str]:
        """Of the candidates."""
        return [patient_of(path) for path in self.lists.paths]


def open_lists(folder: Path, images: Path) -> list[Listed]:
    """The lists in ``folder`` of each kind that is there; ``images`` holds what they name.

    Raises ``EvaluationError`` for faulty lists, and for images that are not there.
    """
    kinds = [kind for kind in FOLDERS if (folder / FOLDERS[kind]).is_dir()]
    return [_opened(folder, images, kind) for kind in kinds or [_kind_of(folder)]]


def _kind_of(folder: Path) -> str:
    """``text`` where the queries in ``folder`` itself are sentences."""
    path = folder / "query.csv"
    head = path.read_text(encoding="utf-8-sig", errors="replace") if path.is_file() else ""
    return "text" if "Text" in head.partition("\n")[0].split(",") else "image"


def _opened(folder: Path, images: Path, kind: str) -> Listed:
    lists = read_lists(folder, kind)
    files = locate([*lists.paths, *(lists.queries if kind == "image" else ())], images)
    tables = [lists.folder / "query.csv", lists.folder / "candidate.csv"]
    return Listed(lists, files, files_hash([*tables, *files]))


def compare_lists(
    methods: Sequence[Method], listed: Sequence[Listed], cache: Path, plan: Plan
) -> dict[str, Any]:
    """``lists`` of ``results.json``: what they are, each model's precisions, each difference."""
    kept = Kept(cache / "units")
    results, differences = [], []
    for one in listed:
        units = {method.name: _of_method(method, one, kept, plan) for method in methods}
        for method in methods:
            results.append(_answer(method.name, one, units[method.name], plan))
        there = [(name, unit) for name, unit in units.items() if isinstance(unit, Unit)]
        mine = [_difference(*pair, one, plan) for pair in combinations(_trained_first(there), 2)]
        correct_means(mine, main_metric(TASK))
        differences += mine
    described = [
        {
            "kind": one.lists.kind,
            "hash": one.hash,
            "classes": list(one.lists.names),
            "queries": len(one.lists.queries),
            "candidates": len(one.lists.paths),
            "patients": len(set(one.patients)),
        }
        for one in listed
    ]
    found: dict[str, Any] = jsonable(
        {"lists": described, "results": results, "differences": differences}
    )
    return found


def _trained_first(named: Sequence[tuple[str, Unit]]) -> list[tuple[str, Unit]]:
    return sorted(named, key=lambda one: one[0].startswith("random:"))


def _of_method(method: Method, one: Listed, kept: Kept, plan: Plan) -> Unit | str:
    """The mean of its runs, or why they cannot be asked."""
    if one.lists.kind == "text" and "text" not in method.towers:
        return "the model has no text tower"
    units = [_of_run(run, one, kept, plan) for run in method.runs]
    return merged(units, [run.name for run in method.runs])


def _of_run(run: Runner, one: Listed, kept: Kept, plan: Plan) -> Unit:
    asked = {"task": TASK, "kind": one.lists.kind, "lists": one.hash, "model": run.model.hash}
    key = unit_key({**asked, "seed": plan.seed, "resamples": plan.resamples})
    unit = kept.read(key)
    if unit is None:
        unit = _asked(run, one, plan)
        kept.write(key, unit)
    return unit


def _asked(run: Runner, one: Listed, plan: Plan) -> Unit:
    lists = one.lists
    queries, candidates = encode_lists(run.model, lists, one.files)
    columns = np.array([lists.names.index(name) for name in lists.classes], dtype=np.int64)
    at = [k for k in AT if k <= len(lists.paths)]
    found = ask(
        *(queries, columns, candidates, lists.truth, one.patients, None),
        *(at, plan.resamples, plan.seed),
    )
    arrays: dict[str, NDArray[Any]] = {}
    for k in at:
        arrays |= parts(f"precision_{k}", found.precision(k))
    chance = {f"precision_{k}": float(found.chance.mean()) for k in at}
    facts = {"queries": len(columns), "patients": len(set(one.patients)), "chance": chance}
    return Unit(arrays, {"labels": ["all"], "notes": {}, **facts})


def _answer(model: str, one: Listed, unit: Unit | str, plan: Plan) -> dict[str, Any]:
    told = {"model": model, "task": TASK, "title": one.title, "kind": one.lists.kind}
    if isinstance(unit, str):
        return {**told, "why_not": unit}
    metrics = {
        name: asdict(figure(name, sample_of(unit, name), unit.facts["patients"], plan.level))
        for name in sorted(metrics_of(unit), key=lambda name: int(name.rpartition("_")[2]))
    }
    facts = {key: value for key, value in unit.facts.items() if key not in ("labels", "notes")}
    macros = {name: {"macro": one, "labels": {}, "draws": []} for name, one in metrics.items()}
    return {**told, "why_not": None, "facts": facts, "metrics": macros}


def _difference(
    first: tuple[str, Unit], second: tuple[str, Unit], one: Listed, plan: Plan
) -> dict[str, Any]:
    patients = len(set(one.patients))
    gap = retrieval_difference(first[1], second[1], patients, plan.level)
    ends = [{"model": name, "title": one.title} for name, _ in (first, second)]
    return {"task": TASK, "ends": ends, **gap}


def chance_line(lists: Mapping[str, Any]) -> str:
    """What was asked of what, in words."""
    told = [
        f"{one['queries']:,} queries by {one['kind']} for {len(one['classes'])} classes among "
        f"{one['candidates']:,} images of {one['patients']:,} patients"
        for one in lists["lists"]
    ]
    words = "Mean precision over queries; intervals resample the candidates' patients."
    silent = [
        f" Not asked by {row['kind']}: {row['model']} ({row['why_not']})."
        for row in lists["results"]
        if row["why_not"]
    ]
    return f"{'; '.join(told)}. {words}{''.join(silent)}"
