"""How long a run takes to make tensors of its texts and graphs: at first, and where it goes on.

    OMP_NUM_THREADS=1 python benchmarks/start.py

Tokenizer, sentences, graphs and hashes of synthetic studies, for a run that keeps them in its
folder: at its first start, and at every other, which is also what each further process of the run
does. Beside it the same made anew and kept nowhere. Then what a worker process is sent of
the training studies. The films are noise. A batch of both sides is compared
first. All take turns; each ratio is of processor seconds of one run.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from loader import with_graphs
from radpair.models.pair import PairModel
from radpair.phantom import Phantom
from radpair.pretraining import load_recipe
from radpair.pretraining.pairs import prepare_pairs, run_tokenizer
from radpair.pretraining.recipe import Recipe
from radpair.records import Graph, Study
from radpair.studyset import StudySet
from radpair.studyset.batch import GraphStore, PairData, PairSettings, SentenceStore
from turns import fastest

RECIPES = {
    "convirt-small": "texts",
    "igc-small": "graphs",
    "igc-small graph.nodes=contextual": "graphs and whole reports",
}
SIZE = 32


class Noise(Phantom):
    """Synthetic studies without what takes longest to make."""

    def read(self, study: Study, view: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng([*study.study_id.encode(), view])
        return rng.integers(0, 256, (SIZE, SIZE), np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--studies", type=int, default=20_000)
    count = parser.parse_args().studies
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        source = Noise(studies=count, seed=0, size=SIZE)
        studies = with_graphs(source, Path(folder) / "set", SIZE)
        for asked, what in RECIPES.items():
            name, *options = asked.split()
            options += [f"image.size={SIZE}", "image.name=resnet10t"]
            print(f"{asked}, {what} of {count:,} studies:")
            compare(load_recipe(name, options), studies, Path(folder))


def compare(recipe: Recipe, studies: StudySet, folder: Path) -> None:
    model = PairModel(recipe.model, run_tokenizer(recipe, studies).get_vocab_size())

    def start(cache: Path) -> PairData:
        tokenizer = run_tokenizer(recipe, studies, cache)
        return prepare_pairs(recipe, studies, tokenizer, model, cache).train

    def first() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            start(Path(fresh))

    with tempfile.TemporaryDirectory(dir=folder) as cache:
        kept, plain = start(Path(cache)), anew(recipe, studies, model)
        for mine, other in zip(tensors(kept), tensors(plain), strict=True):
            assert mine.equal(other)
        size = sum(path.stat().st_size for path in Path(cache).rglob("*") if path.is_file())
        begun, resumed, made = fastest(
            first, lambda: start(Path(cache)), lambda: anew(recipe, studies, model)
        )
        print(f"  made anew {made:.2f} s, first start {begun:.2f} s, any other {resumed:.3f} s")
        print(f"  ratio {made / resumed:.0f}; {size / 2**20:.0f} MiB in the run's folder")
        sent, before = len(pickle.dumps(kept)), len(pickle.dumps(plain))
        print(f"  to a worker: {sent:,} bytes, kept nowhere {before:,}, ratio {before / sent:.0f}")


def anew(recipe: Recipe, studies: StudySet, model: PairModel) -> PairData:
    """What ``prepare_pairs`` gives, and nothing kept."""
    tokenizer = run_tokenizer(recipe, studies)
    texts = graphs = None
    if recipe.model.has_text:
        limits = recipe.text.max_tokens, recipe.text.sentences
        texts = SentenceStore(studies.reports, tokenizer, *limits)
    if recipe.model.has_graph:
        found = [graph or Graph("") for graph in studies.graphs()]
        context = recipe.model.has_context
        graphs = GraphStore(found, tokenizer, context=context, window=model.window)
    settings = PairSettings(recipe.image.size, recipe.augmentation, recipe.training.seed)
    return PairData(studies, studies.split("train"), settings, texts, graphs)


def tensors(data: PairData) -> list[torch.Tensor]:
    batch = data.batch(np.arange(min(256, len(data))), 0)
    found = [batch.study, batch.report]
    for content in (batch.text_content, batch.graph_content):
        found += [] if content is None else [content]
    if batch.text is not None:
        found += [batch.text.tokens, batch.text.mask]
    if batch.graph is not None:
        found += [batch.graph.kind, batch.graph.pieces, batch.graph.relations.gather.rows.column]
    return found


if __name__ == "__main__":
    main()
