"""One step of optimisation over a batch in shards, on one process or on several.

The objective sees the whole batch, wherever its studies are encoded: codes are gathered, each
process takes the rows of the loss that belong to its own studies, and the gradient of every code
is summed over the processes before it goes back through the towers. Where a process has several
shards it encodes them twice, first without and then with what the gradient needs (Gao et al.,
"Scaling deep contrastive learning batch size under memory limited setup", 2021): the gradient is
that of the whole batch, and the memory that of one shard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from radpair.objectives import share
from radpair.pretraining.normalisation import RunningStatistics
from radpair.pretraining.sharded import average_scalars
from radpair.pretraining.trainer import Parcel, Trainer
from radpair.studyset.batch import PairBatch

Codes = tuple[Tensor | None, ...]
"""Of one shard: images, texts, graphs ``[studies, dim]``, then the scalars of the objective."""
MODALITIES = 3
Clock = Callable[[str], AbstractContextManager[object]]
"""Measures what is done within it, under a name."""


def no_clock(_: str) -> AbstractContextManager[object]:
    """Measures nothing."""
    return nullcontext()


@dataclass(frozen=True)
class Done:
    """What one step came to, the same on every process."""

    values: dict[str, float]
    """``loss``, ``accuracy``, and the parts of the loss."""
    gradient: float
    """Its norm, before it was clipped."""
    studies: Tensor
    """``[batch]``: the studies of the whole batch."""
    stop: int
    """The signal that asked one of the processes to stop, 0 where none did."""

    @property
    def not_finite(self) -> str:
        """``loss`` or ``gradient`` where that is not finite; such a step changes no weight."""
        return next((name for name, value in self._checked() if not math.isfinite(value)), "")

    def _checked(self) -> tuple[tuple[str, float], ...]:
        return ("loss", self.values["loss"]), ("gradient", self.gradient)


def take_step(
    trainer: Trainer, shards: Sequence[PairBatch], clock: Clock = no_clock, stop: int = 0
) -> Done:
    """Encodes this process's ``shards``, and moves the weights by the gradient of all.

    ``stop`` is the signal that asked this process to stop, 0 for none; all learn of it.
    """
    statistics = _ready(trainer)
    values, keys = _find_gradient(trainer, shards, statistics, clock, stop)
    with clock("optimiser"):
        norm = get_total_norm(_gradients(trainer))
        told = [_whole(norm), keys[:, STOP].max().float()]
        *facts, gradient, asked = torch.stack([*values.values(), *told]).tolist()
        done = Done(dict(zip(values, facts, strict=True)), gradient, keys[:, 0], int(asked))
        if not done.not_finite:
            statistics.finish()
            if 0 < trainer.config.clip < done.gradient:
                clip_grads_with_norm_(trainer.model.parameters(), trainer.config.clip, norm)
            _move(trainer)
    return done


def rehearse(trainer: Trainer, shards: Sequence[PairBatch], clock: Clock) -> None:
    """As a step up to its gradient, which is dropped: everything stays as it was.

    DDP is not told, since it orders its buckets by the first gradients that it sums; where the
    model is sharded they are summed, since ones kept for later would be added to the next step's.
    """
    sums = trainer.ranks.sharded
    statistics = _ready(trainer)
    with trainer.fabric.no_backward_sync(trainer.towers, enabled=not sums):
        _find_gradient(trainer, shards, statistics, clock)
    trainer.optimiser.zero_grad(set_to_none=True)


def _ready(trainer: Trainer) -> RunningStatistics:
    trainer.wrap_towers()
    trainer.towers.train()
    _freeze_image(trainer, frozen=trainer.step < trainer.config.freeze_image)
    trainer.optimiser.zero_grad(set_to_none=True)
    return RunningStatistics(trainer.model, trainer.ranks, trainer.layout.shards)


def _find_gradient(
    trainer: Trainer,
    shards: Sequence[PairBatch],
    statistics: RunningStatistics,
    clock: Clock,
    stop: int = 0,
) -> tuple[dict[str, Tensor], Tensor]:
    with clock("towers"):
        codes = _encode(trainer, shards, statistics)
    with clock("loss"):
        values, gradient, keys = _objective(trainer, codes, shards, stop)
    with clock("backward"):
        _backward(trainer, shards, codes, gradient, statistics)
        if trainer.ranks.sharded:
            average_scalars(trainer.model, trainer.ranks)
    return values, keys


def _encode(
    trainer: Trainer, shards: Sequence[PairBatch], statistics: RunningStatistics
) -> list[Codes]:
    """The codes of each shard; with all that the gradient needs where that is one a process."""
    if not trainer.layout.cached:
        return [_forward(trainer, shards[0], trainer.own[0], statistics)]
    with torch.no_grad():
        return [
            _forward(trainer, shard, number, statistics, counted=False)
            for number, shard in zip(trainer.own, shards, strict=True)
        ]


def _forward(
    trainer: Trainer,
    shard: PairBatch,
    number: int,
    statistics: RunningStatistics,
    *,
    counted: bool = True,
) -> Codes:
    torch.manual_seed(_seed(trainer.config.seed, trainer.step, number))
    with statistics.of_shard(counted=counted):
        codes: Codes = trainer.towers(Parcel(shard))
    return codes


def _seed(seed: int, step: int, shard: int) -> int:
    """Of what is random within the towers: a function of the step and of the shard alone."""
    if shard == 0:
        return (seed << 32) + step
    return int(np.random.SeedSequence([seed, step, shard]).generate_state(1, np.uint64)[0] >> 1)


@dataclass(frozen=True)
class _Gradient:
    """The gradient of the whole batch's loss."""

    codes: dict[int, Tensor]
    """By the codes of this process's studies, ``[studies, dim]`` a modality."""
    scalars: tuple[Tensor | None, ...]
    """This process's share of that by the scalars of the objective."""


