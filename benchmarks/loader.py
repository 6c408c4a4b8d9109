"""Training steps fed by the loader against the same steps on batches that lie in memory.

    OMP_NUM_THREADS=2 python benchmarks/loader.py

Films of 320 pixels from a study set on disk, augmented on the host to 224, sentences or graphs as
the recipe has them; ResNet-50 with BERT-base (``convirt``) and ViT-B/32 with a graph encoder over
BERT-base (``igc``), random weights. The studies are repeated until there are as many as in
MIMIC-CXR, so that to draw their order costs what it costs there. Every batch is used twice: as it
comes out of the loader, the waiting included, and once more, now that it is there. The loader may
work on during either step. The ratio is of the sums over all batches but the first two; beside it
stands the median of the single batches' ratios. ``--workers 0`` is a thread of the training
process, which is what a recipe has where it says nothing; others are processes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from radpair.phantom import Phantom
from radpair.pretraining import load_recipe
from radpair.pretraining.pairs import Part, Steps, batch_order, training_batches
from radpair.pretraining.ranks import Layout
from radpair.pretraining.recipe import Recipe
from radpair.records import Graph
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset import StudySet, write, write_graphs
from radpair.studyset.batch import GraphStore, PairData, PairSettings, SentenceStore
from step import machine, our_step, our_trainer
from turns import now

TOWERS = {"convirt": "resnet50", "igc": "vit_base_patch32_224"}
STORED, UNCOUNTED, PREPARED = 320, 2, 40
STUDIES = 227_835
"""MIMIC-CXR's (Johnson et al., Scientific Data 6:317, 2019)."""
PLAIN = ("image.mean=[0.485,0.456,0.406]", "image.std=[0.229,0.224,0.225]")


@dataclass(frozen=True)
class Asked:
    """What is measured, as the command line says."""

    device: torch.device
    recipes: list[str]
    workers: list[int]
    studies: int
    batch: int
    batches: int
    size: int
    layers: int


def main() -> None:
    asked = parsed()
    machine(asked.device)
    with tempfile.TemporaryDirectory() as folder:
        studies = study_set(Path(folder) / "set", asked.studies)
        for name in asked.recipes:
            compare(name, studies, asked)


def parsed() -> Asked:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    usual = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=usual, type=torch.device)
    parser.add_argument("--recipes", nargs="+", default=list(TOWERS), choices=TOWERS)
    parser.add_argument("--workers", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--studies", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--batches", type=int, default=6, help="counted, for each setting")
    parser.add_argument("--size", type=int, default=224, help="of the images, pixels")
    parser.add_argument("--layers", type=int, default=12, help="of the language model")
    return Asked(**vars(parser.parse_args()))


def study_set(path: Path, count: int) -> StudySet:
    """Synthetic studies with their graphs."""
    return with_graphs(Phantom(studies=count, seed=0, size=STORED), path, STORED)


def with_graphs(source: Phantom, path: Path, size: int) -> StudySet:
    """The studies of ``source``, with the graphs that it knows, films of ``size`` pixels."""
    write(source, path, size, processes=1)
    studies = StudySet.open(path)
    graphs = dict(zip(studies.study_ids, studies.source_graphs(), strict=True))
    write_graphs(path, {key: graph for key, graph in graphs.items() if graph}, {"from": "source"})
    return StudySet.open(path)


def compare(name: str, studies: StudySet, asked: Asked) -> None:
    recipe = sized(name, 0, asked)
    tokenizer = train_tokenizer(studies.reports, recipe.text.vocabulary)
    data = repeated(pairs(recipe, studies, tokenizer))
    trainer = our_trainer(recipe, tokenizer.get_vocab_size(), asked.device)
    print(f"{name}: {TOWERS[name]}, batch {asked.batch}, {recipe.training.precision}:")
    wall, processor = np.median(prepared(data, recipe), axis=0)
    print(f"  a batch is prepared in {wall:.4f} s (processor {processor:.4f} s)")
    for workers in asked.workers:
        fed, resident = [], []
        batches = training_batches(
            data,
            sized(name, workers, asked),
            Part(Layout(1)),
            0,
            asked.batches + UNCOUNTED,
            pin=asked.device.type == "cuda",
        )
        begun = now(asked.device)
        for (batch,) in batches:
            our_step(trainer, batch)
            fed.append(now(asked.device) - begun)
            begun = now(asked.device)
            our_step(trainer, batch)
            resident.append(now(asked.device) - begun)
            begun = now(asked.device)
        one, other = sum(fed[UNCOUNTED:]), sum(resident[UNCOUNTED:])
        middle = np.median(np.divide(fed, resident)[UNCOUNTED:])
        print(
            f"  {workers} workers: {one / asked.batches:.3f} s a step fed, "
            f"{other / asked.batches:.3f} s resident, ratio {one / other:.3f}, "
            f"median of the batches {middle:.3f}"
        )


def sized(name: str, workers: int, asked: Asked) -> Recipe:
    """The recipe with random weights and the towers that are measured."""
    bf16 = asked.device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
    return random_weights(
        name,
        TOWERS[name],
        f"image.size={asked.size}",
        f"text.layers={asked.layers}",
        f"training.batch={asked.batch}",
        f"training.workers={workers}",
        "training.shards=1",
        "training.augment_on=host",
        f"training.precision={'bf16-mixed' if bf16 else '32-true'}",
    )


def random_weights(name: str, tower: str, *more: str) -> Recipe:
    """The recipe with this image tower, nothing pretrained, all trained at a constant rate."""
    return load_recipe(
        name,
        [
            f"image.name={tower}", "image.weights=none", *PLAIN, "text.weights=none",
            "text.frozen_layers=0", "training.schedule=constant", "training.freeze_image=0", *more,
        ],
    )  # fmt: skip


def pairs(recipe: Recipe, studies: StudySet, tokenizer: object, vectors: int = 0) -> PairData:
    """All studies, augmented; with ``vectors`` graph nodes have random ones of that width."""
    texts = graphs = None
    if recipe.model.has_text:
        limits = recipe.text.max_tokens, recipe.text.sentences
        texts = SentenceStore(studies.reports, tokenizer, *limits)
    else:
        found = [graph or Graph("") for graph in studies.graphs()]
        context = recipe.model.has_context and not vectors
        given = RandomVectors(sum(len(one.entities) for one in found), vectors) if vectors else None
        graphs = GraphStore(found, tokenizer, context=context, window=512, vectors=given)
    on = "device" if recipe.training.augment_on == "device" else "host"
    settings = PairSettings(recipe.image.size, recipe.augmentation, 0, on)
    return PairData(studies, np.arange(len(studies)), settings, texts, graphs)


class RandomVectors:
    """Stands for the kept vectors of the entities."""

    def __init__(self, entities: int, width: int) -> None:
        self._table = np.random.default_rng(0).standard_normal((entities, width), np.float32)

    def take(self, entities: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._table[entities]


def repeated(data: PairData) -> PairData:
    """The same studies again and again, as many as MIMIC-CXR has."""
    data.members = np.resize(data.members, STUDIES)
    return data


def prepared(data: PairData, recipe: Recipe) -> NDArray[np.float64]:
    """``[steps, 2]``: seconds to prepare each of a few steps, alone, and those of the processor."""
    steps = Steps(data, batch_order(data, recipe), Part(Layout(1)), 0, PREPARED)
    spent = []
    for number in range(PREPARED):
        used, begun = time.process_time(), time.perf_counter()
        steps[number]
        spent.append((time.perf_counter() - begun, time.process_time() - used))
    return np.array(spent)


if __name__ == "__main__":
    main()
