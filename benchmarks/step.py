"""One training step against open_clip's, with the same towers, batch, precision and optimiser.

    OMP_NUM_THREADS=2 python benchmarks/step.py

A step is what ``pretrain`` does with a batch (``take_step``), and what open_clip's
``train_one_epoch`` does with one: forward, ``ClipLoss``, backward, AdamW, the clamp of the scale.
Towers of the same shapes and weights (a timm image tower, BERT-base, linear projections to 512),
compared in evaluation mode before they are timed. Texts are sentences of synthetic reports, first
all cut or repeated to one length, then as they are. Films reach radpair as uint8 and are normalised
within its step; open_clip gets floating-point images that are normalised already. AdamW is the
fused kind on both sides, and once more open_clip's own choice. The sides take turns in one process;
the ratio is open_clip's time over radpair's. With ``--compile image`` (``text``) there is no
open_clip: radpair's step takes turns with itself, that tower compiled, and the ratio is the plain
step's time over the compiled one's; compiling takes minutes, which are not counted.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from radpair.compat import mend_torchvision
from radpair.models.pair import PairModel, TextTower
from radpair.phantom.report import write
from radpair.phantom.truth import exams
from radpair.pretraining import load_recipe
from radpair.pretraining.ranks import Layout
from radpair.pretraining.recipe import Recipe
from radpair.pretraining.step import Done, take_step
from radpair.pretraining.trainer import Trainer, build_trainer, start_processes
from radpair.pretraining.validation import losses
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset.batch import PairBatch, SentenceStore, TextBatch, to_device, with_pixels
from turns import turns

TOWERS = {"resnet50": "avg", "vit_base_patch32_224": "token"}
"""timm's names, and how open_clip is told to pool."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TOLERANCE = {"32-true": 1e-4, "bf16-mixed": 3e-2}
AUTOCAST = {"32-true": "fp32", "bf16-mixed": "amp_bf16"}
"""open_clip's names of the precisions."""
COMPILED: dict[str, Callable[[PairModel], nn.Module]] = {
    "image": lambda model: model.image,
    "text": lambda model: cast(TextTower, model.text).encoder.bert,
}


@dataclass(frozen=True)
class Asked:
    """What is measured, as the command line says."""

    device: torch.device
    towers: list[str]
    precision: list[str]
    batch: int
    turns: int
    steps: int
    size: int
    layers: int
    width: int
    compile: list[str]


def main() -> None:
    asked = parsed()
    machine(asked.device)
    for name in asked.towers:
        for precision in asked.precision:
            compare(name, precision, asked)


def parsed() -> Asked:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    usual = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=usual, type=torch.device)
    parser.add_argument("--towers", nargs="+", default=list(TOWERS))
    parser.add_argument("--precision", nargs="+", default=["bf16-mixed"], choices=AUTOCAST)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1, help="in a row, before the clock is read")
    parser.add_argument("--size", type=int, default=224, help="of the images, pixels")
    parser.add_argument("--layers", type=int, default=12, help="of the text tower")
    parser.add_argument("--width", type=int, default=768, help="of the text tower")
    parser.add_argument("--compile", nargs="+", default=[], choices=COMPILED)
    return Asked(**vars(parser.parse_args()))


