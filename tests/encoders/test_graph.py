from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.nn import RGCNConv

from radpair.encoders.graph import ContextNodes, Edges, GraphConfig, RelationalConvolution
from radpair.encoders.text import TextConfig, build_bert
from radpair.graphs import arrays
from radpair.graphs.arrays import EDGE_TYPES, ROOT, SUPER_NODE
from radpair.graphs.schema import ENTITY_LABELS, RELATION_TYPES
from radpair.models.pair import GraphTower, PairConfig
from radpair.records import Entity, Graph, Relation
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset.batch import GraphStore

WORDS = ("left", "pleural", "effusion", "heart", "nodule", "apical", "mild", "lung")
WORDPIECE = train_tokenizer([" ".join(WORDS)] * 5, 80)


def random_graph(rng: np.random.Generator, count: int) -> Graph:
    words = rng.choice(WORDS, max(count, 1))
    entities = tuple(
        Entity(str(words[n]), ENTITY_LABELS[rng.integers(4)], n, n) for n in range(count)
    )
    links = tuple(
        Relation(
            int(rng.integers(count)),
            RELATION_TYPES[rng.integers(3)],
            int(rng.integers(count)),
        )
        for _ in range(count * 2 // 3)
    )
    return Graph(" ".join(words), entities, links)


def store(seed: int, *, context: bool = False) -> GraphStore:
    rng = np.random.default_rng(seed)
    graphs = [random_graph(rng, count) for count in (5, 1, 30, 0, 12, 8)]
    return GraphStore(graphs, WORDPIECE, context=context)


def tower(nodes: str) -> GraphTower:
    torch.manual_seed(0)
    config = PairConfig(
        partner="graph",
        dim=16,
        text=TextConfig(layers=2, width=32, heads=2),
        graph=GraphConfig(nodes=nodes, width=32, word_width=32, feed_forward=32),
    )
    return GraphTower(config, WORDPIECE.get_vocab_size(), None).eval()


@pytest.mark.parametrize("nodes", ["words", "contextual"])
def test_a_graph_does_not_see_its_batch_mates(nodes: str) -> None:
    """Defect 1."""
    graphs = store(3, context=nodes == "contextual")
    model = tower(nodes)
    with torch.no_grad():
        together = model(graphs.take(np.arange(6)))
        alone = torch.cat([model(graphs.take(np.array([n]))) for n in range(6)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_convolution_equals_pytorch_geometric() -> None:
    batch = store(5).take(np.arange(6))
    edges = Edges(batch.source, batch.segment, batch.weight, batch.target, batch.bounds)
    nodes = torch.randn(len(batch.kind), 7, requires_grad=True)
    ours = RelationalConvolution(7, 9, EDGE_TYPES)
    oracle = RGCNConv(7, 9, EDGE_TYPES, aggr="mean")
    with torch.no_grad():
        oracle.weight.copy_(ours.weight)
        oracle.root.copy_(ours.root.weight.T)
        oracle.bias.copy_(ours.root.bias)
    kinds, links = [], []
    for relation in range(EDGE_TYPES):
        start, end = batch.bounds[relation], batch.bounds[relation + 1]
        mine = (batch.segment >= start) & (batch.segment < end)
        kinds.append(torch.full((int(mine.sum()),), relation))
        links.append(torch.stack([batch.source[mine], batch.target[batch.segment[mine]]]))
    expected = oracle(nodes, torch.cat(links, 1), torch.cat(kinds))
    found = ours(nodes, edges)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    grad = torch.randn_like(found)
    (a,) = torch.autograd.grad(found, nodes, grad, retain_graph=True)
    (b,) = torch.autograd.grad(expected, nodes, grad)
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_directions_and_kinds_change_the_result() -> None:
    """Defect 5: inverse relations are types of their own; super-node and root are learned."""
    a, b = (Entity(word, ENTITY_LABELS[1], n, n) for n, word in enumerate(("left", "lung")))
    there = Graph("left lung", (a, b), (Relation(0, "modify", 1),))
    back = Graph("left lung", (a, b), (Relation(1, "modify", 0),))
    model = tower("words")
    with torch.no_grad():
        codes = model(GraphStore([there, back], WORDPIECE, context=False).take(np.arange(2)))
    assert not torch.allclose(codes[0], codes[1], atol=1e-4)
    learned = model.encoder.kinds.weight[[SUPER_NODE, ROOT]]
    assert (learned.abs().sum(1) > 0).all()
    assert not torch.allclose(learned[0], learned[1])


def test_super_nodes_and_root_speak() -> None:
    """Defect 5: their vectors are learned, so their gradient is not zero."""
    model = tower("words")
    model(store(3).take(np.arange(6))).pow(2).sum().backward()
    assert (model.encoder.kinds.weight.grad[[SUPER_NODE, ROOT]].abs().sum(1) > 0).all()


def test_a_batch_is_cut_out_and_not_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Defect 3: components, super-nodes and edges are found once, at preparation."""
    graphs = store(3)
    for name in ("build_structure", "connected_components", "entity_pieces", "_assemble"):
        monkeypatch.setattr(arrays, name, None)
    assert graphs.take(np.arange(6)).graphs == 6


def test_all_relations_of_an_entity_count() -> None:
    """Defect 4."""
    words = ["mild", "left", "effusion"]
    entities = tuple(Entity(word, ENTITY_LABELS[1], n, n) for n, word in enumerate(words))
    links = (Relation(2, "located_at", 1), Relation(2, "modify", 0))
    both, first = (Graph(" ".join(words), entities, links[:n]) for n in (2, 1))
    built = GraphStore([both, first], WORDPIECE, context=False).structure
    bounds = zip(built.edge_start[:-1], built.edge_start[1:], strict=True)
    said = [int((built.type[a:b] < 2 * len(RELATION_TYPES)).sum()) for a, b in bounds]
    assert said == [4, 2]


def test_contextual_nodes_average_their_word_pieces() -> None:
    """Defect 7: a span of several pieces is their mean, of the last four layers' sum."""
    graph = Graph("apical nodule left", (Entity("apical nodule", ENTITY_LABELS[1], 0, 1),))
    bert = build_bert(TextConfig(layers=5, width=16, heads=2), WORDPIECE.get_vocab_size()).eval()
    batch = GraphStore([graph], WORDPIECE, context=True).take(np.array([0]))
    nodes = ContextNodes(bert, frozen=True)
    found = nodes(
        batch.context.tokens, batch.context.mask, batch.places, batch.owner, len(batch.kind)
    )
    states = bert(
        input_ids=batch.context.tokens,
        attention_mask=batch.context.mask.long(),
        output_hidden_states=True,
    ).hidden_states
    pieces = len(WORDPIECE.encode("apical nodule", add_special_tokens=False).ids)
    expected = sum(states[-4:])[0, 1 : 1 + pieces].mean(0)
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=1e-5)
    assert (found[1:] == 0).all()
    assert not any(p.requires_grad for p in bert.parameters())
