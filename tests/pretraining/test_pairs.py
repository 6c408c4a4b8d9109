"""The order of batches, who prepares them, and what is kept of texts and graphs."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from discs import TINY, DiscSource
from radpair.errors import RunError, StudySetError
from radpair.images.augment import AugmentationConfig
from radpair.models.pair import PairModel
from radpair.pretraining import loop, pairs, pretrain
from radpair.pretraining.pairs import Order, Part, prepare_pairs, run_tokenizer, training_batches
from radpair.pretraining.ranks import Layout
from radpair.pretraining.recipe import Recipe, load_recipe
from radpair.records import Study
from radpair.studyset import StudySet, batch, graph_store, write, write_graphs
from radpair.studyset.batch import PairBatch, PairData, PairSettings


@pytest.fixture
def data(disc_set: Path) -> PairData:
    studies = StudySet.open(disc_set)
    settings = PairSettings(32, AugmentationConfig(), 0)
    return PairData(studies, np.arange(len(studies)), settings, None, None)


def recipe() -> Recipe:
    return load_recipe("igc-small", ["training.batch=16", "training.workers=0"])


BOTH = (*TINY, "partner=both", "graph.nodes=contextual", "training.epochs=1")


def in_memory(
    parent: Path, kind: str, identity: Mapping[str, Any], compute: Callable[[], Any]
) -> Any:
    """What ``kept_arrays`` gives, and nothing on disk."""
    return compute()


def again(*_: Any) -> Any:
    raise AssertionError("made once more")


def interrupted(*_: Any) -> Any:
    raise KeyboardInterrupt


def test_the_weights_are_those_of_a_run_that_keeps_nothing(
    disc_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit; also where it was stopped, goes on, and has worker processes."""
    with monkeypatch.context() as patch:
        for module in (batch, graph_store, pairs):
            patch.setattr(module, "kept_arrays", in_memory)
        plain = pretrain("convirt-small", disc_set, tmp_path / "plain", BOTH, "cpu")
    run = tmp_path / "kept"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pretrain("convirt-small", disc_set, run, BOTH, "cpu")
    kinds = sorted(path.name.split("-")[0] for path in (run / "cache").iterdir())
    assert kinds == ["graphs", "reports", "sentences", "tokenizer"]
    with monkeypatch.context() as patch:
        for module, name in (
            (batch, "usable_sentences"),
            (batch, "body"),
            (pairs, "body"),
            (StudySet, "graphs"),
        ):
            patch.setattr(module, name, again)
        kept = pretrain("convirt-small", disc_set, run, (*BOTH, "training.workers=1"), "cpu")
    assert not (run / "cache").exists()
    expected, found = (load_file(folder / "model.safetensors") for folder in (plain, kept))
    assert expected.keys() == found.keys()
    assert all(expected[key].equal(found[key]) for key in expected)
    assert (plain / "tokenizer.json").read_bytes() == (kept / "tokenizer.json").read_bytes()


