"""Pretrains igc and convirt at paper size on synthetic studies; compares them with random weights.

    python scripts/paper_size.py --out OUT                            # a GPU
    python scripts/paper_size.py --out OUT --studies 600 --device cpu --batch 32 --epochs 1

Makes a study set of phantoms (OUT/set) with graphs from their reports, trains ``igc`` and
``convirt`` (OUT/igc, OUT/convirt, each with profile.json), and compares both, and each network
with random weights, by every protocol: the tables are OUT/tables/report.md, results.csv and
results.json. All of it is done by radpair's own verbs, which are printed. Stopped at any moment,
the same command continues.

Where no pretrained weights are given, towers start from random ones, and the recipes are changed
in what those need: ``RANDOM`` below. Figures of few studies say nothing of the methods.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

import torch

from radpair.cli import main as radpair

RECIPES = ("igc", "convirt")
RANDOM = {
    "igc": (
        *("training.learning_rate=1e-4", "training.schedule=cosine", "training.warmup=100"),
        "training.freeze_image=0",
    ),
    "convirt": (),
}
"""Without pretrained images. IGC's constant 1e-3 is meant for CLIP's weights, and its frozen steps
keep them; this rate is a common one for random weights, not one that was searched for."""


def main() -> None:
    asked = parsed()
    if asked.device == "cuda" and not torch.cuda.is_available():
        sys.exit("no CUDA device here; give --device cpu, and few --studies")
    data, runs = asked.out / "set", [asked.out / recipe for recipe in RECIPES]
    verb("ingest", "phantom", "--out", data, "--studies", asked.studies)
    verb("graphs", data)
    for recipe, run, weights in zip(RECIPES, runs, (asked.vit, asked.resnet), strict=True):
        verb(
            *("pretrain", recipe, "--data", data, "--out", run, "--device", asked.device),
            *("--profile", "--set", *settings(recipe, weights, asked)),
        )
    verb(
        *("compare", *(f"random:{run}" for run in runs), *runs, "--data", f"phantom={data}"),
        *("--device", asked.device, "--out", asked.out / "tables"),
    )


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=50_000)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--steps", type=int, default=0, help="an epoch; 0 for all studies once")
    parser.add_argument("--vit", type=Path, help="CLIP's ViT-B/32, a .safetensors file")
    parser.add_argument("--resnet", type=Path, help="ResNet-50, a .safetensors file")
    parser.add_argument("--bert", type=Path, help="the folder of a BERT-base")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="both recipes")
    return parser.parse_args()


def settings(recipe: str, weights: Path | None, asked: argparse.Namespace) -> list[str]:
    """What the run has in place of the recipe's values."""
    return [
        *(() if weights else RANDOM[recipe]),
        f"image.weights={weights or 'none'}",
        f"text.weights={asked.bert or 'none'}",
        f"training.batch={asked.batch}",
        f"training.epochs={asked.epochs}",
        f"training.steps_per_epoch={asked.steps}",
        *asked.set,
    ]


def verb(*words: object) -> None:
    """Does what ``radpair words`` does; ends where that ends with a mistake."""
    told = [str(word) for word in words]
    print(f"$ radpair {shlex.join(told)}", flush=True)
    begun = time.monotonic()
    radpair(told)
    print(f"({time.monotonic() - begun:.0f} s)\n", flush=True)


if __name__ == "__main__":
    main()
