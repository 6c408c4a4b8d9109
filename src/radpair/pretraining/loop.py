"""The pretraining loop: blind to the method, exact on resume.

Everything random in a step is seeded by (seed, step), so a run that is killed and started again
ends with the same weights as one that was not.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from radpair.compat import mend_torchvision
from radpair.errors import ModelError, RunError, nearest
from radpair.models.folder import HASHES, load_folder, save_folder, write_atomically
from radpair.models.pair import PairModel
from radpair.objectives.infonce import infonce, same_pairs
from radpair.pretraining import run as runs
from radpair.pretraining.checkpoint import newest_checkpoint, save_checkpoint
from radpair.pretraining.evaluators import Watch, watch
from radpair.pretraining.pairs import (
    Pairs,
    batch_order,
    prepare_pairs,
    run_tokenizer,
    training_batches,
    validation_batches,
)
from radpair.pretraining.recipe import Recipe, TrainingConfig, load_recipe
from radpair.progress import Track, track
from radpair.studyset import StudySet
from radpair.studyset.batch import PairBatch, to_device

DEVICES = ("auto", "cpu", "cuda")
LOG_EVERY = 10
"""Steps between the lines of the metrics log."""


def pretrain(
    recipe_name: str, data: Path, out: Path, overrides: Iterable[str] = (), device: str = "auto"
) -> Path:
    """Trains a recipe on a study set and returns the model folder ``out/model``.

    The same call again continues where it stopped, and does nothing once finished. Raises
    ``RecipeError``, ``StudySetError`` or ``RunError``.
    """
    recipe = _with_precision(load_recipe(recipe_name, list(overrides)), device)
    studies = StudySet.open(data)
    asked = runs.asked_for(recipe_name, recipe, studies)
    with runs.claim(out):
        runs.refuse_other(out, asked)
        if not _is_finished(out / runs.MODEL):
            _train(recipe, asked, studies, out, device)
    return out / runs.MODEL


def _is_finished(folder: Path) -> bool:
    """Whether the model is there and whole; a damaged one is written again."""
    if not (folder / HASHES).is_file():
        return False
    try:
        load_folder(folder)
    except ModelError:
        return False
    return True


def losses(model: PairModel, batch: PairBatch) -> dict[str, Tensor]:
    """The named losses of one batch; ``loss`` is what training minimises."""
    codes = model(batch)
    weight = model.config.objective.image_weight
    found = []
    for partner, content in ((codes.text, batch.text_content), (codes.graph, batch.graph_content)):
        if partner is not None and content is not None:
            same = same_pairs(batch.study, batch.report, content)
            found.append(infonce(codes.image, partner, model.temperature(), same, weight))
    return {key: torch.stack([item[key] for item in found]).mean() for key in found[0]}


@dataclass
class _Trainer:
    """All that changes while a run goes on."""

    fabric: Any
    model: Any
    optimiser: torch.optim.Optimizer
    scheduler: Any
    config: TrainingConfig
    step: int = 0
    best: float = math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "best": self.best,
            "best_weights": self.best_weights,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scheduler": self.scheduler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.step, self.best = state["step"], state["best"]
        self.best_weights = state["best_weights"]
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scheduler.load_state_dict(state["scheduler"])


def _train(
    recipe: Recipe, asked: dict[str, Any], studies: StudySet, out: Path, device: str
) -> None:
    tokenizer = run_tokenizer(recipe, studies)
    model = _model(recipe, tokenizer.get_vocab_size())
    pairs = prepare_pairs(recipe, studies, tokenizer, model.window)
    watched = watch(recipe, studies, tokenizer, len(pairs.validate))
    order = batch_order(pairs.train, recipe)
    epoch = recipe.training.steps_per_epoch or order.steps_per_pass
    total = epoch * recipe.training.epochs
    trainer = _trainer(recipe, model, total, device)
    try:
        runs.record(out, asked)
        state = newest_checkpoint(out / runs.CHECKPOINTS)
        if state is not None:
            trainer.restore(state)
        runs.keep_metrics(out / runs.METRICS, trainer.step)
        with track(f"pretrain {asked['recipe']}", total) as show:
            _steps(trainer, pairs, recipe, out, epoch, total, show, studies, watched)
        origin = {key: asked[key] for key in ("recipe", "data")}
        _finish(trainer, pairs, tokenizer, origin, studies.label_names, out)
    except OSError as problem:
        raise RunError(
            f"{out}: the run cannot be written ({problem.strerror}); make space and give the same "
            f"command again, it continues from its last checkpoint"
        ) from problem


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


def _trainer(recipe: Recipe, model: PairModel, total: int, device: str) -> _Trainer:
    mend_torchvision()
    from lightning.fabric import Fabric

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)

    config = recipe.training
    precision: Any = config.precision
    fabric = Fabric(accelerator=device, devices=1, precision=precision)
    trained = [p for p in model.parameters() if p.requires_grad]
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimiser]
    optimiser = kind(trained, lr=config.learning_rate, weight_decay=config.weight_decay)
    scheduler = _scheduler(config, optimiser, total)
    wrapped, optimiser = fabric.setup(model, optimiser)
    return _Trainer(fabric, wrapped, optimiser, scheduler, config)


def _with_precision(recipe: Recipe, device: str) -> Recipe:
    """The recipe with ``auto`` resolved for this machine, so that a run keeps what it began with.

    Raises ``RunError`` for a device that is not here.
    """
    if device not in DEVICES:
        raise RunError(f"--device '{device}' is not known{nearest(device, DEVICES)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise RunError("--device cuda: torch sees no GPU here; use --device cpu")
    if recipe.training.precision != "auto":
        return recipe
    if device != "cpu" and torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported()
    else:
        asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        native = any(getattr(torch.cpu, name, bool)() for name in asked)
    training = replace(recipe.training, precision="bf16-mixed" if native else "32-true")
    return replace(recipe, training=training)


def _scheduler(config: TrainingConfig, optimiser: torch.optim.Optimizer, total: int) -> Any:
    if config.schedule == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, factor=config.factor, patience=config.patience
        )
    return torch.optim.lr_scheduler.LambdaLR(optimiser, _rate(config, total))


def _rate(config: TrainingConfig, total: int) -> Callable[[int], float]:
    def rate(step: int) -> float:
        warm = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
        if config.schedule == "constant":
            return warm
        return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / total)))

    return rate


def _steps(
    trainer: _Trainer,
    pairs: Pairs,
    recipe: Recipe,
    out: Path,
    epoch: int,
    total: int,
    show: Track,
    studies: StudySet,
    watched: Watch,
) -> None:
    fabric, config = trainer.fabric, recipe.training
    pin = fabric.device.type == "cuda"
    begun, first = time.monotonic(), trainer.step
    batches = training_batches(pairs.train, recipe, first, total, pin=pin)
    for batch in batches:
        found = _step(trainer, to_device(batch, fabric.device))
        if not math.isfinite(found["loss"]):
            _stop_on_non_finite(out, trainer.step, studies, batch)
        trainer.step += 1
        speed = (trainer.step - first) * len(batch.study) / (time.monotonic() - begun)
        if trainer.step % LOG_EVERY == 0 or trainer.step == total:
            entry = {
                "step": trainer.step,
                "split": "train",
                **found,
                "studies_per_s": round(speed, 1),
            }
            runs.add_metrics(out / runs.METRICS, entry)
        ends_epoch = trainer.step % epoch == 0
        if ends_epoch:
            _end_epoch(trainer, pairs, watched, trainer.step // epoch, out)
        show(
            trainer.step,
            f"loss {found['loss']:.3f}  accuracy {found['accuracy']:.0%}  {speed:.0f} studies/s"
            f"{watched.note}",
        )
        if ends_epoch or trainer.step % config.checkpoint == 0:
            save_checkpoint(out / runs.CHECKPOINTS, trainer.step, trainer.state())


def _step(trainer: _Trainer, batch: PairBatch) -> dict[str, float]:
    config = trainer.config
    torch.manual_seed((config.seed << 32) + trainer.step)
    trainer.model.train()
    _freeze_image(trainer, frozen=trainer.step < config.freeze_image)
    found = _forward(trainer, batch)
    trainer.optimiser.zero_grad(set_to_none=True)
    trainer.fabric.backward(found["loss"])
    if config.clip:
        trainer.fabric.clip_gradients(
            trainer.model, trainer.optimiser, max_norm=config.clip, error_if_nonfinite=False
        )
    values = {key: float(value.detach()) for key, value in found.items()}
    if math.isfinite(values["loss"]):
        trainer.optimiser.step()
        if config.schedule != "plateau":
            trainer.scheduler.step()
    return values


def _forward(trainer: _Trainer, batch: PairBatch) -> dict[str, Tensor]:
    with trainer.fabric.autocast():
        return losses(trainer.model.module, batch)


def _freeze_image(trainer: _Trainer, *, frozen: bool) -> None:
    tower = trainer.model.module.image
    tower.requires_grad_(not frozen)
    if frozen:
        tower.eval()


def _end_epoch(trainer: _Trainer, pairs: Pairs, watched: Watch, epoch: int, out: Path) -> None:
    """One line of metrics: validation, and the evaluators that are due."""
    rate = trainer.optimiser.param_groups[0]["lr"]
    means = _validate(trainer, pairs)
    if means:
        figures = watched.figures(trainer.model.module, epoch, trainer.fabric.device)
        line = {"step": trainer.step, "split": "validate", **means, "rate": rate, **figures}
        runs.add_metrics(out / runs.METRICS, line)


@torch.no_grad()
def _validate(trainer: _Trainer, pairs: Pairs) -> dict[str, float]:
    """Validation loss over the whole split; drives the plateau schedule and what is kept.

    Empty where there is nothing to validate on.
    """
    sums: dict[str, float] = {}
    seen = 0
    trainer.model.eval()
    for batch in validation_batches(pairs.validate, trainer.config.batch):
        found = _forward(trainer, to_device(batch, trainer.fabric.device))
        for key, value in found.items():
            sums[key] = sums.get(key, 0.0) + float(value) * len(batch.study)
        seen += len(batch.study)
    if not seen:
        return {}
    means = {key: value / seen for key, value in sums.items()}
    if trainer.config.schedule == "plateau":
        trainer.scheduler.step(means["loss"])
    if means["loss"] < trainer.best:
        trainer.best = means["loss"]
        if trainer.config.keep == "best":
            state = trainer.model.state_dict()
            trainer.best_weights = {key: value.detach().clone() for key, value in state.items()}
    return means


def _stop_on_non_finite(out: Path, step: int, studies: StudySet, batch: PairBatch) -> None:
    names = [studies.study_ids[int(study)] for study in batch.study]
    path = out / "non_finite.json"
    write_atomically(path, json.dumps({"step": step, "studies": names}, indent=2).encode())
    raise RunError(
        f"{out}: the loss of step {step} is not finite; its studies are listed in {path.name}. "
        "Lower training.learning_rate or set training.clip, in a new --out"
    )


def _finish(
    trainer: _Trainer,
    pairs: Pairs,
    tokenizer: Tokenizer,
    origin: dict[str, Any],
    labels: tuple[str, ...],
    out: Path,
) -> None:
    model: PairModel = trainer.model.module
    if trainer.best_weights:
        trainer.model.load_state_dict(trainer.best_weights)
    runs.plot_metrics(runs.read_metrics(out / runs.METRICS), out / runs.PLOT)
    facts = {
        **origin,
        "studies": len(pairs.train),
        "without_partner": pairs.train.without_partner,
        "steps": trainer.step,
        "seed": trainer.config.seed,
    }
    save_folder(out / runs.MODEL, model.cpu(), tokenizer, labels=labels, origin=facts)