def machine(device: torch.device) -> None:
    """Prints what the figures depend on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    print(f"{name}; {torch.get_num_threads()} threads, torch {torch.__version__}")


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else 'processor'}, {os.cpu_count()} cores"


def compare(name: str, precision: str, asked: Asked) -> None:
    reports = [write(exam).text for exam in exams(4 * asked.batch, 7)]
    tokenizer = train_tokenizer(reports, 8000)
    batch = drawn(reports, tokenizer, asked)
    recipe = paper_size(name, precision, asked)
    vocabulary = tokenizer.get_vocab_size()
    print(f"{name}, {asked.layers} x {asked.width} text, batch {asked.batch}, {precision}:")
    for part in asked.compile:
        ours = our_trainer(recipe, vocabulary, asked.device)
        COMPILED[part](ours.model).compile()
        for what, text in texts(batch):
            with_compiled(f"  {what}", part, ours, replace(batch, text=text), asked)
    if not asked.compile:
        ours = our_trainer(recipe, vocabulary, asked.device)
        for what, text in texts(batch):
            with_theirs(f"  {what}", name, ours, replace(batch, text=text), asked)


def drawn(reports: list[str], tokenizer: Any, asked: Asked) -> PairBatch:
    """Random films, and one sentence of each report."""
    store = SentenceStore(reports, tokenizer, 80)
    rng = np.random.default_rng(0)
    chosen = np.flatnonzero(store.count())[: asked.batch]
    picked = [store.pick(int(report), rng) for report in chosen]
    shape = (asked.batch, asked.size, asked.size)
    pixels = torch.from_numpy(rng.integers(0, 256, shape, np.uint8))
    numbers = torch.arange(asked.batch)
    return PairBatch(pixels, numbers, numbers, store.take(picked), numbers)


def texts(batch: PairBatch) -> list[tuple[str, TextBatch]]:
    """The batch's texts all of the length of the longest, and as they are."""
    real = batch.text
    assert real is not None
    assert real.lengths is not None
    longest = real.tokens.shape[1]
    first = real.tokens[real.mask.sum(1).argmax()]
    same = torch.where(real.mask, real.tokens, first.expand_as(real.tokens))
    equal = TextBatch(same, torch.ones_like(real.mask), (longest,) * len(same))
    mean = float(np.mean(real.lengths))
    return [
        (f"texts of {longest} tokens", equal),
        (f"texts of {mean:.1f} tokens on average, {longest} at most", real),
    ]


def paper_size(name: str, precision: str, asked: Asked) -> Recipe:
    """ConVIRT's recipe with the towers that are compared."""
    return load_recipe(
        "convirt",
        [
            f"image.name={name}", "image.weights=none", f"image.size={asked.size}",
            "image_head=linear", "partner_head=linear", "text.weights=none",
            f"text.layers={asked.layers}", f"text.width={asked.width}",
            f"text.heads={max(1, asked.width // 64)}", "text.frozen_layers=0", "text.pooling=mean",
            "objective.learn_temperature=true", "objective.image_weight=0.5",
            "training.optimiser=adamw", "training.learning_rate=1e-5", "training.clip=0",
            "training.schedule=constant", f"training.precision={precision}",
            f"training.batch={asked.batch}", "training.shards=1",
        ],
    )  # fmt: skip


def our_trainer(recipe: Recipe, vocabulary: int, device: torch.device) -> Trainer:
    """A trainer of one process at step 0, its towers' projections without a bias."""
    torch.manual_seed(0)
    model = PairModel(recipe.model, vocabulary)
    ranks = start_processes(recipe, device.type, 1, 1)
    return build_trainer(recipe, ranks, Layout(1), recipe.training.batch, model, 10**6)


def our_step(trainer: Trainer, *shards: PairBatch) -> Done:
    """What ``pretrain`` does with one batch."""
    device = trainer.fabric.device
    done = take_step(trainer, [with_pixels(to_device(shard, device)) for shard in shards])
    trainer.step += 1
    return done


class Theirs:
    """open_clip's model, its loss and its step, with the weights of ours."""

    def __init__(
        self, ours: PairModel, name: str, precision: str, device: torch.device, *, fused: bool
    ) -> None:
        mend_torchvision()
        from open_clip.loss import ClipLoss
        from open_clip_train.precision import get_autocast

        self.model = their_model(ours, name).to(device)
        self.loss = ClipLoss(cache_labels=True)
        self.autocast = get_autocast(AUTOCAST[precision], device_type=device.type)
        self.optimiser = their_optimiser(self.model, fused=fused)
        self.device = device

    def step(self, images: Tensor, tokens: Tensor) -> Tensor:
        """As ``train_one_epoch`` has it: one process, no scaler, no accumulation, no clipping."""
        self.model.train()
        images = images.to(device=self.device, non_blocking=True)
        tokens = tokens.to(device=self.device, non_blocking=True)
        self.optimiser.zero_grad()
        with self.autocast():
            found = self.loss(**self.model(images, tokens), output_dict=True)
            total = sum(found.values())
        total.backward()
        self.optimiser.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, math.log(100))
        return total


