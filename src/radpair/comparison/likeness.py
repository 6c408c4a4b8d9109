"""Films near a film: how many of a study's ten nearest show the finding that it was chosen for.

As ``radpair evaluate retrieval`` asks by images (``class_retrieval``), for every model, also those
without a text or graph tower; kept with its resamples so that models can be compared.
"""

from __future__ import annotations

import numpy as np

from radpair.comparison.bench import Bench, Seen
from radpair.comparison.kept import Unit
from radpair.evaluation.bootstrap import patient_weights
from radpair.evaluation.class_retrieval import nearest_first, resampled_precision
from radpair.evaluation.features import unit_length
from radpair.evaluation.statistics import Floats

AT = 10
ASKING = 200
"""Queries a label, at most."""
TITLE = "image → image"


def why_no_likeness(bench: Bench) -> str | None:
    """Why no film can be asked for others like it, or None."""
    if not bench.labels:
        return "no label says which films are alike"
    if not likened(bench):
        return f"no label has {AT} tested studies of other patients"
    return None


def likened(bench: Bench) -> list[str]:
    """The labels that are given for enough studies whichever patient asks."""
    people, found = np.asarray(bench.tested_patients), []
    for place, name in enumerate(bench.labels):
        given = people[~np.isnan(bench.tested_truth[:, place])]
        most = np.unique(given, return_counts=True)[1].max(initial=0)
        if len(given) - most >= AT:
            found.append(name)
    return found


def liken(seen: Seen, resamples: int, seed: int) -> Unit:
    """Precision at 10, the mean over queries, with resamples of the candidates' patients.

    Arrays: the parts of ``precision_10`` that ``measured.sample_of`` reads.
    """
    bench = seen.bench
    names = likened(bench)
    truth = bench.tested_truth[:, bench.columns(names)]
    codes = unit_length(seen.encoded.study_projections[bench.test])
    people = np.asarray(bench.tested_patients)
    weights = np.concatenate(list(patient_weights(people.tolist(), resamples, seed)), axis=1)
    values, chances = [], []
    total: Floats = np.zeros(resamples)
    for column in range(len(names)):
        positive = np.flatnonzero(truth[:, column] == 1)
        for query in np.random.default_rng([seed, column]).permutation(positive)[:ASKING]:
            usable = ~np.isnan(truth[:, column]) & (people != people[query])
            rows = np.flatnonzero(usable)
            hit = truth[rows, column] == 1
            order = nearest_first(codes[rows], codes[query], hit)
            ranked = hit[order].astype(np.float64)
            values.append(ranked[:AT].mean())
            chances.append(hit.mean())
            total += resampled_precision(ranked, weights, rows[order], (AT,))[0]
    value, draws = np.array([np.mean(values)]), (total / len(values))[:, None]
    name = f"precision_{AT}"
    arrays = {f"{name}.value": value, f"{name}.draws": draws, f"{name}.left_out": np.empty((0, 0))}
    facts = {
        "labels": ["all"],
        "notes": {},
        "asked": names,
        "queries": len(values),
        "candidates": len(bench.test),
        "chance": {name: float(np.mean(chances))},
    }
    return Unit(arrays, facts)
