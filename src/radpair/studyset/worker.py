"""What runs in a worker process: it reads images, writes parts, and dies with its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import cv2

from radpair.studyset.parts import AnySource, Done, Part, write_part

_JOB: tuple[AnySource, Path, int] | None = None


def cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start(source: AnySource, out: Path, size: int) -> None:
    """Sets up one worker; an interrupt is left to the parent."""
    global _JOB
    _JOB = (source, out, size)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def run(part: Part) -> Done:
    assert _JOB is not None, "start runs first in every worker"
    source, out, size = _JOB
    return write_part(source, part, out, size)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for ever; it ends at once instead."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
