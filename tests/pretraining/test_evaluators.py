"""Evaluators named in a recipe: right figures, on validation alone, and training undisturbed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

import radpair
from discs import DiscSource
from radpair.errors import RadpairError, RunError
from radpair.evaluation.features import buffer_hash
from radpair.models.pair import PairModel
from radpair.pretraining import evaluators, load_recipe, loop, pretrain
from radpair.pretraining.evaluators import NEIGHBOURS, Watch, watch
from radpair.pretraining.pairs import run_tokenizer
from radpair.pretraining.recipe import ScheduledEvaluator
from radpair.pretraining.run import read_metrics
from radpair.records import Study
from radpair.studyset import StudySet, write
from radpair.studyset.batch import usable_sentences

WATCHED = "evaluators=[{name: knn, every: 2}, {name: retrieval}]"
RUN = ("training.epochs=3", "partner=both")
CPU = torch.device("cpu")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def validated(run: Path) -> list[dict[str, Any]]:
    return [line for line in read_metrics(run / "metrics.jsonl") if line["split"] == "validate"]


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(one[key].equal(two[key]) for key in one)


def breaking(real: Callable[..., Any], good: int) -> Callable[..., Any]:
    """``real``, interrupted at the call after ``good`` calls."""
    left = iter([None] * good)

    def call(*given: Any, **named: Any) -> Any:
        if next(left, "break") == "break":
            raise KeyboardInterrupt
        return real(*given, **named)

    return call


@pytest.fixture(scope="module")
def runs(disc_set: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same recipe with and without evaluators."""
    from discs import TINY

    out = tmp_path_factory.mktemp("runs")
    for name, more in (("plain", ()), ("watched", (WATCHED,))):
        pretrain("convirt-small", disc_set, out / name, (*TINY, *RUN, *more), "cpu")
    return {name: out / name for name in ("plain", "watched")}


def test_a_watched_run_ends_with_the_same_weights(runs: dict[str, Path]) -> None:
    assert same(weights(runs["plain"] / "model"), weights(runs["watched"] / "model"))
    plain, watched = validated(runs["plain"]), validated(runs["watched"])
    for one, two in zip(plain, watched, strict=True):
        assert one == {key: two[key] for key in one}


def test_they_run_on_their_schedule_and_at_the_end(runs: dict[str, Path]) -> None:
    assert [sorted({"knn", "retrieval"} & {*line}) for line in validated(runs["watched"])] == [
        ["retrieval"],
        ["knn", "retrieval"],
        ["knn", "retrieval"],
    ]
    assert not any({"knn", "retrieval"} & {*line} for line in validated(runs["plain"]))
    plan = ScheduledEvaluator("knn", 5)
    assert [epoch for epoch in range(1, 13) if plan.due(epoch, 12)] == [5, 10, 12]


