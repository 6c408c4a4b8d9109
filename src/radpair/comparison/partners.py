"""Retrieval between films and their reports or graphs, kept so that models can be compared.

``radpair.evaluation.retrieval`` says what a hit is. Here each query's rank is kept beside the
resamples over patients, so that two models' recalls are compared on the same resamples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.comparison.bench import Bench, Seen
from radpair.comparison.kept import Unit
from radpair.comparison.retrieved import column, parts
from radpair.comparison.runs import Runner
from radpair.evaluation.features import Codes, study_means, unit_length
from radpair.evaluation.retrieval import (
    chance,
    graph_key,
    median_rank,
    rank_hits,
    recall,
    report_key,
)
from radpair.records import Graph

AT = (1, 5, 10)
SHOWN = 5
"""Candidates kept for the page, of every query."""
KINDS = ("report", "graph")
_TOWER = {"report": "text", "graph": "graph"}


@dataclass(frozen=True)
class Partners:
    """The reports or graphs of the tested studies that have one."""

    places: NDArray[np.int64]
    """Among the tested studies."""
    codes: Codes
    """``[partners, dim]``."""
    keys: list[str]
    """Equal keys are the same report or graph."""


def directions(kind: str) -> tuple[str, str]:
    """Both ways, as they are called."""
    return f"image → {kind}", f"{kind} → image"


def why_no_retrieval(kind: str, runner: Runner, bench: Bench) -> str | None:
    """Why films and their reports (graphs) cannot be matched, or None."""
    if _TOWER[kind] not in runner.towers:
        return f"the model has no {_TOWER[kind]} tower"
    if kind == "report" and sum(map(bool, bench.texts)) < 2:
        return "fewer than two tested studies have a report"
    if kind == "graph":
        if not bench.studies.has_graphs:
            return "the set has no graphs (radpair graphs makes them)"
        if len(_graphs(bench)) < 2:
            return "fewer than two tested studies have a graph"
    return None


def retrieve(kind: str, seen: Seen, resamples: int, seed: int) -> Unit:
    """Ranks both ways among the tested studies.

    Arrays: ``places [queries]`` among the tested studies, and per direction (0 image to partner, 1
    partner to image) ``D.ranks``, ``D.top [queries, 5]`` (candidates, best first), ``D.right``
    (which of them are hits); per metric ``D.recall_K`` and ``D.median_rank`` the parts that
    ``measured.sample_of`` reads.
    """
    partners = (_reports if kind == "report" else _graph_partners)(seen)
    tested = seen.bench.test[partners.places]
    images = unit_length(seen.encoded.study_projections[tested])
    patients = seen.bench.patients[tested].tolist()
    arrays: dict[str, NDArray[Any]] = {"places": partners.places}
    chances: dict[str, dict[str, float]] = {}
    both = (images, unit_length(partners.codes))
    for number, (queries, candidates) in enumerate((both, both[::-1])):
        ranks = rank_hits(queries, candidates, partners.keys)
        chances[str(number)] = {f"recall_{k}": chance(ranks, k) for k in AT}
        top = _nearest(queries, candidates)
        keys = np.asarray(partners.keys, dtype=object)
        one = {"ranks": ranks.ranks, "top": top, "right": keys[top] == keys[:, None]}
        recalls = recall(ranks, AT, patients, resamples, seed)
        for place, k in enumerate(AT):
            one |= parts(f"recall_{k}", column(recalls, place))
        one |= parts("median_rank", median_rank(ranks.ranks, patients, resamples, seed))
        arrays |= {f"{number}.{name}": value for name, value in one.items()}
    facts = {
        "labels": ["all"],
        "notes": {},
        "studies": len(partners.places),
        "patients": len(set(patients)),
        "distinct": len(set(partners.keys)),
        "chance": chances,
    }
    return Unit(arrays, facts)


def one_way(unit: Unit, direction: int) -> Unit:
    """The unit of one direction alone."""
    prefix = f"{direction}."
    arrays = {
        name.removeprefix(prefix): value
        for name, value in unit.arrays.items()
        if name.startswith(prefix)
    }
    facts = {**unit.facts, "chance": unit.facts["chance"][str(direction)]}
    return Unit(arrays | {"places": unit.arrays["places"]}, facts)


def _reports(seen: Seen) -> Partners:
    bench = seen.bench
    has = np.array([n for n, sentences in enumerate(bench.texts) if sentences], dtype=np.int64)
    texts = [bench.texts[n] for n in has]
    codes = seen.encoded.model.encode_texts([sentence for text in texts for sentence in text])
    owner = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    keys = [report_key(bench.studies.reports[bench.test[n]]) for n in has]
    return Partners(has, study_means(codes, owner, len(texts)), keys)


def _graph_partners(seen: Seen) -> Partners:
    found = _graphs(seen.bench)
    drawn = list(found.values())
    codes = seen.encoded.model.encode_graphs(drawn)
    places = np.array(list(found), dtype=np.int64)
    return Partners(places, codes, [graph_key(graph) for graph in drawn])


def _graphs(bench: Bench) -> dict[int, Graph]:
    """The tested studies' graphs that hold something, by place."""
    graphs = bench.studies.graphs()
    return {
        place: graph
        for place, study in enumerate(bench.test)
        if (graph := graphs[study]) is not None and graph.entities
    }


def _nearest(queries: Codes, candidates: Codes) -> NDArray[np.int64]:
    """The best candidates of every query ``[queries, 5]``; of equals the first in the set."""
    count = min(SHOWN, len(candidates))
    found = np.empty((len(queries), count), dtype=np.int64)
    for start in range(0, len(queries), 1024):
        near = queries[start : start + 1024] @ candidates.T
        found[start : start + 1024] = np.argsort(-near, axis=1, kind="stable")[:, :count]
    return found
