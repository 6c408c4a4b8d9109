"""A batch in shards: on one process or several, the steps are those of the whole batch."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from discs import TINY
from radpair.errors import RunError
from radpair.models.pair import PairModel
from radpair.pretraining import load_recipe, loop, pretrain
from radpair.pretraining.checkpoint import save_checkpoint
from radpair.pretraining.pairs import Part, prepare_pairs, run_tokenizer
from radpair.pretraining.ranks import Layout, check_processes
from radpair.pretraining.run import read_metrics
from radpair.pretraining.step import Done, take_step
from radpair.pretraining.trainer import Trainer, build_trainer, start_processes
from radpair.pretraining.validation import losses
from radpair.studyset import StudySet
from radpair.studyset.batch import PairBatch, with_pixels
from runs import ended_well, gone_on, same_run

SINGLE = "training.precision=32-true"
BY_ITSELF = ("image.name=test_vit", "text.dropout=0", "graph.dropout=0", "training.clip=0")
"""Neither dropout nor statistics of a batch: a study is encoded as if it were alone."""


@given(shards=st.integers(1, 12), world=st.integers(1, 12), batch=st.integers(24, 90))
def test_every_study_has_one_shard_and_every_shard_one_process(
    shards: int, world: int, batch: int
) -> None:
    layout = Layout(shards, world)
    if world > shards:
        with pytest.raises(RunError, match="each needs one"):
            layout.check(batch)
        return
    layout.check(batch)
    places = np.arange(batch) + 5
    parts = [Part(layout, rank).of(places) for rank in range(world)]
    assert np.concatenate([np.concatenate(part) for part in parts]).tolist() == places.tolist()
    alone = Part(Layout(shards), 0).of(places)
    assert [shard.tolist() for part in parts for shard in part] == [s.tolist() for s in alone]
    for rank, part in enumerate(parts):
        first, last = layout.rows_of(rank, batch)
        assert np.concatenate(part).tolist() == places[first:last].tolist()


def test_shards_of_one_study_are_refused() -> None:
    with pytest.raises(RunError, match="a shard needs two"):
        Layout(9).check(16)


def step_of(
    disc_set: Path, recipe_name: str, options: tuple[str, ...], shards: int
) -> tuple[PairModel, dict[str, float], PairBatch]:
    """A model after its first step (its gradients are still there), and that step's batch."""
    recipe = load_recipe(recipe_name, [*options, SINGLE])
    studies = StudySet.open(disc_set)
    tokenizer = run_tokenizer(recipe, studies)
    torch.manual_seed(3)
    model = PairModel(recipe.model, tokenizer.get_vocab_size())
    pairs = prepare_pairs(recipe, studies, tokenizer, model, disc_set.parent / "cache")
    layout = Layout(shards)
    ranks = start_processes(recipe, "cpu", 1, 1)
    trainer = build_trainer(recipe, ranks, layout, 16, model, 10)
    parts = Part(layout).of(np.arange(16))
    done = take_step(trainer, [pairs.train.batch(part, 0) for part in parts])
    assert done.studies.tolist() == pairs.train.members[:16].tolist()
    return trainer.model, done.values, pairs.train.batch(np.arange(16), 0)


def test_a_gradient_is_cut_to_the_length_that_the_recipe_allows(
    disc_set: Path, tiny: tuple[str, ...]
) -> None:
    """Against torch's own ``clip_grad_norm_``; a shorter one and ``clip: 0`` change nothing."""
    free, long, short = (
        step_of(disc_set, "igc-small", (*tiny, f"training.clip={clip}"), 1)[0]
        for clip in (0, 1e-3, 1e6)
    )
    for clip, model in ((math.inf, short), (1e-3, long)):
        norm = torch.nn.utils.clip_grad_norm_(free.parameters(), clip)
        assert norm > 1e-2
        for one, other in zip(free.parameters(), model.parameters(), strict=True):
            assert one.grad is other.grad is None or one.grad.equal(other.grad)


@pytest.mark.parametrize("kind", ["infonce", "sigmoid"])
@pytest.mark.parametrize("shards", [1, 3, 8])
def test_the_gradient_of_shards_is_that_of_the_whole_batch(
    kind: str, shards: int, disc_set: Path, tiny: tuple[str, ...]
) -> None:
    """Cached accumulation against one backward pass through everything."""
    options = (
        *tiny, *BY_ITSELF, "partner=both", f"objective.kind={kind}", "objective.image_weight=0.5",
        "objective.chunk=5", "objective.learn_temperature=true", "training.learning_rate=0",
        "training.weight_decay=0",
    )  # fmt: skip
    model, values, batch = step_of(disc_set, "convirt-small", options, shards)
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    expected = losses(model.train(), batch)
    expected["loss"].backward()
    assert values == pytest.approx({k: float(v.detach()) for k, v in expected.items()}, abs=1e-6)
    assert {name for name, p in model.named_parameters() if p.grad is not None} == set(found)
    pairs = [(found[name], p.grad) for name, p in model.named_parameters() if p.grad is not None]
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-4, atol=5e-6)
    apart, whole = (
        torch.cat([tensor.flatten().double() for tensor in tensors]).norm()
        for tensors in ([one - other for one, other in pairs], [other for _, other in pairs])
    )
    assert float(apart / whole) < 1e-6


