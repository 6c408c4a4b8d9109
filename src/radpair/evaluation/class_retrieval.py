"""Retrieval by class: how many of a query's nearest K images show what the query asks for.

The query is an image, a text or a graph of one class; a hit is a candidate labelled 1 for that
class (ConVIRT, Zhang et al. 2022, section 4.2). Candidates that tie with a hit (to 1e-6, the
rounding of codes) without being one stand before it. Precisions have Wilson's interval, for as many
places as would vary as much, so that a precision of 0 or 1 does not claim certainty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import Resampled, interval, kish, patient_weights
from radpair.evaluation.features import Codes
from radpair.evaluation.intervals import variance
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
    """Precision at K, the mean over queries, with intervals over patients.

    ``queries [queries, dim]`` and ``candidates [candidates, dim]`` are unit vectors; ``classes
    [queries]`` are among ``names``; ``truth [candidates, names]`` counts where it is 1, and a
    candidate with NaN for a class is left out for that class. ``asking [queries]`` are the
    patients of image queries: their own images are no candidates. ``query`` is what asks (image,
    text, graph). Resampling draws the candidates' patients, and with them the queries of those who
    ask; queries of nobody are kept. Returns schema
    ``radpair.class-retrieval/1``::

        {"schema", "model", "query", "protocol", "queries", "candidates", "patients",
         "precision": {K: INTERVAL + "chance" + "classes": {name: INTERVAL}}}

    ``chance`` is the expected precision of a random order. Raises ``EvaluationError`` without
    queries and for a K beyond the candidates.
    """
    columns = np.array([list(names).index(name) for name in classes], dtype=np.int64)
    if not len(columns):
        raise EvaluationError(f"there is no {query} to retrieve with: no class has a query")
    for column in np.unique(columns):
        rows = np.flatnonzero(columns == column).tolist()
        people = None if asking is None else [asking[row] for row in rows]
        _check_depth(_fewest(truth[:, column], patients, people), max(at), names[column])
    found = ask(queries, columns, candidates, truth, patients, asking, at, resamples, seed)
    report: dict[str, Any] = jsonable(
        {
            "schema": SCHEMA,
            "model": model_name,
            "query": query,
            "protocol": protocol,
            "queries": len(columns),
            "candidates": len(candidates),
            "patients": len(set(map(str, patients))),
            "precision": {
                k: {
                    **asdict(interval(found.precision(k), level).macro),
                    "chance": float(found.chance.mean()),
                    "classes": {
                        names[c]: asdict(interval(found.precision(k, columns == c), level).macro)
                        for c in np.unique(columns)
                    },
                }
                for k in at
            },
        }
    )
    return report


@dataclass(frozen=True, slots=True)
class Found:
    """What queries found, and what they would find among resampled candidates."""

    at: tuple[int, ...]
    values: Floats
    """Precision of each query at each K ``[queries, at]``."""
    draws: Floats
    """The same of every resample ``[queries, at, resamples]``."""
    nearest: NDArray[np.int64]
    """The patients of the nearest candidates, as numbers ``[queries, largest K]``."""
    chance: Floats
    """``[queries]``: the share of hits among the candidates."""

    columns: NDArray[np.int64]
    """The label that each query asks for."""
    asking: NDArray[np.int64] | None
    """Which patient asks ``[queries]``; None where those who ask are not among the candidates'."""
    weights: Floats
    """How often each resample drew each patient ``[patients, resamples]``."""
    without: Without | None
    """Where patients of the candidates ask."""

    def precision(self, k: int, chosen: NDArray[np.bool_] | None = None) -> Resampled:
        """Precision at ``k``, the mean over the queries ``chosen [queries]`` (None: all).

        A share of places, as certain as its resamples vary, but never less so than if all places
        that a patient fills were one; where no resample varies, that alone says how certain.
        Patients who ask are drawn with the candidates, since other patients would ask otherwise.
        As the same few then ask and are found, resamples vary too little: the jackknife over
        patients in both roles says how certain it is, which errs to the safe side (Efron and Stein
        1981).
        """
        rows, place = np.arange(len(self.columns)), self.at.index(k)
        rows = rows if chosen is None else rows[chosen]
        filled = np.bincount(self.nearest[rows, :k].ravel()).astype(np.float64)
        values, draws = self.values[rows, place], self.draws[rows, place]
        drawn = draws.mean(axis=0)
        left_out, support = np.empty((0, 0)), np.array([[kish(filled), np.inf]])
        if self.asking is not None and self.without is not None:
            left_out = self.without.mean(place, rows, values, self.columns[rows], self.asking[rows])
            support = _places(float(values.mean()), left_out, kish(filled), self.asking[rows])
            apart = _apart(values, draws, self.columns[rows])
            own = np.bincount(self.asking[rows], apart, len(self.weights)) / len(rows)
            drawn = drawn + own @ (self.weights - 1)
        return Resampled(np.array([values.mean()]), drawn[:, None], left_out, support)


def _places(
    value: float, left_out: Floats, filled: float, asking: NDArray[np.int64]
) -> NDArray[np.float64]:
    """So many places would vary as much as the jackknife says; without any variance, as many as
    patients ask or are found."""
    spread = variance(value, left_out)
    if spread > 0 and 0 < value < 1:
        count = max(1.0, value * (1 - value) / spread)
    else:
        count = min(filled, float(len(np.unique(asking))))
    return np.array([[count, count]])


