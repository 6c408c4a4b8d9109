"""A projection, not a measurement: training on 8 and 64 GPUs over MIMIC-CXR.

    OMP_NUM_THREADS=1 python benchmarks/scaling.py

Counted here, on the models at paper size with random weights: the operations of one study, the
kernels of one pass, the weights that have a gradient, the numbers that processes exchange. Measured
here: what a core needs to prepare a study, as a step asks for it, and to draw the order of a pass,
which each process does. Everything else is an assumption, printed with the
result; each can be given another value. The model of a step:

- the device works for operations / (fraction x peak), then reads and writes the optimiser's state;
- the host starts each kernel, so no step is shorter than kernels x the time of one;
- gradients go around a ring in each machine and, an eighth by each GPU, around a ring of machines
  (reduce-scatter, all-reduce, all-gather); what does not fit behind the backward pass is waited
  for, ``--overlap`` of which it can hide behind;
- codes are gathered, and their gradients summed, by all, and all wait for both.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import gpu
from loader import STUDIES, prepared, repeated, study_set
from radpair.models.pair import PairModel
from radpair.pretraining.pairs import Order
from radpair.studyset.batch import PairBatch, with_pixels

IMAGES = 377_110
IN_MACHINE = 8
STATE_BYTES = 28
"""A weight, its gradient and two moments are read, a weight and two moments written, float32."""
KEY_BYTES = 24
"""Three int64 of a study: itself, its report, its partner's content."""
EACH = 64
"""Studies of the steps whose preparation is measured."""
LAYOUTS = ((1, 256), (8, 256), (8, 512), (64, 64), (64, 256))
"""GPUs, and studies on each."""


@dataclass(frozen=True)
class Assumed:
    """What was not measured; published figures are of NVIDIA's H200 SXM."""

    fraction: tuple[float, ...]
    peak: float
    single: float
    memory: float
    link: float
    network: float
    reached: float
    hop: float
    overlap: float
    launch: float
    cores: int


@dataclass(frozen=True)
class Cost:
    """What was counted and measured of one recipe."""

    operations: float
    """Of one study, forward and backward."""
    kernels: int
    """Of one pass forward and backward."""
    weights: int
    """With a gradient."""
    statistics: int
    """Numbers of batch normalisation that processes share."""
    dim: int
    prepare: float
    """Seconds of a core for one study."""
    draw: float
    """Seconds of a core for the order of a pass."""


