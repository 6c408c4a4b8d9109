from __future__ import annotations

import json
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import interval, patient_weights
from radpair.evaluation.intervals import wilson_bounds
from radpair.evaluation.retrieval import (
    Ranks,
    graph_key,
    median_interval,
    median_rank,
    rank_hits,
    rank_views,
    recall,
    report_key,
    retrieval,
    view_retrieval,
)
from radpair.graphs.schema import ANATOMY, PRESENT
from radpair.records import Entity, Graph, Relation


def unit(rng: np.random.Generator, rows: int, dim: int = 5) -> np.ndarray:
    codes = rng.normal(size=(rows, dim))
    return (codes / np.linalg.norm(codes, axis=1, keepdims=True)).astype(np.float32)


def slow_rank(query, candidates, keys, own) -> int:
    """Walks down the sorted list; among equals the misses come first."""
    near = [float(np.dot(query.astype(float), c.astype(float))) for c in candidates]
    order = sorted(range(len(keys)), key=lambda i: (-near[i], keys[i] == keys[own]))
    return 1 + next(place for place, i in enumerate(order) if keys[i] == keys[own])


@given(seed=st.integers(0, 10_000), kinds=st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_ranks_equal_a_walk_down_the_list(seed: int, kinds: int) -> None:
    rng = np.random.default_rng(seed)
    keys = [f"r{i}" for i in rng.integers(0, kinds, size=15)]
    queries, table = unit(rng, 15), {key: unit(rng, 1)[0] for key in sorted(set(keys))}
    candidates = np.stack([table[key] for key in keys])
    found = rank_hits(queries, candidates, keys)
    assert found.ranks.tolist() == [slow_rank(queries[i], candidates, keys, i) for i in range(15)]
    assert found.hits.tolist() == [keys.count(key) for key in keys]


def test_identical_codes_are_no_success() -> None:
    same = np.ones((10, 4), dtype=np.float32) / 2
    found = rank_hits(same, same, [str(i) for i in range(10)])
    assert (found.ranks == 10).all()


def test_an_identical_report_is_a_hit() -> None:
    images, texts = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)[[1, 0, 2]]
    assert rank_hits(images, texts, ["a", "a", "c"]).ranks.tolist() == [1, 1, 1]


def test_perfect_and_random_codes() -> None:
    rng = np.random.default_rng(0)
    codes, keys = unit(rng, 200, 16), [str(i) for i in range(200)]
    patients = [f"p{i // 2}" for i in range(200)]
    perfect = retrieval("m", codes, codes, keys, patients, resamples=100)
    for direction in ("image_to_report", "report_to_image"):
        found = perfect["directions"][direction]
        assert found["recall"]["1"]["value"] == found["recall"]["1"]["high"] == 1
        assert found["recall"]["1"]["low"] == pytest.approx(1 / (1 + 1.959964**2 / 100))
        assert found["median_rank"]["low"] == found["median_rank"]["value"] == 1
    blind = retrieval("m", codes, unit(rng, 200, 16), keys, patients, resamples=200)
    found = blind["directions"]["image_to_report"]
    assert found["recall"]["10"]["low"] <= 0.05 <= found["recall"]["10"]["high"]
    assert found["recall"]["10"]["chance"] == pytest.approx(0.05)
    assert found["median_rank"]["low"] <= 100 <= found["median_rank"]["high"]
    assert "identical report counts as a hit" in blind["rule"]
    json.dumps(blind, allow_nan=False)


def test_chance_allows_for_duplicates() -> None:
    keys = ["normal"] * 6 + [f"r{i}" for i in range(6)]
    codes = unit(np.random.default_rng(1), 12)
    found = retrieval("m", codes, codes, keys, keys, at=[5], resamples=10)
    expected = 1 - 0.5 * (comb(6, 5) / comb(12, 5) + comb(11, 5) / comb(12, 5))
    recall = found["directions"]["image_to_report"]["recall"]["5"]
    assert recall["chance"] == pytest.approx(expected)
    assert found["distinct"] == 7


def test_a_patient_with_many_studies_is_one_patient() -> None:
    """All studies of one patient hit or miss together: the interval must be wide."""
    rng = np.random.default_rng(2)
    images = unit(rng, 100, 64)
    texts = images.copy()
    texts[50:] = unit(rng, 50, 64)
    keys = [str(i) for i in range(100)]
    clustered = retrieval("m", images, texts, keys, [f"p{i // 25}" for i in range(100)])
    single = retrieval("m", images, texts, keys, keys)
    width = [
        r["directions"]["image_to_report"]["recall"]["1"]["high"]
        - r["directions"]["image_to_report"]["recall"]["1"]["low"]
        for r in (clustered, single)
    ]
    assert width[0] > 3 * width[1]


