"""Every protocol of a comparison: when it can be asked, and what it scores.

With labels: a linear probe within a share of the training labels (ConVIRT, section 4.3; IGC,
section 4), the same probe with K positive and K negative patients a label, nearest neighbours,
and on request the whole encoder fine-tuned. Without: prompts as text or as graphs. A study's score
depends on that study and on the labels learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from radpair.comparison.bench import Bench, Seen
from radpair.comparison.measured import Scored
from radpair.comparison.runs import Runner
from radpair.evaluation.budgets import Indices, few_shot, label_budget, too_few
from radpair.evaluation.fine_tune.parts import divide
from radpair.evaluation.fine_tune.runs import Order, learn
from radpair.evaluation.fine_tune.settings import FineTuneConfig
from radpair.evaluation.fine_tune.tasks import task_of
from radpair.evaluation.neighbours import NEIGHBOURS, fit_neighbours
from radpair.evaluation.operating import STANDARD, VALIDATION, from_validation, undecided
from radpair.evaluation.probe import PENALTIES, fit_probe
from radpair.evaluation.prompts import Prompts
from radpair.evaluation.protocol import Fit, Fitted
from radpair.evaluation.protocol import learn as learn_probe
from radpair.evaluation.report.marks import percent
from radpair.evaluation.results import jsonable
from radpair.evaluation.statistics import Floats
from radpair.evaluation.thresholds import decide
from radpair.evaluation.views import MEAN
from radpair.evaluation.zero_shot import encode_prompts, refuse_constant, score_studies
from radpair.settings import plain


@dataclass(frozen=True)
class Plan:
    """What is asked of every model and set."""

    fractions: tuple[float, ...] = (0.01, 0.1, 1.0)
    shots: tuple[int, ...] = (1, 4, 16)
    draws: int = 5
    seed: int = 0
    resamples: int = 2000
    """So many that Holm's correction over a dozen labels can still find something."""
    level: float = 0.95
    uncertain: str = "ignore"
    """What an uncertain label counts as (``radpair.evaluation.policies``)."""
    views: str = MEAN
    """A study of several images: ``mean`` or ``max``, as in ``radpair evaluate``."""
    operating_point: str = STANDARD
    """What thresholds are best at (``radpair.evaluation.operating``)."""
    fine_tune: FineTuneConfig | None = None
    """Fine-tune too, within the same fractions and with the same ``views`` and ``operating_point``;
    None: do not, it is slow."""


@dataclass(frozen=True)
class Protocol:
    """One way of asking what a model knows."""

    task: str
    """``linear``, ``few-shot``, ``knn``, ``fine-tune``, ``zero-shot``."""
    title: str
    setting: dict[str, Any]
    """What decides its figures beside model and data, in JSON values."""
    why_not: Callable[[Runner, Bench], str | None]
    """Why it cannot be asked of this model on this set, or None."""
    score: Callable[[Seen], Scored]
    """Learns what it learns from and scores the tested studies."""


def label_protocols(plan: Plan) -> list[Protocol]:
    """The protocols that yield a score a label."""
    found = [_linear(plan, fraction) for fraction in sorted(set(plan.fractions))]
    found += [_few_shot(plan, shots) for shots in sorted(set(plan.shots))]
    found.append(_nearest(plan))
    if plan.fine_tune is not None:
        found += [_fine_tuned(plan, plan.fine_tune, f) for f in sorted(set(plan.fractions))]
    return [*found, _zero_shot(plan, "text"), _zero_shot(plan, "graph")]


def _linear(plan: Plan, fraction: float) -> Protocol:
    draws = 1 if fraction >= 1 else plan.draws
    setting = {"fraction": fraction, "draws": draws, "penalties": list(PENALTIES)}

    def score(seen: Seen) -> Scored:
        """A regression for each draw of patients."""
        bench = seen.bench
        people = bench.patients[bench.train].tolist()
        budgets = [
            bench.train[label_budget(people, fraction, plan.seed, draw)] for draw in range(draws)
        ]
        truths = [bench.truth[rows] for rows in budgets]
        return _probed(
            seen, plan, bench.labels, budgets, truths, partial(fit_probe, seed=plan.seed)
        )

    title = f"linear probe, {percent(fraction)} of labels"
    return Protocol("linear", title, setting, _needs_labels, score)


