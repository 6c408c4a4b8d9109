"""``pretrain --profile``: what it measures is there, right where it can be known, and harmless."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from discs import TINY
from radpair.errors import RunError
from radpair.models.pair import PairModel
from radpair.pretraining import load_recipe, pretrain
from radpair.pretraining.arithmetic import attention_flops, count_flops, matrix_peak
from radpair.pretraining.pairs import Part, prepare_pairs, run_tokenizer
from radpair.pretraining.profile import BETWEEN, MEASURED, SECTIONS, WARM_UP, window
from radpair.pretraining.ranks import Layout
from radpair.pretraining.trainer import Trainer, build_trainer, start_processes
from radpair.studyset import StudySet
from radpair.studyset.batch import PairBatch
from runs import ended_well

SINGLE = "training.precision=32-true"


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def trainer_of(
    disc_set: Path, recipe_name: str, shards: int, *options: str
) -> tuple[Trainer, list[PairBatch]]:
    recipe = load_recipe(recipe_name, [*TINY, SINGLE, *options])
    studies = StudySet.open(disc_set)
    tokenizer = run_tokenizer(recipe, studies)
    torch.manual_seed(3)
    model = PairModel(recipe.model, tokenizer.get_vocab_size())
    pairs = prepare_pairs(recipe, studies, tokenizer, model, disc_set.parent / "cache")
    layout = Layout(shards)
    ranks = start_processes(recipe, "cpu", 1, 1)
    trainer = build_trainer(recipe, ranks, layout, 16, model, 10)
    return trainer, [pairs.train.batch(part, 0) for part in Part(layout).of(np.arange(16))]


@given(first=st.integers(0, 500), more=st.integers(1, 500), freeze=st.integers(0, 1200))
def test_the_measured_steps_lie_within_the_run(first: int, more: int, freeze: int) -> None:
    found = window(first, first + more, freeze)
    assert first <= found.counted <= found.begin < found.end <= first + more
    assert found.end - found.begin <= MEASURED
    assert found.begin - found.counted <= WARM_UP
    if more > 3 * WARM_UP and not freeze:
        assert found.begin == first + WARM_UP
    learns_from = max(first, freeze)
    assert (found.begin >= learns_from) or freeze >= first + more


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("convirt-small", ("training.shards=3",)),
        ("igc-small", ("training.freeze_image=5", "training.average=0.9")),
    ],
)
def test_a_profiled_run_ends_with_the_same_weights(
    recipe: str,
    options: tuple[str, ...],
    disc_set: Path,
    tiny: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given_options = (*tiny, *options, "training.epochs=4")
    plain = pretrain(recipe, disc_set, tmp_path / "plain", given_options, "cpu")
    capsys.readouterr()
    seen = pretrain(recipe, disc_set, tmp_path / "seen", given_options, "cpu", profile=True)
    expected, found = weights(plain), weights(seen)
    assert all(expected[key].equal(found[key]) for key in expected)
    assert not (tmp_path / "plain" / "profile.json").exists()
    facts = json.loads((tmp_path / "seen" / "profile.json").read_text())
    shown = capsys.readouterr().err
    for name in (*SECTIONS, "else"):
        assert facts["sections"][name]["seconds"] >= 0
        assert f"  {name} " in shown
    total = sum(one["seconds"] for one in facts["sections"].values())
    assert total == pytest.approx(facts["step_seconds"])
    assert facts["studies_per_s"] == pytest.approx(16 / facts["step_seconds"])
    assert facts["flops_per_s"] == pytest.approx(facts["model_flops"] / facts["step_seconds"])
    assert 0 < facts["fraction_of_peak"] < 1
    assert (facts["recomputed_flops"] > 0) == (facts["shards"] > 1)
    assert facts["peak_memory"]["bytes"] > 2**20
    assert facts["run"]["steps"] == 16
    assert all(facts["run"][f"{name}_seconds"] > 0 for name in BETWEEN)


@pytest.fixture(scope="module")
def unseen(disc_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of one process, without a profile."""
    return pretrain("igc-small", disc_set, tmp_path_factory.mktemp("unseen"), SHARED, "cpu")


