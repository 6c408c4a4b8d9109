"""The pretraining loop: blind to the method, exact on resume, the same on any number of processes.

Everything random in a step is seeded by (seed, step), so a run that is killed and started again
ends with the same weights as one that was not.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from radpair.errors import ModelError, RunError, nearest
from radpair.models.folder import HASHES, load_folder, save_folder, write_atomically
from radpair.models.pair import PairModel
from radpair.pretraining import run as runs
from radpair.pretraining.checkpoint import newest_checkpoint, save_checkpoint
from radpair.pretraining.evaluators import Watch, watch
from radpair.pretraining.journal import Journal, check_tensorboard, open_journal, show_finished
from radpair.pretraining.pairs import (
    Pairs,
    Part,
    batch_order,
    prepare_pairs,
    run_tokenizer,
    training_batches,
)
from radpair.pretraining.profile import PROFILE, NoProfile, Profile
from radpair.pretraining.ranks import Layout, Ranks, check_processes, together, world_size
from radpair.pretraining.recipe import Recipe, load_recipe
from radpair.pretraining.remarks import beforehand, came_to, goes_on, remark
from radpair.pretraining.step import Done, take_step
from radpair.pretraining.stopping import Asked
from radpair.pretraining.trainer import Trainer, build_trainer, start_processes
from radpair.pretraining.validation import validate
from radpair.pretraining.workers import at_work
from radpair.processes import end_with_starter, launched
from radpair.progress import Track, track
from radpair.studyset import StudySet
from radpair.studyset.batch import to_device, with_pixels
from radpair.studyset.kept import text_hash

DEVICES = ("auto", "cpu", "cuda")
STRATEGIES = ("ddp", "fsdp")


def pretrain(
    recipe_name: str,
    data: Path,
    out: Path,
    overrides: Iterable[str] = (),
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    strategy: str = "ddp",
    *,
    profile: bool = False,
    tensorboard: bool = False,
) -> Path:
    """Trains a recipe on a study set and returns the model folder ``out/model``.

    ``devices`` processes on each of ``nodes`` machines share each batch; where a launcher
    (torchrun, SLURM) started them, all of them make this call. The same call again continues where
    it stopped, on any number of processes that the run's shards allow, and does nothing once
    finished. ``strategy`` ``fsdp`` cuts weights, gradients and the optimiser's state among the
    processes; it decides nothing of the run, and may be another when it goes on. ``profile``
    writes ``out/profile.json``, where the time of a step goes, and ``tensorboard`` the figures of
    ``out/metrics.jsonl`` to ``out/tensorboard``; neither changes the weights. Raises
    ``RecipeError``, ``StudySetError`` or ``RunError``.
    """
    end_with_starter()
    _check_device(device)
    check_processes(devices, nodes)
    if tensorboard:
        check_tensorboard()
    recipe = load_recipe(recipe_name, list(overrides))
    studies = StudySet.open(data)
    _check_strategy(strategy, recipe)
    _check_compiler(recipe, device)
    world = world_size(devices, nodes)
    recipe = _settled(recipe, device, world, out)
    asked = runs.asked_for(recipe_name, recipe, studies)
    begin = partial(_begin, out, asked, profile=profile, tensorboard=tensorboard)
    stop = Asked()
    with together(stop, several=world > 1), ExitStack() as stack:
        if not launched():  # it needs no other process to be refused
            layout = Layout(recipe.training.shards, world)
            _check_layout(layout, recipe.training.batch, sharded=strategy == "fsdp")
            if begin(stack):
                return out / runs.MODEL
        started = launched()
        ranks = start_processes(recipe, device, devices, nodes, strategy)
        if not ranks.first_does(lambda: started and begin(stack)):
            decides = {**asked, "strategy": strategy, "profile": profile}
            ranks.agree(text_hash([json.dumps(decides)])[:8], "settings and data of the hash")
            _train(Run(recipe, asked, studies, out, ranks, stop, profile, tensorboard))
            ranks.wait()
            ranks.first_does(lambda: runs.remove_cache(out))
    return out / runs.MODEL


@dataclass(frozen=True)
class Run:
    """What stays the same while a run goes on."""

    recipe: Recipe
    asked: dict[str, Any]
    studies: StudySet
    out: Path
    ranks: Ranks
    stop: Asked
    profile: bool = False
    tensorboard: bool = False


@dataclass(frozen=True)
class Beside:
    """What watches the steps and decides nothing of the weights."""

    watched: Watch
    clock: NoProfile
    journal: Journal | None
    """The first process's."""
    show: Track