def test_an_altered_cache_stops_the_run_in_a_sentence(
    disc_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pretrain("convirt-small", disc_set, run, BOTH, "cpu")
    (file,) = run.glob("cache/sentences-*/arrays.bin")
    data = bytearray(file.read_bytes())
    data[-8:] = bytes(8)
    file.write_bytes(data)
    with pytest.raises(StudySetError, match=r"was altered .*; remove .* and run the same"):
        pretrain("convirt-small", disc_set, run, BOTH, "cpu")


def test_a_kept_tokenizer_is_the_one_that_was_trained(disc_set: Path, tmp_path: Path) -> None:
    studies, asked = StudySet.open(disc_set), load_recipe("convirt-small", TINY)
    plain = run_tokenizer(asked, studies)
    for _ in range(2):
        kept = run_tokenizer(asked, studies, tmp_path)
        assert kept.to_str() == plain.to_str()


@pytest.mark.parametrize("change", ["reports", "vocabulary"])
def test_another_tokenizer_is_not_taken_for_this(
    change: str, disc_set: Path, tmp_path: Path
) -> None:
    """As many reports as before, but other ones."""
    studies, asked = StudySet.open(disc_set), load_recipe("convirt-small", TINY)
    before = run_tokenizer(asked, studies, tmp_path).to_str()
    if change == "reports":
        studies.reports = [report.replace("disc", "orb") for report in studies.reports]
    else:
        asked = load_recipe("convirt-small", [*TINY, "text.vocabulary=60"])
    found = run_tokenizer(asked, studies, tmp_path).to_str()
    assert found == run_tokenizer(asked, studies).to_str() != before
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("changed", ["content_hash", "graphs_hash"])
def test_graphs_of_another_set_are_not_taken_for_these(
    changed: str, disc_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same table of graphs beside other studies, as after ingesting anew, or another one."""
    asked = load_recipe("igc-small", TINY)
    studies = StudySet.open(disc_set)
    tokenizer = run_tokenizer(asked, studies)
    torch.manual_seed(0)
    model = PairModel(asked.model, tokenizer.get_vocab_size())
    first = prepare_pairs(asked, studies, tokenizer, model, tmp_path)
    monkeypatch.setattr(StudySet, changed, "other")
    graphs = studies.graphs()
    monkeypatch.setattr(StudySet, "graphs", lambda _: graphs[::-1])
    second = prepare_pairs(asked, StudySet.open(disc_set), tokenizer, model, tmp_path)
    places = np.arange(6)
    one, other = (found.train.batch(places, 0).graph_content for found in (first, second))
    assert not one.equal(other)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 40),
    st.integers(1, 9),
    st.integers(0, 3),
    st.lists(st.integers(0, 99), min_size=1),
)
def test_the_order_is_that_of_a_permutation_for_each_pass(
    studies: int, batch: int, seed: int, steps: list[int]
) -> None:
    """Whichever steps were asked for before, and in a worker process."""
    order = Order(studies, min(batch, studies), seed)
    there = copy.deepcopy(order)
    for step in steps:
        turn, within = divmod(step, studies // order.batch)
        plain = np.random.default_rng([seed, turn]).permutation(studies)
        expected = plain[within * order.batch :][: order.batch]
        for found in (order, there):
            places, passed = found.places(step)
            assert places.dtype == plain.dtype
            assert places.tolist() == expected.tolist()
            assert passed == turn
            places[:] = 0


def test_a_pass_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where steps before and after its end are prepared in turns."""
    drawn, real = [], np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda of: (drawn.append(of), real(of))[1])
    order = Order(50, 8, 987)
    for step in (*range(6), 6, 5, 7, 8):
        order.places(step)
    assert drawn == [[987, 0], [987, 1]]


def test_a_batch_is_prepared_while_the_one_before_is_used(data: PairData) -> None:
    """The next one, and no more than that; in the end none beyond the last."""
    asked = []

    class Noted(PairData):
        def batch(self, places: np.ndarray, turn: int) -> PairBatch:
            asked.append(turn)
            return super().batch(places, turn)

    data.__class__ = Noted
    batches = training_batches(data, recipe(), Part(Layout(1)), 3, 9, pin=False)
    next(batches)
    deadline = time.monotonic() + 20
    while len(asked) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(asked) == 2
    assert len(list(batches)) == 5
    assert asked == [0, 0, 0, 1, 1, 1]


def test_what_goes_wrong_while_preparing_is_raised_in_its_turn(data: PairData) -> None:
    real = data.batch
    failing = iter([real, real, refuse])
    broken = Sized(lambda places, turn: next(failing)(places, turn), len(data))
    batches = training_batches(broken, recipe(), Part(Layout(1)), 0, 6, pin=False)  # type: ignore[arg-type]
    next(batches)
    next(batches)
    with pytest.raises(StudySetError, match="damaged"):
        next(batches)


class Sized:
    def __init__(self, batch: object, size: int) -> None:
        self.batch, self._size = batch, size

    def __len__(self) -> int:
        return self._size


def refuse(places: np.ndarray, turn: int) -> PairBatch:
    raise StudySetError("images-00000.bin: damaged")


@pytest.mark.parametrize(
    ("recipe_name", "remedy"),
    [
        ("convirt-small", "ingest the set again with its reports"),
        ("igc-small", "check the graphs of the set"),
    ],
)
def test_defect_a_set_without_reports_was_sent_to_its_graphs(
    recipe_name: str, remedy: str, tmp_path: Path
) -> None:
    class Silent(DiscSource):
        """Discs of which nobody reports anything."""

        def studies(self) -> Iterator[Study]:
            for study in super().studies():
                yield replace(study, report="", graph=None)

    folder = tmp_path / "set"
    write(Silent(12), folder, size=48, processes=1)
    write_graphs(folder, {}, {})
    with pytest.raises(RunError, match=f"0 training studies .*{remedy}"):
        pretrain(recipe_name, folder, tmp_path / "run", TINY, "cpu")
    assert not (tmp_path / "run" / "run.json").exists()
