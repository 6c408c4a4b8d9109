"""Retrieval between images and their reports (or graphs) in the shared space, both ways.

A query's candidates are all studies evaluated. A candidate is a hit when its partner is the query's
own or identical to it (normal reports recur word for word, and no image can tell them apart).
Candidates that tie with the best hit (to 1e-6, the rounding of codes) without being one count as
ranked before it. Recalls have Wilson's interval at the effective number of queries
(``radpair.evaluation.intervals``), so that a recall of 0 or 1 does not claim certainty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import (
    Interval,
    Resampled,
    interval,
    patient_weights,
    resample,
)
from radpair.evaluation.features import Codes, unit_length
from radpair.evaluation.intervals import Shape, percentile_bounds
from radpair.evaluation.results import jsonable
from radpair.evaluation.statistics import Floats, per_label
from radpair.records import Graph

SCHEMA = "radpair.retrieval/1"
_CHUNK = 1024
_TIE = 1e-6


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where each query's first hit stands among its candidates."""

    ranks: NDArray[np.int64]
    """``[queries]``, 1 is best."""
    hits: NDArray[np.int64]
    """``[queries]``: how many candidates are hits."""
    candidates: NDArray[np.int64]
    """``[queries]``: how many there are."""


def report_key(report: str) -> str:
    """Reports with the same words in the same order are identical, whatever case and spacing."""
    return " ".join(report.lower().split())


def graph_key(graph: Graph) -> str:
    """Graphs with the same entities and relations are identical, wherever they stood."""
    entities = [(entity.text.lower(), entity.label) for entity in graph.entities]
    links = sorted((entities[r.source], r.type, entities[r.target]) for r in graph.relations)
    return repr((sorted(entities), links))


def rank_hits(queries: Codes, candidates: Codes, keys: Sequence[str]) -> Ranks:
    """The rank of each query's first hit by cosine similarity.

    ``queries, candidates [studies, dim]`` are unit vectors of the same studies, ``keys [studies]``
    the identity of each study's partner.
    """
    if not len(queries) == len(candidates) == len(keys):
        raise EvaluationError(
            f"{len(queries)} queries, {len(candidates)} candidates and {len(keys)} partners are "
            "not the same studies"
        )
    _, group = np.unique(np.asarray(keys, dtype=object).astype(str), return_inverse=True)
    ranks = np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), _CHUNK):
        rows = slice(start, start + _CHUNK)
        near = queries[rows].astype(np.float64) @ candidates.astype(np.float64).T
        hit = group[rows][:, None] == group[None, :]
        best = np.where(hit, near, -np.inf).max(axis=1)
        ranks[rows] = 1 + ((near >= best[:, None] - _TIE) & ~hit).sum(axis=1)
    return Ranks(ranks, np.bincount(group)[group], np.full(len(ranks), len(keys)))


def rank_views(codes: Codes, studies: NDArray[Any], patients: Sequence[str]) -> Ranks:
    """The rank of each image's nearest other view of its own study, by cosine similarity.

    ``codes [images, dim]`` are unit vectors of images, ``studies [images]`` and ``patients
    [images]`` say whose they are. Images of studies with a single one are candidates, not queries;
    other studies of the query's patient are not candidates.
    """
    _, group = np.unique(np.asarray(studies), return_inverse=True)
    _, person = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    queries = np.flatnonzero(np.bincount(group)[group] > 1)
    ranks, hits, candidates = (np.empty(len(queries), dtype=np.int64) for _ in range(3))
    for start in range(0, len(queries), _CHUNK):
        rows = queries[start : start + _CHUNK]
        near = codes[rows].astype(np.float64) @ codes.astype(np.float64).T
        hit = group[rows][:, None] == group[None, :]
        hit[np.arange(len(rows)), rows] = False
        other = person[rows][:, None] != person[None, :]
        best = np.where(hit, near, -np.inf).max(axis=1)
        place = slice(start, start + len(rows))
        ranks[place] = 1 + ((near >= best[:, None] - _TIE) & other).sum(axis=1)
        hits[place], candidates[place] = hit.sum(axis=1), (hit | other).sum(axis=1)
    return Ranks(ranks, hits, candidates)


def view_retrieval(
    model_name: str,
    codes: Codes,
    studies: NDArray[Any],
    patients: Sequence[str],
    *,
    at: Sequence[int] = (1, 5, 10),
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Any] | None:
    """``retrieval`` from an image to the other views of its study; None where no study has any.

    Arguments as of ``rank_views``; the direction is ``image_to_view``, ``studies`` counts the
    images, and ``distinct`` the studies with several.
    """
    found = rank_views(unit_length(codes), studies, patients)
    if not len(found.ranks):
        return None
    _, group = np.unique(np.asarray(studies), return_inverse=True)
    several = np.bincount(group)[group] > 1
    asking = np.asarray(patients, dtype=str)[several].tolist()
    report = _report(
        model_name, "view", {"image_to_view": found}, asking, at, resamples, seed, level
    )
    rule = "another image of the same study is a hit; other studies of the patient do not compete"
    return {
        **report,
        "studies": len(codes),
        "distinct": int((np.bincount(group) > 1).sum()),
        "rule": rule,
    }


