"""Contextual vectors of all entities of a set's graphs, computed once and read by memory map.

They are constants where the language model behind them is frozen. A folder of ``studyset.kept``
holds them for one set of graphs and one language model. What a killed process has done is kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import StudySetError, nearest
from radpair.progress import track
from radpair.studyset.files import write_json
from radpair.studyset.kept import ARRAYS, KeptArrays, Table, kept
from radpair.studyset.manifest import read_json

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
KIND, VECTORS, PART, DONE = "nodes", "vectors", "arrays.part", "done.json"
TYPES = ("float32", "float16")
"""float16 halves the file and rounds each number to within 1 part in 2,048."""
TOGETHER = 256
"""Graphs between two savings of what is done."""


@dataclass(frozen=True)
class VectorTable:
    """What is to be kept: of how many graphs, how wide, in which type."""

    identity: Mapping[str, Any]
    """JSON values: what must be equal for two computations to give the same vectors."""
    graphs: int
    width: int
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.dtype not in TYPES:
            raise StudySetError(
                f"node vectors of type '{self.dtype}' are not known{nearest(self.dtype, TYPES)}"
            )

    def described(self) -> dict[str, Any]:
        """JSON values that are equal where the same table is meant."""
        size = {"graphs": self.graphs, "width": self.width, "dtype": self.dtype}
        return {"of": dict(self.identity), **size}


class NodeVectors:
    """Finished vectors; can be pickled (opened again by path) and used after a fork."""

    def __init__(self, arrays: KeptArrays) -> None:
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays[VECTORS])

    def take(self, entities: Ints) -> Floats:
        """``[entities, width]``: the vectors of the entities with these numbers."""
        return np.asarray(self.arrays[VECTORS].take(entities, axis=0), np.float32)


def kept_vectors(
    parent: Path, table: VectorTable, compute: Callable[[int, int], Floats]
) -> NodeVectors:
    """The vectors of ``table`` in a folder of their own below ``parent``, computed where missing.

    ``compute(first, last)`` gives those of the graphs in that range, ``[entities, width]``. Only
    one process computes at a time, and another waits for it; a killed one continues. Raises
    ``StudySetError`` where the disk fails or the vectors were altered.
    """
    fill = partial(_fill, table=table, compute=compute)
    return NodeVectors(kept(parent, KIND, table.described(), fill))


def _fill(path: Path, table: VectorTable, compute: Callable[[int, int], Floats]) -> Table:
    if (path / ARRAYS).is_file():  # stopped before its record was written
        (path / ARRAYS).replace(path / PART)
    row_bytes = table.width * np.dtype(table.dtype).itemsize
    done, rows = _done_before(path)
    with (path / PART).open("ab") as file, track("node vectors", table.graphs) as show:
        if file.tell() < rows * row_bytes:
            done, rows = 0, 0
        file.truncate(rows * row_bytes)
        while done < table.graphs:
            last = min(done + TOGETHER, table.graphs)
            found = compute(done, last).astype(table.dtype)
            assert found.shape == (len(found), table.width)
            file.write(np.ascontiguousarray(found).data)
            file.flush()
            os.fsync(file.fileno())
            done, rows = last, rows + len(found)
            write_json(path / DONE, {"graphs": done, "rows": rows})
            show(done)
    (path / PART).replace(path / ARRAYS)
    dtype = np.dtype(table.dtype).str
    return {VECTORS: {"dtype": dtype, "shape": [rows, table.width], "offset": 0}}


def _done_before(path: Path) -> tuple[int, int]:
    """Graphs, and the rows of them, that a stopped process has finished."""
    if not (path / DONE).is_file():
        return 0, 0
    done = read_json(path / DONE)
    return done["graphs"], done["rows"]
