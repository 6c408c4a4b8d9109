"""Contextual vectors of all entities of a set's graphs, computed once and read by memory map.

They are constants where the language model behind them is frozen. A folder holds them for one set
of graphs and one language model: ``vectors.bin``, row after row, and ``vectors.json``, which comes
last and says what they are of. What a killed process has done is kept.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import StudySetError, nearest
from radpair.progress import track
from radpair.studyset.files import measure, remove_drafts, write_json, writing_to
from radpair.studyset.manifest import read_json

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
VECTORS, RECORD, PART, DONE, LOCK = (
    "vectors.bin",
    "vectors.json",
    "vectors.part",
    "done.json",
    "lock",
)
TYPES = ("float32", "float16")
"""float16 halves the file and rounds each number to within 1 part in 2,048."""
TOGETHER = 256
"""Graphs between two savings of what is done."""


@dataclass(frozen=True)
class VectorTable:
    """What is to be kept: how many rows each graph has, how wide, in which type."""

    identity: Mapping[str, Any]
    """JSON values: what must be equal for two computations to give the same vectors."""
    entities: Ints
    """``[graphs]``: the rows of each."""
    width: int
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.dtype not in TYPES:
            raise StudySetError(
                f"node vectors of type '{self.dtype}' are not known{nearest(self.dtype, TYPES)}"
            )

    def described(self) -> dict[str, Any]:
        """JSON values that are equal where the same table is meant."""
        size = {"rows": int(self.entities.sum()), "width": self.width, "dtype": self.dtype}
        return {**self.identity, **size}

    def folder(self, parent: Path) -> Path:
        """The folder of this table within ``parent``."""
        text = json.dumps(self.described(), sort_keys=True)
        return parent / f"nodes-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


class NodeVectors:
    """Finished vectors; can be pickled (opened again by path) and used after a fork."""

    def __init__(self, path: Path) -> None:
        """Opens the folder at ``path``. Raises ``StudySetError`` where it is not whole."""
        self.path = path
        if not (path / RECORD).is_file():
            raise StudySetError(f"{path}: the node vectors were not finished; run the same again")
        self.record = read_json(path / RECORD)
        rows, self.width = self.record["rows"], self.record["width"]
        kind = np.dtype(self.record["dtype"])
        file = path / VECTORS
        if not file.is_file() or file.stat().st_size != rows * self.width * kind.itemsize:
            raise StudySetError(f"{file}: is not what {RECORD} recorded; remove {path}")
        shape = (rows, self.width)
        self._rows = np.memmap(file, kind, "r", shape=shape) if rows else np.zeros(shape, kind)

    def __reduce__(self) -> tuple[Any, ...]:
        return NodeVectors, (self.path,)

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, entities: Ints) -> Floats:
        """``[entities, width]``: the vectors of the entities with these numbers."""
        return np.asarray(self._rows.take(entities, axis=0), np.float32)

    def verify(self) -> None:
        """Reads all and compares the hash. Raises ``StudySetError`` where it differs."""
        if measure(self.path / VECTORS).as_json() != self.record["file"]:
            raise StudySetError(
                f"{self.path / VECTORS}: was altered since it was written; remove {self.path}"
            )


def kept_vectors(
    parent: Path, table: VectorTable, compute: Callable[[int, int], Floats]
) -> NodeVectors:
    """The vectors of ``table`` in a folder of their own below ``parent``, computed where missing.

    ``compute(first, last)`` gives those of the graphs in that range, ``[entities, width]``. Only
    one process computes at a time, and another waits for it; a killed one continues. Raises
    ``StudySetError`` where the disk fails.
    """
    path = table.folder(parent)
    with writing_to(parent):
        path.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            if not (path / RECORD).is_file():
                _fill(path, table, compute)
    return NodeVectors(path)


def _fill(path: Path, table: VectorTable, compute: Callable[[int, int], Floats]) -> None:
    remove_drafts(path)
    if (path / VECTORS).is_file():  # stopped before its record was written
        (path / VECTORS).replace(path / PART)
    row_bytes = table.width * np.dtype(table.dtype).itemsize
    start = np.concatenate([[0], np.cumsum(table.entities)])
    done = read_json(path / DONE)["graphs"] if (path / DONE).is_file() else 0
    graphs = len(table.entities)
    with (path / PART).open("ab") as file, track("node vectors", graphs) as show:
        if file.tell() < start[done] * row_bytes:
            done = 0
        file.truncate(int(start[done]) * row_bytes)
        while done < graphs:
            last = min(done + TOGETHER, graphs)
            found = compute(done, last).astype(table.dtype)
            assert found.shape == (start[last] - start[done], table.width)
            file.write(np.ascontiguousarray(found).data)
            file.flush()
            os.fsync(file.fileno())
            done = last
            write_json(path / DONE, {"graphs": done})
            show(done)
    (path / PART).replace(path / VECTORS)
    record = {**table.described(), "file": measure(path / VECTORS).as_json()}
    write_json(path / RECORD, record)
    (path / DONE).unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with (path / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
