"""The arithmetic of a step, and the most that the device can do of it."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from radpair.pretraining.step import rehearse
from radpair.pretraining.trainer import Trainer
from radpair.studyset.batch import PairBatch
from radpair.tensors import wait_for

Shape = Sequence[int]
HOST_SIDE, DEVICE_SIDE = 2048, 8192
"""Rows and columns of the matrices whose product is timed."""
BLOCKS = 5


def count_flops(trainer: Trainer, shards: Sequence[PairBatch]) -> dict[str, int]:
    """Floating point operations of this process in one step: matrix products and convolutions,
    forward and backward, a multiplication and an addition as two.

    ``model`` is what the step needs; ``recomputed`` is the first of two forward passes where a
    process has several shards, done to save memory.
    """
    spent: dict[str, int] = {}
    counter = FlopCounterMode(display=False, custom_mapping=attention_flops())

    @contextmanager
    def counted(name: str) -> Iterator[None]:
        before = counter.get_total_flops()
        yield
        spent[name] = counter.get_total_flops() - before

    with torch.compiler.set_stance("force_eager"), counter:
        rehearse(trainer, shards, counted)
    recomputed = spent["towers"] if len(shards) > 1 else 0
    return {"model": sum(spent.values()) - recomputed, "recomputed": recomputed}


def attention_flops() -> dict[Any, Any]:
    """How to count the host's attention: torch knows that of GPUs alone."""

    def forward(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
        return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]

    def backward(slope: Shape, query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
        return int(sdpa_backward_flop_count(slope, query, key, value))  # type: ignore[no-untyped-call]

    names = ("_scaled_dot_product_flash_attention_for_cpu", "{}_backward")
    ops = [getattr(torch.ops.aten, name.format(names[0]), None) for name in names]
    return {op: count for op, count in zip(ops, (forward, backward), strict=True) if op}


def matrix_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of large matrix products in ``dtype``: the best of some blocks."""
    gpu = device.type == "cuda"
    side, products = (DEVICE_SIDE, 20) if gpu else (HOST_SIDE, 1)
    source = torch.Generator(device).manual_seed(0)
    left, right = (
        torch.randn(side, side, device=device, generator=source).to(dtype) for _ in range(2)
    )
    _products(left, right, products)
    best = min(_products(left, right, products) for _ in range(BLOCKS))
    del left, right
    if gpu:
        torch.cuda.reset_peak_memory_stats(device)
    return 2.0 * side**3 * products / best


def _products(left: Tensor, right: Tensor, count: int) -> float:
    """Seconds of ``count`` products."""
    wait_for(left.device)
    begun = time.perf_counter()
    for _ in range(count):
        torch.mm(left, right)
    wait_for(left.device)
    return time.perf_counter() - begun


def peak_memory(device: torch.device) -> dict[str, Any]:
    """``bytes``, and what they are ``of``."""
    if device.type == "cuda":
        return {"bytes": torch.cuda.max_memory_allocated(device), "of": "tensors on the GPU"}
    unit = 1 if sys.platform == "darwin" else 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"bytes": most, "of": "resident memory of the process"}


def device_name(device: torch.device) -> str:
    """What the device calls itself."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"