def _begin(
    out: Path, asked: dict[str, Any], stack: ExitStack, *, profile: bool, tensorboard: bool
) -> bool:
    """Takes the run until ``stack`` is closed; whether it is finished already."""
    stack.enter_context(runs.claim(out))
    runs.refuse_other(out, asked)
    if not _is_finished(out / runs.MODEL):
        return False
    runs.remove_cache(out)
    _refuse_profile(out, asked=profile)
    if tensorboard:
        show_finished(out)
    remark(asked["recipe"], f"finished already, {came_to(out)}")
    return True


def _is_finished(folder: Path) -> bool:
    """Whether the model is there and whole; a damaged one is written again."""
    if not (folder / HASHES).is_file():
        return False
    try:
        load_folder(folder)
    except ModelError:
        return False
    return True


def _refuse_profile(out: Path, *, asked: bool) -> None:
    if asked and not (out / PROFILE).is_file():
        raise RunError(
            f"{out}: this run is finished, so there is nothing to measure; use --profile with a "
            "new --out"
        )


def _train(run: Run) -> None:
    recipe, studies, out = run.recipe, run.studies, run.out
    begun = time.monotonic()
    cache = out / runs.CACHE
    tokenizer = run_tokenizer(recipe, studies, cache)
    model = _model(recipe, tokenizer.get_vocab_size())
    pairs = prepare_pairs(recipe, studies, tokenizer, model, cache, run.ranks.fabric.device)
    watched = watch(recipe, studies, tokenizer, len(pairs.validate))
    order = batch_order(pairs.train, recipe)
    layout = Layout(recipe.training.shards, run.ranks.world)
    sharded = run.ranks.sharded
    run.ranks.first_does(lambda: _check_layout(layout, order.batch, sharded=sharded))
    epoch = recipe.training.steps_per_epoch or order.steps_per_pass
    total = epoch * recipe.training.epochs
    trainer = build_trainer(recipe, run.ranks, layout, order.batch, model, total)
    try:
        used = {"studies": order.studies, "batch": order.batch, "steps": total}
        run.ranks.first_does(lambda: runs.record(out, {**run.asked, "used": used}))
        state = newest_checkpoint(out / runs.CHECKPOINTS)
        run.ranks.agree(state["step"] if state else 0, "the checkpoint of step")
        told = beforehand(recipe.training, order, total)
        if state is not None:
            trainer.restore(state)
            told = goes_on(trainer.step, total)
        if run.ranks.first:
            for words in told:
                remark(run.asked["recipe"], words)
        clock = Profile(trainer, total, out) if run.profile else NoProfile()
        with (
            _journal(run, trainer.step) as journal,
            _shown(run, total) as show,
            at_work(),
            run.stop.noted(),
        ):
            beside = Beside(watched, clock, journal, show)
            _steps(run, trainer, pairs, beside, epoch, total)
        run.stop.obey(run.stop.number)
        clock.close()
        ended = trainer.complete()
        if ended is not None and run.ranks.first:
            _finish(run, trainer, ended, pairs, tokenizer)
            remark(run.asked["recipe"], came_to(out, f" in {time.monotonic() - begun:.0f} s"))
    except OSError as problem:
        raise RunError(
            f"{out}: the run cannot be written ({problem.strerror}); make space and give the same "
            f"command again, it continues from its last checkpoint"
        ) from problem


def _journal(run: Run, step: int) -> AbstractContextManager[Journal | None]:
    """The first process writes down what happens."""
    if run.ranks.first:
        return open_journal(run.out, step, tensorboard=run.tensorboard)
    return nullcontext()