class Kernels(TorchDispatchMode):
    """Counts the operations that a device would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        self.count += not func.is_view
        return found


def main() -> None:
    assumed, tiny = parsed()
    print("PROJECTION for MIMIC-CXR:", f"{STUDIES:,} studies, {IMAGES:,} images. Assumed:")
    for line in said(assumed):
        print(f"- {line}")
    with tempfile.TemporaryDirectory() as folder:
        studies = study_set(Path(folder) / "set", 64)
        costs = {name: cost(name, studies, tiny) for name in gpu.TOWERS}
    for name, found in costs.items():
        print(
            f"\n{name}, counted: {found.operations / 1e9:.1f} GFLOP a study, {found.kernels:,} "
            f"kernels a pass, {found.weights / 1e6:.1f} million weights with a gradient; measured: "
            f"{found.prepare * 1e6:.0f} µs of a core to prepare a study, "
            f"{found.draw * 1e3:.1f} ms to draw the order of a pass\n"
        )
        table(found, assumed)


def parsed() -> tuple[Assumed, bool]:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--fraction", type=float, nargs="+", default=[0.25, 0.5], help="of the peak (assumed)")
    add("--peak", type=float, default=989.4e12, help="bf16 FLOP/s, dense (published)")
    add("--single", type=float, default=66.9e12, help="float32 FLOP/s, of the loss (published)")
    add("--memory", type=float, default=4.8e12, help="bytes/s of the device's memory (published)")
    add("--link", type=float, default=450e9, help="bytes/s, NVLink, one direction (published)")
    add("--network", type=float, default=50e9, help="bytes/s a GPU, NDR 400 Gb/s (published)")
    add("--reached", type=float, default=0.7, help="of memory, link and network (assumed)")
    add("--hop", type=float, default=1e-5, help="seconds of a hop in a ring (assumed)")
    add("--overlap", type=float, default=0.7, help="share of the backward pass (assumed)")
    add("--launch", type=float, default=6e-6, help="seconds to start a kernel (assumed)")
    add("--cores", type=int, default=14, help="of the host, for each GPU (assumed)")
    add("--tiny", action="store_true", help="towers of a few thousand weights")
    values = vars(parser.parse_args())
    tiny = values.pop("tiny")
    return Assumed(**{**values, "fraction": tuple(values["fraction"])}), tiny


def said(a: Assumed) -> list[str]:
    """The assumptions in words."""
    shares = ", ".join(f"{share:.0%}" for share in a.fraction)
    return [
        f"published, H200 SXM: {a.peak / 1e12:.1f} TFLOP/s in bf16, {a.single / 1e12:.1f} in "
        f"float32, {a.memory / 1e12:.1f} TB/s of memory",
        f"published, within a machine of {IN_MACHINE} GPUs: NVLink of {a.link / 1e9:.0f} GB/s in "
        f"each direction; between machines: NDR InfiniBand of {a.network / 1e9:.0f} GB/s a GPU",
        f"assumed: towers reach {shares} of the peak; memory, links and network reach "
        f"{a.reached:.0%} of theirs",
        f"assumed: {a.hop * 1e6:.0f} µs a hop, {a.launch * 1e6:.0f} µs to start a kernel; "
        f"gradients hide behind {a.overlap:.0%} of the backward pass; {a.cores} cores a GPU",
    ]


def cost(name: str, studies: Any, tiny: bool) -> Cost:
    """Counts one pass of a small batch; a larger one takes as many kernels."""
    recipe = gpu.sized(name, EACH, 1, tiny)
    model, data = gpu.made(recipe, studies)
    batch = with_pixels(data.batch(np.arange(16), 0))
    operations = gpu.operations(model, batch, torch.device("cpu"))
    shared = [
        module for module in model.modules() if getattr(module, "running_mean", None) is not None
    ]
    return Cost(
        operations=operations,
        kernels=kernels(model, batch),
        weights=sum(p.numel() for p in model.parameters() if p.requires_grad),
        statistics=sum(2 * module.num_features for module in shared),
        dim=recipe.dim,
        prepare=float(prepared(repeated(data), recipe).min(axis=0)[1]) / EACH,
        draw=draw(),
    )


def kernels(model: PairModel, batch: PairBatch) -> int:
    """Of one pass forward and backward."""
    counter = Kernels()
    with counter:
        with torch.autocast("cpu", torch.bfloat16):
            loss = gpu.losses(model, batch)["loss"]
        loss.backward()
    model.zero_grad(set_to_none=True)
    return counter.count


def draw() -> float:
    """Processor seconds for the order of a pass, the least of ten."""
    order, seconds = Order(STUDIES, EACH, 0), []
    for turn in range(1, 11):
        begun = time.process_time()
        order.places(turn * order.steps_per_pass)
        seconds.append(time.process_time() - begun)
    return min(seconds)


@dataclass(frozen=True)
class Step:
    """Seconds of one step."""

    device: float
    host: float
    waited: float

    @property
    def whole(self) -> float:
        return max(self.device, self.host) + self.waited


def step(c: Cost, a: Assumed, gpus: int, each: int, fraction: float) -> Step:
    """One step of ``gpus`` with ``each`` studies."""
    batch = gpus * each
    towers = each * c.operations / (fraction * a.peak)
    loss = 3 * 2 * 2 * each * batch * c.dim / (fraction * a.single)
    optimiser = c.weights * STATE_BYTES / (a.reached * a.memory)
    host = c.kernels * a.launch
    hidden = a.overlap * max(towers, host) * 2 / 3
    gradients = reduced(4 * c.weights, gpus, a)
    codes = gathered((2 * c.dim * 4 + KEY_BYTES) * batch, gpus, a)
    slopes = reduced(2 * c.dim * 4 * batch, gpus, a) + reduced(4 * c.statistics, gpus, a)
    waited = max(0.0, gradients - hidden) + codes + slopes
    return Step(towers + loss + optimiser, host, waited)


def reduced(size: float, gpus: int, a: Assumed) -> float:
    """Seconds to sum ``size`` bytes over all processes."""
    here, machines = min(gpus, IN_MACHINE), max(1, gpus // IN_MACHINE)
    within = 2 * ring(size, here, a.reached * a.link, a.hop)
    return within + 2 * ring(size / here, machines, a.reached * a.network, a.hop)


def gathered(size: float, gpus: int, a: Assumed) -> float:
    """Seconds until everyone has all ``size`` bytes, of which each process had its part."""
    here, machines = min(gpus, IN_MACHINE), max(1, gpus // IN_MACHINE)
    between = ring(size / here, machines, a.reached * a.network, a.hop)
    return between + ring(size, here, a.reached * a.link, a.hop)


def ring(size: float, members: int, speed: float, hop: float) -> float:
    """One way around: all but one part of ``size`` passes each member."""
    return (members - 1) * (size / members / speed + hop)


def table(c: Cost, a: Assumed) -> None:
    print(
        "| fraction of the peak | GPUs | batch | device | host | waited for others | step "
        "| studies/s | a GPU, of one alone at 256 | a pass over the studies | cores a GPU |"
    )
    print("|" + "---|" * 11)
    for fraction in a.fraction:
        alone = step(c, a, *LAYOUTS[0], fraction)
        for gpus, each in LAYOUTS:
            s = step(c, a, gpus, each, fraction)
            rate = gpus * each / s.whole
            efficiency = rate / (gpus * LAYOUTS[0][1] / alone.whole)
            print(
                f"| {fraction:.0%} | {gpus} | {gpus * each:,} | {s.device * 1e3:.1f} ms "
                f"| {s.host * 1e3:.1f} ms | {s.waited * 1e3:.1f} ms | {s.whole * 1e3:.1f} ms "
                f"| {rate:,.0f} | {efficiency:.0%} | {STUDIES / rate:,.1f} s "
                f"| {rate * (c.prepare / gpus + c.draw / STUDIES):.1f} of {a.cores} |"
            )


if __name__ == "__main__":
    main()
