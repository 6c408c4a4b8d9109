"""The graph path: assembling batches, relational convolution, the whole encoder.

    OMP_NUM_THREADS=1 python benchmarks/graphs.py

256 random graphs of RadGraph's size (27 entities, 18 relations on average), on one core. Values are
compared before times. The sides take turns; each ratio is of the processor seconds of the fastest
turns of one run.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from torch import Tensor, nn
from torch_geometric.nn import RGCNConv

from radpair.encoders.graph import GraphConfig, GraphEncoder, RelationalConvolution
from radpair.graphs.arrays import EDGE_TYPES, NODE_KINDS
from radpair.graphs.schema import ENTITY_LABELS, RELATION_TYPES
from radpair.records import Entity, Graph, Relation
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset.batch import GraphBatch, GraphStore
from radpair.studyset.tensors import SparseRows
from turns import fastest

GRAPHS, ENTITIES, RELATIONS, WIDTH = 256, 27, 18, 512
MANY = 20
WORDS = ("left", "pleural", "effusion", "heart", "nodule", "apical", "mild", "lung")
WORDPIECE = train_tokenizer([" ".join(WORDS)] * 3, 80)
TOLERANCE = 1e-4


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    store = GraphStore(random_graphs(GRAPHS, ENTITIES), WORDPIECE, context=False)
    batch = store.take(np.arange(GRAPHS))
    links, kinds = edge_by_edge(store)
    assembly(store, links, kinds)
    flatness()
    print(
        f"{GRAPHS} graphs, {len(batch.kind):,} nodes, {len(kinds):,} edges, forward and backward:"
    )
    convolution(batch, links, kinds)
    encoder(batch, links, kinds)
    batch_mates(store)


def random_graphs(graphs: int, entities: int) -> list[Graph]:
    rng = np.random.default_rng(0)
    return [random_graph(rng, entities) for _ in range(graphs)]


def random_graph(rng: np.random.Generator, entities: int) -> Graph:
    count = int(rng.poisson(entities)) + 1
    words = [str(word) for word in rng.choice(WORDS, count)]
    named = tuple(Entity(w, ENTITY_LABELS[rng.integers(4)], n, n) for n, w in enumerate(words))
    links = tuple(
        Relation(
            int(rng.integers(count)), RELATION_TYPES[rng.integers(3)], int(rng.integers(count))
        )
        for _ in range(rng.poisson(entities * RELATIONS / ENTITIES))
    )
    return Graph(" ".join(words), named, links)


def edge_by_edge(store: GraphStore) -> tuple[Tensor, Tensor]:
    """What earlier implementations do: one concatenation an edge; ``[2, edges]`` and kinds.

    The graphs stand in the order of a batch, the smallest first.
    """
    s = store.structure
    sizes = np.diff(s.node_start)
    edges, first = torch.zeros(3, 0, dtype=torch.long), 0
    found = []
    for graph in np.argsort(sizes, kind="stable"):
        edges = torch.zeros(3, 0, dtype=torch.long)
        for place in range(*s.edge_start[graph : graph + 2]):
            edge = (s.source[place] + first, s.target[place] + first, s.type[place])
            edges = torch.cat([edges, torch.tensor(edge).view(3, 1)], 1)
        found.append(edges)
        first += int(sizes[graph])
    both = torch.cat(found, 1)
    return both[:2], both[2]


def assembly(store: GraphStore, links: Tensor, kinds: Tensor) -> None:
    wanted = np.arange(GRAPHS)
    same_relations(store.take(wanted), links.numpy(), kinds.numpy())
    loop, many = fastest(
        lambda: edge_by_edge(store), lambda: [store.take(wanted) for _ in range(MANY)]
    )
    ours = many / MANY
    print(f"a batch of {GRAPHS} graphs: {ours * 1e3:.2f} ms, edge by edge {loop:.2f} s")
    print(f"  ratio {loop / ours:.0f}")


def same_relations(batch: GraphBatch, links: NDArray[np.int64], kinds: NDArray[np.int64]) -> None:
    """Each relation's two matrices make the averages over the edges that the loop found."""
    nodes, bounds = len(batch.kind), batch.relations.bounds
    gather = matrix(batch.relations.gather.rows, nodes)
    scatter = matrix(batch.relations.scatter.rows, bounds[-1])
    for relation in range(EDGE_TYPES):
        source, target = links[:, kinds == relation]
        weight = 1 / np.bincount(target, minlength=nodes)[target]
        expected = coo_array((weight, (target, source)), shape=(nodes, nodes))
        rows = slice(bounds[relation], bounds[relation + 1])
        difference = abs(scatter[:, rows] @ gather[rows] - expected)
        assert difference.max() < TOLERANCE, f"relation {relation} differs"


def matrix(rows: SparseRows, columns: int) -> csr_array:
    start = rows.start.numpy()
    return csr_array(
        (rows.weight.numpy(), rows.column.numpy(), start), shape=(len(start) - 1, columns)
    )


