from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import radpair
from radpair.errors import RunError
from radpair.pretraining import pretrain
from radpair.pretraining.checkpoint import newest_checkpoint, save_checkpoint
from radpair.pretraining.run import read_metrics
from radpair.studyset import StudySet, write_graphs

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
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (*tiny, "training.epochs=2")
    whole = pretrain("igc-small", disc_set, tmp_path / "whole", options, "cpu")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run = tmp_path / "run"
    pretrain("igc-small", disc_set, tmp_path / "other", options, "cpu")
    with monkeypatch.context() as patch:
        run.mkdir()
        shutil.copy(tmp_path / "other" / "run.json", run)
        shutil.copy(tmp_path / "other" / "tokenizer.json", run)
        patch.setattr("os.fsync", full)
        with pytest.raises(RunError, match="make space and give the same command again"):
            pretrain("igc-small", disc_set, run, options, "cpu")
    again = pretrain("igc-small", disc_set, run, options, "cpu")
    expected, found = weights(whole), weights(again)
    assert all(expected[key].equal(found[key]) for key in expected)


KILLED = """
import sys, pathlib
from radpair.pretraining import pretrain
pretrain(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4:], "cpu")
"""


def killed_after(steps: int, command: list[str], run: Path) -> None:
    """Starts the run and sends SIGKILL once its newest checkpoint has ``steps`` steps."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    wanted = run / "checkpoints" / f"step-{steps:08d}.pt"
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
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, env=os.environ)
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
    with pytest.raises(RunError, match="not finite"):
        pretrain("igc-small", disc_set, tmp_path / "run", options, device="cpu")
    named = json.loads((tmp_path / "run" / "non_finite.json").read_text())
    assert len(named["studies"]) == 16


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
