"""Two tiny runs on the disc set, and the words of a comparison of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radpair.cli import main

PROMPTS = """
version: discs/1
labels:
  Disc:
    present: [There is a bright left disc., There is a bright right disc.]
    absent: [There is a bright no disc.]
    graph: nodule in the right lung
"""


@dataclass(frozen=True)
class Runs:
    """The folders that a comparison starts from."""

    igc: Path
    convirt: Path
    data: Path
    prompts: Path

    def words(self, out: Path, *more: str) -> list[str]:
        models = [f"random:{self.igc}", str(self.igc), str(self.convirt)]
        given = ["--data", f"discs={self.data}", "--prompts", str(self.prompts)]
        few = ["--fractions", "0.2", "1.0", "--shots", "2", "--draws", "2", "--resamples", "200"]
        return ["compare", *models, *given, *few, "--out", str(out), *more]

    def compare(self, out: Path, *more: str) -> dict[str, Any]:
        main(self.words(out, *more))
        found: dict[str, Any] = json.loads((out / "results.json").read_text())
        return found


def train(data: Path, tiny: tuple[str, ...], folder: Path) -> Runs:
    """Both recipes, one pass each."""
    for recipe in ("igc-small", "convirt-small"):
        given = ["pretrain", recipe, "--data", str(data), "--out", str(folder / recipe)]
        main([*given, "--device", "cpu", "--set", *tiny, "training.epochs=1"])
    prompts = folder / "prompts.yaml"
    prompts.write_text(PROMPTS)
    return Runs(folder / "igc-small", folder / "convirt-small", data, prompts)


def answer(found: dict[str, Any], model: str, title: str) -> dict[str, Any]:
    """One result by the start of its title."""
    rows = [r for r in found["results"] if r["model"] == model and r["title"].startswith(title)]
    (row,) = rows
    return row
