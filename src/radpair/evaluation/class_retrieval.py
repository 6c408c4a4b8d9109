"""Retrieval by class: how many of a query's nearest K images show what the query asks for.

The query is an image, a text or a graph of one class; a hit is a candidate labelled 1 for that
class (ConVIRT, Zhang et al. 2022, section 4.2). Candidates that tie with a hit (to 1e-6, the
rounding of codes) without being one stand before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import Interval, patient_weights
from radpair.evaluation.features import Codes
from radpair.evaluation.results import jsonable
from radpair.evaluation.statistics import Floats

SCHEMA = "radpair.class-retrieval/1"
_DIGITS = 6


def class_retrieval(
    model_name: str,
    queries: Codes,
    classes: Sequence[str],
    candidates: Codes,
    truth: NDArray[Any],
    names: Sequence[str],
    patients: Sequence[str],
    *,
    query: str,
    protocol: str,
    asking: Sequence[str] | None = None,
    at: Sequence[int] = (5, 10, 50),
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Any]:
    """Precision at K, the mean over queries, with intervals over the candidates' patients.

    ``queries [queries, dim]`` and ``candidates [candidates, dim]`` are unit vectors; ``classes
    [queries]`` are among ``names``; ``truth [candidates, names]`` counts where it is 1, and a
    candidate with NaN for a class is left out for that class. ``asking [queries]`` are the
    patients of image queries: their own images are no candidates. ``query`` is what asks (image,
    text, graph). Resampling draws the candidates' patients and keeps the queries. Returns schema
    ``radpair.class-retrieval/1``::

        {"schema", "model", "query", "protocol", "queries", "candidates", "patients",
         "precision": {K: INTERVAL + "chance" + "classes": {name: INTERVAL}}}

    ``chance`` is the expected precision of a random order. Raises ``EvaluationError`` without
    queries and for a K beyond the candidates.
    """
    columns = np.array([list(names).index(name) for name in classes], dtype=np.int64)
    if not len(columns):
        raise EvaluationError(f"there is no {query} to retrieve with: no class has a query")
    weights = np.concatenate(list(patient_weights(patients, resamples, seed)), axis=1)
    people = np.asarray(patients, dtype=str)
    values = np.empty((len(columns), len(at)))
    draws = np.empty((len(columns), len(at), resamples))
    chance = np.empty(len(columns))
    for place, column in enumerate(columns):
        usable = ~np.isnan(truth[:, column].astype(np.float64))
        if asking is not None:
            usable &= people != str(asking[place])
        rows = np.flatnonzero(usable)
        _check_depth(len(rows), max(at), names[column])
        hit = truth[rows, column] == 1
        order = nearest_first(candidates[rows], queries[place], hit)
        ranked = hit[order].astype(np.float64)
        values[place] = [ranked[:k].mean() for k in at]
        draws[place] = resampled_precision(ranked, weights, rows[order], at)
        chance[place] = hit.mean()
    precision = {
        k: {
            **_interval(values[:, i], draws[:, i], level),
            "chance": float(chance.mean()),
            "classes": {
                names[c]: _interval(values[columns == c, i], draws[columns == c, i], level)
                for c in np.unique(columns)
            },
        }
        for i, k in enumerate(at)
    }
    report: dict[str, Any] = jsonable(
        {
            "schema": SCHEMA,
            "model": model_name,
            "query": query,
            "protocol": protocol,
            "queries": len(columns),
            "candidates": len(candidates),
            "patients": len(set(people.tolist())),
            "precision": precision,
        }
    )
    return report


def _check_depth(candidates: int, deepest: int, name: str) -> None:
    if candidates < deepest:
        raise EvaluationError(
            f"precision at {deepest} needs as many candidates, but '{name}' has {candidates}"
        )


def nearest_first(candidates: Codes, query: Codes, hit: NDArray[np.bool_]) -> NDArray[np.int64]:
    """``candidates [n, dim]`` in order of likeness to ``query [dim]``, of equals misses first."""
    near = candidates.astype(np.float64) @ query.astype(np.float64)
    return np.lexsort((hit, -np.round(near, _DIGITS)))


def resampled_precision(
    ranked: Floats, weights: Floats, rows: NDArray[np.int64], at: Sequence[int]
) -> Floats:
    """Precision at each K of every resample ``[at, resamples]``.

    ``ranked [candidates]`` are hits from near to far, ``weights [all candidates, resamples]`` how
    often each was drawn; a candidate drawn twice takes two places. A resample with fewer than K
    candidates is judged on those it has.
    """
    head = min(len(ranked), 3 * max(at) + 60)
    drawn = weights[rows[:head]]
    if head < len(ranked) and (drawn.sum(axis=0) < max(at)).any():
        head, drawn = len(ranked), weights[rows]
    before = np.cumsum(drawn, axis=0) - drawn
    found = np.empty((len(at), weights.shape[1]))
    for place, k in enumerate(at):
        taken = np.clip(k - before, 0, drawn)
        found[place] = (ranked[:head] @ taken) / np.maximum(taken.sum(axis=0), 1)
    return found


def _interval(values: Floats, draws: Floats, level: float) -> dict[str, Any]:
    """The mean over queries and its percentiles."""
    low, high = np.quantile(draws.mean(axis=0), [(1 - level) / 2, (1 + level) / 2])
    return asdict(Interval(float(values.mean()), float(low), float(high)))