def retrieval(
    model_name: str,
    images: Codes,
    partners: Codes,
    keys: Sequence[str],
    patients: Sequence[str],
    *,
    kind: str = "report",
    at: Sequence[int] = (1, 5, 10),
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Any]:
    """Recall at k and median rank, image→partner and partner→image, with intervals over patients.

    ``images [studies, dim]`` are unit vectors of one image a study (or the mean of several, which
    is normalised here), ``partners [studies, dim]`` those of its report or graph. Resampling draws
    the query patients; the candidates stay whole. Returns schema ``radpair.retrieval/1``::

        {"schema", "model", "kind", "studies", "patients", "distinct": different partners, "rule",
         "directions": {"image_to_report": {"recall": {k: INTERVAL + "chance"},
                                            "median_rank": INTERVAL}, "report_to_image": ...}}

    ``chance`` is the expected recall of a random order. Raises ``EvaluationError`` without studies.
    """
    if len(keys) == 0:
        raise EvaluationError(f"no evaluated study has a {kind}: retrieval has nothing to look for")
    found = {
        f"image_to_{kind}": rank_hits(unit_length(images), unit_length(partners), keys),
        f"{kind}_to_image": rank_hits(unit_length(partners), unit_length(images), keys),
    }
    report = _report(model_name, kind, found, patients, at, resamples, seed, level)
    return {**report, "distinct": len(set(keys))}


def recall(
    found: Ranks, at: Sequence[int], patients: Sequence[str], resamples: int, seed: int
) -> Resampled:
    """Recall at each K, one K a column, over the ``patients [queries]``; the candidates stay."""
    hits = (found.ranks[:, None] <= np.asarray(at)[None, :]).astype(np.float64)
    return resample(hit_rate, hits, np.ones_like(hits), patients, resamples, seed)


def hit_rate(hits: NDArray[Any], truth: NDArray[Any], weights: Floats | None = None) -> Floats:
    """The share of queries that hit, a metric as in ``radpair.evaluation.statistics``.

    ``hits [queries, columns]`` are 1 or 0; ``truth`` of that shape is NaN where nothing was asked.
    """
    return per_label(_share, hits, truth, weights, needs="any")


def median_rank(
    ranks: NDArray[np.int64], patients: Sequence[str], resamples: int, seed: int
) -> Resampled:
    """The lower median of ``ranks [queries]``, in all and in each resample of patients."""
    weights = np.concatenate(list(patient_weights(patients, resamples, seed)), axis=1)
    order = np.argsort(ranks, kind="stable")
    ordered = ranks[order].astype(np.float64)
    reached = np.cumsum(weights[order], axis=0)
    draws = ordered[(reached >= 0.5 * reached[-1]).argmax(axis=0)]
    return Resampled(ordered[(len(ordered) - 1) // 2][None], draws[:, None])


def median_interval(sample: Resampled, patients: int, level: float = 0.95) -> Interval:
    """Of ``median_rank``: percentiles widened for so many patients.

    Neither skewness nor bias can be told of ranks, which are whole numbers.
    """
    even = Shape(0.0, 0.0, max(1.5, patients - 1.0))
    low, high = percentile_bounds(sample.draws[:, 0], level, even)
    return Interval(float(sample.value[0]), low, high)


def chance(found: Ranks, k: int) -> float:
    """The expected recall of a random order: mean of 1 - C(n - hits, k) / C(n, k)."""
    missed = np.ones(len(found.ranks))
    for drawn in range(k):
        left = found.candidates - drawn
        missed *= np.clip((left - found.hits) / np.maximum(left, 1), 0, 1)
    return float(1 - missed.mean())


def _report(
    model_name: str,
    kind: str,
    found: dict[str, Ranks],
    patients: Sequence[str],
    at: Sequence[int],
    resamples: int,
    seed: int,
    level: float,
) -> dict[str, Any]:
    report: dict[str, Any] = jsonable(
        {
            "schema": SCHEMA,
            "model": model_name,
            "kind": kind,
            "studies": len(patients),
            "patients": len(set(map(str, patients))),
            "rule": f"a candidate with an identical {kind} counts as a hit; ties count against",
            "directions": {
                name: _direction(ranks, patients, at, resamples, seed, level)
                for name, ranks in found.items()
            },
        }
    )
    return report


def _direction(
    found: Ranks,
    patients: Sequence[str],
    at: Sequence[int],
    resamples: int,
    seed: int,
    level: float,
) -> dict[str, Any]:
    recalls = interval(recall(found, at, patients, resamples, seed), level).labels
    median = median_rank(found.ranks, patients, resamples, seed)
    return {
        "recall": {
            k: {**asdict(one), "chance": chance(found, k)}
            for k, one in zip(at, recalls, strict=True)
        },
        "median_rank": asdict(median_interval(median, len(set(map(str, patients))), level)),
    }


def _share(hits: Floats, _: NDArray[np.bool_], weights: Floats) -> Floats:
    return np.asarray((hits @ weights) / weights.sum(axis=0))
