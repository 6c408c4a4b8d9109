from __future__ import annotations

import json
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from radpair.errors import ImageError, SourceError
from radpair.phantom import Phantom, render, truth
from radpair.phantom.prompts import PROMPTS
from radpair.phantom.source import SIZES
from radpair.records import Study


@pytest.fixture(scope="module")
def studies() -> list[Study]:
    return list(Phantom(1200, seed=3).studies())


def test_a_study_carries_truth_report_graph_and_films(studies: list[Study]) -> None:
    exams = truth.exams(1200, 3)
    assert [study.study_id for study in studies] == [exam.study_id for exam in exams]
    for study, exam in zip(studies, exams, strict=True):
        assert tuple(study.labels) == truth.LABELS
        assert set(study.labels.values()) <= {0.0, 1.0}
        assert study.report
        assert study.graph is not None
        assert [view.path for view in study.views] == [
            f"phantom/{exam.study_id}/{number}.png" for number in range(len(exam.acquisitions))
        ]
        assert {view.position for view in study.views} <= {"PA", "AP"}
        assert all(isinstance(value, str) for value in study.attributes.values())
        facts = json.loads(study.attributes["truth"])
        assert [fact["kind"] for fact in facts] == [finding.kind for finding in exam.findings]
        assert study.attributes["number"] == str(exam.number)


def test_studies_stay_when_more_are_asked_for(studies) -> None:
    assert list(Phantom(300, seed=3).studies()) == studies[:300]
    assert {study.split for study in studies} == {""}


def test_a_pickled_phantom_is_small_and_reads_the_same_film() -> None:
    phantom = Phantom(40, seed=1, size=64)
    study = next(phantom.studies())
    sent = pickle.dumps(phantom)
    assert len(sent) < 300
    film = phantom.read(study, 0)
    assert film.shape == (64, 64)
    assert film.dtype == np.uint8
    with ProcessPoolExecutor(1) as pool:
        np.testing.assert_array_equal(pool.submit(pickle.loads(sent).read, study, 0).result(), film)  # noqa: S301


def test_what_is_not_of_this_phantom_is_refused(studies: list[Study]) -> None:
    phantom = Phantom(40, seed=1)
    with pytest.raises(SourceError, match=r"s003-.*seed 1"):
        phantom.read(studies[0], 0)
    own = next(phantom.studies())
    with pytest.raises(ImageError, match="film 7"):
        phantom.read(own, 7)
    with pytest.raises(SourceError, match="not-an-id"):
        phantom.read(replace(own, study_id="not-an-id"), 0)
    assert SIZES == (render.SMALLEST, render.LARGEST)
    for bad in (
        {"studies": 0},
        {"studies": 5, "seed": -1},
        {"studies": 5, "size": 8},
        {"studies": 5, "size": 4000},
    ):
        with pytest.raises(SourceError, match="cannot have"):
            Phantom(**bad)


def test_options_open_the_same_phantom(studies: list[Study]) -> None:
    phantom = Phantom(5, seed=3, size=96)
    assert phantom.options() == {"studies": 5, "seed": 3, "size": 96}
    assert list(Phantom(**phantom.options()).studies()) == studies[:5]


def test_every_label_has_prompts_whose_graphs_match_their_text() -> None:
    assert tuple(PROMPTS) == truth.LABELS
    for prompts in PROMPTS.values():
        for texts, graphs in (
            (prompts.present, prompts.present_graphs),
            (prompts.absent, prompts.absent_graphs),
        ):
            assert 3 <= len(texts) == len(graphs) <= 5
            for text, graph in zip(texts, graphs, strict=True):
                words = graph.text.split(" ")
                assert "".join(words) == text.replace(" ", "")
                assert graph.entities
                for entity in graph.entities:
                    assert " ".join(words[entity.start : entity.end + 1]) == entity.text
        absent = {entity.label for graph in prompts.absent_graphs for entity in graph.entities}
        present = {entity.label for graph in prompts.present_graphs for entity in graph.entities}
        assert "Observation::definitely absent" in absent - present
