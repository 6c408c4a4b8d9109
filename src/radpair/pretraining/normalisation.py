"""Batch normalisation over the shards of a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from radpair.pretraining.ranks import Ranks


class RunningStatistics:
    """The running means and variances of a model, moved once a step by all its shards alike.

    Each shard is normalised by its own statistics and moves the running ones from where the step
    began; where they end is the mean over the shards, which does not depend on the order in
    which they came or on the process that had them.
    """

    def __init__(self, model: nn.Module, ranks: Ranks, shards: int) -> None:
        """The layers that are in training mode now, for one step of ``shards`` shards."""
        self._ranks, self._shards = ranks, shards
        layers = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
        self._layers = [one for one in layers if one.training and one.running_mean is not None]
        self._values = [
            values
            for layer in self._layers
            for values in (layer.running_mean, layer.running_var)
            if values is not None
        ]
        self._counts = [
            layer.num_batches_tracked
            for layer in self._layers
            if layer.num_batches_tracked is not None
        ]
        self._start = [values.clone() for values in self._values]
        self._started = [count.clone() for count in self._counts]
        self._sums = [torch.zeros_like(values) for values in self._values]

    @contextmanager
    def of_shard(self, *, counted: bool) -> Iterator[None]:
        """Around the forward pass of one shard; one that is not ``counted`` leaves no trace."""
        yield
        for values, total, start in zip(self._values, self._sums, self._start, strict=True):
            if counted:
                total.add_(values)
            values.data.copy_(start)  # .data: a backward pass to come must not mind
        for count, start in zip(self._counts, self._started, strict=True):
            count.copy_(start)

    def finish(self) -> None:
        """After the last shard: the model has the statistics of the whole step."""
        if not self._values:
            return
        flat = self._ranks.total(torch.cat([total.flatten() for total in self._sums]))
        sizes = [total.numel() for total in self._sums]
        parts = torch.split(flat / self._shards, sizes)
        for values, part in zip(self._values, parts, strict=True):
            values.data.copy_(part.view_as(values))
        for count in self._counts:
            count.add_(1)
