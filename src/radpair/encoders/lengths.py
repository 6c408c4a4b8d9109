"""Texts of a batch grouped by length, so that little of what a language model reads is padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

EXTRA_CPU, EXTRA_CUDA = 64, 4096
"""What one more run of the language model is taken to cost, in tokens: on a GPU a run of few tokens
takes as long as one of some thousand, so that there only large batches are split."""


@dataclass(frozen=True)
class Part:
    """The texts of a batch that are read together."""

    rows: list[int]
    """Their numbers in the batch."""
    tokens: Tensor
    """``[texts, length]``: the longest of them."""
    mask: Tensor
    """``[texts, length]`` bool, false on padding."""
    full: bool
    """Whether nothing is padding."""

    def attention_mask(self, bert: Any) -> Tensor | None:
        """What ``bert`` is to be given: None where nothing is padding.

        Transformers asks a plain mask on the device whether it masks anything, and a GPU would
        stand still for the answer; a mask already of the shape of attention it takes as it is.
        """
        if self.full:
            return None
        shape = bert.config
        if (shape.model_type, shape._attn_implementation) != ("bert", "sdpa"):
            return self.mask.long()
        return self.mask[:, None, None, :].expand(-1, 1, self.mask.shape[1], -1)


def parts_by_length(tokens: Tensor, mask: Tensor, lengths: Sequence[int] | None) -> list[Part]:
    """``tokens`` and ``mask [texts, length]`` in groups of similar length.

    Without ``lengths [texts]``, known on the host, there is one group: to ask the device would
    make it wait.
    """
    if lengths is None:
        return [Part(list(range(len(tokens))), tokens, mask, full=False)]
    cuts = split_by_length(lengths, EXTRA_CUDA if tokens.is_cuda else EXTRA_CPU)
    if len(cuts) == 1:
        full = min(lengths) == tokens.shape[1]
        return [Part(list(range(len(tokens))), tokens, mask, full)]
    order = _sent([row for rows, _ in cuts for row in rows], tokens.device)
    parts = []
    groups = torch.split(order, [len(rows) for rows, _ in cuts])
    for (rows, longest), chosen in zip(cuts, groups, strict=True):
        full = all(lengths[row] == longest for row in rows)
        parts.append(Part(rows, tokens[chosen, :longest], mask[chosen, :longest], full))
    return parts


def split_by_length(lengths: Sequence[int], extra: int) -> list[tuple[list[int], int]]:
    """Groups of texts, the shortest first, each with its longest length.

    Of all divisions of the texts in order of length, the one that reads fewest tokens, padding
    included, where each group costs ``extra`` tokens more.
    """
    order = np.argsort(np.asarray(lengths, np.int64), kind="stable")
    longest, counts = np.unique(np.asarray(lengths, np.int64), return_counts=True)
    below = np.concatenate([[0], np.cumsum(counts)])
    best, came_from = np.zeros(len(longest) + 1, np.int64), np.zeros(len(longest) + 1, np.int64)
    for last in range(1, len(longest) + 1):
        cost = best[:last] + (below[last] - below[:last]) * longest[last - 1] + extra
        came_from[last] = cost.argmin()
        best[last] = cost[came_from[last]]
    ends = [len(longest)]
    while ends[-1]:
        ends.append(int(came_from[ends[-1]]))
    return [
        (order[below[first] : below[last]].tolist(), int(longest[last - 1]))
        for first, last in pairwise(reversed(ends))
    ]


def in_order(parts: Sequence[Part], found: Sequence[Tensor]) -> Tensor:
    """One row a text, ``found`` of each part, in the order of the batch."""
    together = torch.cat(list(found))
    if len(parts) == 1:
        return together
    rows = np.concatenate([part.rows for part in parts])
    return together.index_select(0, _sent(np.argsort(rows, kind="stable"), together.device))


def first_token(parts: Sequence[Part]) -> Tensor:
    """``[texts]``: where each text begins when the parts' tokens are laid end to end."""
    start = np.zeros(sum(len(part.rows) for part in parts), np.int64)
    seen = 0
    for part in parts:
        length = part.tokens.shape[1]
        start[part.rows] = seen + np.arange(len(part.rows)) * length
        seen += len(part.rows) * length
    return _sent(start, parts[0].tokens.device)


def _sent(numbers: Any, device: torch.device) -> Tensor:
    """``numbers`` on ``device``, out of pinned memory so that a copy to a GPU need not wait."""
    here = torch.as_tensor(numbers)
    if device.type == "cuda":
        here = here.pin_memory()
    return here.to(device, non_blocking=True)
