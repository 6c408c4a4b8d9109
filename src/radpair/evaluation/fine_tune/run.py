"""``radpair evaluate fine-tune``: encoders fine-tuned within label budgets, beside a control."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair import __version__
from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import Resampled
from radpair.evaluation.budgets import Indices, assert_disjoint, label_budget
from radpair.evaluation.fine_tune.classifier import Classifier
from radpair.evaluation.fine_tune.figures import LEVEL, SCHEMA, Measured, row
from radpair.evaluation.fine_tune.films import Films
from radpair.evaluation.fine_tune.folder import is_whole, save_classifier
from radpair.evaluation.fine_tune.parts import divide
from radpair.evaluation.fine_tune.runs import Learned, Order, learn, run_key
from radpair.evaluation.fine_tune.settings import FineTuneConfig, asked_settings
from radpair.evaluation.fine_tune.tasks import MULTI_CLASS, Task, targets, task_of
from radpair.evaluation.metrics import TITLES
from radpair.evaluation.operating import STANDARD, point_words
from radpair.evaluation.protocol import counts
from radpair.evaluation.results import Results, Row, jsonable
from radpair.evaluation.run import RESAMPLES, Outcome, check_resamples, label_columns, open_models
from radpair.evaluation.statistics import Floats
from radpair.evaluation.tables import (
    aligned,
    constant_lines,
    differences_table,
    macro_cell,
    undefined_lines,
)
from radpair.evaluation.views import MEAN, check_views
from radpair.models import Model
from radpair.models.folder import write_atomically
from radpair.progress import Track, track
from radpair.settings import plain
from radpair.studyset import StudySet

EVALUATED = "test"
RESULTS, RUNS = "results.json", "runs"


@dataclass(frozen=True)
class Data:
    """Labelled films and their splits."""

    films: Films
    task: Task
    truth: Floats
    """``[studies, outputs]``: 1, 0 or NaN."""
    patients: NDArray[np.str_]
    train: Indices
    validation: Indices
    tested: Indices


@dataclass(frozen=True)
class Plan:
    """What is run on the data."""

    fractions: tuple[float, ...]
    draws: int
    seed: int
    config: FineTuneConfig
    uncertain: str = "ignore"
    resamples: int = RESAMPLES


def evaluate_fine_tune(
    names: Sequence[str],
    data: Path,
    out: Path,
    labels: Sequence[str] = (),
    kind: str = "auto",
    fractions: Sequence[float] = (0.01, 0.1, 1.0),
    draws: int = 5,
    seed: int = 0,
    overrides: Sequence[str] = (),
    uncertain: str = "ignore",
    save: Path | None = None,
    device: str = "cpu",
    views: str = MEAN,
    operating_point: str = STANDARD,
    resamples: int = RESAMPLES,
) -> Outcome:
    """Fine-tunes every model at every fraction and draw; figures on the set's test split.

    ``out`` keeps ``results.json`` and every finished run, so that the same call again continues.
    ``save`` takes each fine-tuned classifier as a folder. Raises ``EvaluationError``,
    ``RecipeError``, ``ModelError`` or ``StudySetError``.
    """
    check_views(views)
    check_resamples(resamples)
    if kind == MULTI_CLASS and operating_point != STANDARD:
        raise EvaluationError(
            f"--operating-point {operating_point}: classes that exclude each other have no "
            "threshold, the likeliest is decided; leave it out"
        )
    config = asked_settings(overrides, views, operating_point)
    plan = Plan(tuple(fractions), draws, seed, config, uncertain, resamples)
    _check(plan, out, save)
    studies = StudySet.open(data)
    columns = label_columns(studies, tuple(dict.fromkeys(labels)))
    labelled = _labelled(studies, columns, kind, uncertain)
    models = open_models(names, control=True, device=device)
    results, runs = fine_tune(models, labelled, plan, out / RUNS, save)
    found = {
        **results.to_json(),
        "runs": jsonable(runs),
        "provenance": {
            "radpair": __version__,
            "study_set": {"name": studies.place.name, "hash": studies.content_hash},
            "models": {model.name: model.hash for model in models},
        },
    }
    write_atomically(out / RESULTS, json.dumps(found, indent=2).encode())
    return Outcome(fine_tune_table(results), found)


def fine_tune(
    models: Sequence[Model], data: Data, plan: Plan, kept: Path, save: Path | None = None
) -> tuple[Results, list[dict[str, Any]]]:
    """Results in the form of the linear probe's, and the facts of every run.

    The first model is the reference of all differences. Every fraction has ``plan.draws`` draws;
    at 100 % they differ in what is held out, in the head's start, and in the order of the films.
    """
    measured = Measured(
        data.task,
        data.truth[data.tested],
        data.patients[data.tested].tolist(),
        *(plan.resamples, plan.seed),
    )
    rows: list[Row] = []
    facts: list[dict[str, Any]] = []
    total = len(plan.fractions) * len(models) * plan.draws
    with track("fine-tune", total) as show:
        for fraction in plan.fractions:
            reference: dict[str, Resampled] = {}
            for model in models:
                found = []
                for draw in range(plan.draws):
                    told = partial(_told, show, len(facts), model.name, fraction, draw)
                    order = _order(data, plan, fraction, draw)
                    found.append(_run(model, order, fraction, kept, save, told))
                    facts.append({"fraction": float(fraction), **found[-1].facts})
                    show(len(facts))
                studies = max(1, round(fraction * len(data.train)))
                one, sampled = row(measured, model.name, fraction, studies, found, reference)
                rows.append(one)
                reference = reference or sampled
    numbers = {
        "train": counts(data.task.names, data.truth, data.patients, data.train),
        EVALUATED: counts(data.task.names, data.truth, data.patients, data.tested),
    }
    settings = _settings(plan, data.task)
    labels = list(data.task.names)
    return Results(SCHEMA, labels, models[0].name, settings, numbers, rows), facts


def _told(
    show: Track, done: int, model: str, fraction: float, draw: int, step: int, total: int, note: str
) -> None:
    show(done, f"{model} {fraction:.0%} draw {draw}: step {step}/{total}  {note}")


def _order(data: Data, plan: Plan, fraction: float, draw: int) -> Order:
    """The run of one fraction and draw; of the training labels it holds the budget's alone."""
    people = data.patients[data.train].tolist()
    budget = data.train[label_budget(people, fraction, plan.seed, draw)]
    fit, held = divide(
        *(data.truth, data.patients, budget, data.validation, plan.config, plan.seed, draw)
    )
    return Order(
        *(data.task, data.films, fit, held, data.tested, data.patients),
        *(plan.config, plan.seed, draw),
    )


