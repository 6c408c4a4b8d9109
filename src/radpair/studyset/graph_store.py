"""Every graph of a set as flat arrays, from which batches are cut without a loop."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from radpair.graphs import arrays
from radpair.records import Graph
from radpair.studyset.kept import Arrays, flat, grouped, kept_arrays, tokenizer_hash
from radpair.studyset.relations import Matrix, Relations, mean_over
from radpair.studyset.tensors import GraphBatch, TextBatch

Ints = NDArray[np.int64]


class Vectors(Protocol):
    """Contextual vectors of the entities of a set, graph by graph, as ``NodeVectors`` has them."""

    def take(self, entities: Ints) -> NDArray[np.float32]:
        """``[entities, width]``: the vectors of the entities with these numbers."""
        ...


class GraphStore:
    """Every graph as flat arrays, super-nodes and roots included.

    Can be pickled; arrays that are kept in a folder are then opened again by path.
    """

    def __init__(
        self,
        graphs: Sequence[Graph],
        tokenizer: Tokenizer,
        *,
        context: bool,
        window: int = 512,
        vectors: Vectors | None = None,
        cache: tuple[Path, str] | None = None,
    ) -> None:
        """With ``context``, whole reports are tokenised too, in windows of ``window`` tokens.

        With ``vectors``, a batch carries them in place of the reports. ``cache`` is a folder and
        a hash that stands for ``graphs``: the arrays are kept below it (``studyset.kept``), and
        where they are there already the graphs are not looked at. Raises ``StudySetError`` where
        they were altered or the disk fails.
        """
        length = window if context and vectors is None else None
        compute = partial(_graph_arrays, graphs, tokenizer, length)
        if cache is None:
            found: Arrays = compute()
        else:
            parent, content = cache
            identity = {"graphs": content, "tokenizer": tokenizer_hash(tokenizer), "window": length}
            found = kept_arrays(parent, "graphs", identity, compute)
        self._open(found, vectors)

    def __getstate__(self) -> tuple[Arrays, Vectors | None]:
        return self._arrays, self._vectors

    def __setstate__(self, state: tuple[Arrays, Vectors | None]) -> None:
        self._open(*state)

    def _open(self, found: Arrays, vectors: Vectors | None) -> None:
        self._arrays, self._vectors = found, vectors
        self.structure = grouped(arrays.Structure, "structure", found)
        self.pieces, self.piece_start = found["pieces"], found["piece_start"]
        has_windows = any(name.startswith("windows.") for name in found)
        self.windows = grouped(arrays.Windows, "windows", found) if has_windows else None
        self.content, self.entities = found["content"], found["entities"]
        self._first_entity = np.cumsum(self.entities) - self.entities
        self._relations = Relations(
            found["row_start"],
            grouped(Matrix, "gather", found),
            grouped(Matrix, "scatter", found),
        )
        self._sizes = np.diff(self.structure.node_start)

    def take(self, wanted: Ints) -> GraphBatch:
        """The graphs with these numbers, assembled without a loop."""
        s = self.structure
        order = np.argsort(self._sizes[wanted], kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        wanted = wanted[order]
        nodes, sizes = arrays.ranges(s.node_start, wanted)
        first_node = np.cumsum(sizes) - sizes
        pieces, piece_counts = arrays.ranges(self.piece_start, nodes)
        pool = mean_over(sizes)
        return GraphBatch(
            sizes=tuple(sizes.tolist()),
            place=torch.from_numpy(place),
            start=pool.rows.start,
            kind=torch.from_numpy(s.kind[nodes]),
            relations=self._relations.take(wanted, first_node, nodes),
            pool=pool,
            pieces=torch.from_numpy(self.pieces[pieces]),
            piece_offsets=torch.from_numpy(np.cumsum(piece_counts) - piece_counts),
            **self._context(wanted, first_node),
            **self._contextual(wanted, first_node, len(nodes)),
        )

    def _contextual(self, wanted: Ints, first_node: Ints, nodes: int) -> dict[str, Any]:
        if self._vectors is None:
            return {}
        counts = self.entities[wanted]
        place = arrays.within(counts)
        found = self._vectors.take(np.repeat(self._first_entity[wanted], counts) + place)
        vectors = np.zeros((nodes, found.shape[1]), np.float32)
        vectors[np.repeat(first_node, counts) + place] = found
        return {"vectors": torch.from_numpy(vectors)}

    def _context(self, wanted: Ints, first_node: Ints) -> dict[str, Any]:
        w = self.windows
        if w is None:
            return {}
        rows, row_counts = arrays.ranges(w.start, wanted)
        places, place_counts = arrays.ranges(w.piece_start, wanted)
        used = w.used[rows]
        longest = int(used.max())
        first_row = np.cumsum(row_counts) - row_counts
        row = w.window[places] + np.repeat(first_row, place_counts)
        return {
            "context": TextBatch(
                torch.from_numpy(w.tokens[rows, :longest]),
                torch.from_numpy(np.arange(longest) < used[:, None]),
                tuple(used.tolist()),
            ),
            "places": torch.from_numpy(row * longest + w.offset[places]),
            "owner": torch.from_numpy(w.node[places] + np.repeat(first_node, place_counts)),
        }


def _graph_arrays(
    graphs: Sequence[Graph], tokenizer: Tokenizer, window: int | None
) -> dict[str, NDArray[Any]]:
    structure = arrays.build_structure(graphs)
    pieces, piece_start = arrays.entity_pieces(graphs, structure, tokenizer)
    relations = Relations.of(structure)
    read = (
        {} if window is None else flat("windows", arrays.report_windows(graphs, tokenizer, window))
    )
    return {
        **flat("structure", structure),
        "pieces": pieces,
        "piece_start": piece_start,
        **read,
        "content": np.array([arrays.content_hash(graph) for graph in graphs], np.int64),
        "entities": np.array([len(graph.entities) for graph in graphs], np.int64),
        "row_start": relations.row_start,
        **flat("gather", relations.gather),
        **flat("scatter", relations.scatter),
    }
