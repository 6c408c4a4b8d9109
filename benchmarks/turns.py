"""Times pieces of work that take turns, so that a noisy machine is as noisy to all of them."""

from __future__ import annotations

import time
from collections.abc import Callable

TURNS = 3
"""Measured ones; one more goes before."""


def fastest(*works: Callable[[], object]) -> list[float]:
    """The least processor seconds of each, the works taking turns."""
    times: list[list[float]] = [[] for _ in works]
    for turn in range(TURNS + 1):
        for work, seen in zip(works, times, strict=True):
            begun = time.process_time()
            work()
            if turn:
                seen.append(time.process_time() - begun)
    return [min(seen) for seen in times]
