"""The vectors of graph nodes where the language model behind them is frozen, computed once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from radpair.encoders.graph import ContextNodes
from radpair.errors import ModelError
from radpair.graphs import arrays
from radpair.models.pair import GraphTower
from radpair.records import Graph
from radpair.studyset.batch import GraphStore, to_device
from radpair.studyset.node_vectors import NodeVectors, VectorTable, kept_vectors

SILENT = ("_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype")
"""Fields of a language model's configuration that change none of its values."""


def node_vectors(
    tower: GraphTower,
    tokenizer: Tokenizer,
    graphs: Sequence[Graph],
    graphs_hash: str,
    parent: Path,
    *,
    dtype: str = "float32",
    device: torch.device | None = None,
) -> NodeVectors:
    """The vectors of every entity of ``graphs``, from below ``parent`` or computed and kept there.

    ``graphs`` are those that ``graphs_hash`` stands for, in the order in which a ``GraphStore`` is
    given them together with what is returned; of graphs whose vectors are kept only the number is
    asked for. Computed on ``device``, by default where the tower is, in float32 also under
    autocast. Raises ``ModelError`` where the language model is trained along, ``StudySetError``
    where the disk fails or the vectors were altered.
    """
    nodes = tower.nodes
    if not isinstance(nodes, ContextNodes) or not nodes.frozen:
        raise ModelError(
            "node vectors can be kept only where graph.nodes is contextual and text.weights names "
            "a language model, which then stays frozen"
        )
    if device is not None:
        nodes.to(device)
    place = next(nodes.parameters()).device

    @torch.no_grad()
    def compute(first: int, last: int) -> NDArray[np.float32]:
        """``[entities, width]``: those of the graphs from ``first`` to ``last``, without it."""
        store = GraphStore(graphs[first:last], tokenizer, context=True, window=tower.window)
        batch = to_device(store.take(np.arange(last - first)), place)
        with torch.autocast(place.type, enabled=False):
            vectors = tower.words(batch).cpu().numpy()
        first_node = batch.start.cpu().numpy()[batch.place.cpu().numpy()]
        chosen = np.repeat(first_node, store.entities) + arrays.within(store.entities)
        return vectors[chosen]

    identity = {
        "graphs": graphs_hash,
        "language": language_hash(nodes, tokenizer),
        "window": tower.window,
    }
    return kept_vectors(parent, VectorTable(identity, len(graphs), nodes.dim, dtype), compute)


def language_hash(nodes: ContextNodes, tokenizer: Tokenizer) -> str:
    """Sixteen hex digits that stand for a language model: weights, shape, tokenizer."""
    shape = {k: v for k, v in nodes.bert.config.to_dict().items() if k not in SILENT}
    digest = hashlib.sha256(json.dumps(shape, sort_keys=True, default=str).encode())
    digest.update(tokenizer.to_str().encode())
    for name, value in sorted(nodes.bert.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
