"""Populations in which the true recall, median rank and precision of a retrieval are known.

``benchmarks/coverage.py --part retrieval`` counts how often the 95 % intervals of
``radpair evaluate retrieval`` and ``retrieval-8x200`` hold them. Codes are normal vectors: an image
and its report share a latent vector (studies of a patient share half of it) and differ by
``noise``; an image of a class lies ``apart`` from others along the class's own direction. The true
values are means over many sets; queries by class are drawn once, as the intervals are about other
candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from radpair.evaluation.bootstrap import Interval, Resampled, interval
from radpair.evaluation.class_retrieval import ask
from radpair.evaluation.differences import difference
from radpair.evaluation.features import unit_length
from radpair.evaluation.retrieval import Ranks, median_interval, median_rank, rank_hits, recall

Floats = NDArray[np.float64]
AT = (1, 5, 10)
DEPTHS = (5, 10)
DIFFERENCE = "difference of equals"
_DIM = 12
_MANY = 400_000
"""Queries, about, that the true values are means over."""


@dataclass(frozen=True)
class Pairs:
    """Images and their reports: ``patients`` with ``each`` studies."""

    name: str
    patients: int
    each: int
    noise: float

    @property
    def words(self) -> str:
        return f"{self.name}: {self.patients * self.each} studies of {self.patients} patients"

    @cached_property
    def people(self) -> list[str]:
        return [str(row // self.each) for row in range(self.patients * self.each)]

    def equals(self, rng: np.random.Generator, resamples: int, seed: int) -> dict[str, Interval]:
        """The differences of two models of equal worth, whose errors share half, on one set."""
        latent, error = self._shared(rng), self._shared(rng)
        keys = list(map(str, range(len(latent))))
        pair = []
        for _ in range(2):
            films = latent + self.noise * np.sqrt(0.5) * (error + self._shared(rng))
            reports = latent + self.noise * rng.normal(size=latent.shape)
            pair.append(rank_hits(unit_length(films), unit_length(reports), keys))
        recalls = [recall(one, AT, self.people, resamples, seed) for one in pair]
        medians = [median_rank(one.ranks, self.people, resamples, seed) for one in pair]
        gaps = difference(*recalls, patients=self.patients).labels
        found = {f"recall at {k}": one for k, one in zip(AT, gaps, strict=True)}
        return {**found, "median rank": difference(*medians, patients=self.patients).macro}

    def ranks(self, rng: np.random.Generator) -> Ranks:
        """The ranks of one set's reports, asked for by its images."""
        latent, error = self._shared(rng), self._shared(rng)
        reports = latent + self.noise * rng.normal(size=latent.shape)
        keys = list(map(str, range(len(latent))))
        return rank_hits(unit_length(latent + self.noise * error), unit_length(reports), keys)

    def _shared(self, rng: np.random.Generator) -> Floats:
        own = rng.normal(size=(self.patients * self.each, _DIM))
        if self.each == 1:
            return own
        common = np.repeat(rng.normal(size=(self.patients, _DIM)), self.each, axis=0)
        return np.sqrt(0.5) * (common + own)

    @cached_property
    def true(self) -> dict[str, float]:
        """Recall at each K of ``AT``, and the median rank, over many sets."""
        rng = np.random.default_rng([1, self.patients])
        sets = max(200, _MANY // (self.patients * self.each))
        ranks = np.concatenate([self.ranks(rng).ranks for _ in range(sets)])
        found = {f"recall at {k}": float((ranks <= k).mean()) for k in AT}
        return {**found, "median rank": float(np.sort(ranks)[(len(ranks) - 1) // 2])}

    def found(self, rng: np.random.Generator, resamples: int, seed: int) -> dict[str, Interval]:
        """One set's intervals, by the names of ``true``."""
        ranks = self.ranks(rng)
        recalls = interval(recall(ranks, AT, self.people, resamples, seed)).labels
        median = median_rank(ranks.ranks, self.people, resamples, seed)
        found = {f"recall at {k}": one for k, one in zip(AT, recalls, strict=True)}
        return {**found, "median rank": median_interval(median, self.patients)}


@dataclass(frozen=True)
class Classes:
    """``asking`` queries of each class, and candidates that may have several of the classes."""

    name: str
    patients: int
    each: int
    prevalence: Sequence[float]
    apart: Sequence[float]
    asking: int
    depths: Sequence[int] = DEPTHS

    @property
    def words(self) -> str:
        classes = f"{len(self.prevalence)} classes" if len(self.prevalence) > 1 else "one class"
        queries = "a query" if self.asking == 1 else f"{self.asking} queries"
        return (
            f"{self.name}: {queries} a class, {classes}, {self.patients * self.each} candidates "
            f"of {self.patients} patients"
        )

    @cached_property
    def _directions(self) -> Floats:
        drawn = np.random.default_rng(1).normal(size=(len(self.prevalence), _DIM))
        return np.asarray(self.apart)[:, None] * unit_length(drawn)

    @cached_property
    def columns(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.prevalence)), self.asking)

    @cached_property
    def queries(self) -> NDArray[np.float32]:
        rng = np.random.default_rng(2)
        truth = rng.random((len(self.columns), len(self.prevalence))) < self.prevalence
        truth[np.arange(len(truth)), self.columns] = True
        return unit_length(truth @ self._directions + rng.normal(size=(len(truth), _DIM)))

    def candidates(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], Floats]:
        """Codes and truth ``[candidates, classes]``; a patient's studies have the same truth."""
        drawn = rng.random((self.patients, len(self.prevalence))) < self.prevalence
        truth = np.repeat(drawn, self.each, axis=0).astype(np.float64)
        own = rng.normal(size=(len(truth), _DIM))
        if self.each > 1:
            common = np.repeat(rng.normal(size=(self.patients, _DIM)), self.each, axis=0)
            own = np.sqrt(0.5) * (common + own)
        return unit_length(truth @ self._directions + own), truth

    @cached_property
    def true(self) -> dict[str, float]:
        """Precision at each depth, over many sets of candidates."""
        rng, total = np.random.default_rng([3, self.patients]), np.zeros(len(self.depths))
        sets = max(300, _MANY // len(self.columns) // 20)
        for _ in range(sets):
            codes, truth = self.candidates(rng)
            near = np.argsort(-(self.queries @ codes.T), axis=1)[:, : max(self.depths)]
            hit = truth[near, self.columns[:, None]]
            total += [hit[:, :k].mean() for k in self.depths]
        values = zip(self.depths, total / sets, strict=True)
        return {f"precision at {k}": float(value) for k, value in values}

    def found(self, rng: np.random.Generator, resamples: int, seed: int) -> dict[str, Interval]:
        """One set's intervals, by the names of ``true``."""
        codes, truth = self.candidates(rng)
        people = [str(row // self.each) for row in range(len(truth))]
        given = (self.queries, self.columns, codes, truth, people, None, self.depths)
        asked = ask(*given, resamples, seed)
        return {f"precision at {k}": interval(asked.precision(k)).macro for k in self.depths}


@dataclass(frozen=True)
class Alike:
    """Films that ask for films of other patients with their finding, as in ``radpair compare``."""

    name: str
    patients: int
    prevalence: Sequence[float]
    apart: Sequence[float]
    depth: int = 10

    @property
    def words(self) -> str:
        shares = ", ".join(f"{share:.0%}" for share in self.prevalence)
        return f"{self.name}: {self.patients} patients, findings in {shares}"

    @cached_property
    def _directions(self) -> Floats:
        drawn = np.random.default_rng(1).normal(size=(len(self.prevalence), _DIM))
        return np.asarray(self.apart)[:, None] * unit_length(drawn)

    def samples(self, rng: np.random.Generator, resamples: int, seed: int) -> list[Resampled]:
        """Precision of two models of equal worth on one set."""
        shape = (self.patients, len(self.prevalence))
        truth = (rng.random(shape) < self.prevalence).astype(np.float64)
        rows, columns = truth.nonzero()
        people = list(map(str, range(self.patients)))
        asking = [people[row] for row in rows]
        common, found = rng.normal(size=(self.patients, _DIM)), []
        for _ in range(2):
            noise = np.sqrt(0.5) * (common + rng.normal(size=common.shape))
            codes = unit_length(truth @ self._directions + noise)
            given = (codes[rows], columns, codes, truth, people, asking, (self.depth,))
            found.append(ask(*given, resamples, seed).precision(self.depth))
        return found

    @cached_property
    def true(self) -> dict[str, float]:
        """Precision, over many sets."""
        rng = np.random.default_rng([5, self.patients])
        values = [one.value[0] for _ in range(600) for one in self.samples(rng, 2, 0)]
        return {f"precision at {self.depth}": float(np.mean(values))}

    def found(self, rng: np.random.Generator, resamples: int, seed: int) -> dict[str, Interval]:
        """One set's interval of the first model, and the difference of the two."""
        first, second = self.samples(rng, resamples, seed)
        gap = difference(first, second, patients=self.patients).macro
        return {f"precision at {self.depth}": interval(first).macro, DIFFERENCE: gap}


POPULATIONS = (
    Pairs("films", 200, 1, 0.8),
    Pairs("hard films", 300, 1, 1.5),
    Pairs("few films", 33, 1, 0.8),
    Pairs("several films a patient", 100, 3, 0.8),
    Pairs("twenty patients' films", 20, 3, 0.8),
    Pairs("near chance", 150, 1, 6.0),
    Pairs("near perfect", 100, 1, 0.35),
    Classes("classes", 400, 1, (0.3, 0.2, 0.1, 0.1), (1.5, 1.0, 2.5, 0.5), 10),
    Classes("several a patient", 100, 3, (0.3, 0.1), (1.5, 2.5), 10),
    Classes("prompts", 200, 1, (0.3, 0.3, 0.3), (2.0, 1.0, 3.0), 1),
    Classes("classes near perfect", 300, 1, (0.3, 0.2), (6.0, 7.0), 10),
    Classes("classes near none", 300, 1, (0.03, 0.02), (0.3, 0.2), 10),
    Alike("alike", 300, (0.3, 0.1), (1.5, 2.5)),
    Alike("alike, one finding", 150, (0.2,), (1.5,)),
    Alike("alike, rare", 300, (0.05, 0.05, 0.05), (2.0, 2.0, 2.0)),
    Classes("8x200", 1600, 1, (0.125,) * 8, (1, 1.5, 2, 2.5, 3, 3.5, 4, 1), 10, (5, 10, 50)),
)


def coverage(
    population: Pairs | Classes | Alike, simulations: int, resamples: int, seed: int
) -> Iterator[tuple[str, float, float]]:
    """Name, true value, and the share of simulated intervals that hold it, of each figure.

    For ``DIFFERENCE`` the true value is 0: the share that leaves it out errs.
    """
    sets = [
        population.found(np.random.default_rng([seed, number, 7]), resamples, number)
        for number in range(simulations)
    ]
    known = {**population.true, **({DIFFERENCE: 0.0} if DIFFERENCE in sets[0] else {})}
    for name, true in known.items():
        held = [one[name].low - 1e-12 <= true <= one[name].high + 1e-12 for one in sets]
        yield name, true, float(np.mean(held))


def called(
    population: Pairs, simulations: int, resamples: int, seed: int
) -> Iterator[tuple[str, float]]:
    """Of each figure, the share of sets on which two equal models are called different."""
    sets = [
        population.equals(np.random.default_rng([seed, number, 9]), resamples, number)
        for number in range(simulations)
    ]
    for name in sets[0]:
        yield name, float(np.mean([(one[name].p or 1) < 0.05 for one in sets]))
