from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from radpair.encoders.graph import GraphConfig
from radpair.encoders.text import TextConfig, build_bert
from radpair.errors import ModelError
from radpair.graphs import extract
from radpair.models.node_vectors import language_hash, node_vectors
from radpair.models.pair import GraphTower, PairConfig
from radpair.phantom.report import write
from radpair.phantom.truth import exams
from radpair.records import Graph
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset import node_vectors as kept
from radpair.studyset.batch import GraphStore

REPORTS = [write(exam).text for exam in exams(24, 5)]
GRAPHS = [*[extract(report) for report in REPORTS], Graph("")]
WORDPIECE = train_tokenizer(REPORTS, 300)
SMALL = {"layers": 4, "width": 32, "heads": 2, "vocabulary": 300}


def tower(folder: Path, seed: int = 0) -> GraphTower:
    torch.manual_seed(seed)
    if not folder.is_dir():
        build_bert(TextConfig(**SMALL), WORDPIECE.get_vocab_size()).save_pretrained(folder)
    config = PairConfig(
        partner="graph",
        dim=16,
        text=TextConfig(weights=str(folder), **SMALL),
        graph=GraphConfig(width=32, feed_forward=32),
    )
    return GraphTower(config, WORDPIECE.get_vocab_size(), None)


def test_kept_vectors_make_the_same_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "TOGETHER", 7)
    model = tower(tmp_path / "bert").eval()
    vectors = node_vectors(model, WORDPIECE, GRAPHS, "graphs", tmp_path)
    with_reports = GraphStore(GRAPHS, WORDPIECE, context=True, window=model.window)
    with_vectors = GraphStore(GRAPHS, WORDPIECE, context=True, vectors=vectors)
    assert with_vectors.windows is None
    for wanted in (np.arange(25), np.array([24, 3, 17]), np.array([24])):
        read, gathered = with_reports.take(wanted), with_vectors.take(wanted)
        assert gathered.context is None
        torch.testing.assert_close(model.words(gathered), model.words(read), atol=1e-5, rtol=1e-5)
        with torch.no_grad():
            torch.testing.assert_close(model(gathered), model(read), atol=1e-5, rtol=1e-5)


def test_kept_vectors_give_the_same_gradients(tmp_path: Path) -> None:
    model = tower(tmp_path / "bert").eval()
    vectors = node_vectors(model, WORDPIECE, GRAPHS, "graphs", tmp_path)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    found = []
    for given in (vectors, None):
        graphs = GraphStore(GRAPHS, WORDPIECE, context=True, window=model.window, vectors=given)
        loss = model(graphs.take(np.arange(25))).pow(2).sum()
        found.append(torch.autograd.grad(loss, trained))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_half_the_bits_move_codes_little(tmp_path: Path) -> None:
    model = tower(tmp_path / "bert").eval()
    codes = []
    for dtype in ("float32", "float16"):
        vectors = node_vectors(model, WORDPIECE, GRAPHS, "graphs", tmp_path, dtype=dtype)
        graphs = GraphStore(GRAPHS, WORDPIECE, context=True, vectors=vectors)
        with torch.no_grad():
            codes.append(torch.nn.functional.normalize(model(graphs.take(np.arange(25)))))
    assert float((codes[0] * codes[1]).sum(1).min()) > 1 - 1e-5


@pytest.mark.parametrize("change", ["graphs", "language", "tokenizer", "window", "dtype"])
def test_other_vectors_are_not_mixed_up(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Graphs as many as before, language models of one shape."""
    model, wordpiece, graphs, dtype = tower(tmp_path / "bert"), WORDPIECE, GRAPHS, "float32"
    node_vectors(model, wordpiece, graphs, "a", tmp_path / "kept")
    if change == "graphs":
        graphs = GRAPHS[::-1]
    elif change == "language":
        model = tower(tmp_path / "other", seed=1)
    elif change == "tokenizer":
        wordpiece = train_tokenizer(REPORTS, 200)
    elif change == "window":
        monkeypatch.setattr(GraphTower, "window", 24)
    else:
        dtype = "float16"
    asked = model, wordpiece, graphs, "b" if change == "graphs" else "a"
    kept, plain = (
        node_vectors(*asked, parent, dtype=dtype)
        for parent in (tmp_path / "kept", tmp_path / "new")
    )
    every = np.arange(len(plain))
    assert np.array_equal(kept.take(every), plain.take(every))
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_the_hash_follows_weights_and_tokenizer(tmp_path: Path) -> None:
    model = tower(tmp_path / "bert")
    first = language_hash(model.nodes, WORDPIECE)
    assert first == language_hash(tower(tmp_path / "bert", seed=1).nodes, WORDPIECE)
    assert first != language_hash(tower(tmp_path / "other", seed=1).nodes, WORDPIECE)
    assert first != language_hash(model.nodes, train_tokenizer(REPORTS, 200))


def test_a_language_model_that_learns_has_no_constant_vectors(tmp_path: Path) -> None:
    text = TextConfig(**SMALL)
    config = PairConfig(partner="graph", dim=16, text=text, graph=GraphConfig(width=32))
    model = GraphTower(config, WORDPIECE.get_vocab_size(), None)
    assert not model.has_constant_nodes
    assert tower(tmp_path / "bert").has_constant_nodes
    with pytest.raises(ModelError, match="stays frozen"):
        node_vectors(model, WORDPIECE, GRAPHS, "graphs", tmp_path)
