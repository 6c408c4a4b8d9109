"""The loss of the validation split, its batches shared among the processes of a run."""

from __future__ import annotations

import torch
from torch import Tensor

from radpair.models.pair import PairModel
from radpair.objectives import NAMES, whole
from radpair.pretraining.pairs import Pairs, validation_places
from radpair.pretraining.trainer import Trainer
from radpair.studyset.batch import PairBatch, to_device, with_pixels


def losses(model: PairModel, batch: PairBatch) -> dict[str, Tensor]:
    """The named losses of one batch that is seen whole; ``loss`` is what training minimises."""
    codes = model(batch)
    scale, bias = model.objective_values()
    found = [
        whole(
            model.config.objective,
            codes.image,
            partner,
            scale,
            bias,
            keys=(batch.study, batch.report, content),
        )
        for partner, content in (
            (codes.text, batch.text_content),
            (codes.graph, batch.graph_content),
        )
        if partner is not None and content is not None
    ]
    return {key: torch.stack([item[key] for item in found]).mean() for key in found[0]}


@torch.no_grad()
def validate(trainer: Trainer, pairs: Pairs) -> dict[str, float]:
    """Means over the whole split, the same on every process, in whichever number they are.

    They drive the plateau schedule and what is kept. Empty where there is nothing to validate on.
    """
    model = trainer.kept.eval()
    places = validation_places(pairs.validate, trainer.config.batch)
    if not places:
        return {}
    names = NAMES[trainer.model.config.objective.kind]
    table = torch.zeros(len(places), len(names), dtype=torch.float64)
    for number in range(trainer.ranks.rank, len(places), trainer.ranks.world):
        batch = pairs.validate.batch(places[number], 0)
        batch = with_pixels(to_device(batch, trainer.fabric.device))
        with trainer.fabric.autocast():
            found = losses(model, batch)
        table[number] = torch.stack([found[name] for name in names]).double().cpu()
    table = trainer.ranks.total(table.to(trainer.fabric.device)).cpu()
    sizes = torch.tensor([float(len(chosen)) for chosen in places], dtype=torch.float64)
    means = (sizes @ table) / sizes.sum()
    return dict(zip(names, means.tolist(), strict=True))
