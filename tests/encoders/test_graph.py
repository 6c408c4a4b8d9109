from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.nn import RGCNConv

from radpair.encoders.graph import ContextNodes, GraphConfig, RelationalConvolution
from radpair.encoders.ragged import attend_by_size, attend_jagged, ragged_layer
from radpair.encoders.sparse import relation_products, sparse_product
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


def edge_list(graphs: GraphStore, wanted: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """``[2, edges]`` and the kinds, read graph by graph from the structure."""
    built, links, kinds, first = graphs.structure, [], [], 0
    sizes = np.diff(built.node_start)
    for graph in sorted(wanted, key=lambda number: sizes[number]):
        edges = slice(*built.edge_start[graph : graph + 2])
        links.append(np.stack([built.source[edges], built.target[edges]]) + first)
        kinds.append(built.type[edges])
        first += sizes[graph]
    return torch.from_numpy(np.concatenate(links, 1)), torch.from_numpy(np.concatenate(kinds))


@pytest.mark.parametrize("wanted", [[0, 1, 2, 3, 4, 5], [4, 0, 2], [3], [1]])
def test_convolution_equals_pytorch_geometric(wanted: list[int]) -> None:
    """Values, and the gradients of nodes, matrices and bias; graph 3 has no entities."""
    torch.manual_seed(0)
    graphs = store(5)
    batch = graphs.take(np.array(wanted))
    ours = RelationalConvolution(7, 9, EDGE_TYPES)
    oracle = RGCNConv(7, 9, EDGE_TYPES, aggr="mean")
    with torch.no_grad():
        oracle.weight.copy_(ours.weight)
        oracle.root.copy_(ours.root.weight.T)
        oracle.bias.copy_(ours.root.bias)
    nodes = torch.randn(len(batch.kind), 7, requires_grad=True)
    expected = oracle(nodes, *edge_list(graphs, np.array(wanted)))
    found = ours(nodes, batch.relations)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    grad = torch.randn_like(found)
    mine = torch.autograd.grad(found, [nodes, ours.weight, ours.root.weight, ours.root.bias], grad)
    theirs = torch.autograd.grad(expected, [nodes, oracle.weight, oracle.root, oracle.bias], grad)
    for a, b in zip(mine, (*theirs[:2], theirs[2].T, theirs[3]), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_the_same_link_twice_counts_twice() -> None:
    """As in PyTorch Geometric, whose mean is over links and not over neighbours."""
    words = ["left", "mild", "effusion"]
    entities = tuple(Entity(word, ENTITY_LABELS[1], n, n) for n, word in enumerate(words))
    links = tuple(Relation(source, "modify", 2) for source in (0, 0, 1))
    graphs = GraphStore([Graph(" ".join(words), entities, links)], WORDPIECE, context=False)
    relations = graphs.take(np.array([0])).relations
    nodes = torch.eye(len(graphs.structure.kind))
    forward = sparse_product(relations.gather, nodes)[relations.bounds[0] : relations.bounds[1]]
    torch.testing.assert_close(forward[:, :3], torch.tensor([[2 / 3, 1 / 3, 0]]))


def test_sparse_products_have_the_gradient_of_dense_ones() -> None:
    batch = store(7).take(np.arange(6))
    for matrix in (batch.relations.gather, batch.relations.scatter, batch.pool):
        columns = len(matrix.transposed.start) - 1
        dense = torch.randn(columns, 5, dtype=torch.double, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x, m=matrix: sparse_product(m, x), dense)


def test_relation_products_have_the_gradient_of_a_loop() -> None:
    rows = torch.randn(9, 4, dtype=torch.double, requires_grad=True)
    weight = torch.randn(3, 4, 5, dtype=torch.double, requires_grad=True)
    bounds = (0, 3, 3, 9)
    expected = torch.cat([rows[:3] @ weight[0], rows[3:] @ weight[2]])
    torch.testing.assert_close(relation_products(rows, weight, bounds), expected)
    assert torch.autograd.gradcheck(lambda x, w: relation_products(x, w, bounds), (rows, weight))


def padded_layer(
    layer: torch.nn.TransformerEncoderLayer, nodes: torch.Tensor, sizes: tuple[int, ...]
) -> torch.Tensor:
    """The library's own layer on padded graphs."""
    padded = torch.nn.utils.rnn.pad_sequence(nodes.split(sizes), batch_first=True)
    absent = torch.arange(max(sizes)) >= torch.tensor(sizes)[:, None]
    return layer(padded, src_key_padding_mask=absent)[~absent]


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("attend", [attend_by_size, attend_jagged])
def test_attention_without_padding_equals_the_padded_layer(
    attend: Callable[..., torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radpair.encoders.ragged.attend_by_size", attend)
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(16, 2, 24, 0.0, batch_first=True)
    sizes = (1, 3, 3, 8, 11)
    nodes = torch.randn(sum(sizes), 16, requires_grad=True)
    start = torch.tensor([0, *np.cumsum(sizes)])
    expected, found = padded_layer(layer, nodes, sizes), ragged_layer(layer, nodes, sizes, start)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    wanted = [nodes, *layer.parameters()]
    weight = torch.randn_like(found)
    for a, b in zip(
        torch.autograd.grad((found * weight).sum(), wanted),
        torch.autograd.grad((expected * weight).sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("attend", [attend_by_size, attend_jagged])
def test_attention_drops_in_training_alone(attend: Callable[..., torch.Tensor]) -> None:
    """As the library does: each probability with chance p, the rest divided by 1 - p."""
    torch.manual_seed(0)
    projected = torch.zeros(4000, 3 * 4)
    projected[:, 8:] = 1  # all values are one, all probabilities a half
    start = torch.arange(0, 4001, 2)
    found = attend(projected, 1, (2,) * 2000, start, 0.25)
    kept = found[:, 0] * 2 * 0.75
    assert set(kept.round().int().tolist()) == {0, 1, 2}
    torch.testing.assert_close(kept, kept.round(), atol=1e-5, rtol=0)
    assert abs(float(found.mean()) - 1) < 0.03
    assert attend(projected, 1, (2,) * 2000, start, 0.0).eq(1).all()


def test_dropout_stands_where_the_library_has_it() -> None:
    """Each of the four dropouts alone, with everything dropped."""
    sizes, nodes = (2, 5), torch.randn(7, 8)
    start = torch.tensor([0, 2, 7])
    for name in ("self_attn", "dropout", "dropout1", "dropout2"):
        torch.manual_seed(0)
        layer = torch.nn.TransformerEncoderLayer(8, 2, 12, 0.0, batch_first=True)
        part = layer.get_submodule(name)
        setattr(part, "dropout" if name == "self_attn" else "p", 1.0)
        expected, found = (
            padded_layer(layer, nodes, sizes),
            ragged_layer(layer, nodes, sizes, start),
        )
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("nodes", ["words", "contextual"])
def test_sixteen_bits_stay_near_thirty_two(nodes: str) -> None:
    """Values and gradients under autocast, as training does where the processor has bfloat16."""
    model, batch = tower(nodes), store(3, context=nodes == "contextual").take(np.arange(6))
    found = {}
    for half in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            codes = model(batch)
        codes.float().pow(2).sum().backward()
        assert all(p.grad is None or p.grad.dtype == p.dtype for p in model.parameters())
        grads = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        found[half] = codes.float().detach(), grads
    for a, b in zip(found[True], found[False], strict=True):
        assert float((a - b).norm() / b.norm()) < 0.1


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
    assert len(graphs.take(np.arange(6)).sizes) == 6


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


def test_reports_read_by_length_have_the_same_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radpair.encoders.lengths.EXTRA_CPU", 1)
    model = tower("contextual")
    batch = store(3, context=True).take(np.arange(6))
    alone = replace(batch, context=replace(batch.context, lengths=None))
    with torch.no_grad():
        torch.testing.assert_close(model(batch), model(alone), atol=1e-5, rtol=1e-5)


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
