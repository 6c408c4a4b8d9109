"""A step of the graph tower with its nodes' vectors read from a file, and with reports read anew.

    OMP_NUM_THREADS=1 python benchmarks/node_vectors.py

Graphs of synthetic reports; a small language model and one of BERT-base's size, both of random
weights and frozen. Forward and backward of the graph tower, the batch's assembly included, on one
core. Values are compared first. Both sides take turns; each ratio is of processor seconds of one
run. What float16 costs is the largest distance of two codes of unit length.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from radpair.encoders.graph import GraphConfig
from radpair.encoders.text import TextConfig, build_bert
from radpair.graphs import extract
from radpair.models.node_vectors import node_vectors
from radpair.models.pair import GraphTower, PairConfig
from radpair.phantom.report import write
from radpair.phantom.truth import exams
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset.batch import GraphStore
from turns import fastest

REPORTS, BATCH = 64, 32
LANGUAGE_MODELS = {
    "4 layers of 128": TextConfig(layers=4, width=128, heads=4),
    "12 layers of 768": TextConfig(layers=12, width=768, heads=12),
}


def main() -> None:
    torch.set_num_threads(1)
    reports = [write(exam).text for exam in exams(REPORTS, 7)]
    graphs = [extract(report) for report in reports]
    tokenizer = train_tokenizer(reports, 2000)
    for name, text in LANGUAGE_MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            model = frozen_tower(text, tokenizer.get_vocab_size(), Path(folder))
            begun = time.process_time()
            kept = node_vectors(model, tokenizer, graphs, "", Path(folder))
            filled = (time.process_time() - begun) / REPORTS
            half = node_vectors(model, tokenizer, graphs, "", Path(folder), dtype="float16")
            size = kept.arrays.record["file"]["bytes"] / REPORTS
            stores = [
                GraphStore(graphs, tokenizer, context=True, window=model.window, vectors=given)
                for given in (kept, half, None)
            ]
            print(f"{name}: kept once, {filled * 1e3:.0f} ms and {size / 1e3:.0f} kB a report")
            compare(model, *stores)


def frozen_tower(text: TextConfig, vocabulary: int, folder: Path) -> GraphTower:
    torch.manual_seed(0)
    build_bert(text, vocabulary).save_pretrained(folder)
    frozen = TextConfig(weights=str(folder))
    config = PairConfig(partner="graph", text=frozen, graph=GraphConfig())
    return GraphTower(config, vocabulary, None)


def compare(model: GraphTower, kept: GraphStore, half: GraphStore, read: GraphStore) -> None:
    wanted = np.arange(BATCH)
    model.eval()
    with torch.no_grad():
        expected, found = model(read.take(wanted)), model(kept.take(wanted))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        moved = (unit(found) - unit(model(half.take(wanted)))).norm(dim=1).max()
    print(f"  codes differ by {(found - expected).abs().max():.1e}, in float16 by {moved:.1e}")
    model.train()

    def step(store: GraphStore) -> None:
        model(store.take(wanted)).pow(2).sum().backward()

    ours, anew = fastest(lambda: step(kept), lambda: step(read))
    print(f"  step of {BATCH} graphs: {ours * 1e3:.0f} ms, reports read anew {anew * 1e3:.0f} ms")
    print(f"  ratio {anew / ours:.1f}")


def unit(codes: Tensor) -> Tensor:
    return torch.nn.functional.normalize(codes)


if __name__ == "__main__":
    main()