def _shown(run: Run, total: int) -> AbstractContextManager[Track]:
    """The first process shows its progress, the others keep silent."""
    if run.ranks.first:
        return track(f"pretrain {run.asked['recipe']}", total)
    return nullcontext(lambda done, note="": None)


def _model(recipe: Recipe, vocabulary: int) -> PairModel:
    torch.manual_seed(recipe.training.seed)
    if recipe.start:
        return _started(recipe)
    return PairModel(recipe.model, vocabulary)


def _started(recipe: Recipe) -> PairModel:
    before = load_folder(Path(recipe.start))[0]
    if before.config != recipe.model:
        raise RunError(
            f"{recipe.start}: its architecture is not this recipe's; "
            "start from a model of the same recipe and settings"
        )
    return before.train()


def _check_device(device: str) -> None:
    if device.startswith("cuda:"):
        raise RunError(
            f"--device '{device}' names one GPU; choose it with CUDA_VISIBLE_DEVICES="
            f"{device.removeprefix('cuda:')} and --device cuda"
        )
    if device not in DEVICES:
        meant = "cuda" if device.lower() == "gpu" else device.lower()
        raise RunError(f"--device '{device}' is not known{nearest(meant, DEVICES)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise RunError("--device cuda: torch sees no GPU here; use --device cpu")


def _check_layout(layout: Layout, batch: int, *, sharded: bool) -> None:
    layout.check(batch)
    if sharded and layout.shards % layout.world:
        raise RunError(
            f"--strategy fsdp gives every process the same number of shards, and {layout.shards} "
            f"cannot be shared by {layout.world}; start another number of processes, or use "
            "--strategy ddp"
        )


def _check_strategy(strategy: str, recipe: Recipe) -> None:
    if strategy not in STRATEGIES:
        raise RunError(f"--strategy '{strategy}' is not known{nearest(strategy, STRATEGIES)}")
    if strategy == "fsdp":
        for key in ("average", "compile"):
            if getattr(recipe.training, key):
                raise RunError(
                    f"--strategy fsdp does not go with training.{key}: it needs the whole model "
                    f"on each process; use --strategy ddp, or leave training.{key} out"
                )


def _check_compiler(recipe: Recipe, device: str) -> None:
    on_gpu = device != "cpu" and torch.cuda.is_available()
    compiler = os.environ.get("CXX", "g++")
    if recipe.training.compile and not on_gpu and shutil.which(compiler) is None:
        raise RunError(
            f"training.compile needs a C++ compiler for the CPU, and there is no '{compiler}'; "
            "install one, name it in the variable CXX, or leave training.compile out"
        )


def _settled(recipe: Recipe, device: str, world: int, out: Path) -> Recipe:
    """The recipe with what it leaves open decided: as the run began, else as suits this machine."""
    gpu = device != "cpu" and torch.cuda.is_available()
    here = {
        "precision": ("auto", "bf16-mixed" if _has_bf16(gpu) else "32-true"),
        "augment_on": ("auto", "device" if gpu else "host"),
        "shards": (0, world),
    }
    values: dict[str, Any] = {
        key: runs.began_with(out, key) or suits
        for key, (left_open, suits) in here.items()
        if getattr(recipe.training, key) == left_open
    }
    return replace(recipe, training=replace(recipe.training, **values))


def _has_bf16(gpu: bool) -> bool:
    if gpu:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in asked)


