"""A run of several processes, or with workers, that is asked to stop: nothing is lost either."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from discs import TINY
from radpair.pretraining import pretrain
from radpair.pretraining.checkpoint import newest_checkpoint
from radpair.pretraining.stopping import NOTED
from runs import ended_well, gone_on

STOPPED = "radpair: stopped; the same command again continues\n"
OPTIONS = (
    *TINY, "training.epochs=1", "training.shards=2", "training.learning_rate=1e-4",
    "training.freeze_image=2", "training.checkpoint=10000", "training.precision=32-true",
)  # fmt: skip
"""Four steps; no checkpoint is due before the last."""
STRUCK = """
import multiprocessing, os, signal, sys, time
from radpair.errors import StudySetError
from radpair.pretraining import loop
real = loop.take_step
def struck(trainer, *words):
    if trainer.step == 1 and trainer.ranks.rank == place:
        exec(action)
    return real(trainer, *words)
if __name__ == "__main__":
    action, place, before = sys.argv.pop(1), int(sys.argv.pop(1)), sys.argv.pop(1)
    exec(before)
    loop.take_step = struck
    from radpair.cli import main
    main()
"""
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def asked(data: Path, run: Path, *options: str, devices: int = 1) -> list[str]:
    return [
        "pretrain", "igc-small", "--data", str(data), "--out", str(run), "--device", "cpu",
        f"--devices={devices}", "--set", *OPTIONS, *options,
    ]  # fmt: skip


def struck(
    action: str,
    words: list[str],
    folder: Path,
    place: int = 0,
    launcher: tuple[str, ...] = (),
    before: str = "",
) -> tuple[int, str]:
    """Exit code and errors of the command ``words``, whose process ``place`` does ``action``
    before its second step, and every one ``before`` at its start; its pipe is closed when the last
    process has ended."""
    script = folder / "struck.py"
    script.write_text(STRUCK)
    with subprocess.Popen(
        [sys.executable, *launcher, str(script), action, str(place), before, *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said = process.communicate(timeout=300)[1]
        finally:
            process.kill()
    return process.returncode, said


def step_of(run: Path) -> int:
    state = newest_checkpoint(run / "checkpoints")
    assert state is not None
    return int(state["step"])


def test_all_end_with_a_checkpoint_and_the_run_goes_on(disc_set: Path, tmp_path: Path) -> None:
    run, words = tmp_path / "run", asked(disc_set, tmp_path / "run", devices=2)
    done = struck("os.killpg(0, signal.SIGTERM)", words, tmp_path)
    assert done == (143, f"{NOTED.decode()}{STOPPED}")
    assert step_of(run) == 3
    again = ended_well([sys.executable, "-m", "radpair", *words])
    assert gone_on(again.stderr) == [3]
    whole = pretrain("igc-small", disc_set, tmp_path / "whole", OPTIONS, "cpu")
    expected, found = (load_file(each / "model.safetensors") for each in (whole, run / "model"))
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-5)


def test_all_end_with_a_checkpoint_where_one_of_them_alone_is_asked(
    disc_set: Path, tmp_path: Path
) -> None:
    words = asked(disc_set, tmp_path / "run")
    code, said = struck("os.kill(os.getpid(), signal.SIGTERM)", words, tmp_path, 1, TORCHRUN)
    assert code != 0
    assert said.count(STOPPED) == 1
    assert NOTED.decode() not in said
    assert step_of(tmp_path / "run") == 3


ALL_ARE_ASKED = """
asked = sys._getframe(2).f_locals["run"].stop
os.kill(os.getpid(), signal.SIGTERM)
os.kill(os.getppid(), signal.SIGTERM)
while not asked.number or time.monotonic() < asked._since + 0.5:
    time.sleep(0.01)
"""
"""A scheduler's signal reaches the launcher, which sends it on, and its processes too."""


def test_all_end_with_a_checkpoint_where_their_launcher_is_asked(
    disc_set: Path, tmp_path: Path
) -> None:
    words = asked(disc_set, tmp_path / "run")
    code, said = struck(ALL_ARE_ASKED, words, tmp_path, 0, TORCHRUN)
    assert code != 0
    assert said.count(NOTED.decode()) == said.count(STOPPED) == 1
    assert step_of(tmp_path / "run") in (2, 3)  # the other may hear of it before its second step


INTERRUPTED_TWICE = """
for _ in range(2):
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(2.5)
time.sleep(1000)
"""


def test_the_second_interrupt_ends_all_that_wait_for_one_of_them(
    disc_set: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = asked(disc_set, run, devices=2)
    code, said = struck(INTERRUPTED_TWICE, words, tmp_path, 1)
    assert (code, said.removeprefix(NOTED.decode())) == (130, STOPPED)
    assert newest_checkpoint(run / "checkpoints") is None


def test_workers_are_at_work_until_the_process_they_serve_has_ended(
    disc_set: Path, tmp_path: Path
) -> None:
    """A scheduler sends its signal to them too."""
    words = asked(disc_set, tmp_path / "run", "training.workers=1")
    done = struck("os.killpg(0, signal.SIGTERM); time.sleep(1)", words, tmp_path)
    assert done == (143, f"{NOTED.decode()}{STOPPED}")
    assert step_of(tmp_path / "run") == 2


WHILE_WORKERS_START = """
begun = loop.training_batches
def interrupted(*words, **more):
    found = begun(*words, **more)
    os.killpg(0, signal.SIGINT)
    return found
loop.training_batches = interrupted
"""


def test_workers_that_start_hear_nothing(disc_set: Path, tmp_path: Path) -> None:
    words = asked(disc_set, tmp_path / "run", "training.workers=1")
    done = struck("", words, tmp_path, before=WHILE_WORKERS_START)
    assert done == (130, f"{NOTED.decode()}{STOPPED}")
    assert step_of(tmp_path / "run") == 1


def test_workers_end_with_a_process_that_fails(disc_set: Path, tmp_path: Path) -> None:
    words = asked(disc_set, tmp_path / "run", "training.workers=1")
    done = struck("raise StudySetError('rotten')", words, tmp_path)
    assert done == (2, "radpair: rotten\n")


def test_a_worker_that_is_killed_is_one_sentence(disc_set: Path, tmp_path: Path) -> None:
    words = asked(disc_set, tmp_path / "run", "training.workers=1")
    action = "multiprocessing.active_children()[0].kill(); time.sleep(60)"
    code, said = struck(action, words, tmp_path)
    assert code == 2
    assert said.startswith("radpair: a worker that prepares batches has ended before its work was")
    assert said.count("\n") == 1
