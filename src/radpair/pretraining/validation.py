"""The loss of the validation split, its batches shared among the processes of a run."""

from __future__ import annotations

import torch
from torch import Tensor

from radpair.models.pair import PairModel
from radpair.objectives import NAMES, whole
from radpair.objectives.config import ObjectiveConfig
from radpair.pretraining.pairs import Pairs, validation_places
from radpair.pretraining.trainer import Parcel, Trainer
from radpair.studyset.batch import PairBatch, to_device, with_pixels


def losses(model: PairModel, batch: PairBatch) -> dict[str, Tensor]:
    """The named losses of one batch that is seen whole; ``loss`` is what training minimises."""
    codes = model(batch)
    found = codes.image, codes.text, codes.graph, *model.objective_values()
    return _losses(model.config.objective, found, batch)


def _losses(
    config: ObjectiveConfig, codes: tuple[Tensor | None, ...], batch: PairBatch
) -> dict[str, Tensor]:
    """``codes`` are those of ``Towers``."""
    image, text, graph, scale, bias = codes
    assert image is not None
    assert scale is not None
    found = [
        whole(config, image, partner, scale, bias, keys=(batch.study, batch.report, content))
        for partner, content in ((text, batch.text_content), (graph, batch.graph_content))
        if partner is not None and content is not None
    ]
    return {key: torch.stack([item[key] for item in found]).mean() for key in found[0]}


@torch.no_grad()
def validate(trainer: Trainer, pairs: Pairs) -> dict[str, float]:
    """Means over the whole split, the same on every process, in whichever number they are.

    They drive the plateau schedule and what is kept. Empty where there is nothing to validate on.
    """
    trainer.kept.eval()
    places = validation_places(pairs.validate, trainer.config.batch)
    if not places:
        return {}
    names = NAMES[trainer.model.config.objective.kind]
    table = torch.zeros(len(places), len(names), dtype=torch.float64)
    for number in range(trainer.ranks.rank, _rounds(trainer, len(places)), trainer.ranks.world):
        batch = pairs.validate.batch(places[min(number, len(places) - 1)], 0)
        batch = with_pixels(to_device(batch, trainer.fabric.device))
        with trainer.fabric.autocast():
            found = _of_batch(trainer, batch)
        if number < len(places):
            table[number] = torch.stack([found[name] for name in names]).double().cpu()
    table = trainer.ranks.total(table.to(trainer.fabric.device)).cpu()
    sizes = torch.tensor([float(len(chosen)) for chosen in places], dtype=torch.float64)
    means = (sizes @ table) / sizes.sum()
    return dict(zip(names, means.tolist(), strict=True))


def _rounds(trainer: Trainer, batches: int) -> int:
    """How many batches are encoded: where the model is sharded, as many on every process."""
    world = trainer.ranks.world
    return -(-batches // world) * world if trainer.ranks.sharded else batches


def _of_batch(trainer: Trainer, batch: PairBatch) -> dict[str, Tensor]:
    if trainer.ranks.sharded:
        codes = trainer.towers(Parcel(batch))
        return _losses(trainer.model.config.objective, codes, batch)
    return losses(trainer.kept, batch)
