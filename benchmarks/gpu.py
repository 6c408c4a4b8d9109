"""Training steps at paper size on a GPU: studies a second, share of the peak, memory.

    python benchmarks/gpu.py

For ``igc`` and ``convirt`` with random weights but frozen as the papers have them (igc: the node
vectors of a frozen BERT, kept; convirt: the lower six layers and the embeddings of BERT). A step
begins with a batch in the host's memory: films as they are stored are copied, augmented on the
device, and used in ``take_step``. From ``--shard`` studies on a batch is encoded in shards, each
twice. The peak is that of a large bf16 matrix product measured here. Of the work only what one pass
forward and backward needs is counted (matrix products, convolutions, attention, by torch's own
count); what shards do again is not. Without a CUDA device there is nothing to measure; ``--device
cpu --tiny`` runs the same path on the processor.
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
from torch.utils.flop_counter import FlopCounterMode

from loader import study_set
from radpair.models.pair import PairModel
from radpair.pretraining import load_recipe
from radpair.pretraining.pairs import Part
from radpair.pretraining.ranks import Layout
from radpair.pretraining.recipe import Recipe
from radpair.pretraining.trainer import Trainer, build_trainer, start_processes
from radpair.pretraining.validation import losses
from radpair.records import Graph
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset import StudySet
from radpair.studyset.batch import (
    GraphStore,
    PairBatch,
    PairData,
    PairSettings,
    SentenceStore,
    to_device,
    with_pixels,
)
from step import machine, our_step

TOWERS = {"igc": "vit_base_patch32_224", "convirt": "resnet50"}
SMALL = ("image.size=32", "text.layers=2", "text.width=64", "text.heads=2", "graph.width=32")
SMALL_TOWERS = {"igc": "test_vit", "convirt": "test_resnet"}
PLAIN = ("image.mean=[0.485,0.456,0.406]", "image.std=[0.229,0.224,0.225]")
UNCOUNTED, COUNTED = 2, 64
GIB = 2**30


@dataclass(frozen=True)
class Asked:
    """What is measured, as the command line says."""

    device: torch.device
    recipes: list[str]
    batches: list[int]
    shard: int
    chunk: int
    steps: int
    studies: int
    compile: bool
    tiny: bool


def main() -> None:
    asked = parsed()
    if asked.device.type == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here: nothing measured (--device cpu --tiny runs the same path)")
        return
    machine(asked.device)
    peak = matrix_peak(asked.device, 256 if asked.tiny else 8192)
    print(f"bf16 matrix product: {peak / 1e12:.2f} TFLOP/s")
    with tempfile.TemporaryDirectory() as folder:
        studies = study_set(Path(folder) / "set", asked.studies)
        for name in asked.recipes:
            for batch in asked.batches:
                measure(name, batch, studies, peak, asked)


def parsed() -> Asked:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--device", default="cuda", type=torch.device)
    parser.add_argument("--recipes", nargs="+", default=list(TOWERS), choices=TOWERS)
    parser.add_argument("--batches", nargs="+", type=int, default=[256, 512, 1024, 2048, 4096])
    parser.add_argument("--shard", type=int, default=1024, help="most studies encoded at once")
    parser.add_argument("--chunk", type=int, default=0, help="rows of the loss at once, 0 for all")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--studies", type=int, default=512)
    parser.add_argument("--compile", action="store_true", help="torch.compile the image tower")
    parser.add_argument("--tiny", action="store_true", help="towers of a few thousand weights")
    return Asked(**vars(parser.parse_args()))


def matrix_peak(device: torch.device, size: int) -> float:
    """Operations a second of the best of ten products of square bf16 matrices."""
    one, other = torch.randn(2, size, size, device=device, dtype=torch.bfloat16).unbind()
    seconds = []
    for _ in range(10):
        begun = now(device)
        for _ in range(5):
            one @ other
        seconds.append((now(device) - begun) / 5)
    return 2 * size**3 / min(seconds)


def measure(name: str, batch: int, studies: StudySet, peak: float, asked: Asked) -> None:
    shards = -(-batch // asked.shard)
    recipe = sized(name, batch, shards, asked)
    tokenizer = train_tokenizer(studies.reports, recipe.text.vocabulary)
    torch.manual_seed(0)
    model = frozen(PairModel(recipe.model, tokenizer.get_vocab_size()))
    data = pairs(recipe, studies, tokenizer, model)
    resident = [shards_of(data, batch, shards, turn, asked.device) for turn in range(2)]
    few = data.batch(np.arange(min(len(data), batch, COUNTED)), 0)
    work = operations(model.to(asked.device), few, asked.device)
    ranks = start_processes(recipe, asked.device.type, 1, 1)
    trainer = build_trainer(recipe, ranks, Layout(shards), batch, model, 10**6)
    if asked.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds = timed(trainer, resident, asked)
    print(
        f"{name}, {recipe.image.name}, batch {batch} in {shards} shards: "
        f"{batch / seconds:,.1f} studies/s, {work / 1e9:.2f} GFLOP a study, "
        f"{work * batch / seconds / peak:.1%} of the peak{memory(asked.device)}",
        flush=True,
    )


def sized(name: str, batch: int, shards: int, asked: Asked) -> Recipe:
    """The recipe with random weights."""
    towers = SMALL_TOWERS if asked.tiny else TOWERS
    return load_recipe(
        name,
        [
            f"image.name={towers[name]}", "image.weights=none", *PLAIN, "text.weights=none",
            "text.frozen_layers=0", f"training.batch={batch}", f"training.shards={shards}",
            f"objective.chunk={asked.chunk}", "training.augment_on=device",
            "training.precision=bf16-mixed", "training.schedule=constant",
            "training.freeze_image=0", f"training.compile={str(asked.compile).lower()}",
            *(SMALL if asked.tiny else ()),
        ],
    )  # fmt: skip


def frozen(model: PairModel) -> PairModel:
    """Without gradients where the papers' recipes have none."""
    if model.text is not None:
        bert = model.text.encoder.bert
        bert.embeddings.requires_grad_(False)
        bert.encoder.layer[: len(bert.encoder.layer) // 2].requires_grad_(False)
    if model.graph is not None:
        model.graph.nodes.requires_grad_(False)
    return model


def pairs(recipe: Recipe, studies: StudySet, tokenizer: object, model: PairModel) -> PairData:
    """All studies, augmented on the device; graph nodes with vectors that are there already."""
    texts = graphs = None
    if model.graph is None:
        limits = recipe.text.max_tokens, recipe.text.sentences
        texts = SentenceStore(studies.reports, tokenizer, *limits)
    else:
        found = [graph or Graph("") for graph in studies.graphs()]
        vectors = RandomVectors(sum(len(one.entities) for one in found), model.graph.nodes.dim)
        graphs = GraphStore(found, tokenizer, context=False, vectors=vectors)
    settings = PairSettings(recipe.image.size, recipe.augmentation, 0, "device")
    return PairData(studies, np.arange(len(studies)), settings, texts, graphs)


def shards_of(
    data: PairData, batch: int, shards: int, turn: int, device: torch.device
) -> list[PairBatch]:
    """A batch in the host's memory, studies drawn with replacement."""
    places = np.random.default_rng(turn).integers(0, len(data), batch)
    found = [data.batch(own, turn) for own in Part(Layout(shards)).of(places)]
    return [one.pin_memory() for one in found] if device.type == "cuda" else found


class RandomVectors:
    """Stands for the kept vectors of the entities."""

    def __init__(self, entities: int, width: int) -> None:
        self._table = np.random.default_rng(0).standard_normal((entities, width), np.float32)

    def take(self, entities: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._table[entities]


def operations(model: PairModel, batch: PairBatch, device: torch.device) -> float:
    """Operations of one pass forward and backward for each study."""
    there = with_pixels(to_device(batch, device))
    counter = FlopCounterMode(display=False)
    with counter:
        with torch.autocast(device.type, torch.bfloat16):
            loss = losses(model.train(), there)["loss"]
        loss.backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops() / len(batch.study)


def timed(trainer: Trainer, resident: list[list[PairBatch]], asked: Asked) -> float:
    """Seconds of a step."""
    begun = 0.0
    for number in range(UNCOUNTED + asked.steps):
        if number == UNCOUNTED:
            begun = now(asked.device)
        our_step(trainer, *resident[number % len(resident)])
    return (now(asked.device) - begun) / asked.steps


def memory(device: torch.device) -> str:
    if device.type != "cuda":
        return ""
    return f", at most {torch.cuda.max_memory_allocated() / GIB:.1f} GiB"


def now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


if __name__ == "__main__":
    main()
