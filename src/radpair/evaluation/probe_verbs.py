"""The verbs of further probes: nearest neighbours and few-shot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from radpair.evaluation.few_shot import SHOTS, few_shot_probe
from radpair.evaluation.neighbours import knn_probe
from radpair.evaluation.run import (
    EVALUATED,
    Encoded,
    Outcome,
    check_measured,
    kept,
    label_columns,
    open_models,
    opened,
    provenance,
)
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
) -> Outcome:
    """Nearest-neighbour probes of models beside a random control, on the draws of the linear one.

    Raises ``EvaluationError``, ``ModelError`` or ``StudySetError``.
    """
    studies = opened(data, seed, out, cache and cache / "features")
    columns = label_columns(studies, labels)
    seen = [Encoded(one, studies, cache) for one in open_models(names, control=True, device=device)]
    with track("nearest neighbours", len(seen) * len(fractions)) as show:
        results = knn_probe(
            {one.model.name: one.features for one in seen},
            studies.labels[:, columns],
            studies.patient_ids,
            studies.splits,
            [studies.label_names[column] for column in columns],
            fractions,
            draws,
            seed,
            evaluated=EVALUATED,
            on_probe=lambda done, total: show(done),
        )
    check_measured(results, data)
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
) -> Outcome:
    """Linear probes of models beside a random control, with K labelled patients a class.

    Raises ``EvaluationError``, ``ModelError`` or ``StudySetError``.
    """
    studies = opened(data, seed, out, cache and cache / "features")
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
            on_probe=lambda done, total: show(done),
        )
    check_measured(results, data)
    found = {**results.to_json(), "provenance": provenance(seen, studies)}
    return kept(Outcome(draws_table(results, "AUROC, few-shot"), found), out)
