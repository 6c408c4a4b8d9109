"""Time and memory of the losses: the whole matrix of similarities, and a few rows of it at once.

    python benchmarks/objectives.py [--largest 16384] [--chunk 256] [--device cpu]

Forward and backward on one core (or one GPU), for batches of 1,024 pairs up to the largest, with
three keys that make some pairs no negatives of each other. ``plain`` is the loss on the whole
matrix by torch's own derivatives; ``chunked`` has ``--chunk`` rows in memory; their values are
compared. Every measurement is a process of its own. Memory is what the first pass held beyond the
codes (CPU: resident, with freed blocks given back at once; GPU: what torch allocated). Time is the
shortest of up to three passes (CPU: processor seconds). Last come the exponents: memory grows as
pairs to that power.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import torch
from torch import Tensor

from radpair.objectives import ObjectiveConfig, whole

FIRST, DIMS, PASSES, ENOUGH = 1024, (128, 512), 3, 5.0
MIB = 1 << 20
MMAP_THRESHOLD = -3
"""Of glibc's mallopt: blocks above this size are given back when they are freed."""
Measured = tuple[float, float, float]
"""Seconds of a pass, memory in MiB, loss."""


def inputs(pairs: int, dim: int, device: str) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    """Codes, scale and bias; keys of which the last two repeat, as reports and sentences do."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(2, pairs, dim, generator=generator).to(device)
    values = [*codes, torch.tensor(14.0, device=device), torch.tensor(-10.0, device=device)]
    report = torch.randint(0, pairs, (pairs,), generator=generator)
    content = torch.randint(0, pairs // 2, (pairs,), generator=generator)
    keys = tuple(key.to(device) for key in (torch.arange(pairs), report, content))
    return [value.requires_grad_() for value in values], keys


def held(device: str) -> int:
    """The most bytes this process has held."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(
    config: ObjectiveConfig, pairs: int, dim: int, device: str, what: str, out: Connection
) -> None:
    """Sends what one process finds: ``memory`` in MiB or ``time`` in seconds, and the loss."""
    torch.set_num_threads(1)
    if what == "memory" and sys.platform == "linux":
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, 1 << 16)
    once(config, *inputs(FIRST // 8, dim, device))
    values, keys = inputs(pairs, dim, device)
    before = held(device)
    loss = once(config, values, keys)
    if what == "memory":
        out.send(((held(device) - before) / MIB, loss))
    else:
        clock = time.process_time if device == "cpu" else time.perf_counter
        out.send((shortest(lambda: once(config, values, keys), clock), loss))


def once(config: ObjectiveConfig, values: list[Tensor], keys: tuple[Tensor, ...]) -> float:
    """Forward and backward. The loss is read, so a GPU has finished."""
    for value in values:
        value.grad = None
    loss = whole(config, *values[:3], values[3], keys=keys)["loss"]
    loss.backward()
    return loss.item()


def shortest(one: Callable[[], float], clock: Callable[[], float]) -> float:
    """Seconds of the shortest pass; a pass over ``ENOUGH`` seconds is not repeated."""
    times: list[float] = []
    while len(times) < PASSES and sum(times) < ENOUGH:
        begun = clock()
        one()
        times.append(clock() - begun)
    return min(times)


def apart(config: ObjectiveConfig, pairs: int, dim: int, device: str) -> Measured:
    """``measure`` in processes of their own: seconds, MiB, loss."""
    context = multiprocessing.get_context("fork")
    found = []
    for what in ("time", "memory"):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=measure, args=(config, pairs, dim, device, what, sender))
        process.start()
        sender.close()
        found.append(receiver.recv())
        process.join()
    return found[0][0], found[1][0], found[1][1]


def compare(kind: str, dim: int, largest: int, chunk: int, device: str) -> None:
    peaks: list[tuple[int, float, float]] = []
    pairs = FIRST
    while pairs <= largest:
        slow = apart(ObjectiveConfig(kind), pairs, dim, device)
        fast = apart(ObjectiveConfig(kind, chunk=chunk), pairs, dim, device)
        assert math.isclose(slow[2], fast[2], rel_tol=1e-5), (slow, fast)
        peaks.append((pairs, slow[1], fast[1]))
        print(
            f"{kind:<8} {dim:4d} wide {pairs:6,d} pairs: plain {slow[0]:7.3f} s {slow[1]:8,.0f} MiB"
            f", chunked {fast[0]:7.3f} s {fast[1]:6,.0f} MiB; time x {fast[0] / slow[0]:.2f},"
            f" memory x {fast[1] / slow[1]:.3f}",
            flush=True,
        )
        pairs *= 2
    if len(peaks) > 1:
        print(f"{kind:<8} {dim:4d} wide: memory as pairs to the power {powers(peaks)}", flush=True)


def powers(peaks: list[tuple[int, float, float]]) -> str:
    """Of the last doubling."""
    (_, plain, chunked), (_, next_plain, next_chunked) = peaks[-2:]
    exponents = math.log2(next_plain / plain), math.log2(next_chunked / chunked)
    return "{:.2f} plain, {:.2f} chunked".format(*exponents)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--largest", type=int, default=16384)
    parser.add_argument("--chunk", type=int, default=256)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    asked = parser.parse_args()
    for kind in ("infonce", "sigmoid"):
        for dim in DIMS:
            compare(kind, dim, asked.largest, asked.chunk, asked.device)


if __name__ == "__main__":
    main()