def _few_shot(plan: Plan, shots: int) -> Protocol:
    setting = {"shots": shots, "draws": plan.draws, "penalties": list(PENALTIES)}

    def why_not(runner: Runner, bench: Bench) -> str | None:
        """As ``_needs_labels``, or for want of patients."""
        reason = _needs_labels(runner, bench)
        if reason is None and not _with_patients(bench, shots):
            return f"no label has {2 * shots} training patients, {shots} with and {shots} without"
        return reason

    def score(seen: Seen) -> Scored:
        """A regression for each draw, of the labels with patients enough."""
        bench = seen.bench
        names = _with_patients(bench, shots)
        truth = bench.truth[bench.train][:, bench.columns(names)]
        people = bench.patients[bench.train].tolist()
        budgets, truths = [], []
        for draw in range(plan.draws):
            kept = few_shot(truth, people, names, shots, plan.seed, draw)
            rows = np.flatnonzero(~np.isnan(kept).all(axis=1))
            budgets.append(bench.train[rows])
            truths.append(kept[rows])
        return _probed(seen, plan, names, budgets, truths, partial(fit_probe, seed=plan.seed))

    return Protocol("few-shot", f"few-shot, {shots} a class", setting, why_not, score)


def _nearest(plan: Plan) -> Protocol:
    def score(seen: Seen) -> Scored:
        """The votes of all training studies."""
        bench = seen.bench
        budget = ([bench.train], [bench.truth[bench.train]])
        return _probed(seen, plan, bench.labels, *budget, fit_neighbours)

    setting = {"neighbours": list(NEIGHBOURS)}
    return Protocol("knn", "k-NN, 100 % of labels", setting, _needs_labels, score)


def _fine_tuned(plan: Plan, config: FineTuneConfig, fraction: float) -> Protocol:
    setting = {"fraction": fraction, "draws": plan.draws, "training": plain(config)}

    def score(seen: Seen) -> Scored:
        """An encoder trained for each draw, or read from the cache."""
        bench, people = seen.bench, seen.bench.patients
        runs = []
        for draw in range(plan.draws):
            drawn = label_budget(people[bench.train].tolist(), fraction, plan.seed, draw)
            validation = bench.studies.split("validate")
            parts = (bench.truth, people, bench.train[drawn], validation)
            fit, held = divide(*parts, config, plan.seed, draw)
            task = task_of("auto", bench.labels)
            order = Order(
                *(task, bench.studies, fit, held, bench.test, people, config, plan.seed, draw)
            )
            told = partial(_step, seen, draw)
            runs.append(learn(seen.runner.model, order, seen.cache / "fine-tune", told))
        scores = np.stack([run.scores for run in runs])
        decisions = np.stack([decide(run.scores, run.thresholds) for run in runs])
        studies = max(1, round(fraction * len(bench.train)))
        facts = {
            "studies": studies,
            "runs": [jsonable(run.facts) for run in runs],
            "constant": [
                {"draw": draw, "label": name, "reason": reason}
                for draw, run in enumerate(runs)
                for name, reason in run.facts["constant"].items()
            ],
        }
        return Scored(bench.labels, scores, decisions, facts)

    title = f"fine-tuned, {percent(fraction)} of labels"
    return Protocol("fine-tune", title, setting, _needs_labels, score)


def _step(seen: Seen, draw: int, step: int, total: int, note: str) -> None:
    seen.told(f"fine-tune, draw {draw}: step {step}/{total}  {note}")