def _run(
    model: Model,
    order: Order,
    fraction: float,
    kept: Path,
    save: Path | None,
    told: Callable[[int, int, str], None],
) -> Learned:
    """A run, trained only if it was not finished before or its classifier is still to be saved."""
    try:
        if save is None:
            return learn(model, order, kept, told)
        folder = save / f"{model.name.replace(':', '-')}-{fraction * 100:g}pct-{order.draw}"
        if is_whole(folder, run_key(model, order)):
            return learn(model, order, kept, told)
        return learn(model, order, kept, told, partial(_save, folder, model, order, fraction))
    except EvaluationError as problem:
        where = f"model '{model.name}', fraction {fraction:g}, draw {order.draw}"
        raise EvaluationError(f"{where}: {problem}") from problem


def _save(
    folder: Path,
    model: Model,
    order: Order,
    fraction: float,
    classifier: Classifier,
    learned: Learned,
) -> None:
    origin = {
        "key": run_key(model, order),
        "encoder": {"name": model.name, "hash": model.hash},
        "study_set": order.films.content_hash,
        "fraction": fraction,
        "draw": order.draw,
        "seed": order.seed,
        "settings": plain(order.config),
        "chosen": {key: learned.facts[key] for key in ("learning_rate", "weight_decay")},
        "threshold_from_held_out": learned.facts["threshold_from_held_out"],
    }
    config = order.config
    save_classifier(
        *(folder, classifier, order.task, learned.thresholds, jsonable(origin)),
        *(config.layer_norm, config.views),
    )


