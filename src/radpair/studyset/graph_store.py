"""Every graph of a set as flat arrays, from which batches are cut without a loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from radpair.graphs import arrays
from radpair.records import Graph
from radpair.studyset.relations import Relations, mean_over
from radpair.studyset.tensors import GraphBatch, TextBatch

Ints = NDArray[np.int64]


class Vectors(Protocol):
    """Contextual vectors of the entities of a set, graph by graph, as ``NodeVectors`` has them."""

    def take(self, entities: Ints) -> NDArray[np.float32]:
        """``[entities, width]``: the vectors of the entities with these numbers."""
        ...


class GraphStore:
    """Every graph as flat arrays, super-nodes and roots included."""

    def __init__(
        self,
        graphs: Sequence[Graph],
        tokenizer: Tokenizer,
        *,
        context: bool,
        window: int = 512,
        vectors: Vectors | None = None,
    ) -> None:
        """With ``context``, whole reports are tokenised too, in windows of ``window`` tokens.

        With ``vectors``, a batch carries them in place of the reports.
        """
        self.structure = arrays.build_structure(graphs)
        self.pieces, self.piece_start = arrays.entity_pieces(graphs, self.structure, tokenizer)
        read = context and vectors is None
        self.windows = arrays.report_windows(graphs, tokenizer, window) if read else None
        self.content = np.array([arrays.content_hash(graph) for graph in graphs], np.int64)
        self.entities = np.array([len(graph.entities) for graph in graphs], np.int64)
        self._first_entity = np.cumsum(self.entities) - self.entities
        self._relations = Relations(self.structure)
        self._sizes = np.diff(self.structure.node_start)
        self._vectors = vectors

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
