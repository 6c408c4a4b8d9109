"""The main job on synthetic studies, end to end, with its evidence on one page."""

from __future__ import annotations

import json
import platform
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from radpair import __version__
from radpair.errors import EvaluationError
from radpair.evaluation.report import Sample, write_page
from radpair.evaluation.run import (
    Encoded,
    open_models,
    probe,
    retrieval_rows,
    zero_shot_rows,
)
from radpair.evaluation.tables import linear_table, retrieval_table, zero_shot_table
from radpair.graphs import svg
from radpair.models.folder import write_atomically
from radpair.phantom import Phantom
from radpair.phantom.prompts import PROMPTS
from radpair.pretraining import load_recipe, pretrain
from radpair.pretraining.run import METRICS, read_metrics
from radpair.processes import cpus, deaf, follow_parent
from radpair.progress import counting, lines_only
from radpair.studyset import StudySet, give_graphs, write

RECIPES = ("igc-small", "convirt-small")
FRACTIONS = (0.01, 0.1, 1.0)
SPLIT = (0.7, 0.05, 0.25)
"""A large test split: the demo is about whether the figures can be told apart."""
SIZE = 144
SEED = 0
SAMPLES = 4


def run_demo(out: Path, studies: int = 3000, epochs: int | None = None) -> str:
    """Writes a study set, two runs, ``results.json`` and ``report.html`` into ``out``.

    Stopped at any moment, the same call continues. Returns the tables as text. Raises
    ``RadpairError`` where a step cannot be done.
    """
    if studies < 400:
        raise EvaluationError(f"the demo needs at least 400 studies to say anything, not {studies}")
    overrides = () if epochs is None else (f"training.epochs={epochs}",)
    for recipe in RECIPES:
        load_recipe(recipe, overrides)
    begun = time.monotonic()
    data = out / "set"
    with counting("synthetic studies") as progress:
        phantom = Phantom(studies=studies, seed=SEED, size=SIZE)
        summary = write(phantom, data, SIZE, None, SEED, SPLIT, progress=progress)
    with counting("graphs from the reports") as progress:
        graphs = give_graphs(data, progress=progress)
    models = _pretrain_all(data, out, overrides)
    found = _evaluate(models, StudySet.open(data), out)
    found["provenance"]["seconds"] = round(time.monotonic() - begun)
    write_atomically(out / "results.json", json.dumps(found, indent=2).encode())
    write_page(found, out / "report.html", _samples(StudySet.open(data)))
    return "\n\n".join((str(summary), str(graphs), found.pop("tables"), _closing(out, begun)))


def _pretrain_all(data: Path, out: Path, overrides: Sequence[str]) -> list[str]:
    """All recipes side by side, each on its share of the cores: small networks gain little from
    more threads."""
    studies = len(StudySet.open(data).split("train"))
    threads = max(1, cpus() // len(RECIPES))
    context = get_context("spawn")
    pool = ProcessPoolExecutor(len(RECIPES), context, _start, (threads,))
    try:
        with deaf(signal.SIGINT):
            runs = [
                pool.submit(pretrain, name, data, out / name, with_warmup(name, overrides, studies))
                for name in RECIPES
            ]
        return [str(run.result()) for run in runs]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def with_warmup(recipe: str, overrides: Sequence[str], studies: int) -> list[str]:
    """``overrides`` with a warm-up of at most a quarter of the steps on ``studies``."""
    training = load_recipe(recipe, overrides).training
    steps = max(1, studies // training.batch) * training.epochs
    if training.warmup <= steps // 4:
        return list(overrides)
    return [*overrides, f"training.warmup={steps // 4}"]


def _start(threads: int) -> None:
    follow_parent()
    lines_only()
    torch.set_num_threads(threads)


def _evaluate(names: Sequence[str], studies: StudySet, out: Path) -> dict[str, Any]:
    seen = [Encoded(model, studies, out / "cache") for model in open_models(names, control=True)]
    columns = range(len(studies.label_names))
    linear = probe(seen, studies, columns, FRACTIONS)
    trained = [one for one in seen if one.model.has_text or one.model.has_graph]
    zero = [row for one in trained for row in zero_shot_rows(one, studies, PROMPTS, columns)]
    retrieved = [row for one in trained for row in retrieval_rows(one, studies)]
    tables = (linear_table(linear), zero_shot_table(zero), retrieval_table(retrieved))
    return {
        "title": "radpair demo",
        "summary": (
            "Two encoders pretrained on synthetic radiographs with their reports, beside the same "
            "network with random weights. Every figure is on patients that no training saw."
        ),
        "data": {
            "name": f"phantom, {len(studies):,} synthetic studies",
            "synthetic": True,
            "hash": studies.content_hash,
            **{split: len(studies.split(split)) for split in ("train", "validate", "test")},
        },
        "linear": linear.to_json(),
        "zero_shot": zero,
        "retrieval": retrieved,
        "training": [
            {"name": recipe, "metrics": read_metrics(out / recipe / METRICS)} for recipe in RECIPES
        ],
        "provenance": {
            "command": f"radpair demo --studies {len(studies)}",
            "radpair": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            **{f"model {one.model.name}": one.model.hash for one in seen},
        },
        "tables": "\n\n".join(tables),
    }


def _samples(studies: StudySet) -> list[Sample]:
    """Test studies with the most to show: the longest lists of true findings."""
    graphs = studies.graphs()
    test = [int(study) for study in studies.split("test")]
    busiest = sorted(test, key=lambda s: (-float(studies.labels[s].sum()), s))[:SAMPLES]
    return [
        Sample(
            study_id=studies.study_ids[study],
            pixels=studies.pixels(int(studies.first_image[study])),
            report=studies.reports[study],
            graph=graphs[study],
            svg=svg(graph) if (graph := graphs[study]) else "",
            note="True findings: " + ", ".join(_true_labels(studies, study)),
        )
        for study in busiest
    ]


def _true_labels(studies: StudySet, study: int) -> list[str]:
    row = studies.labels[study]
    return [name for name, value in zip(studies.label_names, row, strict=True) if value == 1]


def _closing(out: Path, begun: float) -> str:
    return (
        f"Synthetic studies throughout: these figures say that the system works, and nothing of "
        f"real patients.\nOpen {out / 'report.html'} for the pictures ({out / 'results.json'} has "
        f"every figure). {time.monotonic() - begun:.0f} s."
    )