@pytest.mark.parametrize("shards", [1, 4])
def test_running_statistics_are_the_mean_over_shards(
    shards: int, disc_set: Path, tiny: tuple[str, ...]
) -> None:
    """Against each shard's own forward pass from where the step began; the count moves by one."""
    options = (*tiny, "training.learning_rate=0", "training.weight_decay=0")
    model, _, _ = step_of(disc_set, "igc-small", options, shards)
    fresh, expected = None, {}
    recipe = load_recipe("igc-small", [*options, SINGLE])
    studies = StudySet.open(disc_set)
    tokenizer = run_tokenizer(recipe, studies)
    for part in Part(Layout(shards)).of(np.arange(16)):
        torch.manual_seed(3)
        fresh = PairModel(recipe.model, tokenizer.get_vocab_size()).train()
        pairs = prepare_pairs(recipe, studies, tokenizer, fresh, disc_set.parent / "cache")
        fresh.image(pairs.train.batch(part, 0).pixels)
        for name, value in fresh.named_buffers():
            expected[name] = expected.get(name, 0) + value / shards
    counts = [name for name in expected if name.endswith("num_batches_tracked")]
    assert len(counts) > 3
    for name, value in model.named_buffers():
        if name in expected:
            torch.testing.assert_close(value, expected[name].to(value.dtype), rtol=1e-5, atol=1e-6)


OPTIONS = (
    "training.epochs=3", "training.shards=4", "training.average=0.9", "training.schedule=plateau",
    "training.keep=best", "training.learning_rate=1e-4", "training.log=1", "partner=both", SINGLE,
)  # fmt: skip


def command(disc_set: Path, run: Path, options: tuple[str, ...], launcher: int = 0) -> list[str]:
    """``radpair pretrain``, by itself or under torchrun with ``launcher`` processes."""
    before = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={launcher}"]
    words = ["-m", "radpair", "pretrain", "igc-small", "--data", str(disc_set), "--out", str(run)]
    return [
        sys.executable, *(before if launcher else ()), *words, "--device", "cpu",
        "--set", *options,
    ]  # fmt: skip


QUIET = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def alone(disc_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process."""
    run = tmp_path_factory.mktemp("alone") / "run"
    pretrain("igc-small", disc_set, run, (*TINY, *OPTIONS), "cpu")
    return run


@pytest.mark.parametrize("processes", [2, 4])
def test_several_processes_train_as_one(
    processes: int, disc_set: Path, alone: Path, tmp_path: Path
) -> None:
    words = [*command(disc_set, tmp_path, (*TINY, *OPTIONS)), "--devices", str(processes)]
    done = ended_well(words)
    assert done.stdout.split() == [str(tmp_path / "model")]
    assert "Traceback" not in done.stderr
    same_run(tmp_path, alone)


def test_a_killed_run_goes_on_with_another_number_of_processes(
    disc_set: Path, alone: Path, tmp_path: Path
) -> None:
    """Two processes, of which SIGKILL ends the first; then four under torchrun."""
    words = [*command(disc_set, tmp_path, (*TINY, *OPTIONS)), "--devices", "2"]
    process = subprocess.Popen(words, env=QUIET, stderr=subprocess.DEVNULL)
    wanted = tmp_path / "checkpoints" / "step-00000006.json"
    deadline = time.monotonic() + 200
    while not wanted.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert wanted.exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "model").exists()
    without_orphans(str(tmp_path))
    words = command(disc_set, tmp_path, (*TINY, *OPTIONS), launcher=4)
    done = ended_well(words)
    assert gone_on(done.stderr) >= [6]
    same_run(tmp_path, alone)


def without_orphans(word: str) -> None:
    """Waits until no process has ``word`` in its command line."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = [
            path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if readable(path)
        ]
        if not any(word.encode() in line for line in lines):
            return
        time.sleep(0.2)
    raise AssertionError(f"a process of {word} is left")


