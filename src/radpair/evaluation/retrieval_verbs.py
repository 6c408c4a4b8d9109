"""The verb of retrieval within a study set: partners, other views, and images of a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from radpair.errors import EvaluationError
from radpair.evaluation.class_retrieval import class_retrieval
from radpair.evaluation.features import unit_length
from radpair.evaluation.policies import given_labels
from radpair.evaluation.retrieval import view_retrieval
from radpair.evaluation.run import (
    EVALUATED,
    RESAMPLES,
    Encoded,
    Outcome,
    as_prompts,
    check_resamples,
    kept,
    open_models,
    opened,
    prompts_for,
    provenance,
    retrieval_rows,
)
from radpair.evaluation.tables import class_table, retrieval_table
from radpair.evaluation.zero_shot import PromptCodes, encode_prompts
from radpair.studyset import StudySet

AT = (5, 10)
ASKING = 200
"""Image queries of a label, at most, drawn by seed."""


def evaluate_retrieval(
    names: Sequence[str],
    data: Path,
    prompts: Path | None = None,
    seed: int = 0,
    out: Path | None = None,
    cache: Path | None = None,
    device: str = "cpu",
    resamples: int = RESAMPLES,
) -> Outcome:
    """Every retrieval that the set's test studies and the models' towers allow.

    Image to report or graph and back (recall at 1, 5, 10 and median rank); image to another view
    of its study, where studies have several; and by label, with Precision@5 and @10: image to
    images of other patients with the query's label, text and graph prompts to images with theirs.
    """
    studies = opened(data, seed, out, cache and cache / "features")
    check_resamples(resamples)
    version, asked = prompts_for(prompts)
    seen = [Encoded(model, studies, cache) for model in open_models(names, device=device)]
    ranked = [row for one in seen for row in retrieval_rows(one, studies, seed, resamples)]
    ranked += [row for one in seen if (row := view_row(one, studies, seed, resamples)) is not None]
    classed = [row for one in seen for row in class_rows(one, studies, asked, seed, resamples)]
    if not ranked and not classed:
        raise EvaluationError(
            "nothing to retrieve with: no tested study has a report (and no model a text tower), a "
            f"graph tower needs graphs (run: radpair graphs {data}), no study has a second view, "
            "and no label has enough studies"
        )
    tables = [make(rows) for make, rows in _tables(ranked, classed) if rows]
    if not any(row.get("kind") == "report" for row in ranked) and any(
        one.model.has_text for one in seen
    ):
        tables.append("reports were not asked for: no study in the split 'test' has one")
    made = provenance(seen, studies, seed=seed, resamples=resamples)
    rests = {"prompts_version": version, "provenance": made}
    return kept(Outcome("\n\n".join(tables), [{**row, **rests} for row in ranked + classed]), out)


def _tables(ranked: list[dict[str, Any]], classed: list[dict[str, Any]]) -> list[tuple[Any, Any]]:
    return [(retrieval_table, ranked), (class_table, classed)]


def view_row(
    one: Encoded, studies: StudySet, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Any] | None:
    """An image to the other views of its study, among the test images."""
    owner = np.asarray(studies.image_study)
    images = np.flatnonzero(np.isin(owner, studies.split(EVALUATED)))
    patients = [studies.patient_ids[study] for study in owner[images]]
    return view_retrieval(
        *(one.model.name, one.projections[images], owner[images], patients),
        seed=seed,
        resamples=resamples,
    )


def class_rows(
    one: Encoded,
    studies: StudySet,
    prompts: Mapping[str, Any],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[dict[str, Any]]:
    """One result for image queries and one for each tower that has prompts."""
    chosen = studies.split(EVALUATED)
    truth = given_labels(studies.labels, studies.study_ids, studies.label_names)[chosen]
    people = np.array([studies.patient_ids[study] for study in chosen], dtype=str)
    names = [n for i, n in enumerate(studies.label_names) if _enough(truth[:, i], people)]
    truth = truth[:, [studies.label_names.index(name) for name in names]]
    if not names:
        return []
    found = [_by_images(one, studies, names, truth, seed, resamples)]
    entries = {name: as_prompts(prompts[name]) for name in names if name in prompts}
    for kind, has in (("text", one.model.has_text), ("graph", one.model.has_graph)):
        if has and any(_has(entry, kind) for entry in entries.values()):
            codes = encode_prompts(one.model, entries, kind)
            found.append(_by_prompts(one, studies, names, truth, codes, seed, resamples))
    return found


def _enough(column: Any, people: Any) -> bool:
    """Whether a label can be asked for and has enough candidates without any one patient."""
    given = people[~np.isnan(column)]
    most = np.unique(given, return_counts=True)[1].max(initial=0)
    return bool((column == 1).any() and len(given) - most >= max(AT))


def _has(entry: Any, kind: str) -> bool:
    return bool(entry.present if kind == "text" else entry.present_graphs)


def _by_images(
    one: Encoded,
    studies: StudySet,
    names: Sequence[str],
    truth: Any,
    seed: int,
    resamples: int,
) -> dict[str, Any]:
    chosen = studies.split(EVALUATED)
    codes, people = one.study_projections[chosen], [studies.patient_ids[s] for s in chosen]
    rows, classes = [], []
    for column, name in enumerate(names):
        with_it = np.random.default_rng([seed, column]).permutation(
            np.flatnonzero(truth[:, column] == 1)
        )
        rows += with_it[:ASKING].tolist()
        classes += [name] * min(len(with_it), ASKING)
    return class_retrieval(
        one.model.name,
        unit_length(codes[rows]),
        classes,
        unit_length(codes),
        truth,
        names,
        people,
        asking=[people[row] for row in rows],
        query="image",
        protocol=(
            "label overlap: a hit is a study of another patient labelled 1 for the query's label; "
            f"at most {ASKING} queries a label"
        ),
        at=AT,
        seed=seed,
        resamples=resamples,
    )


def _by_prompts(
    one: Encoded,
    studies: StudySet,
    names: Sequence[str],
    truth: Any,
    codes: PromptCodes,
    seed: int,
    resamples: int,
) -> dict[str, Any]:
    chosen = studies.split(EVALUATED)
    found = class_retrieval(
        one.model.name,
        codes.present,
        codes.labels,
        unit_length(one.study_projections[chosen]),
        truth,
        names,
        [studies.patient_ids[study] for study in chosen],
        query=codes.kind,
        protocol="label prompts: a hit is a study labelled 1 for the label that is stated present",
        at=AT,
        seed=seed,
        resamples=resamples,
    )
    return {**found, "prompts_hash": codes.hash}