def test_recalls_are_shares_of_queries_with_wilsons_interval() -> None:
    rng = np.random.default_rng(3)
    ranks = rng.integers(1, 30, size=40)
    found = Ranks(ranks, np.ones(40, np.int64), np.full(40, 40))
    patients = [f"p{i // 2}" for i in range(40)]
    sample = recall(found, (1, 5, 29), patients, 200, 1)
    weights = np.concatenate(list(patient_weights(patients, 200, 1)), axis=1).astype(int)
    for draw in range(20):
        drawn = np.repeat(ranks, weights[:, draw])
        assert sample.draws[draw] == pytest.approx([np.mean(drawn <= k) for k in (1, 5, 29)])
    hit = (ranks <= 5).reshape(20, 2).mean(axis=1)
    studies = np.clip(hit.mean() * (1 - hit.mean()) / (hit.var(ddof=1) / 20), 20, 40)
    one = interval(sample).labels[1]
    assert (one.low, one.high) == pytest.approx(wilson_bounds(hit.mean(), studies, 0.95))
    assert interval(sample).labels[2].low == pytest.approx(wilson_bounds(1, 20, 0.95)[0])


def test_the_median_rank_is_the_lower_one_of_each_resample() -> None:
    rng = np.random.default_rng(4)
    ranks = rng.integers(1, 300, size=30)
    patients = [str(i) for i in range(30)]
    sample = median_rank(ranks, patients, 300, 2)
    weights = np.concatenate(list(patient_weights(patients, 300, 2)), axis=1).astype(int)
    for draw in range(40):
        drawn = sorted(np.repeat(ranks, weights[:, draw]))
        assert sample.draws[draw, 0] == drawn[(len(drawn) - 1) // 2]
    few, many = (median_interval(sample, count) for count in (4, 30))
    plain = np.quantile(sample.draws, [0.025, 0.975])
    assert few.low <= many.low <= plain[0] < sample.value[0] < plain[1] <= many.high <= few.high
    assert few.high > many.high


def test_keys_tell_content_from_wording() -> None:
    assert report_key("No  acute\nfinding.") == report_key("no acute finding.")
    one = Graph(
        "edema in lung",
        (Entity("edema", PRESENT, 0, 0), Entity("lung", ANATOMY, 2, 2)),
        (Relation(0, "located_at", 1),),
    )
    two = Graph(
        "lung with edema",
        (Entity("lung", ANATOMY, 0, 0), Entity("edema", PRESENT, 2, 2)),
        (Relation(1, "located_at", 0),),
    )
    assert graph_key(one) == graph_key(two)
    assert graph_key(one) != graph_key(Graph(one.text, one.entities))


def test_unequal_sides_are_refused() -> None:
    codes = unit(np.random.default_rng(0), 3)
    with pytest.raises(EvaluationError, match="not the same studies"):
        rank_hits(codes, codes[:2], ["a", "b", "c"])
    with pytest.raises(EvaluationError, match="no evaluated study has a report"):
        retrieval("m", codes[:0], codes[:0], [], [])


def slow_view_rank(image: int, codes, studies, patients) -> int:
    near = []
    for other in range(len(codes)):
        same = studies[other] == studies[image]
        if other != image and (same or patients[other] != patients[image]):
            near.append((-float(codes[image].astype(float) @ codes[other].astype(float)), same))
    near.sort()
    return 1 + next(place for place, (_, same) in enumerate(near) if same)


def test_other_views_are_found_as_by_a_walk_down_the_list() -> None:
    rng = np.random.default_rng(5)
    studies = np.repeat(np.arange(12), rng.integers(1, 4, size=12))
    patients = [f"p{study // 2}" for study in studies]
    codes = unit(rng, len(studies))
    found = rank_views(codes, studies, patients)
    several = [i for i in range(len(studies)) if (studies == studies[i]).sum() > 1]
    assert found.ranks.tolist() == [slow_view_rank(i, codes, studies, patients) for i in several]
    report = view_retrieval("m", codes, studies, patients, resamples=20)
    assert report is not None
    direction = report["directions"]["image_to_view"]
    assert direction["recall"]["5"]["value"] == pytest.approx(np.mean(found.ranks <= 5))
    assert (report["kind"], report["studies"]) == ("view", len(studies))
    json.dumps(report, allow_nan=False)


def test_without_second_views_there_is_nothing_to_find() -> None:
    codes = unit(np.random.default_rng(5), 4)
    assert view_retrieval("m", codes, np.arange(4), list("abcd")) is None
