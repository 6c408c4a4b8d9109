"""What runs in a worker process: it reads images, writes parts, and dies with its parent."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2

from radpair.errors import StudySetError
from radpair.processes import follow_parent
from radpair.studyset.parts import AnySource, Done, Part, write_part
from radpair.studyset.privacy import Pseudonyms
from radpair.studyset.store import put_part, put_part_from_afar

AHEAD = 3
"""Parts handed out for each worker, so that none waits and memory stays flat."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for all parts of a set."""

    source: AnySource
    out: Path
    size: int
    names: Pseudonyms | None = None
    store: Path | None = None
    """Where the set goes that is made in ``out``, if that is an object store."""

    def write(self, part: Part) -> Done:
        """Prepares one part, or finds it finished. Raises ``StudySetError``."""
        if self.store is not None:
            return put_part(self.store, self.source, part, self.out, self.size, self.names)
        return write_part(self.source, part, self.out, self.size, self.names)

    def write_from_afar(self, part: Part) -> Done:
        """As ``write``, on a machine that sees ``store`` but not ``out``."""
        if self.store is not None:
            return put_part_from_afar(self.store, self.source, part, self.size, self.names)
        return self.write(part)


_JOB: Job | None = None


def start(job: Job) -> None:
    """Sets up one worker process; an interrupt is left to the parent."""
    global _JOB
    _JOB = job
    follow_parent()
    cv2.setNumThreads(1)


def run(part: Part) -> Done:
    """Prepares one part of the job that ``start`` set."""
    assert _JOB is not None, "start runs first in every worker"
    return _JOB.write(part)


def done_parts(job: Job, parts: Iterator[Part], processes: int) -> Iterator[Done]:
    """The parts in their order, prepared by ``processes`` processes of this machine.

    Raises ``StudySetError``, also where a process was killed.
    """
    if processes == 1:
        yield from map(job.write, parts)
        return
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=start, initargs=(job,))
    pending: deque[tuple[Part, Future[Done]]] = deque()
    oldest = None
    try:
        for part in parts:
            pending.append((part, pool.submit(run, part)))
            if len(pending) >= AHEAD * processes:
                oldest, future = pending.popleft()
                yield future.result()
        while pending:
            oldest, future = pending.popleft()
            yield future.result()
    except BrokenProcessPool as error:
        near = f", near study '{oldest.studies[0].study_id}'," if oldest else ""
        raise StudySetError(
            f"{job.out}: a worker process was killed{near} most often for want of memory; finished "
            "parts are kept: run the same command again, with fewer processes"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
