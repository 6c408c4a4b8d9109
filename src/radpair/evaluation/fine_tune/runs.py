"""One run: an encoder, a budget, a sweep inside it; kept by a hash of all that decides it."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from radpair.errors import EvaluationError
from radpair.evaluation.code import code_hash
from radpair.evaluation.fine_tune.classifier import Classifier
from radpair.evaluation.fine_tune.films import Films, Fitted
from radpair.evaluation.fine_tune.loop import Course, OnStep, Part, study_probabilities, train
from radpair.evaluation.fine_tune.settings import FineTuneConfig
from radpair.evaluation.fine_tune.tasks import Task, one_class
from radpair.evaluation.operating import read_point
from radpair.evaluation.statistics import Floats
from radpair.evaluation.thresholds import choose_thresholds
from radpair.models import Model
from radpair.models.folder import write_atomically
from radpair.settings import plain

_FORM = "radpair.fine-tune.run/1"
FALLBACK = 0.5
"""The threshold of a label whose held-out part has one class."""


@dataclass(frozen=True)
class Order:
    """Everything that decides a run except the encoder."""

    task: Task
    films: Films
    fit: Part
    held: Part | None
    tested: NDArray[np.int64]
    """Studies to score; their labels are not here."""
    patients: NDArray[np.str_]
    """Of all studies."""
    config: FineTuneConfig
    seed: int
    draw: int


@dataclass(frozen=True)
class Learned:
    """What a run found."""

    scores: Floats
    """``[tested studies, outputs]``: probabilities."""
    thresholds: Floats
    """``[outputs]``: present is ``>=``; 0.5 where the held-out part could not say."""
    facts: dict[str, Any]
    """JSON values: what was chosen, and by how much."""


def run_key(model: Model, order: Order) -> str:
    """Hex digits that stand for everything that decides the run's figures."""
    digest = hashlib.sha256()
    parts = [
        *(
            _FORM,
            code_hash(),
            model.hash,
            model.device.type,
            order.films.content_hash,
            order.task.kind,
        ),
        *(order.task.names, plain(order.config), order.seed, order.draw),
    ]
    digest.update(json.dumps(parts, sort_keys=True).encode())
    for part in (order.fit, order.held):
        if part is not None:
            digest.update(part.studies.tobytes() + part.truth.tobytes())
        digest.update(b"|")
    digest.update(order.tested.tobytes())
    return digest.hexdigest()[:32]


def learn(
    model: Model,
    order: Order,
    kept: Path,
    on_step: OnStep = lambda done, total, note: None,
    on_classifier: Callable[[Classifier, Learned], None] | None = None,
) -> Learned:
    """The run's result: read from the folder ``kept`` where it was finished before, else trained.

    With ``on_classifier`` it is trained in any case, and the trained classifier handed over.
    Raises ``EvaluationError`` where a kept file is damaged or training goes astray.
    """
    path = kept / f"{run_key(model, order)}.safetensors"
    if path.is_file() and on_classifier is None:
        return _read(path)
    found, classifier = _trained(model, order, on_step)
    kept.mkdir(parents=True, exist_ok=True)
    table = {"scores": found.scores, "thresholds": found.thresholds}
    facts = {"form": _FORM, "facts": json.dumps(found.facts)}
    write_atomically(path, save(table, metadata=facts))
    if on_classifier is not None:
        on_classifier(classifier, found)
    return found


