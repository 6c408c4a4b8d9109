from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import radpair
from discs import graph_of, report_of
from radpair.compat import mend_torchvision
from radpair.errors import RadpairError, RecipeError, RunError
from radpair.images.augment import AugmentationConfig
from radpair.models.pair import Codes, PairConfig
from radpair.pretraining import loop, pretrain
from radpair.pretraining.checkpoint import newest_checkpoint, save_checkpoint
from radpair.pretraining.pairs import Order
from radpair.pretraining.run import read_metrics
from radpair.pretraining.validation import losses
from radpair.records import Graph
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset import StudySet, write_graphs
from radpair.studyset.batch import (
    GraphStore,
    PairBatch,
    PairData,
    PairSettings,
    SentenceStore,
)
from runs import gone_on

FOUR_EPOCHS = ("training.epochs=4", "training.freeze_image=5")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.fixture(scope="module", params=["igc-small", "convirt-small"])
def recipe(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_learns_resumes_and_refuses(
    recipe: str, disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    overrides = (*tiny, *FOUR_EPOCHS)
    model = pretrain(recipe, disc_set, tmp_path / "run", overrides, device="cpu")
    metrics = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert (tmp_path / "run" / "loss.png").stat().st_size > 1000
    validated = [line["loss"] for line in metrics if line["split"] == "validate"]
    assert len(validated) == 4
    written = (model / "model.safetensors").stat().st_mtime_ns
    assert pretrain(recipe, disc_set, tmp_path / "run", overrides, device="cpu") == model
    assert (model / "model.safetensors").stat().st_mtime_ns == written
    with pytest.raises(RunError, match=r"training\.epochs: 4 there, 5 now"):
        pretrain(recipe, disc_set, tmp_path / "run", (*overrides, "training.epochs=5"), "cpu")


def test_changed_graphs_are_another_configuration(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    copy = tmp_path / "set"
    shutil.copytree(disc_set, copy)
    options = (*tiny, "training.epochs=1")
    pretrain("igc-small", copy, tmp_path / "run", options, "cpu")
    studies = StudySet.open(copy)
    graphs = dict(zip(studies.study_ids, studies.graphs(), strict=True))
    graphs.pop("s000")
    write_graphs(copy, graphs, {"from": "source"})
    with pytest.raises(RunError, match=r"data\.graphs"):
        pretrain("igc-small", copy, tmp_path / "run", options, "cpu")


def test_workers_do_not_change_the_weights(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    options = (*tiny, "training.epochs=2")
    one = pretrain("convirt-small", disc_set, tmp_path / "a", options, "cpu")
    two = pretrain(
        "convirt-small", disc_set, tmp_path / "b", (*options, "training.workers=2"), "cpu"
    )
    expected, found = weights(one), weights(two)
    assert all(expected[key].equal(found[key]) for key in expected)


def test_a_full_disk_says_so_and_continues(
    disc_set: Path,
    tiny: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """While a part of the cache is written, a checkpoint after the first, and another's seal."""
    options = (*tiny, "training.epochs=2")
    whole = pretrain("igc-small", disc_set, tmp_path / "whole", options, "cpu")
    run, real = tmp_path / "run", os.fsync
    for name in ("arrays.bin", "step-00000004.pt", "step-00000006.json"):
        struck: list[str] = []

        def full(descriptor: int, name: str = name, struck: list[str] = struck) -> None:
            file = Path(f"/proc/self/fd/{descriptor}").readlink().name
            if file.endswith(".tmp") and name in file:
                struck.append(file)
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            with pytest.raises(RadpairError, match="make space"):
                pretrain("igc-small", disc_set, run, options, "cpu")
        assert len(struck) == 1
        assert not list(run.rglob("*.tmp"))
    again = pretrain("igc-small", disc_set, run, options, "cpu")
    assert gone_on(capsys.readouterr().err) == [3, 4]
    expected, found = weights(whole), weights(again)
    assert all(expected[key].equal(found[key]) for key in expected)


def language_folder(folder: Path, reports: list[str], **shape: Any) -> Path:
    """A Hugging Face folder whose shape and vocabulary are not the recipe's."""
    mend_torchvision()
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    tokenizer = train_tokenizer(reports, 90)
    size = tokenizer.get_vocab_size() + 7
    config = BertConfig(
        vocab_size=size, hidden_size=48, num_hidden_layers=3, num_attention_heads=3,
        intermediate_size=40, hidden_act="relu", **shape,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, sep_token="[SEP]", mask_token="[MASK]", **names
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("recipe", ["convirt-small", "igc"])
def test_text_weights_of_any_shape_are_trained_kept_and_loaded(
    recipe: str, disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    reports = StudySet.open(disc_set).reports
    folder = language_folder(tmp_path / "bert", reports, max_position_embeddings=24)
    options = (
        *tiny, "training.epochs=1", f"text.weights={folder}", "text.max_tokens=24",
        "text.frozen_layers=1", "image.weights=none", "image.channels=1", "image.mean=[0.5]",
        "image.std=[0.5]",
    )  # fmt: skip
    out = pretrain(recipe, disc_set, tmp_path / "run", options, "cpu")
    model = radpair.load(out)
    assert model.pair.language["hidden_size"] == 48
    again = (*options, f"start={out}", "training.learning_rate=0.01")
    second = pretrain(recipe, disc_set, tmp_path / "again", again, "cpu")
    before, after = weights(out), weights(second)
    frozen = [key for key in before if "bert.embeddings" in key or ".layer.0." in key]
    assert frozen
    assert all(before[key].equal(after[key]) for key in frozen)
    shutil.rmtree(folder)
    assert radpair.load(out).hash == model.hash


def test_kept_node_vectors_train_as_computed_ones(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a frozen language model: read from the run's folder, also after a stop, then removed."""
    folder = language_folder(tmp_path / "bert", StudySet.open(disc_set).reports)
    options = (
        *tiny, "training.epochs=1", f"text.weights={folder}", "image.weights=none",
        "image.channels=1", "image.mean=[0.5]", "image.std=[0.5]", "training.precision=32-true",
        "training.learning_rate=1e-4",
    )  # fmt: skip
    run = tmp_path / "kept"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pretrain("igc", disc_set, run, options, "cpu")
    assert (run / "cache").is_dir()
    kept = pretrain("igc", disc_set, run, options, "cpu")
    assert not (run / "cache").exists()
    computed = (*options, "training.node_cache=none")
    plain = pretrain("igc", disc_set, tmp_path / "computed", computed, "cpu")
    expected, found = weights(plain), weights(kept)
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-3, atol=1e-5)


def interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


def test_too_many_tokens_for_the_text_weights_are_refused(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    folder = language_folder(
        tmp_path / "bert", StudySet.open(disc_set).reports, max_position_embeddings=24
    )
    options = (*tiny, f"text.weights={folder}")
    with pytest.raises(RecipeError, match="reads at most 24"):
        pretrain("convirt-small", disc_set, tmp_path / "run", options, "cpu")
    assert not (tmp_path / "run" / "run.json").exists()


def pair_batch(disc_set: Path, reports: list[str], graphs: list[Graph], together: int) -> PairBatch:
    studies = StudySet.open(disc_set)
    studies.reports[:] = reports
    wordpiece = train_tokenizer(reports, 120)
    data = PairData(
        studies,
        np.arange(len(reports)),
        PairSettings(32, AugmentationConfig(), 0),
        SentenceStore(reports, wordpiece, 40, together),
        GraphStore(graphs, wordpiece, context=False),
    )
    return data.batch(np.arange(8), 1)


class FixedCodes(torch.nn.Module):
    """Eight images, none nearest to its own partner."""

    config = PairConfig(partner="both")

    def objective_values(self) -> tuple[torch.Tensor, None]:
        return torch.tensor(5.0), None

    def forward(self, _: PairBatch) -> Codes:
        return Codes(torch.eye(8), torch.eye(8).roll(1, 0), torch.eye(8).roll(2, 0))


@pytest.mark.parametrize("same", ["report", "graph", "nothing"])
def test_identical_partners_leave_the_negatives_of_a_batch(disc_set: Path, same: str) -> None:
    """Defect 9, through the data and the loss: pairs that say the same are not pushed apart."""
    count = len(StudySet.open(disc_set))
    sides = ("left", "right")
    graphs = [graph_of(sides[0] if same == "graph" else sides[n % 2], n) for n in range(count)]
    reports = [report_of(sides[n % 2], 1 if same == "report" else n) for n in range(count)]
    if same == "report":
        reports = [reports[0]] * count
    found = float(losses(FixedCodes(), pair_batch(disc_set, reports, graphs, 1))["loss"])
    apart = torch.arange(8)
    batch = pair_batch(disc_set, reports, graphs, 1)
    batch = replace(batch, report=apart, text_content=apart, graph_content=apart)
    pushed = float(losses(FixedCodes(), batch)["loss"])
    if same == "report":
        assert found == pytest.approx(0, abs=1e-6)
    else:
        assert found < pushed - 0.1


def test_no_batch_holds_a_study_twice() -> None:
    """Defect 9."""
    order = Order(studies=50, batch=16, seed=3)
    for step in range(40):
        places, turn = order.places(step)
        assert len(set(places.tolist())) == 16
        assert turn == step // 3


@pytest.mark.parametrize("option", ["training.schedule=plateau", "training.keep=best"])
def test_a_run_that_is_broken_off_anywhere_ends_alike(
    option: str,
    disc_set: Path,
    tiny: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = (
        *tiny, "training.epochs=3", "training.patience=0", "training.average=0.9", option,
        "partner=both",
    )  # fmt: skip
    whole = pretrain("convirt-small", disc_set, tmp_path / "whole", options, "cpu")
    real = loop.take_step
    for stop in (2, 5, 3):
        seen = iter(range(100))

        def breaking(*given: Any, seen: Iterator[int] = seen, stop: int = stop) -> Any:
            if next(seen) == stop - 1:
                raise KeyboardInterrupt
            return real(*given)

        with monkeypatch.context() as patch:
            patch.setattr(loop, "take_step", breaking)
            with pytest.raises(KeyboardInterrupt):
                pretrain("convirt-small", disc_set, tmp_path / "run", options, "cpu")
    again = pretrain("convirt-small", disc_set, tmp_path / "run", options, "cpu")
    assert gone_on(capsys.readouterr().err) == [4, 6]
    expected, found = weights(whole), weights(again)
    assert all(expected[key].equal(found[key]) for key in expected)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("start=nowhere", "does not exist"),
        ("training.factor=2", "training.factor"),
        ("training.seed=-1", "training.seed"),
        ("training.workers=-1", "training.workers"),
        ("training.learning_rate=-1", "training.learning_rate"),
        ("text.dropout=3", "text.dropout"),
        ("text.layers=0", "text.layers"),
        ("dim=0", "dim is 0"),
    ],
)
def test_impossible_values_are_refused_before_the_run_is_claimed(
    option: str, words: str, disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(RadpairError, match=words):
        pretrain("convirt-small", disc_set, tmp_path / "run", (*tiny, option), "cpu")
    assert not (tmp_path / "run").exists()


def test_compiling_without_a_compiler_is_one_sentence(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RunError, match="no 'no-such-compiler'"):
        pretrain("igc-small", disc_set, tmp_path / "run", (*tiny, "training.compile=true"), "cpu")
    assert not (tmp_path / "run").exists()


def test_one_gpu_of_several_is_chosen_by_the_variable(disc_set: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"'cuda:1' .*; choose it with CUDA_VISIBLE_DEVICES=1 and"):
        pretrain("igc-small", disc_set, tmp_path, device="cuda:1")
    with pytest.raises(RunError, match="'gpu' is not known; did you mean 'cuda'"):
        pretrain("igc-small", disc_set, tmp_path, device="gpu")


def test_a_damaged_record_of_the_run_is_named(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"run\.json: damaged"):
        pretrain("igc-small", disc_set, tmp_path, tiny, "cpu")


KILLED = """
import sys, pathlib
from radpair.pretraining import pretrain
pretrain(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4:], "cpu")
"""


def killed_after(steps: int, command: list[str], run: Path) -> None:
    """Starts the run and sends SIGKILL once its newest checkpoint has ``steps`` steps."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    wanted = run / "checkpoints" / f"step-{steps:08d}.json"
    while not wanted.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_sigkill_and_again_ends_with_the_same_weights(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    overrides = [*tiny, *FOUR_EPOCHS]
    whole = pretrain("igc-small", disc_set, tmp_path / "whole", overrides, device="cpu")
    run = tmp_path / "broken"
    command = [sys.executable, "-c", KILLED, "igc-small", str(disc_set), str(run), *overrides]
    killed_after(3, command, run)
    killed_after(9, command, run)
    assert not (run / "model").exists()
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    assert gone_on(done.stderr) >= [9]
    expected, found = weights(whole), weights(run / "model")
    assert all(expected[key].equal(found[key]) for key in expected)
    keep = [
        [{k: v for k, v in line.items() if k != "studies_per_s"} for line in read_metrics(path)]
        for path in (tmp_path / "whole" / "metrics.jsonl", run / "metrics.jsonl")
    ]
    assert keep[0] == keep[1]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    for step in (3, 6, 9):
        save_checkpoint(tmp_path, step, {"step": step, "model": {"w": torch.ones(3) * step}})
    assert newest_checkpoint(tmp_path)["step"] == 9
    newest = tmp_path / "step-00000009.pt"
    newest.write_bytes(newest.read_bytes()[:-20])
    assert newest_checkpoint(tmp_path)["step"] == 6
    assert len(list(tmp_path.glob("*.pt"))) == 2


def test_every_tower_learns_once_the_image_tower_is_free(
    recipe: str, disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    """Defects 10 and 11: freezing counts steps, not batches of an epoch; both sides learn."""

    def run(epochs: int, freeze: int) -> dict[str, torch.Tensor]:
        options = (f"training.epochs={epochs}", f"training.freeze_image={freeze}")
        out = tmp_path / f"{epochs}-{freeze}"
        return weights(
            pretrain(recipe, disc_set, out, (*tiny, *options, "training.keep=last"), "cpu")
        )

    steps_an_epoch = 4
    held, freed = run(1, steps_an_epoch), run(2, steps_an_epoch + 1)
    start = run(1, 10**6)
    image = [key for key in start if key.startswith("image.") and "num_batches" not in key]
    assert all(start[key].equal(held[key]) for key in image)
    assert sum(not start[key].equal(freed[key]) for key in image) > len(image) // 2
    tower = "graph." if recipe == "igc-small" else "text."
    partner = [key for key in start if key.startswith(tower)]
    assert sum(not start[key].equal(freed[key]) for key in partner) > len(partner) // 2


def test_a_loss_that_is_not_finite_names_its_studies(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    options = (*tiny, "training.epochs=4", "training.learning_rate=1e30", "training.clip=0")
    with pytest.raises(RunError, match=r"Lower training\.learning_rate or set training\.clip"):
        pretrain("igc-small", disc_set, tmp_path / "run", options, device="cpu")
    named = json.loads((tmp_path / "run" / "non_finite.json").read_text())
    assert len(named["studies"]) == 16
    options = (*options, "training.clip=5")
    with pytest.raises(RunError, match=r"of step \d .* or training\.clip, in"):
        pretrain("igc-small", disc_set, tmp_path / "clipped", options, device="cpu")


def test_starting_from_a_model_takes_its_weights_and_tokenizer(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    first = pretrain("igc-small", disc_set, tmp_path / "a", (*tiny, "training.epochs=1"), "cpu")
    options = (*tiny, "training.epochs=1", "training.learning_rate=0", f"start={first}")
    second = pretrain("igc-small", disc_set, tmp_path / "b", options, "cpu")
    before, after = weights(first), weights(second)
    trained = [
        key for key in before if not key.endswith(("running_mean", "running_var", "tracked"))
    ]
    assert all(before[key].equal(after[key]) for key in trained)
    assert (first / "tokenizer.json").read_bytes() == (second / "tokenizer.json").read_bytes()
    assert radpair.load(second).has_graph


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_tower_trains_and_is_saved_as_a_plain_one(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    options = (
        *tiny, "training.epochs=1", "image.name=test_resnet", "training.precision=32-true",
        "training.learning_rate=1e-4",
    )  # fmt: skip
    plain = pretrain("igc-small", disc_set, tmp_path / "plain", options, "cpu")
    compiled = (*options, "training.compile=true")
    found = weights(pretrain("igc-small", disc_set, tmp_path / "compiled", compiled, "cpu"))
    expected = weights(plain)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-3, atol=1e-4)


def test_what_a_run_did_with_its_settings_is_said_and_recorded(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (*tiny, "training.batch=1000", "training.warmup=2", "training.epochs=2")
    model = pretrain("igc-small", disc_set, tmp_path, options, "cpu")
    studies = len(StudySet.open(disc_set).split("train"))
    first, second, *_, last = capsys.readouterr().err.splitlines()
    assert f"training.batch is 1,000, and {studies} studies are for training: each" in first
    assert "training.warmup is 2 steps, and the run has 2" in second
    asked = json.loads((tmp_path / "run.json").read_text())
    assert asked["settings"]["training"]["batch"] == 1000
    assert asked["used"] == {"studies": studies, "batch": studies, "steps": 2}
    origin = json.loads((model / "config.json").read_text())["origin"]
    assert (origin["batch"], origin["steps"]) == (studies, 2)
    lines = read_metrics(tmp_path / "metrics.jsonl")
    losses = [line["loss"] for line in lines if line["split"] == "validate"]
    came_to = f"validation loss {losses[-1]:.3f} at the end, {min(losses):.3f} at its best"
    words = f"pretrain igc-small: 2 steps with {studies} studies in [0-9]+ s; {came_to}"
    assert re.fullmatch(words, last)
    pretrain("igc-small", disc_set, tmp_path, options, "cpu")
    assert capsys.readouterr().err.splitlines() == [
        f"pretrain igc-small: finished already, 2 steps with {studies} studies; {came_to}"
    ]
