"""The verbs of further probes: nearest neighbours and few-shot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from radpair.evaluation.few_shot import SHOTS, few_shot_probe
from radpair.evaluation.neighbours import knn_probe
from radpair.evaluation.run import (
    EVALUATED,
    RESAMPLES,
    Encoded,
    Outcome,
    check_measured,
    check_resamples,
    kept,
    label_columns,
    open_models,
    opened,
    provenance,
)
from radpair.evaluation.score_file import ScoreFile
from radpair.evaluation.tables import draws_table
from radpair.progress import track


def evaluate_knn(
    names: Sequence[str],
    data: Path,
    labels: Sequence[str] = (),
    fractions: Sequence[float] = (0.01, 0.1, 1.0),
    draws: int = 5,
    seed: int = 0,
    out: Path | None = None,
    cache: Path | None = None,
    device: str = "cpu",
    *,
    uncertain: str = "ignore",
    resamples: int = RESAMPLES,
    scores: Path | None = None,
) -> Outcome:
    """Nearest-neighbour probes of models beside a random control, on the draws of the linear one.

    Raises ``EvaluationError``, ``ModelError`` or ``StudySetError``.
    """
    studies = opened(data, seed, out, scores, cache and cache / "features")
    check_resamples(resamples)
    columns = label_columns(studies, labels)
    named = [studies.label_names[column] for column in columns]
    file = None if scores is None else ScoreFile(scores, studies, columns, EVALUATED, uncertain)
    seen = [Encoded(one, studies, cache) for one in open_models(names, control=True, device=device)]
    with track("nearest neighbours", len(seen) * len(fractions)) as show:
        results = knn_probe(
            {one.model.name: one.features for one in seen},
            studies.labels[:, columns],
            studies.patient_ids,
            studies.splits,
            named,
            fractions,
            draws,
            seed,
            evaluated=EVALUATED,
            resamples=resamples,
            uncertain=uncertain,
            on_scores=None if file is None else file.taking("knn", named),
            on_probe=lambda done, total: show(done),
        )
    check_measured(results, data)
    if file is not None:
        file.write()
    found = {**results.to_json(), "provenance": provenance(seen, studies)}
    return kept(Outcome(draws_table(results, "AUROC, neighbours"), found), out)


def evaluate_few_shot(
    names: Sequence[str],
    data: Path,
    labels: Sequence[str] = (),
    shots: Sequence[int] = SHOTS,
    draws: int = 5,
    seed: int = 0,
    out: Path | None = None,
    cache: Path | None = None,
    device: str = "cpu",
    *,
    uncertain: str = "ignore",
    resamples: int = RESAMPLES,
) -> Outcome:
    """Linear probes of models beside a random control, with K labelled patients a class.

    Raises ``EvaluationError``, ``ModelError`` or ``StudySetError``.
    """
    studies = opened(data, seed, out, cache and cache / "features")
    check_resamples(resamples)
    columns = label_columns(studies, labels)
    seen = [Encoded(one, studies, cache) for one in open_models(names, control=True, device=device)]
    with track("few-shot probes", len(seen) * len(set(shots))) as show:
        results = few_shot_probe(
            {one.model.name: one.features for one in seen},
            studies.labels[:, columns],
            studies.patient_ids,
            studies.splits,
            [studies.label_names[column] for column in columns],
            shots,
            draws,
            seed,
            evaluated=EVALUATED,
            resamples=resamples,
            uncertain=uncertain,
            on_probe=lambda done, total: show(done),
        )
    check_measured(results, data)
    found = {**results.to_json(), "provenance": provenance(seen, studies)}
    return kept(Outcome(draws_table(results, "AUROC, few-shot"), found), out)