def _zero_shot(plan: Plan, kind: str) -> Protocol:
    def score(seen: Seen) -> Scored:
        """Images against prompts; thresholds from validation, where there is any."""
        bench, encoded = seen.bench, seen.encoded
        names = prompted(bench, kind)
        asked = {name: bench.prompts[name] for name in names}
        codes = encode_prompts(encoded.model, asked, kind)
        ids = bench.studies.study_ids
        scores = score_studies(
            encoded.projections, bench.studies.image_study, codes, names, ids, plan.views
        ).astype(np.float64)
        refuse_constant(encoded.model.name, kind, scores[bench.test], names)
        validated = from_validation(
            *(scores, bench.truth[:, bench.columns(names)], bench.patients),
            *(bench.studies.split(VALIDATION), bench.test),
            names,
            plan.operating_point,
        )
        facts = {
            "prompts_hash": codes.hash,
            "prompts": {name: list(codes.counts[name]) for name in names},
            "unprompted": [name for name in bench.labels if name not in names],
            "thresholds": None if validated is None else jsonable(validated.facts),
        }
        tested = scores[bench.test][None]
        if validated is None:
            return Scored(names, tested, None, facts)
        return Scored(names, tested, validated.decisions[None], facts, validated.why_not)

    return Protocol(
        "zero-shot",
        f"zero-shot, {kind} prompts",
        {"kind": kind},
        partial(why_no_prompts, kind),
        score,
    )


def why_no_prompts(kind: str, runner: Runner, bench: Bench) -> str | None:
    """Why the model cannot be asked by prompts of this kind, or None."""
    if kind not in runner.towers:
        return f"the model has no {kind} tower"
    if not bench.labels:
        return _needs_labels(runner, bench)
    if not prompted(bench, kind):
        return f"none of its labels has {kind} prompts; give a file with --prompts"
    return None


def prompted(bench: Bench, kind: str) -> tuple[str, ...]:
    """The labels that have prompts of this kind on both sides."""
    return tuple(
        name
        for name in bench.labels
        if name in bench.prompts and all(sides(bench.prompts[name], kind))
    )


def sides(entry: Prompts, kind: str) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """The prompts present and absent, as text or as graphs."""
    if kind == "text":
        return entry.present, entry.absent
    return entry.present_graphs, entry.absent_graphs


def _needs_labels(runner: Runner, bench: Bench) -> str | None:
    if bench.left_out and not bench.labels:
        return "no label has both classes among the tested studies"
    if not bench.labels:
        return (
            "the set has no such labels" if bench.studies.label_names else "the set has no labels"
        )
    return None if len(bench.train) else "no study is in the split 'train'"


def _with_patients(bench: Bench, shots: int) -> tuple[str, ...]:
    """The labels with that many training patients of either class, whoever is drawn first."""
    people = bench.patients[bench.train]
    columns = zip(bench.labels, bench.truth[bench.train].T, strict=True)
    return tuple(name for name, column in columns if not too_few(column, people, shots))


def _probed(
    seen: Seen,
    plan: Plan,
    names: Sequence[str],
    budgets: Sequence[Indices],
    truths: Sequence[Floats],
    fit: Fit,
) -> Scored:
    """A probe for each draw; what it chooses and its thresholds come from inside the budget."""
    bench, features = seen.bench, seen.encoded.probed(plan.views)
    found = [
        learn_probe(
            *(features, rows, truth, bench.patients[rows].tolist(), fit),
            *(bench.test, bench.tested_patients, plan.operating_point),
        )
        for rows, truth in zip(budgets, truths, strict=True)
    ]
    why_not = undecided([one.why_not for one in found])
    facts = {
        "studies": round(float(np.mean([*map(len, budgets)]))),
        **_chosen([one.probe for one in found], names),
        "undecided": {name: why for name, why in zip(names, why_not, strict=True) if why},
    }
    return Scored(
        tuple(names),
        np.stack([one.scores for one in found]),
        np.stack([one.decisions for one in found]),
        facts,
        why_not,
    )


def _chosen(probes: Sequence[Fitted], names: Sequence[str]) -> dict[str, Any]:
    """What each draw chose by label, and which labels had one class only in a draw."""
    found: dict[str, Any] = jsonable(
        {
            "chosen": {
                name: [float(probe.chosen[place]) for probe in probes]
                for place, name in enumerate(names)
            },
            "constant": [
                {"draw": draw, "label": name, "reason": reason}
                for draw, probe in enumerate(probes)
                for name, reason in zip(names, probe.constant, strict=True)
                if reason is not None
            ],
        }
    )
    return found
