"""The verbs of probes on frozen features: linear, nearest neighbours, few-shot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radpair.evaluation.few_shot import SHOTS, few_shot_probe
from radpair.evaluation.linear import linear_probe
from radpair.evaluation.neighbours import knn_probe
from radpair.evaluation.operating import STANDARD, read_point
from radpair.evaluation.results import Results
from radpair.evaluation.run import (
    EVALUATED,
    RESAMPLES,
    Encoded,
    Outcome,
    check_measurable,
    check_measured,
    check_resamples,
    kept,
    label_columns,
    open_models,
    opened,
    provenance,
)
from radpair.evaluation.score_file import ScoreFile
from radpair.evaluation.tables import (
    calibration_table,
    decisions_table,
    differences_table,
    draws_table,
)
from radpair.evaluation.views import MEAN, check_views
from radpair.progress import track

FRACTIONS = (0.01, 0.1, 1.0)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What every probe is asked with; ``models`` and ``data`` are named as by their folders."""

    models: Sequence[str]
    data: Path
    labels: Sequence[str] = ()
    draws: int = 5
    seed: int = 0
    out: Path | None = None
    cache: Path | None = None
    uncertain: str = "ignore"
    views: str = MEAN
    """What a study of several images scores: ``mean`` (of their features), or the ``max``."""
    operating_point: str = STANDARD
    """What thresholds are best at (``radpair.evaluation.operating``)."""
    resamples: int = RESAMPLES
    scores: Path | None = None
    """A CSV file for every tested study's score."""
    device: str = "cpu"


def evaluate_linear(
    asked: Asked, fractions: Sequence[float] = FRACTIONS, calibration: bool = False
) -> Outcome:
    """Linear probes of models beside a random control (ConVIRT, section 4.3; IGC, section 4).

    Trains on the set's training split within each budget and measures on its test split. Raises
    ``EvaluationError``, ``ModelError`` or ``StudySetError``.
    """
    further = {"calibration": calibration}
    return _probed(asked, linear_probe, "linear", fractions, further)


def evaluate_knn(asked: Asked, fractions: Sequence[float] = FRACTIONS) -> Outcome:
    """Nearest-neighbour probes of models beside a random control, on the draws of the linear one.

    Raises ``EvaluationError``, ``ModelError`` or ``StudySetError``.
    """
    return _probed(asked, knn_probe, "neighbours", fractions, {})


def evaluate_few_shot(asked: Asked, shots: Sequence[int] = SHOTS) -> Outcome:
    """Linear probes of models beside a random control, with K labelled patients a class.

    Raises ``EvaluationError``, ``ModelError`` or ``StudySetError``.
    """
    return _probed(asked, few_shot_probe, "few-shot", shots, {})


_PROTOCOLS = {"linear": "linear", "neighbours": "knn", "few-shot": "few-shot"}


def _probed(
    asked: Asked,
    probe: Callable[..., Results],
    title: str,
    budgets: Sequence[float],
    further: Mapping[str, Any],
) -> Outcome:
    """The same for all: what is asked, the models' features, the figures, and where they go."""
    data, scores, cache = asked.data, asked.scores, asked.cache
    studies = opened(data, asked.seed, asked.out, scores, cache and cache / "features")
    check_resamples(asked.resamples)
    check_views(asked.views)
    read_point(asked.operating_point)
    columns = label_columns(studies, asked.labels)
    check_measurable(studies, columns, asked.uncertain)
    names = [studies.label_names[column] for column in columns]
    file = None
    if scores is not None:
        file = ScoreFile(scores, studies, columns, EVALUATED, asked.uncertain)
    models = open_models(asked.models, control=True, device=asked.device)
    seen = [Encoded(model, studies, cache) for model in models]
    with track(f"{title} probes", len(seen) * len(set(budgets))) as show:
        results = probe(
            {one.model.name: one.probed(asked.views) for one in seen},
            studies.labels[:, columns],
            studies.patient_ids,
            studies.splits,
            names,
            *(budgets, asked.draws, asked.seed),
            evaluated=EVALUATED,
            resamples=asked.resamples,
            uncertain=asked.uncertain,
            operating_point=asked.operating_point,
            on_scores=None if file is None else file.taking(_PROTOCOLS[title], names),
            on_probe=lambda done, total: show(done),
            **further,
        )
    check_measured(results, data)
    if file is not None:
        file.write()
    told = [draws_table(results, f"AUROC, {title}"), differences_table(results)]
    told = [*filter(None, told), decisions_table(results)]
    if further.get("calibration"):
        told.append(calibration_table(results))
    found = {**results.to_json(), "provenance": provenance(seen, studies)}
    return kept(Outcome("\n\n".join(told), found), asked.out)