def test_the_figures_are_those_of_the_saved_model(runs: dict[str, Path], disc_set: Path) -> None:
    """Against a slow walk over every study; the run keeps its last weights."""
    found = validated(runs["watched"])[-1]
    model, studies = radpair.load(runs["watched"] / "model"), StudySet.open(disc_set)
    codes = [
        model.encode_images([studies.pixels(image) for image in studies.images_of(study)])
        for study in range(len(studies))
    ]
    features = np.stack([one.features.mean(axis=0) for one in codes]).astype(np.float64)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    train, held = studies.split("train"), studies.split("validate")
    for label, name in enumerate(studies.label_names):
        votes = []
        for study in held:
            near = sorted(train, key=lambda other: -features[study] @ features[other])[:NEIGHBOURS]
            power = np.exp([features[study] @ features[other] / 0.07 for other in near])
            votes.append(power @ studies.labels[near, label] / power.sum())
        expected = roc_auc_score(studies.labels[held, label], votes)
        assert found["knn"]["auroc"][name] == pytest.approx(expected)
    assert (found["knn"]["voters"], found["knn"]["studies"]) == (len(train), len(held))

    images = np.stack([codes[study].projections.mean(axis=0) for study in held])
    graphs = studies.graphs()
    partners = {
        "report": [model.encode_texts(usable_sentences(studies.reports[s])).mean(0) for s in held],
        "graph": [model.encode_graphs([graphs[s]])[0] for s in held],
    }
    sides = np.array([int(studies.study_ids[study][1:]) % 3 for study in held])
    for kind, vectors in partners.items():
        both = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (images, vectors)]
        near = both[0] @ both[1].T
        for direction, table in ((f"image_to_{kind}", near), (f"{kind}_to_image", near.T)):
            ranks = []
            for own, row in enumerate(table):
                hit = sides == sides[own] if kind == "graph" else np.arange(len(row)) == own
                ranks.append(1 + int((row[~hit] > row[hit].max()).sum()))
            figures = found["retrieval"][direction]
            assert figures["studies"] == len(held)
            assert figures["median_rank"] == sorted(ranks)[(len(ranks) - 1) // 2]
            for k in (1, 5, 10):
                assert figures[f"recall@{k}"] == pytest.approx(np.mean(np.array(ranks) <= k))


def test_no_test_study_is_looked_at(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: set[str] = set()
    pixels = StudySet.pixels

    def noting(self: StudySet, image: int) -> Any:
        read.add(str(self.splits[self.image_study[image]]))
        return pixels(self, image)

    monkeypatch.setattr(StudySet, "pixels", noting)
    one_epoch = (*tiny, "training.epochs=1", "partner=both")
    pretrain("convirt-small", disc_set, tmp_path / "run", (*one_epoch, WATCHED), "cpu")
    assert read == {"train", "validate"}
    clean = validated(tmp_path / "run")
    opened = StudySet.open.__func__

    def poisoned(kind: type[StudySet], path: Path) -> StudySet:
        studies = opened(kind, path)
        test = studies.split("test")
        studies.labels[test] = 1 - studies.labels[test]
        for study in test:
            studies.reports[study] = "FINDINGS: Poison is everywhere in this report."
        return studies

    monkeypatch.setattr(StudySet, "open", classmethod(poisoned))
    pretrain("convirt-small", disc_set, tmp_path / "poisoned", (*one_epoch, WATCHED), "cpu")
    assert validated(tmp_path / "poisoned") == clean


def test_a_watched_run_that_is_broken_off_watches_nothing_twice(
    runs: dict[str, Path],
    disc_set: Path,
    tiny: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Broken off within an evaluator, between its line and the checkpoint, and between steps."""
    options, run = (*tiny, *RUN, WATCHED), tmp_path / "run"
    places = ((evaluators, "knn_auroc", 0), (loop, "save_checkpoint", 1), (loop, "take_step", 2))
    for module, name, good in places:
        with monkeypatch.context() as patch:
            patch.setattr(module, name, breaking(getattr(module, name), good))
            with pytest.raises(KeyboardInterrupt):
                pretrain("convirt-small", disc_set, run, options, "cpu")
    pretrain("convirt-small", disc_set, run, options, "cpu")
    assert same(weights(run / "model"), weights(runs["watched"] / "model"))
    assert validated(run) == validated(runs["watched"])


def test_other_evaluators_are_no_other_run(
    runs: dict[str, Path],
    disc_set: Path,
    tiny: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They decide nothing of the weights, so they may be changed between a stop and a start."""
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", breaking(loop.take_step, 7))
        with pytest.raises(KeyboardInterrupt):
            pretrain("convirt-small", disc_set, run, (*tiny, *RUN), "cpu")
    pretrain("convirt-small", disc_set, run, (*tiny, *RUN, WATCHED), "cpu")
    assert same(weights(run / "model"), weights(runs["plain"] / "model"))
    assert ["knn" in line for line in validated(run)] == [False, True, True]


@pytest.fixture
def watching(disc_set: Path, tiny: tuple[str, ...]) -> tuple[Watch, PairModel]:
    recipe = load_recipe("convirt-small", (*tiny, *RUN, WATCHED))
    studies = StudySet.open(disc_set)
    tokenizer = run_tokenizer(recipe, studies)
    torch.manual_seed(0)
    model = PairModel(recipe.model, tokenizer.get_vocab_size())
    return watch(recipe, studies, tokenizer, 2), model


def test_the_model_and_the_random_numbers_stay_as_they_are(
    watching: tuple[Watch, PairModel],
) -> None:
    watched, model = watching
    model.train()
    model.image.eval().requires_grad_(False)
    modes = [part.training for part in model.modules()]
    before, state = buffer_hash(model), torch.get_rng_state()
    numbers = np.random.get_state()[1].tolist()
    first, again = watched.figures(model, 2, CPU), watched.figures(model, 2, CPU)
    assert first == again
    assert {*first} == {"knn", "retrieval"}
    assert watched.figures(model, 1, CPU).keys() == {"retrieval"}
    assert [part.training for part in model.modules()] == modes
    assert buffer_hash(model) == before
    assert torch.equal(torch.get_rng_state(), state)
    assert np.random.get_state()[1].tolist() == numbers
    assert not any(parameter.requires_grad for parameter in model.image.parameters())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_few_of_many_labelled_studies_vote(
    disc_set: Path, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluators, "VOTERS", 10)
    recipe, studies = load_recipe("convirt-small", (*tiny, WATCHED)), StudySet.open(disc_set)
    watched = watch(recipe, studies, run_tokenizer(recipe, studies), 2)
    chosen = watched.scheduled[0][1].studies
    voters = chosen[studies.splits[chosen] == "train"]
    assert 5 < len(voters) <= 10
    assert len({*np.diff(np.searchsorted(studies.split("train"), voters))}) == 1
    assert (studies.splits[chosen] == "validate").sum() == len(studies.split("validate"))


def test_the_live_line_has_the_newest_figures(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (*tiny, "training.epochs=1", WATCHED)
    pretrain("convirt-small", disc_set, tmp_path / "run", options, "cpu")
    *_, last, _ = capsys.readouterr().err.splitlines()
    (line,) = validated(tmp_path / "run")
    assert f"k-NN AUROC {line['knn']['auroc']['mean']:.3f} (epoch 1)" in last
    assert f"report R@10 {line['retrieval']['image_to_report']['recall@10']:.0%}" in last


class Bare(DiscSource):
    """Discs without some of what evaluators need."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(24)
        self.changes = changes

    def studies(self) -> Iterator[Study]:
        for study in super().studies():
            yield replace(study, **self.changes)


SPLIT = (0.6, 0.4, 0.0)


@pytest.mark.parametrize(
    ("changes", "fractions", "asked", "words"),
    [
        ({"labels": {}}, SPLIT, "knn", r"has no labels.*'knn'.*--set evaluators=\[\]"),
        ({"labels": {"Disc": 1.0}}, SPLIT, "knn", "no label with both classes"),
        ({}, (1.0, 0.0, 0.0), "knn", "0 studies with a text in its split 'validate'"),
        ({}, (1.0, 0.0, 0.0), "retrieval", "0 studies with a text.*'retrieval'"),
    ],
)
def test_a_set_that_lacks_what_is_measured_is_refused_at_the_start(
    changes: dict[str, Any],
    fractions: tuple[float, float, float],
    asked: str,
    words: str,
    tiny: tuple[str, ...],
    tmp_path: Path,
) -> None:
    write(Bare(**changes), tmp_path / "set", size=48, processes=1, fractions=fractions)
    options = (*tiny, f"evaluators=[{{name: {asked}}}]")
    with pytest.raises(RunError, match=words):
        pretrain("convirt-small", tmp_path / "set", tmp_path / "run", options, "cpu")
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("[{name: kn}]", r"'evaluators.name' is 'kn'; did you mean 'knn'"),
        ("[{every: 2}]", "'evaluators.name' is ''; known: knn, retrieval"),
        ("[{name: knn, every: 0}]", "asks for 'knn' every 0 epochs; it must be at least 1"),
        ("[{name: knn, evry: 2}]", r"unknown key 'evaluators\[0\].evry'; did you mean 'every'"),
        ("[{name: knn}, {name: knn, every: 2}]", "'evaluators' names 'knn' twice"),
        ("[knn]", r"'evaluators\[0\]' is 'knn'; it must be a group of keys"),
        ("knn", r"must be a list such as \[\{name: .., every: ..\}\]"),
        ("[{name: knn, every: often}]", r"'evaluators\[0\].every' is 'often'"),
    ],
)
def test_mistakes_in_the_schedule_are_one_sentence(asked: str, words: str) -> None:
    with pytest.raises(RadpairError, match=words):
        load_recipe("igc-small", [f"evaluators={asked}"])