def _steps(
    run: Run, trainer: Trainer, pairs: Pairs, beside: Beside, epoch: int, total: int
) -> None:
    device, clock = trainer.fabric.device, beside.clock
    part = Part(trainer.layout, run.ranks.rank)
    begun, first = time.monotonic(), trainer.step
    batches = training_batches(
        pairs.train, run.recipe, part, first, total, pin=device.type == "cuda"
    )
    while trainer.step < total:
        with clock("data"):
            batch = next(batches)
        with clock("host to device"):
            shards = [with_pixels(to_device(shard, device)) for shard in batch]
        clock.before(shards)
        done = take_step(trainer, shards, clock, run.stop.number)
        if done.not_finite:
            run.ranks.first_does(partial(_stop_on_non_finite, run, trainer.step + 1, done))
        trainer.step += 1
        speed = (trainer.step - first) * trainer.batch / (time.monotonic() - begun)
        if beside.journal and (trainer.step % trainer.config.log == 0 or trainer.step == total):
            speeds = {"studies_per_s": round(speed, 1)}
            beside.journal.add(trainer.step, {"split": "train", **done.values, **speeds})
        ends_epoch = trainer.step % epoch == 0
        if ends_epoch:
            with clock("validation"):
                _end_epoch(run, trainer, pairs, beside, trainer.step // epoch)
        beside.show(trainer.step, _note(done, speed) + beside.watched.note)
        stop = run.stop.number if run.ranks.world == 1 else done.stop
        if ends_epoch or trainer.step % trainer.config.checkpoint == 0 or stop:
            with clock("checkpoint"):
                _save(run, trainer)
        clock.after()
        run.stop.obey(stop)


def _save(run: Run, trainer: Trainer) -> None:
    state = trainer.state()
    folder = run.out / runs.CHECKPOINTS
    run.ranks.first_does(lambda: save_checkpoint(folder, trainer.step, state))


def _note(done: Done, speed: float) -> str:
    values = done.values
    return f"loss {values['loss']:.3f}  accuracy {values['accuracy']:.0%}  {speed:.0f} studies/s"


def _end_epoch(run: Run, trainer: Trainer, pairs: Pairs, beside: Beside, epoch: int) -> None:
    """Validates, which drives the schedule and what is kept, and measures what is due."""
    rate = trainer.optimiser.param_groups[0]["lr"]
    means = validate(trainer, pairs)
    if not means:
        return
    if not math.isfinite(means["loss"]):
        raise RunError(
            f"{run.out}: the validation loss after step {trainer.step} is not finite; "
            "lower training.learning_rate or set training.clip, in a new --out"
        )
    if trainer.config.schedule == "plateau":
        trainer.scheduler.step(means["loss"])
    trainer.remember(means["loss"])
    model = trainer.complete() if beside.watched.due(epoch) else None
    line = {"split": "validate", **means, "rate": rate}
    run.ranks.first_does(lambda: _measure(trainer, beside, model, epoch, line))


def _measure(
    trainer: Trainer, beside: Beside, model: PairModel | None, epoch: int, line: dict[str, Any]
) -> None:
    figures = beside.watched.figures(model, epoch, trainer.fabric.device) if model else {}
    assert beside.journal is not None
    beside.journal.add(trainer.step, {**line, **figures})


def _stop_on_non_finite(run: Run, step: int, done: Done) -> None:
    names = [run.studies.study_ids[study] for study in done.studies.tolist()]
    lower = "or" if run.recipe.training.clip else "or set"
    path = run.out / "non_finite.json"
    write_atomically(path, json.dumps({"step": step, "studies": names}, indent=2).encode())
    raise RunError(
        f"{run.out}: the {done.not_finite} of step {step} is not finite; its studies are listed in "
        f"{path.name}. Lower training.learning_rate {lower} training.clip, in a new --out"
    )


def _finish(
    run: Run, trainer: Trainer, model: PairModel | None, pairs: Pairs, tokenizer: Tokenizer
) -> None:
    assert model is not None
    if trainer.best_weights:
        model.load_state_dict(trainer.best_weights)
    runs.plot_metrics(runs.read_metrics(run.out / runs.METRICS), run.out / runs.PLOT)
    facts = {
        **{key: run.asked[key] for key in ("recipe", "data")},
        "studies": len(pairs.train),
        "without_partner": pairs.train.without_partner,
        "steps": trainer.step,
        "batch": trainer.batch,
        "seed": trainer.config.seed,
    }
    save_folder(
        run.out / runs.MODEL, model.cpu(), tokenizer, labels=run.studies.label_names, origin=facts
    )
