"""Training steps at paper size on a GPU: studies a second, share of the peak, memory.

    python benchmarks/gpu.py

For ``igc`` and ``convirt`` with random weights but frozen as the papers have them (igc: the node
vectors of a frozen BERT, kept; convirt: the lower six layers and the embeddings of BERT). A step
begins with a batch in the host's memory: films as they are stored are copied, augmented on the
device, and used in ``take_step``. From ``--shard`` studies on a batch is encoded in shards, each
twice. The peak is that of a large bf16 matrix product measured here. Of the work only what one pass
forward and backward needs is counted (matrix products, convolutions, attention, by torch's own
count); what shards do again is not. A batch for which memory does not suffice is reported and the
next one measured; ``--out FILE`` keeps every figure as it comes, and after ``--seconds`` none is
begun. Without a CUDA device there is nothing to measure; ``--device cpu --tiny`` runs the same path
on the processor.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from figures import Figures, gpu_options, most_memory
from loader import pairs, random_weights, study_set
from radpair.models.pair import PairModel
from radpair.pretraining.arithmetic import attention_flops, matrix_peak
from radpair.pretraining.pairs import Part
from radpair.pretraining.ranks import Layout
from radpair.pretraining.recipe import Recipe
from radpair.pretraining.trainer import Trainer, build_trainer, start_processes
from radpair.pretraining.validation import losses
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset import StudySet
from radpair.studyset.batch import PairBatch, PairData, to_device, with_pixels
from step import machine, our_step
from turns import now

TOWERS = {"igc": "vit_base_patch32_224", "convirt": "resnet50"}
SMALL = ("image.size=32", "text.layers=2", "text.width=64", "text.heads=2", "graph.width=32")
SMALL_TOWERS = {"igc": "test_vit", "convirt": "test_resnet"}
UNCOUNTED, COUNTED = 2, 64


@dataclass(frozen=True)
class Asked:
    """What is measured, as the command line says."""

    device: torch.device
    out: Path | None
    seconds: float
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
    figures = Figures(asked.device, asked.out, asked.seconds)
    found = figures.take("bf16 matrix product", {}, partial(products, asked.device))
    peak = found.get("peak", 0.0)
    with tempfile.TemporaryDirectory() as folder:
        studies = study_set(Path(folder) / "set", asked.studies)
        for name in asked.recipes:
            for batch in asked.batches:
                shards = -(-batch // asked.shard)
                recipe = sized(
                    name, batch, shards, asked.tiny, chunk=asked.chunk, compiled=asked.compile
                )
                figures.take(
                    f"{name}, {recipe.image.name}, batch {batch} in {shards} shards",
                    {"recipe": name, "batch": batch, "shards": shards, "compile": asked.compile},
                    partial(measured, recipe, studies, peak, asked),
                )


def parsed() -> Asked:
    parser = gpu_options(__doc__)
    parser.add_argument("--recipes", nargs="+", default=list(TOWERS), choices=TOWERS)
    parser.add_argument("--batches", nargs="+", type=int, default=[256, 512, 1024, 2048, 4096])
    parser.add_argument("--shard", type=int, default=1024, help="most studies encoded at once")
    parser.add_argument("--chunk", type=int, default=0, help="rows of the loss at once, 0 for all")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--studies", type=int, default=512)
    parser.add_argument("--compile", action="store_true", help="torch.compile the image tower")
    parser.add_argument("--tiny", action="store_true", help="towers of a few thousand weights")
    return Asked(**vars(parser.parse_args()))


def products(device: torch.device) -> tuple[str, dict[str, float]]:
    peak = matrix_peak(device, torch.bfloat16)
    return f"{peak / 1e12:.2f} TFLOP/s", {"peak": peak}


def measured(
    recipe: Recipe, studies: StudySet, peak: float, asked: Asked
) -> tuple[str, dict[str, float]]:
    """Studies a second and what goes with them."""
    batch, shards = recipe.training.batch, recipe.training.shards
    model, data = made(recipe, studies)
    resident = [shards_of(data, batch, shards, turn, asked.device) for turn in range(2)]
    few = data.batch(np.arange(min(len(data), batch, COUNTED)), 0)
    work = operations(model.to(asked.device), few, asked.device)
    ranks = start_processes(recipe, asked.device.type, 1, 1)
    trainer = build_trainer(recipe, ranks, Layout(shards), batch, model, 10**6)
    rate = batch / timed(trainer, resident, asked)
    memory = most_memory(asked.device)
    told = f", at most {memory['gib']:.1f} GiB" if memory else ""
    return (
        f"{rate:,.1f} studies/s, {work / 1e9:.2f} GFLOP a study, "
        f"{work * rate / peak:.1%} of the peak{told}",
        {"studies_a_second": rate, "flop_a_study": work, "of_peak": work * rate / peak, **memory},
    )


def sized(
    name: str, batch: int, shards: int, tiny: bool, *, chunk: int = 0, compiled: bool = False
) -> Recipe:
    """The recipe with random weights."""
    return random_weights(
        name,
        (SMALL_TOWERS if tiny else TOWERS)[name],
        f"training.batch={batch}",
        f"training.shards={shards}",
        f"objective.chunk={chunk}",
        "training.augment_on=device",
        "training.precision=bf16-mixed",
        f"training.compile={str(compiled).lower()}",
        *(SMALL if tiny else ()),
    )


def made(recipe: Recipe, studies: StudySet) -> tuple[PairModel, PairData]:
    """A random model, without gradients where the papers' recipes have none, and all studies."""
    tokenizer = train_tokenizer(studies.reports, recipe.text.vocabulary)
    torch.manual_seed(0)
    model = PairModel(recipe.model, tokenizer.get_vocab_size())
    if model.text is not None:
        bert = model.text.encoder.bert
        bert.embeddings.requires_grad_(False)
        bert.encoder.layer[: len(bert.encoder.layer) // 2].requires_grad_(False)
    if model.graph is None:
        return model, pairs(recipe, studies, tokenizer)
    model.graph.nodes.requires_grad_(False)
    return model, pairs(recipe, studies, tokenizer, model.graph.nodes.dim)


def shards_of(
    data: PairData, batch: int, shards: int, turn: int, device: torch.device
) -> list[PairBatch]:
    """A batch in the host's memory, studies drawn with replacement."""
    places = np.random.default_rng(turn).integers(0, len(data), batch)
    found = [data.batch(own, turn) for own in Part(Layout(shards)).of(places)]
    return [one.pin_memory() for one in found] if device.type == "cuda" else found


def operations(model: PairModel, batch: PairBatch, device: torch.device) -> float:
    """Operations of one pass forward and backward for each study."""
    there = with_pixels(to_device(batch, device))
    counter = FlopCounterMode(display=False, custom_mapping=attention_flops())
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


if __name__ == "__main__":
    main()
