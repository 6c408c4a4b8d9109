"""What runs in a worker process: it reads images, writes parts, and dies with its parent."""

from __future__ import annotations

from pathlib import Path

import cv2

from radpair.processes import follow_parent
from radpair.studyset.parts import AnySource, Done, Part, write_part
from radpair.studyset.privacy import Pseudonyms

_JOB: tuple[AnySource, Path, int, Pseudonyms | None] | None = None


def start(source: AnySource, out: Path, size: int, names: Pseudonyms | None) -> None:
    """Sets up one worker; an interrupt is left to the parent."""
    global _JOB
    _JOB = (source, out, size, names)
    follow_parent()
    cv2.setNumThreads(1)


def run(part: Part) -> Done:
    """Prepares one part with the job that ``start`` set."""
    assert _JOB is not None, "start runs first in every worker"
    source, out, size, names = _JOB
    return write_part(source, part, out, size, names)
