"""Films near a film: how many of a study's ten nearest show the finding that it was chosen for.

As ``radpair evaluate retrieval`` asks by images (``class_retrieval``), for every model, also those
without a text or graph tower; kept with its resamples so that models can be compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radpair.comparison.bench import Bench, Seen
from radpair.comparison.kept import Unit
from radpair.comparison.retrieved import parts
from radpair.evaluation.class_retrieval import ask
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
    people = list(map(str, bench.tested_patients))
    rows, columns = _queries(truth, seed)
    asking = [people[row] for row in rows]
    found = ask(codes[rows], columns, codes, truth, people, asking, (AT,), resamples, seed)
    name, sample = f"precision_{AT}", found.precision(AT)
    facts = {
        "labels": ["all"],
        "notes": {},
        "asked": names,
        "queries": len(rows),
        "candidates": len(bench.test),
        "patients": len(set(people)),
        "chance": {name: float(found.chance.mean())},
    }
    return Unit(parts(name, sample), facts)


def _queries(truth: Floats, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of ``truth [studies, labels]`` that ask, and the label that each asks for."""
    asking = [
        np.random.default_rng([seed, column]).permutation(np.flatnonzero(truth[:, column] == 1))
        for column in range(truth.shape[1])
    ]
    counts = [min(len(rows), ASKING) for rows in asking]
    rows = [one[:count] for one, count in zip(asking, counts, strict=True)]
    return np.concatenate(rows), np.repeat(np.arange(len(counts)), counts)
