"""Relational convolution against PyTorch Geometric, and batch assembly against a loop over edges.

    python benchmarks/graphs.py

256 random graphs of RadGraph's size (27 entities, 18 relations on average). Prints ratios measured
in one run; values are compared first.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch_geometric.nn import RGCNConv

from radpair.encoders.graph import Edges, RelationalConvolution
from radpair.graphs.arrays import EDGE_TYPES
from radpair.graphs.schema import ENTITY_LABELS, RELATION_TYPES
from radpair.records import Entity, Graph, Relation
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset.batch import GraphBatch, GraphStore

GRAPHS, WIDTH, REPEATS = 256, 512, 5
WORDS = ("left", "pleural", "effusion", "heart", "nodule", "apical", "mild", "lung")


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    graphs = [random_graph(rng) for _ in range(GRAPHS)]
    wordpiece = train_tokenizer([" ".join(WORDS)] * 3, 80)
    store = GraphStore(graphs, wordpiece, context=False)
    wanted = np.arange(GRAPHS)
    batch = store.take(wanted)
    ours = fastest(lambda: store.take(wanted))
    loop = fastest(lambda: [grown_edge_by_edge(store, number) for number in wanted])
    print(f"assemble a batch of {GRAPHS} graphs: {ours * 1e3:.2f} ms, edge by edge {loop:.2f} s")
    print(f"  ratio {loop / ours:.0f}")
    convolution(batch)


def random_graph(rng: np.random.Generator) -> Graph:
    count = int(rng.poisson(27)) + 1
    words = [str(word) for word in rng.choice(WORDS, count)]
    entities = tuple(Entity(w, ENTITY_LABELS[rng.integers(4)], n, n) for n, w in enumerate(words))
    links = tuple(
        Relation(
            int(rng.integers(count)), RELATION_TYPES[rng.integers(3)], int(rng.integers(count))
        )
        for _ in range(rng.poisson(18))
    )
    return Graph(" ".join(words), entities, links)


def grown_edge_by_edge(store: GraphStore, number: int) -> torch.Tensor:
    """What earlier implementations do for each graph: one concatenation per edge."""
    structure = store.structure
    edges = torch.zeros(3, 0, dtype=torch.long)
    for place in range(*structure.edge_start[number : number + 2]):
        edge = (structure.source[place], structure.target[place], structure.type[place])
        edges = torch.cat([edges, torch.tensor(edge).view(3, 1)], 1)
    return edges


def convolution(batch: GraphBatch) -> None:
    edges = Edges(batch.source, batch.segment, batch.weight, batch.target, batch.bounds)
    ours = RelationalConvolution(WIDTH, WIDTH, EDGE_TYPES)
    library = RGCNConv(WIDTH, WIDTH, EDGE_TYPES, aggr="mean")
    with torch.no_grad():
        library.weight.copy_(ours.weight)
        library.root.copy_(ours.root.weight.T)
        library.bias.copy_(ours.root.bias)
    kinds = np.repeat(np.arange(EDGE_TYPES), np.diff(batch.bounds))
    kind = torch.from_numpy(kinds)[batch.segment]
    index = torch.stack([batch.source, batch.target[batch.segment]])
    nodes = torch.randn(len(batch.kind), WIDTH, requires_grad=True)
    torch.testing.assert_close(
        ours(nodes, edges), library(nodes, index, kind), atol=1e-4, rtol=1e-4
    )
    mine = fastest(lambda: ours(nodes, edges).sum().backward())
    theirs = fastest(lambda: library(nodes, index, kind).sum().backward())
    print(
        f"relational convolution, {len(batch.kind):,} nodes, forward and backward: "
        f"{mine * 1e3:.0f} ms, PyTorch Geometric {theirs * 1e3:.0f} ms"
    )
    print(f"  ratio {theirs / mine:.2f}")


def fastest(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


if __name__ == "__main__":
    main()