@dataclass(frozen=True, slots=True)
class Without:
    """What queries would find if a patient among their nearest were not there."""

    queries: NDArray[np.int64]
    patients: NDArray[np.int64]
    values: Floats
    """``[queries and patients, at]``."""
    known: int
    """How many patients there are."""

    def mean(
        self,
        place: int,
        rows: NDArray[np.int64],
        values: Floats,
        columns: NDArray[np.int64],
        asking: NDArray[np.int64],
    ) -> Floats:
        """The mean over the queries ``rows`` without each patient, who then neither asks nor is
        found ``[patients, 1]``.

        ``values, columns, asking [rows]``. Labels keep their shares of the mean.
        """
        where = np.full(int(max(self.queries.max(initial=0), rows.max())) + 1, -1)
        where[rows] = np.arange(len(rows))
        at = where[self.queries]
        there = at >= 0
        moved = self.values[there, place] - values[at[there]]
        total = np.zeros(self.known)
        for label in np.unique(columns):
            mine = columns == label
            of_label = mine[at[there]]
            sums = np.bincount(
                self.patients[there][of_label], moved[of_label], minlength=self.known
            )
            sums += values[mine].sum() - np.bincount(asking[mine], values[mine], self.known)
            left = mine.sum() - np.bincount(asking[mine], minlength=self.known)
            alone = np.full(self.known, values[mine].mean())
            total += mine.mean() * np.divide(sums, left, out=alone, where=left > 0)
        return total[:, None]


def _without(
    ranked: Floats, people: NDArray[np.int64], at: Sequence[int]
) -> tuple[NDArray[np.int64], Floats]:
    """The patients among the nearest, and the precision at each K without each of them.

    ``ranked, people [candidates]``: hits and patients from near to far.
    """
    found = np.unique(people[: max(at)])
    values = np.empty((len(found), len(at)))
    for row, one in enumerate(found):
        kept = ranked[people != one]
        values[row] = [kept[:k].mean() if len(kept) else np.nan for k in at]
    return found, values


def _apart(values: Floats, draws: Floats, columns: NDArray[np.int64]) -> Floats:
    """How far each query lies from the mean of its label, shrunk by what is the candidates' luck.

    ``values [queries]``, ``draws [queries, resamples]``. That some labels are easier is no error.
    """
    _, label = np.unique(columns, return_inverse=True)
    sizes = np.bincount(label)
    apart = values - (np.bincount(label, values) / sizes)[label]
    means = np.zeros((len(sizes), draws.shape[1]))
    np.add.at(means, label, draws)
    luck = float((draws - (means / sizes[:, None])[label]).var(axis=1).sum())
    whole = float((apart**2).sum())
    raised = np.sqrt(sizes / np.maximum(sizes - 1, 1))[label]
    shrunk: Floats = apart * raised * np.sqrt(max(0.0, 1 - luck / whole) if whole > 0 else 0.0)
    return shrunk


def ask(
    queries: Codes,
    columns: NDArray[np.int64],
    candidates: Codes,
    truth: NDArray[Any],
    patients: Sequence[str],
    asking: Sequence[str] | None,
    at: Sequence[int],
    resamples: int,
    seed: int,
) -> Found:
    """Puts every query to the candidates given for its label (``columns [queries]``).

    The other arguments are those of ``class_retrieval``; each query needs the largest K candidates.
    """
    weights = np.concatenate(list(patient_weights(patients, resamples, seed)), axis=1)
    people = np.asarray(patients, dtype=str)
    known, first, member = np.unique(people, return_index=True, return_inverse=True)
    asked = None
    if asking is not None and set(map(str, asking)) <= set(known.tolist()):
        asked = np.searchsorted(known, np.asarray(asking, dtype=str))
    deepest = max(at)
    values = np.empty((len(columns), len(at)))
    draws = np.empty((len(columns), len(at), resamples))
    nearest = np.empty((len(columns), deepest), dtype=np.int64)
    chance = np.empty(len(columns))
    gone: list[tuple[NDArray[np.int64], Floats]] = []
    most = int(np.bincount(member).max())
    for place, column in enumerate(columns):
        usable = ~np.isnan(truth[:, column].astype(np.float64))
        if asking is not None:
            usable &= people != str(asking[place])
        rows = np.flatnonzero(usable)
        hit = truth[rows, column] == 1
        order = nearest_first(candidates[rows], queries[place], hit)
        ranked = hit[order].astype(np.float64)
        values[place] = [ranked[:k].mean() for k in at]
        draws[place] = resampled_precision(ranked, weights, rows[order], at)
        nearest[place] = member[rows[order[:deepest]]]
        chance[place] = hit.mean()
        if asked is not None:
            head = order[: deepest + most]
            gone.append(_without(ranked[: len(head)], member[rows[head]], at))
    without = _gathered(gone, len(known)) if asked is not None else None
    return Found(tuple(at), values, draws, nearest, chance, columns, asked, weights[first], without)


def _gathered(gone: Sequence[tuple[NDArray[np.int64], Floats]], known: int) -> Without:
    queries = np.repeat(np.arange(len(gone)), [len(people) for people, _ in gone])
    people = np.concatenate([people for people, _ in gone])
    return Without(queries, people, np.concatenate([values for _, values in gone]), known)


def _fewest(truth: NDArray[Any], patients: Sequence[str], asking: Sequence[str] | None) -> int:
    """The candidates that the least lucky of the patients asking can find."""
    given = np.asarray(patients, dtype=str)[~np.isnan(truth.astype(np.float64))]
    own = 0 if asking is None else max(int((given == str(one)).sum()) for one in set(asking))
    return len(given) - own


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