def their_model(ours: PairModel, name: str) -> nn.Module:
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg, CustomTextCLIP

    assert ours.text is not None
    with tempfile.TemporaryDirectory() as folder:
        ours.text.encoder.bert.config.save_pretrained(folder)
        text = CLIPTextCfg(
            hf_model_name=folder, hf_model_pretrained=False, hf_proj_type="linear",
            hf_pooler_type="mean_pooler",
        )  # fmt: skip
        size = ours.config.image.size
        vision = CLIPVisionCfg(timm_model_name=name, timm_pool=TOWERS[name], image_size=size)
        with redirect_stdout(None):
            model = CustomTextCLIP(ours.config.dim, vision, text, output_dict=True)
    with torch.no_grad():
        model.visual.trunk.load_state_dict(ours.image.backbone.state_dict())
        model.visual.head.proj.weight.copy_(ours.image_head.weight)
        model.text.transformer.load_state_dict(ours.text.encoder.bert.state_dict())
        model.text.proj.weight.copy_(ours.text.head.weight)
        model.logit_scale.copy_(ours.temperature.log_scale)
        for head in (ours.image_head, ours.text.head):
            head.bias.zero_()
    return model


def their_optimiser(model: nn.Module, *, fused: bool) -> torch.optim.Optimizer:
    """open_clip decays matrices alone; ``fused`` is left to torch there."""
    few = [p for p in model.parameters() if p.ndim < 2]
    rest = [p for p in model.parameters() if p.ndim >= 2]
    groups = [{"params": few, "weight_decay": 0.0}, {"params": rest, "weight_decay": 1e-6}]
    return torch.optim.AdamW(groups, lr=1e-5, fused=True if fused else None)


def normalised(pixels: Tensor) -> Tensor:
    """``[images, 3, size, size]`` float32, as open_clip's loader hands images over."""
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return (pixels.float().div(255).unsqueeze(1) - mean) / std


@torch.no_grad()
def same_values(ours: Trainer, theirs: Theirs, batch: PairBatch, tolerance: float) -> None:
    """Both sides lose the same on the same batch."""
    assert batch.text is not None
    model = ours.model.eval()
    with ours.fabric.autocast():
        found = losses(model, with_pixels(to_device(batch, ours.fabric.device)))["loss"]
    theirs.model.eval()
    images, tokens = normalised(batch.pixels), batch.text.tokens
    with theirs.autocast():
        out = theirs.model(images.to(theirs.device), tokens.to(theirs.device))
        expected = theirs.loss(**out)
    torch.testing.assert_close(found.float(), expected.float(), atol=tolerance, rtol=tolerance)


def with_compiled(what: str, part: str, ours: Trainer, batch: PairBatch, asked: Asked) -> None:
    """Times the step of one trainer with the compiled code and without it."""

    def plain() -> Done:
        with torch.compiler.set_stance("force_eager"):
            return our_step(ours, batch)

    works = {
        "radpair": plain,
        f"{part} compiled": partial(our_step, ours, batch),
    }
    mine, compiled = turns(works, asked.turns, asked.steps, asked.device).values()
    print(f"{what}: {mine.said}")
    print(f"    {part} compiled: {compiled.said}; ratio {mine.over(compiled)}", flush=True)


def with_theirs(what: str, name: str, ours: Trainer, batch: PairBatch, asked: Asked) -> None:
    """Times the steps of both sides, of the same weights."""
    precision = ours.config.precision
    theirs = Theirs(ours.model, name, precision, asked.device, fused=True)
    plain = Theirs(ours.model, name, precision, asked.device, fused=False)
    same_values(ours, theirs, batch, TOLERANCE[precision])
    assert batch.text is not None
    inputs = normalised(batch.pixels), batch.text.tokens
    works = {
        "radpair": partial(our_step, ours, batch),
        "open_clip": partial(theirs.step, *inputs),
        "open_clip, its own AdamW": partial(plain.step, *inputs),
    }
    found = turns(works, asked.turns, asked.steps, asked.device)
    mine = found.pop("radpair")
    print(f"{what}: {mine.said}")
    for side, other in found.items():
        print(f"    {side}: {other.said}; ratio {other.over(mine)}", flush=True)


if __name__ == "__main__":
    main()