def flatness() -> None:
    """Time a node, for graphs of more and more nodes."""
    costs = {}
    for entities in (27, 100, 300, 1000):
        graphs = GRAPHS * ENTITIES // entities
        store = GraphStore(random_graphs(graphs, entities), WORDPIECE, context=False)
        wanted = np.arange(graphs)
        nodes = len(store.structure.kind)
        many = fastest(lambda s=store, w=wanted: [s.take(w) for _ in range(MANY)])[0]
        costs[entities] = many / MANY / nodes
    said = ", ".join(f"{1e9 * cost:.0f} ({entities})" for entities, cost in costs.items())
    print(f"nanoseconds a node, by entities a graph: {said}")
    print(f"  ratio of the largest graphs to the smallest {costs[1000] / costs[27]:.2f}")


def library_convolution(ours: RelationalConvolution) -> RGCNConv:
    width_in, width_out = ours.weight.shape[1:]
    library = RGCNConv(width_in, width_out, EDGE_TYPES, aggr="mean")
    with torch.no_grad():
        library.weight.copy_(ours.weight)
        library.root.copy_(ours.root.weight.T)
        library.bias.copy_(ours.root.bias)
    return library


def convolution(batch: GraphBatch, links: Tensor, kinds: Tensor) -> None:
    ours = RelationalConvolution(WIDTH, WIDTH, EDGE_TYPES)
    library = library_convolution(ours)
    nodes = torch.randn(len(batch.kind), WIDTH, requires_grad=True)
    versus(
        "relational convolution",
        lambda: ours(nodes, batch.relations),
        "PyTorch Geometric",
        lambda: library(nodes, links, kinds),
        [nodes, *ours.parameters()],
        [nodes, library.weight, library.root, library.bias],
    )


class PaddedEncoder(nn.Module):
    """RGCNConv, the library's transformer layer on padded graphs, and a masked mean."""

    def __init__(self, ours: GraphEncoder) -> None:
        super().__init__()
        self.kinds, self.attention, self.head = ours.kinds, ours.attention, ours.head
        self.convolutions = nn.ModuleList(library_convolution(c) for c in ours.convolutions)

    def forward(self, words: Tensor, batch: GraphBatch, links: Tensor, kinds: Tensor) -> Tensor:
        nodes = words + self.kinds(batch.kind)
        for convolution in self.convolutions:
            nodes = torch.relu(convolution(nodes, links, kinds))
        sizes = torch.tensor(batch.sizes)
        padded = nn.utils.rnn.pad_sequence(nodes.split(batch.sizes), batch_first=True)
        held = torch.arange(padded.shape[1]) < sizes[:, None]
        attended = self.attention(padded, src_key_padding_mask=~held) * held.unsqueeze(-1)
        return self.head(attended.sum(1) / sizes[:, None])[batch.place]


def encoder(batch: GraphBatch, links: Tensor, kinds: Tensor) -> None:
    ours = GraphEncoder(GraphConfig(dropout=0.0), WIDTH, NODE_KINDS, EDGE_TYPES)
    padded = PaddedEncoder(ours)
    words = torch.randn(len(batch.kind), WIDTH, requires_grad=True)
    versus(
        "whole graph encoder",
        lambda: ours(words, batch),
        "RGCNConv and padded transformer",
        lambda: padded(words, batch, links, kinds),
        [words, *ours.parameters()],
        [words, *padded.parameters()],
    )


def versus(
    what: str,
    ours: Callable[[], Tensor],
    other: str,
    theirs: Callable[[], Tensor],
    our_leaves: list[Tensor],
    their_leaves: list[Tensor],
) -> None:
    """Compares values and the gradient of the nodes, then times forward and backward."""
    with torch.no_grad():
        weight = torch.randn_like(ours()) / len(our_leaves[0])
    found, expected = ours(), theirs()
    torch.testing.assert_close(found, expected, atol=TOLERANCE, rtol=TOLERANCE)
    for a, b in zip(
        torch.autograd.grad((found * weight).sum(), our_leaves[:1]),
        torch.autograd.grad((expected * weight).sum(), their_leaves[:1]),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=TOLERANCE, rtol=TOLERANCE)
    mine, library = fastest(
        lambda: torch.autograd.grad((ours() * weight).sum(), our_leaves),
        lambda: torch.autograd.grad((theirs() * weight).sum(), their_leaves),
    )
    print(f"{what}: {mine * 1e3:.0f} ms, {other} {library * 1e3:.0f} ms")
    print(f"  ratio {library / mine:.2f}")


def batch_mates(store: GraphStore) -> None:
    """How far a graph's vector moves with the company that it is encoded in."""
    model = GraphEncoder(GraphConfig(), WIDTH, NODE_KINDS, EDGE_TYPES).eval()

    def encoded(wanted: NDArray[np.int64]) -> Tensor:
        batch = store.take(wanted)
        return model(torch.zeros(len(batch.kind), WIDTH), batch)

    with torch.no_grad():
        together = encoded(np.arange(GRAPHS))
        alone = torch.cat([encoded(np.array([graph])) for graph in range(32)])
    print(f"vectors alone and among {GRAPHS} differ by {(together[:32] - alone).abs().max():.1e}")


if __name__ == "__main__":
    main()
