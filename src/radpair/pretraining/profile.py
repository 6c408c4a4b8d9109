"""Where the time of a step goes, and how much of the device's peak it reaches.

Only watches: a profiled run takes the same steps on the same numbers and ends with the same
weights.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from radpair.models.folder import write_atomically
from radpair.pretraining.arithmetic import count_flops, device_name, matrix_peak, peak_memory
from radpair.pretraining.trainer import Trainer
from radpair.studyset.batch import PairBatch

PROFILE = "profile.json"
SECTIONS = ("data", "host to device", "towers", "loss", "backward", "optimiser")
"""Of a step, in order."""
BETWEEN = ("validation", "checkpoint", "counting")
"""Between steps, and in no step's time."""
WARM_UP, MEASURED, COUNTED = 10, 100, 3
"""Steps before the measured ones; measured at most; whose arithmetic is counted."""
LOWER = {"bf16-mixed": torch.bfloat16}


@dataclass(frozen=True)
class Window:
    """Which steps are measured, by the number of steps taken before them."""

    counted: int
    """The first whose arithmetic is counted."""
    begin: int
    end: int


def window(first: int, total: int, freeze: int) -> Window:
    """The measured steps of a run that goes from step ``first`` to ``total``.

    They come after a warm-up, and once the image tower learns where the run gets that far.
    """
    start = freeze if first < freeze < total else first
    begin = start + min(WARM_UP, (total - start) // 3)
    return Window(start, begin, min(begin + MEASURED, total))


class NoProfile:
    """Measures nothing."""

    @contextmanager
    def __call__(self, _: str) -> Iterator[None]:
        """Around a section."""
        yield

    def before(self, shards: Sequence[PairBatch]) -> None:
        """Before a step."""

    def after(self) -> None:
        """After a step and all that follows from it."""

    def close(self) -> None:
        """At the end of the run."""


class Profile(NoProfile):
    """Times the sections of steps, and counts their arithmetic.

    On a GPU the times are those of its own queue, taken by events: nothing waits for them, and
    ``data`` is the time in which the GPU had nothing to do for want of a batch.
    """

    def __init__(self, trainer: Trainer, total: int, out: Path) -> None:
        """Measures the device's peak, on all processes at once."""
        self._trainer, self._path = trainer, out / PROFILE
        self._begun, self._first = time.monotonic(), trainer.step
        self.window = window(trainer.step, total, trainer.config.freeze_image)
        device = trainer.fabric.device
        self._clock: _HostClock = _DeviceClock() if device.type == "cuda" else _HostClock()
        self._spans: list[tuple[str, Any, Any]] = []
        self._counts: list[dict[str, int]] = []
        self._between: dict[str, float] = defaultdict(float)
        self._facts: dict[str, Any] = {}
        trainer.ranks.wait()
        self._peak = matrix_peak(device, LOWER.get(trainer.config.precision, torch.float32))
        self._edge: Any = None
        self._start_if_due()

    def _start_if_due(self) -> None:
        if self._trainer.step == self.window.begin:
            self._edge = self._clock.now()

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measures what is done within it."""
        started = time.monotonic()
        begin = None if self._edge is None else self._clock.now()
        yield
        if begin is not None:
            self._spans.append((name, begin, self._clock.now()))
        if name in BETWEEN:
            self._between[name] += time.monotonic() - started

    def before(self, shards: Sequence[PairBatch]) -> None:
        """Counts the arithmetic of the step to come where that is due."""
        if 0 <= self._trainer.step - self.window.counted < COUNTED:
            with self("counting"):
                self._counts.append(count_flops(self._trainer, shards))

    def after(self) -> None:
        """Begins and ends the measurement; at its end there is a ``profile.json``."""
        self._start_if_due()
        if self._edge is not None and self._trainer.step == self.window.end:
            edges, self._edge = (self._edge, self._clock.now()), None
            self._facts = self._measured(*edges)
            self._write()

    def _measured(self, begin: Any, end: Any) -> dict[str, Any]:
        trainer, steps = self._trainer, self.window.end - self.window.begin
        self._clock.wait()
        spent: dict[str, float] = defaultdict(float)
        for name, *edges in self._spans:
            spent[name] += self._clock.seconds(*edges)
        step = (self._clock.seconds(begin, end) - sum(spent[name] for name in BETWEEN)) / steps
        sections = {name: spent[name] / steps for name in SECTIONS}
        sections["else"] = step - sum(sections.values())
        return {
            "device": device_name(trainer.fabric.device),
            "precision": trainer.config.precision,
            "compiled": trainer.config.compile,
            "processes": trainer.ranks.world,
            "strategy": "fsdp" if trainer.ranks.sharded else "ddp",
            "studies_a_step": trainer.batch,
            "shards": trainer.layout.shards,
            "steps": [self.window.begin + 1, self.window.end],
            "step_seconds": step,
            "studies_per_s": trainer.batch / step,
            "sections": {
                name: {"seconds": seconds, "share": seconds / step}
                for name, seconds in sections.items()
            },
            **self._reached(step),
            "peak_memory": peak_memory(trainer.fabric.device),
        }

    def _reached(self, step: float) -> dict[str, Any]:
        """Arithmetic of this process in a step, beside what its device can do."""
        means = {
            key: sum(count[key] for count in self._counts) / len(self._counts)
            for key in ("model", "recomputed")
        }
        speed = means["model"] / step
        return {
            "model_flops": means["model"],
            "recomputed_flops": means["recomputed"],
            "flops_per_s": speed,
            "peak_flops_per_s": self._peak,
            "fraction_of_peak": speed / self._peak,
            "fraction_with_recomputed": (speed + means["recomputed"] / step) / self._peak,
        }

    def close(self) -> None:
        """Adds what the whole run took, and prints the table."""
        if not self._facts:
            return
        self._facts["run"] = {
            "steps": self._trainer.step - self._first,
            "seconds": time.monotonic() - self._begun,
            **{f"{name}_seconds": self._between[name] for name in BETWEEN},
        }
        self._write()
        if self._trainer.ranks.first:
            print(table(self._facts), file=sys.stderr, flush=True)

    def _write(self) -> None:
        if self._trainer.ranks.first:
            write_atomically(self._path, json.dumps(self._facts, indent=2).encode())


def table(facts: dict[str, Any]) -> str:
    """What ``profile.json`` holds, to be read."""
    first, last = facts["steps"]
    world = f"{facts['processes']} processes ({facts['strategy']})"
    many = f"the first of {world}, " if facts["processes"] > 1 else ""
    shards = f" in {facts['shards']} shards" if facts["shards"] > 1 else ""
    lines = [
        f"where the time of a step goes: steps {first} to {last} of {facts['studies_a_step']} "
        f"studies{shards}, {many}{facts['device']}, {facts['precision']}"
        + (", compiled" if facts["compiled"] else "")
    ]
    lines += [
        f"  {name:<16}{1e3 * one['seconds']:>11.2f} ms{one['share']:>8.1%}"
        for name, one in facts["sections"].items()
    ]
    step, run = facts["step_seconds"], facts["run"]
    again = facts["recomputed_flops"]
    repeated = f" ({facts['fraction_with_recomputed']:.1%} with what is computed twice)"
    memory = facts["peak_memory"]
    lines += [
        f"  {'a step':<16}{1e3 * step:>11.2f} ms, {facts['studies_per_s']:,.1f} studies/s",
        f"  arithmetic      {_giga(facts['model_flops'])}FLOP a step, "
        f"{_giga(facts['flops_per_s'])}FLOP/s: {facts['fraction_of_peak']:.1%}"
        f"{repeated if again else ''} of the {_giga(facts['peak_flops_per_s'])}FLOP/s that "
        "matrix products reach here",
        f"  memory          {memory['bytes'] / 2**30:.2f} GiB at most, {memory['of']}",
        f"  the run         {run['steps']} steps in {run['seconds']:.1f} s, of them validation "
        f"{run['validation_seconds']:.1f} s, checkpoints {run['checkpoint_seconds']:.1f} s, "
        f"counting {run['counting_seconds']:.1f} s",
    ]
    return "\n".join(lines)


def _giga(value: float) -> str:
    return f"{value / 1e12:,.1f} T" if value >= 1e13 else f"{value / 1e9:,.1f} G"


class _HostClock:
    """Seconds of the host."""

    def now(self) -> Any:
        return time.perf_counter()

    def seconds(self, begin: Any, end: Any) -> float:
        return float(end - begin)

    def wait(self) -> None:
        """Until all that was asked of the device is done."""


class _DeviceClock(_HostClock):
    """Seconds of the GPU's queue."""

    def now(self) -> Any:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def seconds(self, begin: Any, end: Any) -> float:
        return float(begin.elapsed_time(end)) / 1e3

    def wait(self) -> None:
        torch.cuda.synchronize()
