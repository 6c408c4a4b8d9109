"""A transformer layer over groups of different sizes that lie side by side, without padding.

Everything but the attention itself treats each member alone, so it runs over the flat members.
"""

from __future__ import annotations

import warnings
from functools import cache
from itertools import groupby
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def ragged_layer(
    layer: nn.TransformerEncoderLayer, members: Tensor, sizes: tuple[int, ...], start: Tensor
) -> Tensor:
    """What ``layer`` makes of each group alone, ``[members, width]``.

    ``members [members, width]`` lie group by group, ``sizes`` are ascending and ``start
    [groups + 1]`` says where each group begins. ``layer`` must normalise after each sum
    (``norm_first=False``); its dropout applies as in its own ``forward``.
    """
    attention = layer.self_attn
    projected = F.linear(members, attention.in_proj_weight, attention.in_proj_bias)
    dropout = attention.dropout if layer.training else 0.0
    width = projected.shape[1] // (3 * attention.num_heads)
    nested = members.is_cuda and jagged_agrees(projected.device, projected.dtype, width)
    attend = attend_jagged if nested else attend_by_size
    mixed = attend(projected, attention.num_heads, sizes, start, dropout)
    members = layer.norm1(members + layer.dropout1(attention.out_proj(mixed)))
    inner = layer.linear2(layer.dropout(F.relu(layer.linear1(members))))
    out: Tensor = layer.norm2(members + layer.dropout2(inner))
    return out


def attend_by_size(
    projected: Tensor, heads: int, sizes: tuple[int, ...], start: Tensor, dropout: float
) -> Tensor:
    """Attention within each group, groups of one size together.

    ``projected [members, 3 * width]`` are queries, keys and values; returns ``[members, width]``.
    Nothing is padded and nothing masked.
    """
    runs = [(size, len(list(run))) for size, run in groupby(sizes)]
    parts = torch.split(projected, [size * groups for size, groups in runs])
    found = []
    for (size, groups), part in zip(runs, parts, strict=True):
        query, key, value = part.view(groups, size, 3, heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        found.append(mixed.transpose(1, 2).reshape(groups * size, -1))
    return torch.cat(found)


def attend_jagged(
    projected: Tensor, heads: int, sizes: tuple[int, ...], start: Tensor, dropout: float
) -> Tensor:
    """The same as one call on nested tensors, for devices with variable-length kernels."""
    parts = projected.view(len(projected), 3, heads, -1).unbind(1)
    query, key, value = (
        torch.nested.nested_tensor_from_jagged(
            part.contiguous(), start, min_seqlen=sizes[0], max_seqlen=sizes[-1]
        ).transpose(1, 2)
        for part in parts
    )
    mixed: Any = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
    out: Tensor = mixed.transpose(1, 2).values().reshape(len(projected), -1)
    return out


@cache
def jagged_agrees(device: torch.device, dtype: torch.dtype, width: int) -> bool:
    """Whether ``attend_jagged`` gives there, for heads of ``width``, what ``attend_by_size`` does.

    Nested tensors are young, and which kernel they get depends on device, type and width. Small
    groups are tried once, forward and backward; where that fails or differs there is a warning.
    """
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(device.type, enabled=False),
    ):
        rows = torch.linspace(-1, 1, 5 * 3 * 2 * width, device=device).cos().view(5, -1).to(dtype)
        start = torch.tensor([0, 1, 2, 5], device=device)
        try:
            one, other = (_tried(attend, rows, start) for attend in (attend_jagged, attend_by_size))
        except torch.OutOfMemoryError:
            raise
        except Exception as problem:
            reason = str(problem).strip().partition("\n")[0]
        else:
            if torch.allclose(one, other, atol=0.03, rtol=0.03):
                return True
            reason = "other values"
    warnings.warn(
        f"attention over nested tensors cannot be used on {device} in {dtype} ({reason}); it goes "
        "by groups of one size instead, which is slower",
        stacklevel=2,
    )
    return False


def _tried(attend: Any, rows: Tensor, start: Tensor) -> Tensor:
    """What comes of ``rows``, and their gradient beneath."""
    rows = rows.clone().requires_grad_()
    found = attend(rows, 2, (1, 1, 3), start, 0.0)
    found.float().square().sum().backward()
    assert rows.grad is not None
    return torch.cat([found.detach().flatten(), rows.grad.flatten()]).float()
