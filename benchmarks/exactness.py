"""Is a run the same in any number of processes, in shards, and after it was killed?

    OMP_NUM_THREADS=1 python benchmarks/exactness.py

Trains one recipe on synthetic studies by ``radpair pretrain``, with texts and graphs as partners,
batch normalisation, dropout, a running mean of the weights and a plateau schedule, in float32 and
in four shards, and compares the loss of every step, the validation losses and the weights after
the last step. Killed runs die by SIGKILL, before random steps or in the midst of a checkpoint, are
given again, and are compared bit by bit: every loss, the model, and the last checkpoint, which
holds the optimiser and the schedule too. The exit code is 1 where anything is further apart than
allowed, or where a run begins at step 0 in place of going on.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from loader import study_set
from radpair.models.pair import PairModel
from radpair.pretraining import load_recipe
from radpair.pretraining.checkpoint import newest_checkpoint
from radpair.pretraining.pairs import Part, prepare_pairs, run_tokenizer
from radpair.pretraining.ranks import Layout
from radpair.pretraining.run import CHECKPOINTS, METRICS, read_metrics
from radpair.pretraining.step import take_step
from radpair.pretraining.trainer import build_trainer, start_processes
from radpair.pretraining.validation import losses
from radpair.studyset import StudySet
from step import machine

RECIPE, BATCH, CHECKPOINT = "igc-small", 32, 3
OPTIONS = (
    "partner=both", "image.size=64", "text.layers=1", "text.width=64", "text.heads=2",
    "graph.width=64", "graph.word_width=64", "dim=64", "training.precision=32-true",
    "training.shards=4", f"training.batch={BATCH}", f"training.checkpoint={CHECKPOINT}",
    "training.log=1", "training.average=0.9", "training.schedule=plateau", "training.warmup=0",
    "training.patience=0", "training.keep=best",
)  # fmt: skip
BY_ITSELF = ("image.name=test_vit", "text.dropout=0", "graph.dropout=0", "training.clip=0")
"""Neither dropout nor statistics of a batch, without which shards and whole would not be alike."""
STILL = ("training.learning_rate=0", "training.weight_decay=0", "training.average=0")
LOSS, WEIGHTS, WEIGHT, GRADIENT = 2e-6, 2e-7, 2e-5, 1e-6
"""Allowed: a loss and all weights, relative; one weight, absolute; the gradient, relative."""
DYING = '''
"""radpair, killed by SIGKILL before the step DIES, or with a part of the file DIES written."""
import os, signal
from radpair.cli import main
from radpair.pretraining import loop

where, _, percent = os.environ["DIES"].partition(" ")
take_step, fsync = loop.take_step, os.fsync

def before_step(trainer, *given):
    if where == str(trainer.step):
        os.kill(os.getpid(), signal.SIGKILL)
    return take_step(trainer, *given)

def while_written(file):
    if os.path.basename(os.readlink(f"/proc/self/fd/{file}")) == f"{where}.tmp":
        os.ftruncate(file, os.fstat(file).st_size * int(percent) // 100)
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(file)

loop.take_step, os.fsync = before_step, while_written
main()
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--studies", type=int, default=320)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", default="1e-5", help="of learning; at higher ones rounding grows")
    parser.add_argument("--kills", type=int, default=5, help="at random steps of one run")
    parser.add_argument("--seed", type=int, default=0, help="of the random steps")
    asked = parser.parse_args()
    machine(torch.device("cpu"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study_set(folder / "set", asked.studies)
        (folder / "dying.py").write_text(DYING)
        runs = Runs(folder, asked.epochs, asked.rate)
        steps = random.Random(asked.seed)
        held = [*in_shards(folder), *in_processes(runs), *after_kills(runs, asked.kills, steps)]
    sys.exit(0 if all(held) else 1)


@dataclass(frozen=True)
class Runs:
    """Runs of one recipe on one study set."""

    folder: Path
    epochs: int
    rate: str

    def whole(self, processes: int) -> Path:
        """The unbroken run."""
        out = self.folder / f"whole-{processes}"
        if not out.exists():
            self._end(out, processes)
        return out

    def broken(self, name: str, deaths: Sequence[str], before: int = 1, after: int = 1) -> Path:
        """A run of ``before`` processes that dies each of ``deaths``, and ends in ``after``."""
        out = self.folder / name
        for death in deaths:
            if self._start(out, before, death) != -signal.SIGKILL:
                raise SystemExit(f"{name}: the run did not die at {death}")
        if not reached(out):
            raise SystemExit(f"{name}: no checkpoint was left to go on from")
        self._end(out, after)
        return out

    def _end(self, out: Path, processes: int) -> None:
        if self._start(out, processes):
            raise SystemExit(f"{out.name}: the run failed\n{self._log.read_text()}")

    def _start(self, out: Path, processes: int, death: str = "") -> int:
        program = [str(self.folder / "dying.py")] if death else ["-m", "radpair"]
        words = [
            sys.executable, *program, "pretrain", RECIPE, "--data", str(self.folder / "set"),
            "--out", str(out), "--device", "cpu", "--devices", str(processes), "--set", *OPTIONS,
            f"training.epochs={self.epochs}", f"training.learning_rate={self.rate}",
        ]  # fmt: skip
        env = {**os.environ, "OMP_NUM_THREADS": "1", "DIES": death}
        step = reached(out)
        with self._log.open("w") as log:
            code = subprocess.run(words, env=env, stdout=log, stderr=log).returncode
        if step and f"goes on after step {step:,} of" not in self._log.read_text():
            raise SystemExit(f"{out.name}: the run did not go on after step {step}")
        return code

    @property
    def _log(self) -> Path:
        return self.folder / "log.txt"


def in_shards(folder: Path) -> Iterator[bool]:
    """Cached accumulation against one backward pass through the whole batch."""
    print("\n| objective | shards | gradient, relative difference of the norm | held |")
    print("|---|---|---|---|")
    for kind in ("infonce", "sigmoid"):
        for shards in (2, 4, 16):
            apart = gradients_apart(folder, kind, shards)
            yield (held := apart <= GRADIENT)
            print(f"| {kind} | {shards} | {apart:.1e} | {told(held)} |")
    print(f"\nallowed: {GRADIENT:.0e}")


def gradients_apart(folder: Path, kind: str, shards: int) -> float:
    objective = (f"objective.kind={kind}", "objective.learn_temperature=true")
    recipe = load_recipe(RECIPE, [*OPTIONS, *BY_ITSELF, *STILL, *objective])
    studies = StudySet.open(folder / "set")
    tokenizer = run_tokenizer(recipe, studies)
    torch.manual_seed(0)
    model = PairModel(recipe.model, tokenizer.get_vocab_size())
    train = prepare_pairs(recipe, studies, tokenizer, model, folder / "cache").train
    trainer = build_trainer(
        recipe, start_processes(recipe, "cpu", 1, 1), Layout(shards), BATCH, model, 1
    )
    places = np.arange(BATCH)
    take_step(trainer, [train.batch(part, 0) for part in Part(Layout(shards)).of(places)])
    found = flat_gradient(trainer.model)
    trainer.model.zero_grad()
    losses(trainer.model.train(), train.batch(places, 0))["loss"].backward()
    expected = flat_gradient(trainer.model)
    return float((found - expected).norm() / expected.norm())


def flat_gradient(model: PairModel) -> torch.Tensor:
    found = [weight.grad for weight in model.parameters() if weight.grad is not None]
    return torch.cat([gradient.flatten().double() for gradient in found])


def in_processes(runs: Runs) -> Iterator[bool]:
    """Runs of 2 and 4 processes against that of one, one of them killed on its way."""
    print("\n| processes | steps | loss of a step | validation loss | weights | a weight | held |")
    print("|---|---|---|---|---|---|---|")
    alone = runs.whole(1)
    middle = len(curve(alone, "train")) // 2
    yield compare("2", alone, runs.whole(2))
    yield compare("4", alone, runs.whole(4))
    mixed = runs.broken("mixed", [str(middle)], before=2, after=4)
    yield compare(f"2 until SIGKILL before step {middle + 1}, then 4", alone, mixed)
    print(
        "\nlargest differences to the run of one process, relative; of one weight absolute\n"
        f"allowed: {LOSS:.0e} of a loss, {WEIGHTS:.0e} of all weights, {WEIGHT:.0e} of one"
    )


def compare(name: str, alone: Path, found: Path) -> bool:
    step, validation = (
        largest(curve(alone, split), curve(found, split)) for split in ("train", "validate")
    )
    one, other = flat_weights(alone), flat_weights(found)
    weights = float((one - other).norm() / one.norm())
    weight = float((one - other).abs().max())
    held = max(step, validation) <= LOSS and weights <= WEIGHTS and weight <= WEIGHT
    steps = len(curve(found, "train"))
    figures = " | ".join(f"{value:.1e}" for value in (step, validation, weights, weight))
    print(f"| {name} | {steps} | {figures} | {told(held)} |", flush=True)
    return held


def curve(run: Path, split: str) -> list[tuple[int, float]]:
    """Steps and losses."""
    lines = read_metrics(run / METRICS)
    return [(line["step"], line["loss"]) for line in lines if line["split"] == split]


def largest(one: list[tuple[int, float]], other: list[tuple[int, float]]) -> float:
    """The largest relative difference of two curves."""
    if not one or [step for step, _ in one] != [step for step, _ in other]:
        return float("inf")
    return max(abs(a - b) / abs(a) for (_, a), (_, b) in zip(one, other, strict=True))


def reached(run: Path) -> int:
    """The step of the newest checkpoint, 0 where there is none."""
    state = newest_checkpoint(run / CHECKPOINTS)
    return state["step"] if state else 0


def flat_weights(run: Path) -> torch.Tensor:
    """Weights and running statistics after the last step."""
    state = newest_checkpoint(run / CHECKPOINTS)
    assert state is not None
    found = [value for _, value in sorted(state["model"].items()) if value.is_floating_point()]
    return torch.cat([value.flatten().double() for value in found])


def after_kills(runs: Runs, kills: int, rng: random.Random) -> Iterator[bool]:
    """Killed runs that were given again, against the unbroken ones."""
    print("\n| SIGKILL | processes | kills | in mid-epoch | same bits |")
    print("|---|---|---|---|---|")
    steps = len(curve(runs.whole(1), "train"))
    epoch = steps // runs.epochs
    drawn = sorted(rng.sample(range(1, steps), kills))
    yield killed(runs, f"before steps {numbers(drawn)}", [str(step) for step in drawn], 1, epoch)
    names = [f"step-{at:08d}" for at in range(CHECKPOINT, steps, CHECKPOINT) if at % epoch]
    writes = [f"{names[0]}.pt 50", f"{names[1]}.pt 100", f"{names[2]}.json 50"]
    what = "half of a checkpoint written; all of it but not in place; half of its seal"
    yield killed(runs, what, writes, 1, epoch)
    last = [str(rng.randrange(steps // 2, steps))]
    yield killed(runs, f"before step {numbers(map(int, last))}", last, 2, epoch)


def killed(runs: Runs, what: str, deaths: list[str], processes: int, epoch: int) -> bool:
    found = runs.broken(
        f"killed-{processes}-{deaths[0]}", deaths, before=processes, after=processes
    )
    held = same_bits(runs.whole(processes), found)
    within = sum(not death.isdigit() or int(death) % epoch > 0 for death in deaths)
    print(f"| {what} | {processes} | {len(deaths)} | {within} | {told(held)} |", flush=True)
    return held


def same_bits(one: Path, other: Path) -> bool:
    """Every loss, the model, and all that the last checkpoint holds."""
    curves = all(curve(one, split) == curve(other, split) for split in ("train", "validate"))
    models = [(run / "model" / "model.safetensors").read_bytes() for run in (one, other)]
    states = [newest_checkpoint(run / CHECKPOINTS) for run in (one, other)]
    return curves and models[0] == models[1] and equal(*states)


def equal(one: Any, other: Any) -> bool:
    """In every number. Files of equal states may differ: they note which texts are one object."""
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(one == other)


def numbers(steps: Iterator[int] | Sequence[int]) -> str:
    """As people count them, from 1."""
    return ", ".join(str(step + 1) for step in steps)


def told(held: bool) -> str:
    return "yes" if held else "NO"


if __name__ == "__main__":
    main()