def readable(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True


def test_more_processes_than_shards_are_one_sentence(disc_set: Path, tmp_path: Path) -> None:
    options = (*TINY, "training.shards=1")
    words = [*command(disc_set, tmp_path / "run", options), "--devices", "2"]
    done = subprocess.run(words, env=QUIET, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("2 processes for a run of 1 shards") == 1
    assert "Traceback" not in done.stderr


def test_processes_with_unequal_numbers_of_shards(disc_set: Path, tmp_path: Path) -> None:
    """Three shards on two processes: one encodes two, and neither waits for ever."""
    options = (
        *TINY, "training.epochs=1", "training.shards=3", "training.freeze_image=0", SINGLE,
        "training.learning_rate=1e-4",
    )  # fmt: skip
    pretrain("igc-small", disc_set, tmp_path / "one", options, "cpu")
    words = [*command(disc_set, tmp_path / "two", options), "--devices", "2"]
    ended_well(words)
    one, two = (load_file(tmp_path / name / "model/model.safetensors") for name in ("one", "two"))
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--devices", "0"), "--devices is 0"),
        (("--devices", "-1"), "--devices is -1"),
        (("--nodes", "2"), "no launcher started"),
    ],
)
def test_processes_that_nobody_starts_are_refused(
    words: tuple[str, ...], said: str, disc_set: Path, tmp_path: Path
) -> None:
    asked = [*command(disc_set, tmp_path / "run", TINY), *words]
    done = subprocess.run(asked, env=QUIET, capture_output=True, text=True, timeout=200)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert said in done.stderr


def test_slurm_tasks_that_nobody_speaks_of_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_NTASKS", "4")
    with pytest.raises(RunError, match="SLURM started 4 processes"):
        check_processes(1, 1)
    check_processes(2, 2)
    monkeypatch.setenv("SLURM_JOB_NAME", "interactive")
    check_processes(1, 1)


FAILS_ON_ONE = """
import os, sys, pathlib
from radpair.errors import StudySetError
from radpair.pretraining import loop
place, action = sys.argv[1], sys.argv[2]
def fail(*_, **__):
    if action == "record":
        raise OSError(28, "No space left on device")
    raise StudySetError("rotten")
if os.environ.get("LOCAL_RANK", "0") == place:
    target = loop.runs if action == "record" else loop
    setattr(target, action, fail)
sys.argv[1:] = sys.argv[3:]
from radpair.cli import main
main()
"""


@pytest.mark.parametrize(
    ("place", "action", "said"),
    [("0", "record", "No space left"), ("1", "prepare_pairs", "process 1: rotten")],
)
def test_what_one_process_meets_ends_all_in_a_sentence(
    place: str, action: str, said: str, disc_set: Path, tmp_path: Path
) -> None:
    script = tmp_path / "start.py"
    script.write_text(FAILS_ON_ONE)
    words = command(disc_set, tmp_path / "run", (*TINY, "training.epochs=1"))[3:]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    asked = [*launch, str(script), place, action, *words]
    done = subprocess.run(asked, env=QUIET, capture_output=True, text=True, timeout=300)
    assert done.returncode
    assert said in done.stderr
    own = [line for line in done.stderr.splitlines() if "start.py" in line and "File" in line]
    assert place == "1" or not own


def test_a_gradient_that_is_not_finite_changes_nothing(
    disc_set: Path,
    tiny: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It names its own batch, and the checkpoint before it stays good."""
    real, seen = loop.take_step, []

    def poisoned(trainer: Trainer, shards: list[PairBatch], *clock: Any) -> Done:
        if trainer.step == 4:
            weight = next(iter(trainer.model.image_head.parameters()))
            weight.register_hook(lambda slope: slope / 0)
            seen.extend(shards[0].study.tolist())
        return real(trainer, shards, *clock)

    options = (*tiny, "training.epochs=2", "training.checkpoint=1", SINGLE)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", poisoned)
        with pytest.raises(RunError, match="gradient of step 5 is not finite"):
            pretrain("igc-small", disc_set, tmp_path / "run", options, "cpu")
    named = json.loads((tmp_path / "run" / "non_finite.json").read_text())["studies"]
    studies = StudySet.open(disc_set)
    assert named == [studies.study_ids[study] for study in seen]
    again = pretrain("igc-small", disc_set, tmp_path / "run", options, "cpu")
    assert gone_on(capsys.readouterr().err) == [4]
    whole = pretrain("igc-small", disc_set, tmp_path / "whole", options, "cpu")
    expected, found = (load_file(folder / "model.safetensors") for folder in (whole, again))
    assert all(expected[key].equal(found[key]) for key in expected)


def test_a_loss_that_is_no_number_is_not_the_best(disc_set: Path, tiny: tuple[str, ...]) -> None:
    model = torch.nn.Linear(2, 2)
    trainer = SimpleNamespace(best=float("inf"), config=SimpleNamespace(keep="last"), kept=model)
    for loss in (3.0, float("nan"), 5.0):
        Trainer.remember(trainer, loss)
    assert trainer.best == 3.0


def test_whole_numbers_are_copied_into_the_running_mean(
    disc_set: Path, tiny: tuple[str, ...]
) -> None:
    """Positions of a language model stay positions, however often the mean is moved."""
    recipe = load_recipe("convirt-small", [*tiny, "training.average=0.9", SINGLE])
    model = PairModel(recipe.model, 120)
    ranks = start_processes(recipe, "cpu", 1, 1)
    trainer = build_trainer(recipe, ranks, Layout(1), 16, model, 10)
    for step in range(50):
        trainer.mean.follow(trainer.model, first=step == 0)
    kept = dict(trainer.kept.named_buffers())
    assert any(not value.is_floating_point() for value in kept.values())
    for key, value in trainer.model.named_buffers():
        torch.testing.assert_close(kept[key], value)


def test_what_a_kill_left_beside_checkpoints_is_removed(tmp_path: Path) -> None:
    (tmp_path / "step-00000001.pt").write_bytes(b"half")
    (tmp_path / "step-00000002.pt.tmp").write_bytes(b"less")
    for step in (3, 4, 5):
        save_checkpoint(tmp_path, step, {"step": step})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"step-0000000{n}.{end}" for n in (4, 5) for end in ("json", "pt")]


KILLED_WHILE_WRITING = """
import os, sys, signal, pathlib
real, struck = os.fsync, f"{sys.argv[1]}.tmp"
def last(descriptor):
    if os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")) == struck:
        os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)
