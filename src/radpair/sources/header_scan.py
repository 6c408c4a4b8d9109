"""The headers of all files of a tree, read by several processes, in the order of their paths."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from radpair.errors import ImageError
from radpair.processes import in_order
from radpair.sources.folders import walk
from radpair.sources.headers import Header, read_header

CHUNK = 256
"""Headers that one process reads at a time; fewer files are read without other processes."""
TOLD_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Found:
    """One file of the tree, with its header or what is wrong with it."""

    path: str
    header: Header | None = None
    fault: str = ""


def scan(root: Path, processes: int) -> Iterator[Found]:
    """Every file below ``root``, with its header; on standard error, how far a long scan is."""
    jobs = ((root, paths) for paths in _chunks(_paths(root)))
    first = list(islice(jobs, 2))
    begun = shown = time.monotonic()
    count = 0
    results: Iterator[list[Found]]
    if len(first) < 2 or processes == 1:
        results = map(read_headers, chain(first, jobs))
    else:
        results = in_order(read_headers, chain(first, jobs), processes)
    for result in results:
        yield from result
        count += len(result)
        if time.monotonic() - shown > TOLD_SECONDS:
            shown = time.monotonic()
            told = f"dicom: {count:,} headers read  {shown - begun:.0f} s"
            print(told, file=sys.stderr, flush=True)


def _paths(root: Path) -> Iterator[str]:
    for folder, names in walk(root):
        yield from (f"{folder}/{name}".lstrip("/") for name in names)


def read_headers(job: tuple[Path, tuple[str, ...]]) -> list[Found]:
    """The headers of some files below a root, in their order."""
    root, paths = job
    return [_read(root, path) for path in paths]


def _read(root: Path, path: str) -> Found:
    try:
        return Found(path, read_header(root / path))
    except ImageError as error:
        return Found(path, fault=str(error).replace(str(root / path), path))


def _chunks(paths: Iterator[str]) -> Iterator[tuple[str, ...]]:
    while chunk := tuple(islice(paths, CHUNK)):
        yield chunk