SHARED = (
    *TINY, "training.epochs=2", "training.shards=2", "training.freeze_image=2", SINGLE,
    "training.learning_rate=2e-5",
)  # fmt: skip
"""Eight steps on two processes; the image tower thaws before the measured ones."""


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_are_profiled_as_one(
    strategy: str, disc_set: Path, unseen: Path, tmp_path: Path
) -> None:
    """The first speaks, of its own half of the arithmetic; the run is as without a profile."""
    words = [
        sys.executable, "-m", "radpair", "pretrain", "igc-small", "--data", str(disc_set),
        "--out", str(tmp_path), "--device", "cpu", "--devices", "2", "--strategy", strategy,
        "--profile", "--set", *SHARED,
    ]  # fmt: skip
    done = ended_well(words)
    assert done.stderr.count("where the time of a step goes") == 1
    assert f"the first of 2 processes ({strategy})" in done.stderr
    facts = json.loads((tmp_path / "profile.json").read_text())
    assert (facts["processes"], facts["strategy"], facts["steps"]) == (2, strategy, [5, 8])
    assert all(facts["sections"][name]["seconds"] > 0 for name in SECTIONS)
    assert facts["studies_per_s"] == pytest.approx(16 / facts["step_seconds"])
    trainer, shards = trainer_of(disc_set, "igc-small", 2)
    half = count_flops(trainer, shards)["model"] / 2
    assert facts["model_flops"] == pytest.approx(half, rel=0.1)
    expected, found = weights(unseen), weights(tmp_path / "model")
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-5)


def test_a_finished_run_has_nothing_to_measure(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    options = (*tiny, "training.epochs=1")
    pretrain("igc-small", disc_set, tmp_path, options, "cpu")
    with pytest.raises(RunError, match=r"finished.*nothing to measure"):
        pretrain("igc-small", disc_set, tmp_path, options, "cpu", profile=True)


def counted_by_hand(model: nn.Module, totals: list[int]) -> None:
    """Notes the forward arithmetic of every linear layer and convolution."""

    def linear(layer: nn.Linear, _: object, out: Tensor) -> None:
        totals.append(2 * out.numel() * layer.in_features)

    def convolution(layer: nn.Conv2d, _: object, out: Tensor) -> None:
        totals.append(2 * out.numel() * layer.weight[0].numel())

    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(linear)
        elif isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(convolution)


def test_the_arithmetic_of_a_step_is_that_of_its_layers(disc_set: Path) -> None:
    """Backward costs twice the forward pass, but for the first layer; attention and loss are
    small here."""
    trainer, shards = trainer_of(disc_set, "convirt-small", 1)
    forward: list[int] = []
    counted_by_hand(trainer.model, forward)
    found = count_flops(trainer, shards)
    assert found["recomputed"] == 0
    assert 2.7 < found["model"] / sum(forward) < 3.2


def test_shards_repeat_the_forward_pass_and_nothing_else(disc_set: Path) -> None:
    options = ("image.name=test_vit",)
    (whole, shards), (cut, parts) = (
        trainer_of(disc_set, "igc-small", count, *options) for count in (1, 4)
    )
    alone, several = count_flops(whole, shards), count_flops(cut, parts)
    assert several["model"] == pytest.approx(alone["model"], rel=0.01)
    assert 0.3 < several["recomputed"] / several["model"] < 0.36


@pytest.mark.parametrize("shards", [1, 3])
def test_counting_leaves_everything_as_it_was(disc_set: Path, shards: int) -> None:
    trainer, parts = trainer_of(disc_set, "convirt-small", shards)
    before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    count_flops(trainer, parts)
    after = trainer.model.state_dict()
    assert all(before[key].equal(after[key]) for key in before)
    assert all(p.grad is None for p in trainer.model.parameters())
    assert not trainer.optimiser.state_dict()["state"]


def test_attention_on_the_host_is_counted() -> None:
    query = torch.randn(2, 3, 17, 8, requires_grad=True)
    key, value = torch.randn(2, 3, 2, 29, 8).unbind(2)
    counter = FlopCounterMode(display=False, custom_mapping=attention_flops())
    product = 2 * 2 * 3 * 17 * 29 * 8
    with counter:
        out = nn.functional.scaled_dot_product_attention(query, key, value)
    assert counter.get_total_flops() == 2 * product
    with counter:
        out.sum().backward()
    assert counter.get_total_flops() == 5 * product


def test_the_peak_is_no_less_than_a_product_reaches() -> None:
    """A lower bound by hand; no time is asserted beyond it."""
    assert matrix_peak(torch.device("cpu"), torch.float32) > 1e8