os.fsync = last
from radpair.pretraining import pretrain
pretrain("igc-small", pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4:], "cpu")
"""


def test_sigkill_while_a_checkpoint_is_written(
    disc_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Within the file of the weights, within its seal: the run ends with the same weights."""
    options = (*TINY, "training.epochs=2", "training.freeze_image=5")
    whole = pretrain("igc-small", disc_set, tmp_path / "whole", options, "cpu")
    run = tmp_path / "run"
    for struck, before in (
        ("step-00000004.pt", []),
        ("step-00000006.json", [3]),
        ("step-00000006.pt", [4]),
    ):
        words = [sys.executable, "-c", KILLED_WHILE_WRITING, struck, str(disc_set), str(run)]
        done = subprocess.run([*words, *options], stderr=subprocess.PIPE, text=True)
        assert done.returncode == -signal.SIGKILL
        assert (run / "checkpoints" / f"{struck}.tmp").exists()
        assert gone_on(done.stderr) == before
    again = pretrain("igc-small", disc_set, run, options, "cpu")
    assert gone_on(capsys.readouterr().err) == [4]
    expected, found = (load_file(folder / "model.safetensors") for folder in (whole, again))
    assert all(expected[key].equal(found[key]) for key in expected)


def test_what_is_kept_is_the_running_mean(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the weights after each step, averaged here."""
    decay, seen = 0.7, list[dict[str, torch.Tensor]]()
    real = loop.take_step

    def noting(trainer: Trainer, shards: list[PairBatch], *clock: Any) -> Done:
        done = real(trainer, shards, *clock)
        seen.append({key: value.clone() for key, value in trainer.model.state_dict().items()})
        return done

    monkeypatch.setattr(loop, "take_step", noting)
    options = (*tiny, "training.epochs=1", "training.keep=last", f"training.average={decay}")
    model = pretrain("convirt-small", disc_set, tmp_path, (*options, SINGLE), "cpu")
    assert len(seen) == 4
    found = load_file(model / "model.safetensors")
    for key, value in found.items():
        mean = seen[0][key].double()
        for later in seen[1:]:
            mean = decay * mean + (1 - decay) * later[key].double()
        if value.is_floating_point():
            torch.testing.assert_close(value.double(), mean, rtol=1e-4, atol=1e-5)
    weight = "image_head.0.weight"
    assert not found[weight].equal(seen[-1][weight])


def test_pictures_made_on_the_device_train_alike(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same films and the same draws: the loss of the first steps differs by rounding."""
    options = (*tiny, "training.epochs=1", "training.learning_rate=1e-5", SINGLE)
    lines, brought = [], []

    def noting(batch: PairBatch) -> PairBatch:
        brought.append(batch.films is not None)
        return with_pixels(batch)

    monkeypatch.setattr(loop, "with_pixels", noting)
    for place in ("host", "device"):
        out = tmp_path / place
        pretrain("convirt-small", disc_set, out, (*options, f"training.augment_on={place}"), "cpu")
        lines.append(read_metrics(out / "metrics.jsonl")[0])
    assert brought == [False] * 4 + [True] * 4
    assert lines[1]["loss"] == pytest.approx(lines[0]["loss"], rel=0.01)
