"""The processes that prepare batches, which are at work until the process they serve has ended."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.util import Finalize
from typing import Any

import torch

from radpair.errors import RunError
from radpair.processes import follow_parent


def worker_start() -> Callable[[int], None]:
    """What a spawned worker of a ``DataLoader`` does first.

    It computes with one thread, and leaves to its parent an interrupt and a SIGTERM that a
    scheduler sends to all: the parent needs its next batch still, to end a step. A SIGTERM by which
    the parent itself ends its workers, at its own end, is obeyed. While they start they hear
    neither, where the parent is ``deaf`` then.
    """
    ending = multiprocessing.get_context("spawn").RawValue("b", 0)
    Finalize(None, setattr, (ending, "value", 1), exitpriority=1)
    return partial(_start, ending)


@contextmanager
def at_work() -> Iterator[None]:
    """Raises ``RunError`` where a worker ends within it before its work is done."""
    try:
        yield
    except RuntimeError as problem:
        if not str(problem).startswith("DataLoader worker (pid"):
            raise
        raise RunError(
            "a worker that prepares batches has ended before its work was done; free memory or set "
            "fewer training.workers, and give the same command again, it continues"
        ) from problem


def _start(ending: Any, _: int) -> None:
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    follow_parent()

    def leave_to_parent(*_: object) -> None:
        if ending.value:
            os._exit(0)

    signal.signal(signal.SIGTERM, leave_to_parent)
    Finalize(None, signal.signal, (signal.SIGTERM, signal.SIG_IGN), exitpriority=1)