def _labelled(studies: StudySet, columns: Sequence[int], kind: str, uncertain: str) -> Data:
    task = task_of(kind, [studies.label_names[column] for column in columns])
    truth = targets(task, studies.labels[:, columns], studies.study_ids, uncertain)
    people = np.asarray(studies.patient_ids, dtype=str)
    train, validation, tested = (studies.split(name) for name in ("train", "validate", EVALUATED))
    for name, found in (("train", train), (EVALUATED, tested)):
        if not len(found):
            raise EvaluationError(
                f"{studies.path}: no study is in the split '{name}'; fine-tuning learns from "
                f"'train' and is measured on '{EVALUATED}', so ingest with both"
            )
    learned = np.concatenate([train, validation])
    assert_disjoint(people[learned].tolist(), people[tested].tolist())
    if not any(len(set(column[~np.isnan(column)])) > 1 for column in truth[tested].T):
        raise EvaluationError(
            f"{studies.path}: no label has both classes in the split '{EVALUATED}', so there is "
            "nothing to measure; choose other labels or a larger test split"
        )
    return Data(studies, task, truth, people, train, validation, tested)


def _check(plan: Plan, out: Path, save: Path | None) -> None:
    if plan.draws < 1 or not plan.fractions:
        raise EvaluationError("fine-tuning needs at least one fraction and one draw")
    if not 0 <= plan.seed < 2**31:
        raise EvaluationError(f"the seed is {plan.seed}; it must lie in 0 to 2147483647")
    for fraction in plan.fractions:
        if not 0 < fraction <= 1:
            raise EvaluationError(
                f"a label fraction must lie above 0 and at most 1, not {fraction:g}"
            )
    for folder in (out, save):
        if folder is not None and folder.exists() and not folder.is_dir():
            raise EvaluationError(f"{folder}: is a file; name a folder to write into")
        if folder is not None and (folder / "manifest.json").exists():
            raise EvaluationError(f"{folder}: is a study set; name another folder to write into")


def _settings(plan: Plan, task: Task) -> dict[str, Any]:
    selection = {
        "budget": "a part of the budget itself, held out by patient",
        "validate": "studies of the validation split, no more than the budget has",
    }[plan.config.selection]
    return {
        "task": task.kind,
        "fractions": list(plan.fractions),
        "draws": plan.draws,
        "seed": plan.seed,
        "resamples": plan.resamples,
        "level": LEVEL,
        "uncertain": plan.uncertain,
        "evaluated": EVALUATED,
        "chosen_by": selection,
        "views": plan.config.views,
        "operating_point": "the likeliest class" if task.exclusive else plan.config.operating_point,
        "training": plain(plan.config),
    }


def fine_tune_table(results: Results) -> str:
    """The task's main metrics, one row a model, one column a fraction of the labels."""
    shown = ["auroc", "sensitivity", "specificity"]
    shown += [name for name in results.rows[0].metrics if name.endswith("accuracy")]
    shown += ["f1"] if results.settings["task"] == MULTI_CLASS else []
    fractions = list(dict.fromkeys(one.fraction for one in results.rows))
    models = list(dict.fromkeys(one.model for one in results.rows))
    sizes = {one.fraction: one.studies for one in results.rows}
    blocks = []
    for metric in shown:
        title = "macro F1" if metric == "f1" else TITLES[metric]
        head = [f"{title}, fine-tuned"]
        head += [f"{f:.0%} ({sizes[f]:,} studies)" for f in fractions]
        body = [
            [name, *(macro_cell(results.row(name, f).metrics[metric]) for f in fractions)]
            for name in models
        ]
        blocks.append(aligned([head, *body]))
    blocks += [table] if (table := differences_table(results)) else []
    lines = [*undefined_lines(results), *constant_lines(results)]
    blocks += ["\n".join(lines)] if lines else []
    if results.settings["task"] != MULTI_CLASS:
        blocks.append(
            f"Sensitivity and specificity at {point_words(results.settings['operating_point'])} "
            "on the held-out part of each budget."
        )
    return "\n\n".join(blocks)
