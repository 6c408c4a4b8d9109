"""Times pieces of work that take turns, so that a noisy machine is as noisy to all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import torch

from radpair.tensors import wait_for

TURNS = 3
"""Measured ones; one more goes before."""
HOST = torch.device("cpu")


@dataclass(frozen=True)
class Times:
    """Seconds of each turn."""

    wall: list[float]
    processor: list[float]

    @property
    def said(self) -> str:
        return f"{median(self.wall):.3f} s (processor {median(self.processor):.3f} s)"

    def over(self, other: Times) -> str:
        """Ratios of the medians, of wall time and of processor time."""
        wall = median(self.wall) / median(other.wall)
        return f"{wall:.3f} (processor {median(self.processor) / median(other.processor):.3f})"


def turns(
    works: Mapping[str, Callable[[], object]],
    count: int = TURNS,
    steps: int = 1,
    device: torch.device = HOST,
) -> dict[str, Times]:
    """Times of each work, done ``steps`` times a turn; the first turn is not counted."""
    found = {name: Times([], []) for name in works}
    for turn in range(count + 1):
        for name, work in works.items():
            wall, used = now(device), time.process_time()
            for _ in range(steps):
                work()
            wall, used = now(device) - wall, time.process_time() - used
            if turn:
                found[name].wall.append(wall / steps)
                found[name].processor.append(used / steps)
    return found


def fastest(*works: Callable[[], object]) -> list[float]:
    """The least processor seconds of each, the works taking turns."""
    named = {str(number): work for number, work in enumerate(works)}
    return [min(seen.processor) for seen in turns(named).values()]


def now(device: torch.device) -> float:
    """Seconds, once all work given to the device is done."""
    wait_for(device)
    return time.perf_counter()