def _objective(
    trainer: Trainer, codes: Sequence[Codes], shards: Sequence[PairBatch], stop: int
) -> tuple[dict[str, Tensor], _Gradient, Tensor]:
    """The values of the whole batch's loss, its gradient, and the keys of the batch."""
    kinds = [kind for kind in range(MODALITIES) if codes[0][kind] is not None]
    own = torch.stack([_joined(codes, kind) for kind in kinds], dim=1)
    every = trainer.gather(own).requires_grad_()
    keys = trainer.gather(torch.cat([_keys(shard, kinds, stop) for shard in shards]))
    scale, bias = _leaves(codes[0][MODALITIES:])
    assert scale is not None
    found = [
        share(
            trainer.model.config.objective,
            every[:, 0],
            every[:, place],
            scale,
            bias,
            rows=trainer.rows,
            keys=(keys[:, 0], keys[:, 1], keys[:, 1 + place]),
        )
        for place in range(1, len(kinds))
    ]
    means = {key: torch.stack([item[key] for item in found]).mean() for key in found[0]}
    wanted = [every, scale] if bias is None else [every, scale, bias]
    slope, *by_scalar = torch.autograd.grad(means["loss"], wanted)
    slope = trainer.ranks.total(slope)[trainer.rows]
    by_code = {kind: slope[:, place] for place, kind in enumerate(kinds)}
    gradient = _Gradient(by_code, (*by_scalar, None)[:2])
    values = trainer.ranks.total(torch.stack([value.detach() for value in means.values()]))
    return dict(zip(means, values, strict=True)), gradient, keys


def _leaves(scalars: Sequence[Tensor | None]) -> list[Tensor | None]:
    return [None if scalar is None else scalar.detach().requires_grad_() for scalar in scalars]


def _joined(codes: Sequence[Codes], kind: int) -> Tensor:
    parts = [part for shard in codes if (part := shard[kind]) is not None]
    return torch.cat([part.detach() for part in parts]).float()


STOP = -1
"""The last of the keys."""


def _keys(shard: PairBatch, kinds: Sequence[int], stop: int) -> Tensor:
    """``[studies, 3 + partners]``: the study, its report, what each partner says, and ``stop``."""
    contents = [(None, shard.text_content, shard.graph_content)[kind] for kind in kinds]
    found = [shard.study, shard.report, *(key for key in contents if key is not None)]
    return torch.stack([*found, torch.full_like(shard.study, stop)], dim=1)


def _backward(
    trainer: Trainer,
    shards: Sequence[PairBatch],
    codes: Sequence[Codes],
    gradient: _Gradient,
    statistics: RunningStatistics,
) -> None:
    """Sends the gradient back through the towers, shard by shard."""
    start, last = 0, len(shards) - 1
    for place, (shard, number) in enumerate(zip(shards, trainer.own, strict=True)):
        rows = slice(start, start + len(shard.study))
        with trainer.fabric.no_backward_sync(trainer.towers, enabled=place < last):
            shown = codes[0]
            if trainer.layout.cached:
                shown = _forward(trainer, shard, number, statistics)
            scalars = gradient.scalars if place == last else (None,) * len(gradient.scalars)
            slopes = (
                *(
                    gradient.codes[kind][rows] if kind in gradient.codes else None
                    for kind in range(MODALITIES)
                ),
                *scalars,
            )
            _send_back(trainer, shown, slopes)
        start = rows.stop


def _send_back(trainer: Trainer, codes: Codes, slopes: Sequence[Tensor | None]) -> None:
    """Back through one shard. Processes average their gradients, and the batch's is the sum."""
    terms = [
        (code * slope).sum()
        for code, slope in zip(codes, slopes, strict=True)
        if code is not None and slope is not None and code.requires_grad
    ]
    trainer.fabric.backward(trainer.ranks.world * torch.stack(terms).sum())


def _gradients(trainer: Trainer) -> list[Tensor]:
    return [one.grad for one in trainer.model.parameters() if one.grad is not None]


def _whole(norm: Tensor) -> Tensor:
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


def _move(trainer: Trainer) -> None:
    config = trainer.config
    trainer.optimiser.step()
    if config.schedule != "plateau":
        trainer.scheduler.step()
    if trainer.mean is not None:
        trainer.mean.follow(trainer.model, first=trainer.step == 0)


def _freeze_image(trainer: Trainer, *, frozen: bool) -> None:
    tower = trainer.model.image
    tower.requires_grad_(not frozen)
    if frozen:
        tower.eval()