def _trained(model: Model, order: Order, on_step: OnStep) -> tuple[Learned, Classifier]:
    """Every trial of the sweep; the lowest held-out loss wins, the first of equals."""
    begun, trials = time.monotonic(), order.config.trials
    if order.held is None:
        trials = trials[:1]
    best: tuple[Course, Classifier] | None = None
    courses = []
    for number, trial in enumerate(trials):
        classifier = fresh_classifier(model, order)

        def told(done: int, total: int, note: str, number: int = number) -> None:
            """Counts on from one trial to the next."""
            on_step(number * total + done, total * len(trials), note)

        seed = run_seed(order.seed, order.draw)
        course = train(
            *(classifier, order.task, order.films, order.fit, order.held),
            *(order.config, trial, seed, told),
        )
        courses.append(course)
        if best is None or course.best_loss < best[0].best_loss:
            best = (course, classifier)
    assert best is not None
    course, classifier = best
    classifier.eval()
    size = model.size
    tested = Fitted(order.films, order.tested, size)
    scores = study_probabilities(classifier, tested, order.config.views)
    thresholds, chosen = _thresholds(classifier, order, size)
    facts = _facts(model, order, courses, course, chosen, time.monotonic() - begun)
    return Learned(scores, thresholds, facts), classifier


def fresh_classifier(model: Model, order: Order) -> Classifier:
    """The model's encoder, copied, under a new head; the same for every trial."""
    config = order.config
    with torch.random.fork_rng(devices=[]):  # the weights are drawn on the host
        torch.manual_seed(run_seed(order.seed, order.draw))
        classifier = Classifier(
            copy.deepcopy(model.pair.image),
            len(order.task.names),
            exclusive=order.task.exclusive,
            layer_norm=config.layer_norm,
            dropout=config.dropout,
        )
    classifier.hold(one_class(order.fit.truth))
    return classifier.to(model.device)


def run_seed(seed: int, draw: int) -> int:
    """A number below 2^30 for the draw, so that draws share nothing random."""
    return int(np.random.SeedSequence([seed, draw]).generate_state(1)[0]) >> 2


def _thresholds(classifier: Classifier, order: Order, size: int) -> tuple[Floats, list[bool]]:
    """Thresholds from the held-out part, and for which outputs it had both classes."""
    outputs = len(order.task.names)
    if order.held is None:
        return np.full(outputs, FALLBACK), [False] * outputs
    held = Fitted(order.films, order.held.studies, size)
    scores = study_probabilities(classifier, held, order.config.views)
    people, tested = (order.patients[part].tolist() for part in (order.held.studies, order.tested))
    found = choose_thresholds(
        scores, order.held.truth, people, tested, *read_point(order.config.operating_point)
    )
    return np.where(np.isnan(found), FALLBACK, found), (~np.isnan(found)).tolist()


def _facts(
    model: Model,
    order: Order,
    courses: list[Course],
    course: Course,
    chosen: list[bool],
    seconds: float,
) -> dict[str, Any]:
    names = order.task.names
    reasons = zip(names, one_class(order.fit.truth), strict=True)
    return {
        "model": model.name,
        "draw": order.draw,
        "key": run_key(model, order),
        "studies_fit": len(order.fit.studies),
        "studies_held_out": 0 if order.held is None else len(order.held.studies),
        "learning_rate": course.trial.learning_rate,
        "weight_decay": course.trial.weight_decay,
        "steps": course.steps,
        "best_step": course.best_step,
        "held_out_loss": course.best_loss if course.looks else None,
        "looks": [[step, value] for step, value in course.looks],
        "trials": [
            {
                "learning_rate": one.trial.learning_rate,
                "weight_decay": one.trial.weight_decay,
                "steps": one.steps,
                "held_out_loss": one.best_loss if one.looks else None,
            }
            for one in courses
        ],
        "threshold_from_held_out": dict(zip(names, chosen, strict=True)),
        "constant": {name: reason for name, reason in reasons if reason is not None},
        "seconds": round(seconds, 1),
    }


def _read(path: Path) -> Learned:
    try:
        with safe_open(path, framework="np") as file:
            scores, thresholds = (file.get_tensor(name) for name in ("scores", "thresholds"))
            facts = json.loads(file.metadata()["facts"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise EvaluationError(f"{path} is damaged ({error}): delete it and run again") from error
    return Learned(scores, thresholds, facts)
