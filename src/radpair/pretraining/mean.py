"""A running mean of a model, which is then what is validated and saved."""

from __future__ import annotations

from copy import deepcopy
from itertools import chain

import torch
from torch import Tensor

from radpair.models.pair import PairModel


class RunningMean:
    """A copy of a model that moves a part of the way towards it in every step.

    What ``torch.optim.swa_utils.AveragedModel`` does with ``use_buffers``, but that one asks the
    device in every step how many there were, which makes the host wait.
    """

    def __init__(self, model: PairModel, decay: float, device: torch.device) -> None:
        """``decay`` of the mean is kept in a step."""
        self.model = deepcopy(model).to(device)
        self._decay = decay

    @torch.no_grad()
    def follow(self, model: PairModel, *, first: bool) -> None:
        """Moves towards ``model``; with ``first`` becomes equal to it. Whole numbers have no mean
        and are copied."""
        for means, now in self._by_type(model):
            if first or not means[0].is_floating_point():
                torch._foreach_copy_(means, now)
            else:
                torch._foreach_lerp_(means, now, 1 - self._decay)

    def _by_type(self, model: PairModel) -> list[tuple[list[Tensor], list[Tensor]]]:
        """The members of the mean and of ``model``, those of one type together."""
        kinds: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
        for mean, now in zip(_members(self.model), _members(model), strict=True):
            means, values = kinds.setdefault(mean.dtype, ([], []))
            means.append(mean)
            values.append(now)
        return list(kinds.values())


def _members(model: PairModel) -> list[Tensor]:
    return [member.detach() for member in chain(model.parameters(), model.buffers())]
